use ringwall_lifecycle::config_section;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

config_section! {
    /// Encryption of what goes to and from the listeners.
    pub struct TlsSection in "tls" {
        /// Which listeners speak TLS: `auto` for those that other machines reach, `always` for those of
        /// loopback, too, `never` for none.
        ///
        /// Beyond loopback `never` needs `allow_plaintext_beyond_loopback` under `[server]`; where that
        /// is set, `auto` leaves those listeners unencrypted, too.
        pub enabled: TlsUse = TlsUse::Auto,
        /// Your own certificate: a PEM file, the server's certificate first, then those that lead to
        /// the authority. Where it is not set, the server is its own authority and renews its
        /// certificate itself. Read again when it changes.
        pub certificate: Option<PathBuf> = None,
        /// The private key of your own certificate: a PEM file that only its owner may read.
        pub key: Option<PathBuf> = None,
        /// The certificate of the authority of your own certificate: a PEM file that is handed to host
        /// agents and to the `ringwall` tool. Where it is not set, the last one in `certificate`.
        pub authority: Option<PathBuf> = None,
        /// Domains whose names the server may certify as its own authority, beside those of the names it
        /// has when that authority is made. An authority that there is stays as it is: names in domains
        /// that it may not certify are left out of the certificate, and the log says so.
        pub domains: Vec<String> = Vec::new(),
        /// The fingerprint of the authority that is to be replaced by a new one for the present names and
        /// `domains`, at the next start. Whoever trusted the old one must be told of the new, host agents
        /// included. Once it is replaced this says nothing any more.
        pub replace_authority: Option<String> = None,
        /// For how many seconds browsers shall insist on https for this host name
        /// (`Strict-Transport-Security`); 0 for not saying so.
        ///
        /// It holds for all ports of the name: also for a dialect or another program that speaks plain
        /// HTTP there.
        pub strict_transport_seconds: u64 = 0,
    }
}

/// Which listeners speak TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsUse {
    /// Those that other machines reach.
    #[default]
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}

impl TlsUse {
    /// Whether a listener on this address speaks TLS.
    pub(crate) fn is_for(self, address: IpAddr, plaintext_is_allowed: bool) -> bool {
        match self {
            Self::Auto => !address.to_canonical().is_loopback() && !plaintext_is_allowed,
            Self::Always => true,
            Self::Never => false,
        }
    }
}
