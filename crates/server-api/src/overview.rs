use crate::{AlertRow, ScoreRow, source_text};
use ringwall_event::{Severity, Source, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything at a glance. Read from memory: as cheap as it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Who reports.
    pub hosts: HostCounts,
    /// What was observed.
    pub events: EventCounts,
    /// What was concluded.
    pub alerts: AlertCounts,
    /// What was ordered.
    pub commands: CommandCounts,
    /// The last hour, oldest minute first.
    pub timeline: Vec<Minute>,
    /// Who sent most in the last 24 hours, the busiest first, at most 10.
    #[serde(default)]
    pub busiest_hosts: Vec<BusyHost>,
    /// The riskiest processes, at most 10.
    pub top_risk: Vec<ScoreRow>,
    /// The newest alerts, at most 10.
    pub recent_alerts: Vec<AlertRow>,
    /// The server itself.
    pub server: ServerFacts,
}

/// How many hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostCounts {
    /// All that ever reported.
    pub total: u64,
    /// Those that report now.
    pub online: u64,
}

/// How many events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventCounts {
    /// All that are stored.
    pub total: u64,
    /// Those of the last 60 seconds.
    pub last_minute: u64,
}

/// How many alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertCounts {
    /// Those that nobody looked at yet.
    pub open: u64,
    /// The same by severity.
    pub by_severity: SeverityCounts,
}

/// A count for each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeverityCounts {
    /// Nothing to do.
    pub informational: u64,
    /// When there is time.
    pub low: u64,
    /// Today.
    pub medium: u64,
    /// Now.
    pub high: u64,
    /// Damage is being done.
    pub critical: u64,
}

impl SeverityCounts {
    /// The count of one severity, to be changed.
    pub const fn of(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Informational => &mut self.informational,
            Severity::Low => &mut self.low,
            Severity::Medium => &mut self.medium,
            Severity::High => &mut self.high,
            Severity::Critical => &mut self.critical,
        }
    }
}

/// How many commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandCounts {
    /// Those without a result.
    pub open: u64,
    /// Those that were carried out in the last 24 hours.
    pub succeeded_24h: u64,
    /// Those that failed in the last 24 hours.
    pub failed_24h: u64,
}

/// How much a host sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BusyHost {
    /// The host: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub id: Source,
    /// Events received from it.
    pub events: u64,
}

/// One minute of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Minute {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub minute: Timestamp,
    /// Events received in it.
    pub events: u64,
    /// Alerts raised in it.
    pub alerts: u64,
}

/// The server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerFacts {
    /// The version of the program.
    pub version: String,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// The size of its data, in bytes.
    pub data_dir_bytes: u64,
    /// What waits to be stored.
    pub intake: IntakeLoad,
}

/// What waits to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntakeLoad {
    /// Batches that wait.
    pub queued: u64,
    /// How many can wait before senders are asked to come back later.
    pub capacity: u64,
}
