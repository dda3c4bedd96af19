use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// How a host agent is doing, in its own words. The latest one counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentHealth {
    /// The version of the program.
    pub version: Box<str>,
    /// When it started.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// Its resident memory in bytes.
    #[serde(default)]
    pub rss_bytes: u64,
    /// What it used of one core since it told before, in percent.
    #[serde(default)]
    pub cpu_percent: f64,
    /// What it allows itself on average, in percent of one core; none where it is not limited.
    #[serde(default)]
    pub cpu_percent_max: Option<f64>,
    /// Whether it has slowed itself down since it told before, to stay within its budget.
    #[serde(default)]
    pub throttled: bool,
    /// How starts and ends of processes are learned: `process_connector`, `scan`.
    #[serde(default)]
    pub process_changes: Box<str>,
    /// How connections are learned: `sock_diag`, `procfs`, `none`; with `, cut` behind it where the host has
    /// more of them open than its agent follows.
    #[serde(default)]
    pub connections: Box<str>,
    /// Events that wait to be sent.
    #[serde(default)]
    pub spool_events: u64,
    /// Bytes of events that wait to be sent.
    #[serde(default)]
    pub spool_bytes: u64,
    /// So many bytes may wait before events are dropped.
    #[serde(default)]
    pub spool_bytes_max: u64,
    /// Events that were dropped since the spool was made, for want of room.
    #[serde(default)]
    pub dropped: u64,
}
