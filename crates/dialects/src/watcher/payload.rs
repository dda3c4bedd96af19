use serde::Serialize;
use serde_json::value::RawValue;

/// One telemetry payload, within bounds. Its JSON face is what the original stores and gives back:
/// every field there, null where the agent sent nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Payload {
    /// The agent's only identity; free text.
    pub hostname: Box<str>,
    /// The agent's clock in whatever form it chose.
    pub timestamp: Box<str>,
    /// Everything that runs.
    pub processes: Vec<ReportedProcess>,
    /// The internet connections; none where the agent sent null.
    pub connections: Option<Vec<ReportedConnection>>,
    /// An object of free form; none where the agent sent null.
    pub system_info: Option<Box<RawValue>>,
}

/// A process as the agent sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportedProcess {
    /// Any integer: the sender is not to be trusted.
    pub pid: i64,
    /// The short name.
    pub name: Box<str>,
    /// The arguments joined by single blanks.
    pub command_line: Option<Box<str>>,
    /// The user's name.
    pub user: Option<Box<str>>,
    /// Above 100 on several cores.
    pub cpu_percent: Option<f64>,
    /// Resident share.
    pub memory_percent: Option<f64>,
}

/// A connection as the agent sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportedConnection {
    /// On the reporting host.
    pub local_address: Box<str>,
    /// Any integer.
    pub local_port: i64,
    /// The other side.
    pub remote_address: Option<Box<str>>,
    /// Any integer.
    pub remote_port: Option<i64>,
    /// As in `ESTABLISHED`.
    pub status: Box<str>,
    /// The process that holds the socket.
    pub pid: Option<i64>,
}
