//! State in a real Redis, shared by workers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bans;
mod counters;
mod outage;
mod patterns;
mod server;
#[cfg(feature = "telemetry")]
mod telemetry;
