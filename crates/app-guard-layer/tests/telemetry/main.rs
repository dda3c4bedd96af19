//! Telemetry against a real server of the test, which plays every answer of the contract.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod delivery;
mod folder;
mod forms;
mod overflow;
mod rules;
mod server;
mod status;
