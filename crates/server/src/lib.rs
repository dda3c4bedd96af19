//! The server: intake, conclusions, store, API, dialects, dashboard.
//!
//! [`run`] is the whole life of it. `ARCHITECTURE.md` tells the life of an event; the code of it begins
//! at [`engine::Engine::take`].
#![forbid(unsafe_code)]

mod accounts;
mod api;
mod body;
mod collected;
mod config;
mod dashboard;
mod dialects;
pub mod engine;
mod environment;
mod guard;
mod guard_rules;
mod identities;
mod indicators;
mod keys;
mod listen;
pub mod query;
mod rules;
mod run;
mod secrets;
mod server;
mod tls;
mod unpack;
mod upkeep;
mod webhooks;

pub use config::Config;
pub use rules::Rules;
pub use run::{RunOptions, run};
pub use server::VERSION;
pub use tls::{TlsSection, TlsUse};
