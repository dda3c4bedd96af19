use crate::schemas;
use ringwall_event::{Activity, Order, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How long a request for commands can be held open, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 30;

/// The headers of requests. Those that a host agent signs with: `ringwall_signing::request_signature`.
pub mod header {
    /// The CSRF value of the session, in requests whose credential is the cookie.
    pub const CSRF: &str = "x-ringwall-csrf";
}

/// What a host agent saw since its report before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentReport {
    /// Names the spool that the events waited in: drawn when it was made, kept across restarts of the
    /// agent. With `sequence` and the body's digest it makes a report the same as an earlier one.
    #[serde(alias = "boot_id")]
    pub spool_id: String,
    /// The number of this report in that spool, from 1. Numbers rise, but may be left out.
    pub sequence: u64,
    /// The name the host gives itself.
    pub hostname: String,
    /// How many events of that spool were lost for good when this report was made: dropped for want of
    /// room, or refused. It never falls; what it rose since the reports before is stored as an event of
    /// its own, once.
    #[serde(default)]
    pub dropped_total: u64,
    /// The events, oldest first; at most 65,536.
    #[schema(max_items = 65_536)]
    pub events: Vec<AgentEvent>,
}

/// One observation of a host agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentEvent {
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How bad it is by itself; `informational` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Severity>)]
    pub severity: Option<Severity>,
    /// What happened.
    #[schema(value_type = schemas::Activity)]
    pub activity: Activity,
}

/// What became of a report: all of it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentReportAnswer {
    /// How many events are new.
    pub accepted: u64,
    /// How many were there before.
    pub duplicates: u64,
}

/// Orders for one host agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedCommands {
    /// The orders, oldest first.
    pub commands: Vec<SignedCommand>,
}

/// An order and the server's signature under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedCommand {
    /// Base64 of the bytes that are signed: the canonical JSON of a `CommandPayload`.
    pub payload: String,
    /// Base64 of the Ed25519 signature over those bytes.
    pub signature: String,
}

/// An order, as it is signed: bound to one host, one target and an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandPayload {
    /// Names the command in the result.
    pub id: String,
    /// The name of the agent that it is for; no other carries it out.
    pub host: String,
    /// What to do, and to what: the fields `action` and `target`. All that is given must agree.
    #[serde(flatten)]
    #[schema(value_type = schemas::Order)]
    pub order: Order,
    /// Why, one line.
    pub reason: String,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub issued: Timestamp,
    /// After this moment it must not be carried out.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandResult {
    /// Whether it was done.
    pub state: CommandOutcome,
    /// How it went, one line.
    #[schema(max_length = 2000)]
    pub result: String,
}

/// Whether a command was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandOutcome {
    /// Done.
    Succeeded,
    /// Tried, or refused, and not done.
    Failed,
}

/// How many bytes of a file are brought at once, at most.
pub const FILE_PART_BYTES_MAX: usize = 512 << 10;

/// What part of a file the body of a request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilePart {
    /// Where in the file its first byte belongs.
    #[param(minimum = 0)]
    pub offset: u64,
    /// How many bytes the whole file has.
    #[param(minimum = 0)]
    pub bytes: u64,
    /// The SHA-256 of the whole file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// How much of a file the server has. Bring what comes after that next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePartAnswer {
    /// So many bytes, from the first one on.
    #[schema(minimum = 0)]
    pub received: u64,
    /// Whether that is all, checked and stored.
    pub complete: bool,
}

/// Commands that a host agent did not believe, since its report of them before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandRefusals {
    /// By their reasons, each once.
    #[schema(max_items = 16)]
    pub refusals: Vec<CommandRefusal>,
}

/// Commands that were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandRefusal {
    /// Why.
    pub reason: RefusedBecause,
    /// How many.
    #[schema(minimum = 1)]
    pub count: u64,
    /// The id that the latest one bears; whoever made it up chose that, too.
    #[schema(max_length = 64)]
    pub command: Option<String>,
    /// What was wrong with it, one line.
    #[schema(max_length = 500)]
    pub detail: String,
}

/// Why a host agent did not believe a command.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBecause {
    /// The server's signature is not under it.
    Altered,
    /// Signed for another host.
    OtherHost,
    /// Signed, carried out, reported, and then there again.
    Replayed,
    /// Signed, and there after its end.
    Expired,
    /// Signed, and good for longer than any command is, or not bound to one process.
    Unbound,
    /// Signed, and of a form that this version of the agent does not know.
    Unreadable,
}

impl RefusedBecause {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::OtherHost => "other_host",
            Self::Replayed => "replayed",
            Self::Expired => "expired",
            Self::Unbound => "unbound",
            Self::Unreadable => "unreadable",
        }
    }
}
