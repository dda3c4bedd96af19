//! What every request handler sees.

use crate::config::Config;
use crate::engine::{Engine, now};
use crate::keys::KeyRing;
use crate::query::Queries;
use crate::secrets::Secrets;
use ringwall_event::Timestamp;
use ringwall_signing::Secret;
use std::net::SocketAddr;

/// The running server.
pub(crate) struct Server {
    /// As it was started with.
    pub config: Config,
    /// Where events become facts.
    pub engine: Engine,
    /// The server's own keys.
    pub secrets: Secrets,
    /// The keys of agents.
    pub keys: KeyRing,
    /// The secret of HS256 operator tokens of the SysScore dialect; none refuses them all.
    pub operator_secret: Option<Secret>,
    /// What queries need.
    pub queries: Queries,
    /// When it started.
    pub started: Timestamp,
    /// Where the main listener is bound.
    pub main_address: SocketAddr,
    /// Turns true when the server is asked to stop: answers that are held open end then.
    pub(crate) shutdown: tokio::sync::watch::Receiver<bool>,
    /// State of signing in that is not worth keeping over a restart.
    pub(crate) sign_in: crate::api::SignInState,
    /// How the looking after the archive goes.
    pub(crate) upkeep: crate::upkeep::UpkeepState,
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Server {
    /// The wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        now()
    }
}
