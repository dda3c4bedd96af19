//! What can be set, section by section, beside dialects and TLS.

use super::loopback;
use ringwall_lifecycle::config_section;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

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
