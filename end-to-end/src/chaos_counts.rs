//! What the program `chaos-agent` says at its end.

use serde::{Deserialize, Serialize};

/// The time of the event with the number 0, in microseconds since 1970: 2026-01-01.
pub const FIRST_MICROS: i64 = 1_767_225_600_000_000;

/// What became of its events; nothing waits any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChaosCounts {
    /// Events that it made.
    pub accepted: u64,
    /// Of those, the ones that the server took.
    pub delivered: u64,
    /// Of those, the ones that were lost, and counted.
    pub lost: u64,
}
