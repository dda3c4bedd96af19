//! A typed client of the server's HTTP API.
//!
//! [`Client`] is for people's tools and programs and sends a token; [`AgentClient`] is for host
//! agents and signs each request; [`HttpClient`] is what both stand on, for whoever speaks another
//! dialect. Answers are bounded in size and in time. Over https, a server is believed only where an
//! authority vouches for it that was given: see [`Trust`] and [`fetch_ca`].
//!
//! ```no_run
//! # async fn example() -> Result<(), ringwall_server_client::ClientError> {
//! use ringwall_server_api::AlertQuery;
//! use ringwall_server_client::Client;
//!
//! let client = Client::new("http://127.0.0.1:7400", "rwt_…")?;
//! let mut alerts = client.alerts(AlertQuery::default());
//! while let Some(alert) = alerts.next().await? {
//!     drop(alert.title);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod agent_client;
mod client;
mod connector;
mod error;
mod fetch_ca;
mod http_client;
mod query_lines;
mod rows;
mod server_sent_events;
mod stream;
mod trust;

pub use agent_client::{AgentClient, Presence, enrol};
pub use client::Client;
pub use error::ClientError;
pub use fetch_ca::fetch_ca;
pub use http_client::{HttpAnswer, HttpClient, StreamAnswer};
pub use query_lines::QueryLines;
pub use rows::Rows;
pub use server_sent_events::{ServerSentEvent, ServerSentEvents};
pub use stream::{EventStream, ServerSentStream};
pub use trust::{Fingerprint, Trust, TrustError};
