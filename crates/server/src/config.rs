//! What can be set: one TOML file, whose reference are the comments of these fields.
//!
//! `ringwall config explain` prints them with the values in force.

mod check;
mod dialects;
mod sections;

pub(crate) use dialects::DialectsSection;
pub(crate) use sections::{
    ArchiveSection, CommandsSection, DetectionSection, GuardSection, HostAgentsSection,
    LimitsSection, ProtectedSection, QuerySection, ServerSection, SignInSection, WebhooksSection,
};

use crate::engine::EngineSettings;
use crate::guard::GuardProjects;
use crate::guard_rules::GuardRules;
use crate::rules::Rules;
use crate::tls::{TlsSection, TlsUse};
use crate::webhooks::Webhooks;
use ringwall_access::{Rules as AccessRules, SessionTimes};
use ringwall_detection::{DetectionRules, IndicatorSet};
use ringwall_event::Source;
use ringwall_lifecycle::config::{ConfigError, Explained, Loaded, Section, explain, load};
use ringwall_lifecycle::local_addresses;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
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

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

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
