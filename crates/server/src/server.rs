//! What every request handler sees.

use crate::config::Config;
use crate::dialects::sysscore::AllowedOrigins;
use crate::engine::{Engine, now};
use crate::guard::{GuardProjects, GuardTroubles};
use crate::guard_rules::GuardRules;
use crate::identities::Identities;
use crate::keys::KeyRing;
use crate::query::Queries;
use crate::secrets::Secrets;
use crate::webhooks::Webhooks;
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
    /// The keys of SysScore agents.
    pub keys: KeyRing,
    /// Our own host agents, and what they sign with.
    pub identities: Identities,
    /// The secret of HS256 operator tokens of the SysScore dialect; none refuses them all.
    pub operator_secret: Option<Secret>,
    /// Whose pages may ask the SysScore API.
    pub(crate) sysscore_origins: AllowedOrigins,
    /// What queries need.
    pub queries: Queries,
    /// Files that host agents brought.
    pub(crate) collected: crate::collected::Collected,
    /// When it started.
    pub started: Timestamp,
    /// Where the first password stands in the clear.
    pub(crate) first_password: crate::accounts::FirstPassword,
    /// What the TLS listeners show; none where none speaks TLS.
    pub(crate) tls: Option<std::sync::Arc<crate::tls::Tls>>,
    /// Where the main listener is bound.
    pub main_address: SocketAddr,
    /// Turns true when the server is asked to stop: answers that are held open end then.
    pub(crate) shutdown: tokio::sync::watch::Receiver<bool>,
    /// State of signing in that is not worth keeping over a restart.
    pub(crate) sign_in: crate::api::SignInState,
    /// What was told of late about guards that are not accepted.
    pub(crate) guard_troubles: GuardTroubles,
    /// How the looking after the archive goes.
    pub(crate) upkeep: crate::upkeep::UpkeepState,
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Server {
    /// The names by which the server may be addressed: the configured ones and, where its certificate
    /// says so, too, that of the machine.
    pub(crate) fn own_names(&self) -> Vec<String> {
        let mut names = self.config.server.host_names.clone();
        if self.tls.is_some() {
            names.push(crate::environment::hostname());
        }
        names
    }

    /// Where alerts are told.
    pub(crate) fn webhooks(&self) -> Webhooks {
        self.engine.rules().webhooks.clone()
    }

    /// The applications whose guards report.
    pub(crate) fn guard_projects(&self) -> GuardProjects {
        self.engine.rules().guard_projects.clone()
    }

    /// What guarded applications are told.
    pub(crate) fn guard_rules(&self) -> GuardRules {
        self.engine.rules().guard_rules.clone()
    }

    /// The wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        now()
    }
}
