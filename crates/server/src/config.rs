//! What can be set. (First cut by the engine's needs; documented fields, loading and checks follow.)

use crate::engine::EngineSettings;
use crate::rules::Rules;
use ringwall_access::Rules as AccessRules;
use ringwall_detection::{DetectionRules, IndicatorSet};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The configuration of the server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server itself.
    pub server: ServerSection,
    /// The listeners of the dialects.
    pub dialects: DialectsSection,
    /// Bounds.
    pub limits: LimitsSection,
    /// Conclusions.
    pub detection: DetectionSection,
    /// What commands must never hit.
    pub protected: ProtectedSection,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Where the dashboard and the API listen.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7400)), data_dir: PathBuf::new() }
    }
}

/// `[dialects]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DialectsSection {
    /// `[dialects.sysscore]`
    pub sysscore: SysScoreSection,
    /// `[dialects.watcher]`
    pub watcher: WatcherSection,
}

/// `[dialects.sysscore]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SysScoreSection {
    /// Whether it is served at all.
    pub enabled: bool,
    /// Its own port.
    pub listen: SocketAddr,
}

impl Default for SysScoreSection {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 8000)) }
    }
}

/// `[dialects.watcher]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatcherSection {
    /// Whether it is served at all.
    pub enabled: bool,
    /// Its own port.
    pub listen: SocketAddr,
    /// Addresses or networks beside loopback whose clients are let in; they cannot authenticate.
    pub allow: Vec<String>,
    /// Origins of web pages that may read it.
    pub cors_origins: Vec<String>,
}

impl Default for WatcherSection {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            allow: Vec::new(),
            cors_origins: vec![
                "http://localhost:5173".to_owned(),
                "http://127.0.0.1:5173".to_owned(),
            ],
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Connections of one listener.
    pub connections_max: usize,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { body_bytes_max: 16 << 20, connections_max: 10_000 }
    }
}

/// `[detection]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionSection {
    /// The risk, 0 to 100, from which a process is worth an alert.
    pub risk_threshold: f64,
    /// Whether matched indicators order kills by themselves.
    pub order_kills: bool,
    /// Whether programs that a host never ran before are raised.
    pub new_processes: bool,
    /// Seconds after which a command that was not carried out is void.
    pub command_seconds: i64,
    /// Seconds after which a Watcher client gets an unconfirmed command again.
    pub watcher_lease_seconds: i64,
}

impl Default for DetectionSection {
    fn default() -> Self {
        Self {
            risk_threshold: 75.0,
            order_kills: true,
            new_processes: true,
            command_seconds: 600,
            watcher_lease_seconds: 70,
        }
    }
}

/// `[protected]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedSection {
    /// Names of processes that are never killed, in place of the default list.
    pub names: Option<Vec<String>>,
}

impl Config {
    /// The bounds of the engine.
    pub fn engine_settings(&self) -> EngineSettings {
        EngineSettings::default()
    }

    /// The dialects that are served, each with its own port.
    pub fn dialect_listeners(&self) -> [(&'static str, Option<SocketAddr>); 2] {
        let (sysscore, watcher) = (&self.dialects.sysscore, &self.dialects.watcher);
        [
            ("sysscore", sysscore.enabled.then_some(sysscore.listen)),
            ("watcher", watcher.enabled.then_some(watcher.listen)),
        ]
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
        Rules {
            indicators,
            detection: DetectionRules {
                order_kills: self.detection.order_kills,
                new_processes: self.detection.new_processes,
                ..DetectionRules::default()
            },
            risk_threshold: self.detection.risk_threshold,
            access: Arc::new(access),
            command_seconds: self.detection.command_seconds,
            lease_seconds: self.detection.watcher_lease_seconds,
        }
    }
}
