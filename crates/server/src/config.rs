//! What can be set: one TOML file, whose reference are the comments of these fields.
//!
//! `ringwall config explain` prints them with the values in force.

use crate::engine::EngineSettings;
use crate::guard::GuardProjects;
use crate::guard_rules::GuardRules;
use crate::rules::Rules;
use crate::tls::{TlsSection, TlsUse};
use crate::webhooks::Webhooks;
use ringwall_access::{Rules as AccessRules, SessionTimes};
use ringwall_detection::{DetectionRules, IndicatorSet};
use ringwall_event::{Network, Source};
use ringwall_lifecycle::config::{ConfigError, Explained, Loaded, Section, explain, load};
use ringwall_lifecycle::config_section;
use ringwall_lifecycle::local_addresses;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server itself.
    pub server: ServerSection,
    /// Encryption of what goes to and from the listeners.
    pub tls: TlsSection,
    /// People who sign in.
    pub sign_in: SignInSection,
    /// What existing clients connect to.
    pub dialects: DialectsSection,
    /// What is concluded, and what follows from it.
    pub detection: DetectionSection,
    /// Commands to hosts.
    pub commands: CommandsSection,
    /// What commands never hit.
    pub protected: ProtectedSection,
    /// Our own host agents.
    pub host_agents: HostAgentsSection,
    /// Guards of web applications.
    pub guard: GuardSection,
    /// What becomes of events that are not new any more.
    pub archive: ArchiveSection,
    /// Bounds of memory and size.
    pub limits: LimitsSection,
    /// Queries in SQL.
    pub query: QuerySection,
    /// Telling others what was concluded.
    pub webhooks: WebhooksSection,
}

/// What existing clients connect to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DialectsSection {
    /// SysScore agents.
    pub sysscore: SysScoreSection,
    /// Watcher agents.
    pub watcher: WatcherSection,
}

config_section! {
    /// The server itself.
    pub struct ServerSection in "server" {
        /// Where the dashboard and the API listen: address and port.
        pub listen: SocketAddr = loopback(7400),
        /// The folder that everything is kept in: made where it is missing, with mode 0700.
        ///
        /// Where it is not set: `--data-dir`, else `RINGWALL_DATA_DIR`, else `ringwall` in
        /// `$XDG_DATA_HOME` or `~/.local/share`.
        pub data_dir: PathBuf = PathBuf::new(),
        /// Names by which this server may be addressed, beside those of loopback and the address it
        /// listens on: the public name of a reverse proxy in front. Requests for other names are
        /// refused, so that no page can reach it under a name of its own (DNS rebinding).
        pub host_names: Vec<String> = Vec::new(),
        /// Lets listeners that other machines reach speak plain HTTP, although passwords, tokens and
        /// events then cross the network unencrypted. Not needed for TLS.
        pub allow_plaintext_beyond_loopback: bool = false,
        /// How often derived state (scores, host pictures, counts) is written down, in seconds. A
        /// start replays what came after.
        pub checkpoint_seconds: i64 = 60,
    }
}

config_section! {
    /// People who sign in.
    pub struct SignInSection in "sign_in" {
        /// After how many seconds without use a session ends.
        pub session_idle_seconds: i64 = 12 * 3600,
        /// After how many seconds a session ends, used or not.
        pub session_seconds: i64 = 7 * 86_400,
    }
}

config_section! {
    /// SysScore agents and their API: at the root of its own port, and under `/dialects/sysscore`
    /// of the main one.
    pub struct SysScoreSection in "dialects.sysscore" {
        /// Whether it is served at all.
        pub enabled: bool = true,
        /// Its own address and port; its documents say 8000.
        pub listen: SocketAddr = loopback(8000),
        /// Whether its own port speaks TLS: `auto`, `always` or `never` as under `[tls]`, which holds
        /// where this is not set. Agents with an `http://` address need `never`: their requests are
        /// signed, but what they report can be read on the way.
        pub tls: Option<TlsUse> = None,
    }
}

config_section! {
    /// Watcher agents and their UI: at the root of its own port, and under `/dialects/watcher` of
    /// the main one. These clients cannot authenticate.
    pub struct WatcherSection in "dialects.watcher" {
        /// Whether it is served at all.
        pub enabled: bool = true,
        /// Its own address and port; 9000 is fixed in the original agent.
        pub listen: SocketAddr = loopback(9000),
        /// Whether its own port speaks TLS: `auto`, `always` or `never` as under `[tls]`, which holds
        /// where this is not set. The original agent speaks plain HTTP only, and needs `never`: then
        /// everybody on the way can read and change what it reports.
        pub tls: Option<TlsUse> = None,
        /// Addresses (`192.0.2.7`) and networks (`192.0.2.0/24`) whose clients are let in beside
        /// those on this machine. Whoever is let in can report any process of any host.
        pub allow: Vec<String> = Vec::new(),
        /// Origins of web pages that may read it; the original UI is served from these.
        pub cors_origins: Vec<String> = vec![
            "http://localhost:5173".to_owned(),
            "http://127.0.0.1:5173".to_owned(),
        ],
    }
}

config_section! {
    /// What is concluded, and what follows from it.
    pub struct DetectionSection in "detection" {
        /// The risk score, 0 to 100, from which a process raises an alert.
        pub risk_threshold: f64 = 85.0,
        /// The same for single hosts, before what the registration of a SysScore agent says:
        /// `risk_thresholds = { "sysscore:agent-1" = 50.0 }`.
        pub risk_thresholds: BTreeMap<String, f64> = BTreeMap::new(),
        /// Whether indicators with the action `kill` order the kill by themselves; otherwise they
        /// offer it to people.
        pub order_kills: bool = true,
        /// Whether programs that a host never ran before raise an alert of severity low.
        pub new_processes: bool = true,
        /// After how many seconds a command that was not carried out is void.
        pub command_seconds: i64 = 600,
        /// After how many seconds a Watcher client, which reports no results, gets a command again
        /// while the process still runs; a little over its poll interval of 60 s.
        pub watcher_lease_seconds: i64 = 70,
    }
}

config_section! {
    /// Commands to hosts.
    pub struct CommandsSection in "commands" {
        /// The largest file that is collected from a host, in bytes; host agents have a bound of their own
        /// (`--collect-max`).
        pub collect_bytes_max: u64 = 16 << 20,
        /// How many bytes the collected files may have together, beyond which none is collected. They lie
        /// in the folder `collected` of the data directory and are not part of backups.
        pub collected_bytes_max: u64 = 1 << 30,
        /// How many days a collected file is kept; 0 for ever.
        pub collected_days: u32 = 30,
        /// The longest time that an address is blocked, in seconds.
        pub block_seconds_max: u64 = 30 * 86_400,
        /// The shortest prefix of an IPv4 network that may be blocked; 32 for single addresses only.
        pub block_prefix_v4_min: u8 = 24,
        /// The shortest prefix of an IPv6 network that may be blocked; 128 for single addresses only.
        pub block_prefix_v6_min: u8 = 48,
    }
}

config_section! {
    /// What commands never hit.
    pub struct ProtectedSection in "protected" {
        /// Names of processes that are never killed, whatever the rules say, in place of the
        /// built-in list (init, systemd, sshd, kubelet, Ringwall itself and their like). A process
        /// chooses its name: `"postgres@postgres"` is that user's only, where the host's own agent
        /// tells who it runs as. Of the built-in list only the system's own processes count.
        pub names: Option<Vec<String>> = None,
        /// Addresses (`192.0.2.7`) and networks (`192.0.2.0/24`) that are never blocked, nor any network
        /// that has one of them in it. Loopback, multicast, link-local addresses, this server's own and
        /// those of the host itself are never blocked anyway.
        pub networks: Vec<String> = Vec::new(),
        /// Files and folders that are never put into quarantine, in place of the built-in list (/bin,
        /// /boot, /etc, /lib, /sbin, /usr but /usr/local, the state of packages and of Ringwall). /dev,
        /// /proc, /sys and the host agent's own files are never touched anyway.
        pub paths: Option<Vec<String>> = None,
    }
}

config_section! {
    /// Our own host agents.
    pub struct HostAgentsSection in "host_agents" {
        /// Whether an identity that two machines use at once is suspended until somebody reinstates it.
        /// Otherwise there is an alert, and both are listened to: whoever copies a host cannot shut the
        /// host out.
        pub suspend_cloned: bool = false,
    }
}

config_section! {
    /// Guards of web applications (`ringwall guard`).
    pub struct GuardSection in "guard" {
        /// How many installations may use the key of one project within a day before an alert says so; 0
        /// for any number. Containers without a home of their own are a new installation at each start.
        pub installs_per_key_max: u64 = 5,
        /// How many single events and batches of measurements are recognised when they come again, over
        /// all projects; for how long is `limits.repeated_batch_seconds`.
        pub repeated_items_max: u64 = 5_000_000,
        /// How many days measurements are kept by the minute; then by the hour, for
        /// `archive.retention_days`.
        pub minutes_days: u32 = 7,
    }
}

config_section! {
    /// What becomes of events that are not new any more: they are moved from the database into Parquet
    /// files in the folder `archive` of the data directory, and given up when they are old. Legal holds
    /// (`ringwall holds`) win over both bounds.
    pub struct ArchiveSection in "archive" {
        /// Whether events are moved at all. Without it the database grows, and nothing is given up.
        pub enabled: bool = true,
        /// After how many seconds events are moved at the latest; 0 for at once, which makes many small
        /// files and is meant for tests.
        pub after_seconds: i64 = 600,
        /// From how many waiting events on they are moved earlier than that.
        pub intake_events_min: u64 = 256 << 10,
        /// How many events a file has at most. Small files of a day are merged until they have about so
        /// many.
        pub file_events_max: u64 = 4 << 20,
        /// How many days after its receipt an event is kept; 0 for ever.
        pub retention_days: u32 = 365,
        /// How many bytes the files may have together, beyond which those received first are given up; 0
        /// for any number.
        pub bytes_max: u64 = 0,
        /// How hard files are compressed: the level of zstd, 1 to 19.
        pub compression_level: i32 = 3,
    }
}

config_section! {
    /// Bounds of memory and size. Beyond them senders are asked to come back later, and keep what
    /// they have.
    pub struct LimitsSection in "limits" {
        /// The largest request body, in bytes.
        pub body_bytes_max: usize = 16 << 20,
        /// How many connections one listener holds open; further ones wait.
        pub connections_max: usize = 10_000,
        /// How many batches of events may wait for the disk.
        pub queue_batches_max: usize = 4096,
        /// How many bytes of them may wait for the disk.
        pub queue_bytes_max: usize = 256 << 20,
        /// What a sender is told to wait when there is no room, in seconds.
        pub retry_after_seconds: u64 = 1,
        /// How many hosts are held in memory; those unseen for longest are forgotten first.
        pub hosts_max: usize = 20_000,
        /// How long a batch that is sent again is recognised as the same, in seconds.
        pub repeated_batch_seconds: i64 = 7 * 86_400,
        /// How long a single event that is sent again in another batch is recognised, in seconds.
        pub repeated_event_seconds: i64 = 3600,
        /// How many single events are recognised.
        pub repeated_events_max: usize = 400_000,
    }
}

config_section! {
    /// Queries in SQL. Each runs in a process of its own, with these bounds.
    pub struct QuerySection in "query" {
        /// How many run at once; who asks further ones is told to come back.
        pub concurrent_max: usize = 2,
        /// How much memory one may take, in bytes.
        pub memory_bytes_max: u64 = 512 << 20,
        /// How long one may take, in seconds; who asks says how long within this.
        pub time_seconds_max: u64 = 600,
        /// How many rows one may answer; who asks says how many within this.
        pub rows_max: u64 = 1_000_000,
    }
}

config_section! {
    /// Telling others what was concluded (`ringwall webhooks`). Webhooks in the SysScore form take their
    /// times and their common secret from the environment instead: WEBHOOK_TIMEOUT,
    /// WEBHOOK_MAX_RETRIES, WEBHOOK_BACKOFF_BASE and HMAC_SECRET_KEY.
    pub struct WebhooksSection in "webhooks" {
        /// Networks that are spoken to although they are not of the public internet: `10.1.0.0/16`,
        /// `127.0.0.1`, `fd00::/8`. Without this nobody who names an address can have the server speak
        /// to what stands beside it.
        pub allow_networks: Vec<String> = Vec::new(),
        /// A file of certificates (PEM) that receivers are trusted with, beside the system's.
        pub ca_file: Option<PathBuf> = None,
        /// Where people reach the dashboard, for the links in messages: `https://ringwall.example.com`.
        /// Where it is not set, the address that the server listens on.
        pub dashboard_url: Option<String> = None,
        /// How long an attempt may take until the receiver's status is there, in seconds.
        pub timeout_seconds: u64 = 15,
        /// How many attempts a delivery gets before it is a dead letter.
        pub attempts_max: u32 = 16,
        /// The longest wait after the first attempt, in seconds. It doubles with each further one, and
        /// each wait is drawn by chance from nothing to that.
        pub retry_first_seconds: u64 = 10,
        /// The longest wait after any attempt, in seconds.
        pub retry_longest_seconds: u64 = 14_400,
        /// How many deliveries are under way to one receiver at once, 1 to 4. Their order is not kept.
        pub concurrent_max: usize = 2,
        /// How many deliveries may wait for one receiver. Beyond it the oldest become dead letters.
        pub waiting_max: u64 = 10_000,
        /// How many days deliveries are kept after they arrived or were given up; dead letters can be
        /// replayed as long.
        pub history_days: u32 = 30,
        /// How many of them are kept.
        pub history_max: u64 = 100_000,
        /// How many hours an old secret signs beside a new one.
        pub rotation_hours: u32 = 24,
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Browsers forget cookies after 400 days.
const SESSION_SECONDS_MAX: i64 = 400 * 86_400;
/// Host agents take no command that is good for longer than a day.
const COMMAND_SECONDS_MAX: i64 = 86_400;

impl Config {
    /// Reads and checks a file; without one, all is at its default.
    ///
    /// # Errors
    /// Where the file cannot be read, has what is not known here, or [`Config::check`] refuses it.
    pub fn load(path: Option<&Path>) -> Result<Loaded<Self>, ConfigError> {
        let loaded = match path {
            Some(path) => load(path)?,
            None => Loaded::default(),
        };
        Self::check(&loaded)?;
        Ok(loaded)
    }

    /// Whether the values make sense together.
    ///
    /// # Errors
    /// At the first that does not, with its place and a way out.
    pub fn check(loaded: &Loaded<Self>) -> Result<(), ConfigError> {
        let config = &loaded.value;
        let refuse = |field: &str, why: &str| Err(loaded.error(field, why));
        let dialects = &config.dialects;
        for (field, address, own) in [
            ("server.listen", Some(config.server.listen), None),
            (
                "dialects.sysscore.listen",
                dialects.sysscore.listen_if_enabled(),
                dialects.sysscore.tls,
            ),
            ("dialects.watcher.listen", dialects.watcher.listen_if_enabled(), dialects.watcher.tls),
        ] {
            let Some(address) = address else { continue };
            // What a dialect says for itself alone is said in so many words.
            let is_accepted = config.server.allow_plaintext_beyond_loopback || own.is_some();
            if address.ip().to_canonical().is_loopback()
                || is_accepted
                || config.speaks_tls(own, address)
            {
                continue;
            }
            return Err(loaded
                .error(field, format!("{address} is reached by other machines, without TLS"))
                .hint(
                    "leave `enabled` under [tls] at \"auto\", or listen on 127.0.0.1 and put a reverse \
                     proxy with TLS in front, or accept the risk with \
                     `allow_plaintext_beyond_loopback = true` under [server]",
                ));
        }
        let tls = &config.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return refuse("tls.certificate", "`certificate` and `key` belong together");
        }
        if tls.authority.is_some() && tls.certificate.is_none() {
            return refuse("tls.authority", "belongs to a `certificate` of your own");
        }
        for network in &config.dialects.watcher.allow {
            if network.parse::<Network>().is_err() {
                return Err(loaded
                    .error("dialects.watcher.allow", format!("not a network: `{network}`"))
                    .hint("as in \"192.0.2.7\" or \"192.0.2.0/24\" or \"2001:db8::/32\""));
            }
        }
        for network in &config.protected.networks {
            if network.parse::<Network>().is_err() {
                return Err(loaded
                    .error("protected.networks", format!("not a network: `{network}`"))
                    .hint("as in \"192.0.2.7\" or \"192.0.2.0/24\" or \"2001:db8::/32\""));
            }
        }
        for path in config.protected.paths.iter().flatten() {
            if !path.starts_with('/') {
                return refuse("protected.paths", &format!("not an absolute path: `{path}`"));
            }
        }
        let commands = &config.commands;
        for (field, prefix, width) in [
            ("commands.block_prefix_v4_min", commands.block_prefix_v4_min, 32),
            ("commands.block_prefix_v6_min", commands.block_prefix_v6_min, 128),
        ] {
            if !(1..=width).contains(&prefix) {
                return refuse(field, &format!("not within 1 and {width}"));
            }
        }
        if !(0.0..=100.0).contains(&config.detection.risk_threshold) {
            return refuse("detection.risk_threshold", "not within 0 and 100");
        }
        for (source, threshold) in &config.detection.risk_thresholds {
            if Source::parse(source).is_none() {
                return Err(loaded
                    .error("detection.risk_thresholds", format!("not a host: `{source}`"))
                    .hint("as in \"sysscore:agent-1\""));
            }
            if !(0.0..=100.0).contains(threshold) {
                return refuse("detection.risk_thresholds", "not within 0 and 100");
            }
        }
        config.webhooks.check(loaded)?;
        if !(1..=19).contains(&config.archive.compression_level) {
            return refuse("archive.compression_level", "not within 1 and 19");
        }
        let (limits, query) = (&config.limits, &config.query);
        for (field, value, min) in [
            ("server.checkpoint_seconds", config.server.checkpoint_seconds, 1),
            ("sign_in.session_idle_seconds", config.sign_in.session_idle_seconds, 60),
            ("sign_in.session_seconds", config.sign_in.session_seconds, 60),
            ("detection.command_seconds", config.detection.command_seconds, 1),
            ("detection.watcher_lease_seconds", config.detection.watcher_lease_seconds, 1),
            ("commands.block_seconds_max", saturated(commands.block_seconds_max), 1),
            ("archive.after_seconds", config.archive.after_seconds, 0),
            ("archive.intake_events_min", saturated(config.archive.intake_events_min), 1),
            ("archive.file_events_max", saturated(config.archive.file_events_max), 4),
            ("limits.repeated_batch_seconds", limits.repeated_batch_seconds, 1),
            ("limits.repeated_event_seconds", limits.repeated_event_seconds, 1),
            ("limits.body_bytes_max", as_i64(limits.body_bytes_max), 1024),
            ("limits.connections_max", as_i64(limits.connections_max), 1),
            ("limits.queue_batches_max", as_i64(limits.queue_batches_max), 1),
            ("limits.queue_bytes_max", as_i64(limits.queue_bytes_max), 1 << 20),
            ("limits.hosts_max", as_i64(limits.hosts_max), 1),
            ("limits.repeated_events_max", as_i64(limits.repeated_events_max), 1),
            ("query.concurrent_max", as_i64(query.concurrent_max), 1),
            ("query.memory_bytes_max", saturated(query.memory_bytes_max), 64 << 20),
            ("query.time_seconds_max", saturated(query.time_seconds_max), 1),
            ("query.rows_max", saturated(query.rows_max), 1),
        ] {
            if value < min {
                return refuse(field, &format!("less than {min}"));
            }
        }
        if config.sign_in.session_seconds > SESSION_SECONDS_MAX {
            return refuse("sign_in.session_seconds", &format!("more than {SESSION_SECONDS_MAX}"));
        }
        if config.detection.command_seconds > COMMAND_SECONDS_MAX {
            return refuse(
                "detection.command_seconds",
                &format!("more than {COMMAND_SECONDS_MAX}: host agents refuse such commands"),
            );
        }
        if limits.queue_bytes_max < limits.body_bytes_max {
            return refuse("limits.queue_bytes_max", "less than `body_bytes_max`");
        }
        Ok(())
    }

    /// Every field with its documentation, its value and where that comes from.
    ///
    /// # Errors
    /// Where a value has no notation in TOML.
    pub fn explain(loaded: &Loaded<Self>) -> Result<Vec<Explained>, ConfigError> {
        fn add<S: Section>(
            all: &mut Vec<Explained>,
            loaded: &Loaded<Config>,
            section: &S,
        ) -> Result<(), ConfigError> {
            let explained = explain(loaded, section)
                .map_err(|error| loaded.error(S::NAME, error.to_string()))?;
            all.extend(explained);
            Ok(())
        }
        let config = &loaded.value;
        let mut all = Vec::new();
        add(&mut all, loaded, &config.server)?;
        add(&mut all, loaded, &config.tls)?;
        add(&mut all, loaded, &config.sign_in)?;
        add(&mut all, loaded, &config.dialects.sysscore)?;
        add(&mut all, loaded, &config.dialects.watcher)?;
        add(&mut all, loaded, &config.detection)?;
        add(&mut all, loaded, &config.commands)?;
        add(&mut all, loaded, &config.protected)?;
        add(&mut all, loaded, &config.host_agents)?;
        add(&mut all, loaded, &config.guard)?;
        add(&mut all, loaded, &config.archive)?;
        add(&mut all, loaded, &config.limits)?;
        add(&mut all, loaded, &config.query)?;
        add(&mut all, loaded, &config.webhooks)?;
        Ok(all)
    }

    /// The bounds of the engine.
    pub fn engine_settings(&self) -> EngineSettings {
        let limits = &self.limits;
        EngineSettings {
            queue_capacity: limits.queue_batches_max,
            queue_bytes_max: limits.queue_bytes_max,
            retry_after_seconds: limits.retry_after_seconds,
            checkpoint_seconds: self.server.checkpoint_seconds,
            mark_seconds: limits.repeated_batch_seconds,
            item_window_max: limits.repeated_events_max,
            item_window_seconds: limits.repeated_event_seconds,
            hosts_max: limits.hosts_max,
        }
    }

    /// The dialects by name, with the ports of those that are served, and what each says of TLS.
    pub fn dialect_listeners(&self) -> [(&'static str, Option<SocketAddr>, Option<TlsUse>); 2] {
        let (sysscore, watcher) = (&self.dialects.sysscore, &self.dialects.watcher);
        [
            ("sysscore", sysscore.listen_if_enabled(), sysscore.tls),
            ("watcher", watcher.listen_if_enabled(), watcher.tls),
        ]
    }

    /// How long sessions last.
    pub fn session_times(&self) -> SessionTimes {
        SessionTimes {
            idle_seconds: self.sign_in.session_idle_seconds,
            age_seconds: self.sign_in.session_seconds,
        }
    }

    /// Whether a listener on this address speaks TLS; `own` is what its dialect says.
    pub fn speaks_tls(&self, own: Option<TlsUse>, address: SocketAddr) -> bool {
        let plaintext_is_allowed = self.server.allow_plaintext_beyond_loopback;
        own.unwrap_or(self.tls.enabled).is_for(address.ip(), plaintext_is_allowed)
    }

    /// The rules that this configuration and these indicators make.
    pub fn rules(&self, indicators: Arc<IndicatorSet>, own_hostnames: Vec<String>) -> Rules {
        let mut access = AccessRules::default().with_own_processes(
            own_hostnames.iter().map(String::as_str),
            [i64::from(std::process::id())],
        );
        if let Some(names) = &self.protected.names {
            access = access.with_protected_names(names.iter().map(String::as_str));
        }
        if let Some(paths) = &self.protected.paths {
            access = access.with_protected_paths(paths.iter().map(String::as_str));
        }
        let networks = self.protected.networks.iter().filter_map(|network| network.parse().ok());
        let commands = &self.commands;
        let access = access
            .with_protected_networks(networks)
            .with_own_addresses(self.own_addresses())
            .with_block_bounds(
                commands.block_prefix_v4_min,
                commands.block_prefix_v6_min,
                commands.block_seconds_max,
            );
        Rules {
            indicators,
            detection: DetectionRules {
                order_kills: self.detection.order_kills,
                new_processes: self.detection.new_processes,
                ..DetectionRules::default()
            },
            risk_threshold: self.detection.risk_threshold,
            risk_thresholds: Arc::new(
                self.detection
                    .risk_thresholds
                    .iter()
                    .filter_map(|(source, threshold)| Some((Source::parse(source)?, *threshold)))
                    .collect(),
            ),
            webhooks: Webhooks::new(self.webhooks.settings()),
            guard_projects: GuardProjects::default(),
            guard_rules: GuardRules::default(),
            access: Arc::new(access),
            enrolled: crate::identities::Enrolled::default(),
            command_seconds: self.detection.command_seconds,
            lease_seconds: self.detection.watcher_lease_seconds,
        }
    }
}

impl Config {
    /// Where hosts may reach this server.
    fn own_addresses(&self) -> Vec<IpAddr> {
        let named = self.server.host_names.iter().filter_map(|name| name.parse().ok());
        let listening = [self.server.listen.ip()].into_iter().filter(|ip| !ip.is_unspecified());
        local_addresses().into_iter().chain(named).chain(listening).collect()
    }
}

impl SysScoreSection {
    fn listen_if_enabled(&self) -> Option<SocketAddr> {
        self.enabled.then_some(self.listen)
    }
}

impl WatcherSection {
    fn listen_if_enabled(&self) -> Option<SocketAddr> {
        self.enabled.then_some(self.listen)
    }

    /// Whether a client at this address is let in: on this machine, or on the list.
    pub fn admits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback()
            || self
                .allow
                .iter()
                .filter_map(|text| text.parse::<Network>().ok())
                .any(|network| network.contains(client))
    }
}

fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_lifecycle::config::parse;

    #[test]
    fn beyond_loopback_only_whoever_says_so() {
        check("", Ok(()));
        check("[server]\nlisten = \"127.0.0.2:0\"", Ok(()));
        check("[server]\nlisten = \"[::ffff:127.0.0.1]:0\"", Ok(()));
        check("[server]\nlisten = \"0.0.0.0:7400\"", Ok(()));
        check("[dialects.watcher]\nlisten = \"[::]:9000\"", Ok(()));
        let never = "[tls]\nenabled = \"never\"\n";
        check(never, Ok(()));
        check(
            &format!("{never}[server]\nlisten = \"0.0.0.0:7400\""),
            Err("server.listen: 0.0.0.0:7400 is reached by other machines, without TLS"),
        );
        let watcher = "[dialects.watcher]\nlisten = \"[::]:9000\"\n";
        check(
            &format!("{never}{watcher}"),
            Err("dialects.watcher.listen: [::]:9000 is reached by other machines, without TLS"),
        );
        check(&format!("{never}{watcher}tls = \"always\""), Ok(()));
        check(&format!("{watcher}tls = \"never\""), Ok(()));
        check(&format!("{never}{watcher}enabled = false"), Ok(()));
        check("[server]\nlisten = \"0.0.0.0:1\"\nallow_plaintext_beyond_loopback = true", Ok(()));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        check("[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"", Ok(()));
        check(
            "[tls]\nkey = \"k.pem\"",
            Err("tls.certificate: `certificate` and `key` belong together"),
        );
        check(
            "[tls]\nauthority = \"a.pem\"",
            Err("tls.authority: belongs to a `certificate` of your own"),
        );
        check("[detection]\nrisk_threshold = 100", Ok(()));
        check("[detection]\ncommand_seconds = 86400", Ok(()));
        check(
            "[detection]\nrisk_threshold = nan",
            Err("detection.risk_threshold: not within 0 and 100"),
        );
        check("[archive]\nafter_seconds = 0\nintake_events_min = 1", Ok(()));
        check(
            "[archive]\ncompression_level = 22",
            Err("archive.compression_level: not within 1 and 19"),
        );
        check("[archive]\nafter_seconds = -1", Err("archive.after_seconds: less than 0"));
        check("[limits]\nhosts_max = 0", Err("limits.hosts_max: less than 1"));
        check(
            "[limits]\nqueue_bytes_max = 1048576",
            Err("limits.queue_bytes_max: less than `body_bytes_max`"),
        );
        check(
            "[dialects.watcher]\nallow = [\"10.0.0.0/33\"]",
            Err("dialects.watcher.allow: not a network: `10.0.0.0/33`"),
        );
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(), &str>) {
        let loaded = parse::<Config>("c.toml", text).unwrap();
        let checked = Config::check(&loaded).map_err(|error| error.to_string());
        let expected = expected.map_err(|why| format!("configuration: {why}"));
        assert_eq!(checked, expected, "text {text:?}");
    }

    #[test]
    fn watcher_clients_are_let_in_by_address() {
        let text =
            "[dialects.watcher]\nallow = [\"192.0.2.0/24\", \"198.51.100.7\", \"2001:db8::/32\"]";
        let watcher = parse::<Config>("c.toml", text).unwrap().value.dialects.watcher;
        for (client, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(watcher.admits(client.parse().unwrap()), expected, "client {client}");
        }
        let all = WatcherSection { allow: vec!["0.0.0.0/0".to_owned()], ..watcher };
        assert!(all.admits("203.0.113.1".parse().unwrap()));
        assert!(!all.admits("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn every_field_is_explained() {
        let explained = Config::explain(&Loaded::default()).unwrap();
        assert!(explained.iter().all(|field| field.doc.ends_with('.')));
        let written = serde_json::to_value(Config::default()).unwrap();
        assert_eq!(explained.len(), leaves(&written), "{written:#}");
    }

    fn leaves(value: &serde_json::Value) -> usize {
        // An empty table is a field whose keys people choose.
        let fields = value.as_object().filter(|fields| !fields.is_empty());
        fields.map_or(1, |fields| fields.values().map(leaves).sum())
    }
}
