use crate::{EventId, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// An order to a host, from its creation to its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// `cmd_` and 32 hexadecimal digits: unguessable and sorted by time.
    pub id: String,
    /// The client that shall carry it out.
    pub source: Source,
    /// What to do.
    pub action: CommandAction,
    /// To whom.
    pub target: Target,
    /// Why, one line.
    pub reason: String,
    /// Who ordered it: `rule:indicator`, or `user:admin`.
    pub ordered_by: String,
    /// The alert it answers, where there is one.
    pub alert: Option<EventId>,
    /// How far it has come.
    pub state: CommandState,
    /// When it was ordered.
    pub created: Timestamp,
    /// After this moment it must not be carried out any more.
    pub expires: Timestamp,
    /// When it was last handed to the client.
    pub delivered: Option<Timestamp>,
    /// When it came to its end.
    pub finished: Option<Timestamp>,
    /// How many times it was handed out.
    pub deliveries: u32,
    /// What the client said of it, or why it was withdrawn.
    pub result: Option<String>,
}

/// What can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommandAction {
    /// End a process: SIGTERM, then SIGKILL after a grace.
    KillProcess,
}

impl CommandAction {
    /// The lower-case name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillProcess => "kill_process",
        }
    }
}

/// The one process that a command is about.
///
/// All that is given must agree before anything is done: a reused pid is never hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The process id, 2 or greater.
    pub pid: i64,
    /// When the process started; none only where the client cannot say (Watcher).
    pub start_time: Option<Timestamp>,
    /// The short name of the program.
    pub name: Box<str>,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits for the client.
    #[default]
    Queued,
    /// Handed to the client; no result yet.
    Delivered,
    /// Done.
    Succeeded,
    /// The client tried and could not.
    Failed,
    /// The time ran out.
    Expired,
    /// Taken back: by a person, or because the process is gone.
    Withdrawn,
}

impl CommandState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Delivered,
            Self::Succeeded,
            Self::Failed,
            Self::Expired,
            Self::Withdrawn,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }

    /// Whether it can still come to something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Delivered)
    }
}
