use crate::{schemas, source_text};
use ringwall_event::{Command, CommandAction, CommandState, EventId, Source, Target, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An order to a host, from its creation to its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Command)]
pub struct CommandRow {
    /// `cmd_` and 32 hexadecimal digits.
    #[schema(example = "cmd_0192f3b4c5d67e8f8a1b2c3d4e5f6071")]
    pub id: String,
    /// Who shall carry it out: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub source: Source,
    /// What to do.
    #[schema(value_type = schemas::CommandAction)]
    pub action: CommandAction,
    /// To which process.
    #[schema(value_type = schemas::Target)]
    pub target: Target,
    /// Why, one line.
    pub reason: String,
    /// Who ordered it: `rule:indicator`, `user:admin`.
    pub ordered_by: String,
    /// The id of the alert it answers.
    #[schema(value_type = Option<String>)]
    pub alert: Option<EventId>,
    /// How far it has come.
    #[schema(value_type = schemas::CommandState)]
    pub state: CommandState,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// After this moment it is not carried out any more.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// When it was last handed out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered: Option<Timestamp>,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished: Option<Timestamp>,
    /// How many times it was handed out.
    pub deliveries: u32,
    /// What the client said of it, or why it was withdrawn.
    pub result: Option<String>,
}

impl From<&Command> for CommandRow {
    fn from(command: &Command) -> Self {
        let command = command.clone();
        Self {
            id: command.id,
            source: command.source,
            action: command.action,
            target: command.target,
            reason: command.reason,
            ordered_by: command.ordered_by,
            alert: command.alert,
            state: command.state,
            created: command.created,
            expires: command.expires,
            delivered: command.delivered,
            finished: command.finished,
            deliveries: command.deliveries,
            result: command.result,
        }
    }
}

/// Which commands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CommandQuery {
    /// Those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schemas::CommandState>)]
    pub state: Option<CommandState>,
    /// Those of this host: `dialect:name`.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub host: Option<Source>,
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An order by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// Who shall carry it out: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub host: Source,
    /// What to do.
    #[schema(value_type = schemas::CommandAction)]
    pub action: CommandAction,
    /// The process id, 2 or greater.
    #[schema(minimum = 2)]
    pub pid: i64,
    /// When the process started. Where it is absent, the server takes it from the host's picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_time: Option<Timestamp>,
    /// The short name of the program; must agree with what runs under the pid.
    pub name: String,
    /// Why, one line, for the audit log.
    #[schema(max_length = 500)]
    pub reason: String,
}
