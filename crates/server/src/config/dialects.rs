//! What existing clients connect to.

use super::loopback;
use crate::tls::TlsUse;
use ringwall_event::Network;
use ringwall_lifecycle::config_section;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

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

impl SysScoreSection {
    pub(super) fn listen_if_enabled(&self) -> Option<SocketAddr> {
        self.enabled.then_some(self.listen)
    }
}

impl WatcherSection {
    pub(super) fn listen_if_enabled(&self) -> Option<SocketAddr> {
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
