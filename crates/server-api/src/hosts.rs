use crate::{HostIdentity, schemas, source_text};
use ringwall_event::{AgentHealth, Container, Source, SystemInfo, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A host, as one sender reports it. A host that two dialects report about is two rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Host)]
pub struct HostRow {
    /// `dialect:name`. The colon may be percent-encoded in a path.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub id: Source,
    /// The dialect that reports it: `host-agent`, `sysscore`, `watcher`.
    pub dialect: String,
    /// Its name in that dialect.
    pub name: String,
    /// The name it gives itself.
    pub hostname: String,
    /// Whether it reported within the time that its dialect allows.
    pub online: bool,
    /// The first report.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// The latest report.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// How many processes run.
    pub processes: u64,
    /// How many connections are open.
    pub connections: u64,
    /// How many of its alerts are open.
    pub open_alerts: u64,
    /// The highest risk score of a process, 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub risk_max: Option<f64>,
    /// What it says of itself.
    #[schema(value_type = schemas::SystemInfo)]
    pub system: SystemInfo,
    /// How many of its events are stored.
    pub events: u64,
    /// How many of its events will never arrive: its host agent dropped them for want of room, or they
    /// were refused for good.
    pub events_lost: u64,
    /// The identity of its agent, where it is a host agent of ours that enrolled.
    #[serde(default)]
    pub identity: Option<HostIdentity>,
    /// How its host agent is doing; null where it never told.
    pub health: Option<HostHealth>,
}

/// How the host agent of a host last said that it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostHealth {
    /// In its words.
    #[serde(flatten)]
    #[schema(value_type = schemas::AgentHealth, inline)]
    pub health: AgentHealth,
    /// When the server took it.
    #[schema(value_type = String, format = DateTime)]
    pub reported: Timestamp,
}

/// A process that runs on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostProcess {
    /// The process id.
    pub pid: i64,
    /// When it started; with the pid this is its identity.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_time: Option<Timestamp>,
    /// The short name of the program.
    pub name: String,
    /// The process that started it.
    pub parent_pid: Option<i64>,
    /// The user it runs as.
    pub user: Option<String>,
    /// The absolute path of the program file.
    pub executable: Option<String>,
    /// The arguments joined by blanks, secrets masked. Written by whoever started the process: show
    /// it with care.
    pub command_line: Option<String>,
    /// Share of one core, in percent.
    pub cpu_percent: Option<f64>,
    /// Share of the host's memory, in percent.
    pub memory_percent: Option<f64>,
    /// When it was first reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_seen: Option<Timestamp>,
    /// When it was last reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// Its risk score, 0 to 100, where it has one.
    #[schema(minimum = 0, maximum = 100)]
    pub risk_score: Option<f64>,
    /// SHA-256 of the program file in lower-case hexadecimal.
    pub executable_sha256: Option<String>,
    /// The container it runs in; null for a process of the host itself.
    #[schema(value_type = Option<schemas::Container>)]
    pub container: Option<Box<Container>>,
}
