use crate::{schemas, source_text};
use ringwall_event::{
    CollectedFile, Command, CommandAction, CommandState, EventId, Order, ProcessTarget, Source,
    Timestamp,
};
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
    /// What to do, and to what: the fields `action` and `target`.
    #[serde(flatten)]
    #[schema(value_type = schemas::Order)]
    pub order: Order,
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
    /// The file that it brought: `GET /commands/{id}/file`.
    #[serde(default)]
    #[schema(value_type = Option<schemas::CollectedFile>)]
    pub file: Option<CollectedFile>,
}

impl From<&Command> for CommandRow {
    fn from(command: &Command) -> Self {
        let command = command.clone();
        Self {
            id: command.id,
            source: command.source,
            order: command.order,
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
            file: command.file,
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
///
/// Where a process is meant, its `start_time` may be absent: the server takes it from the host's picture.
/// The fields of a process may also stand beside `action` instead of within `target`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "CommandRequestBody")]
pub struct CommandRequest {
    /// Who shall carry it out: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub host: Source,
    /// What to do, and to what: the fields `action` and `target`.
    #[serde(flatten)]
    #[schema(value_type = schemas::Order)]
    pub order: Order,
    /// Why, one line, for the audit log.
    #[schema(max_length = 500)]
    pub reason: String,
    /// After so many seconds it is void, where it was not carried out; as configured where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub expires_in_seconds: Option<u32>,
}

/// A [`CommandRequest`] as it is written, in either form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandRequestBody {
    #[serde(with = "source_text")]
    host: Source,
    action: CommandAction,
    target: Option<serde_json::Value>,
    pid: Option<i64>,
    start_time: Option<Timestamp>,
    name: Option<Box<str>>,
    reason: String,
    expires_in_seconds: Option<u32>,
}

impl TryFrom<CommandRequestBody> for CommandRequest {
    type Error = String;

    fn try_from(body: CommandRequestBody) -> Result<Self, String> {
        let flat = match (body.pid, body.name) {
            (Some(pid), Some(name)) => {
                Some(ProcessTarget { pid, start_time: body.start_time, name })
            }
            (None, None) if body.start_time.is_none() => None,
            _ => return Err("`pid` and `name` go together".to_owned()),
        };
        let target = match (body.target, flat) {
            (Some(target), None) => target,
            (None, Some(flat)) => serde_json::to_value(flat).map_err(|error| error.to_string())?,
            (None, None) => return Err("missing field `target`".to_owned()),
            (Some(_), Some(_)) => return Err("`target` and `pid` exclude each other".to_owned()),
        };
        let order = serde_json::json!({"action": body.action, "target": target});
        let order = serde_json::from_value(order).map_err(|error| format!("target: {error}"))?;
        Ok(Self {
            host: body.host,
            order,
            reason: body.reason,
            expires_in_seconds: body.expires_in_seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_order_is_read_in_both_forms() {
        let nested = json!({
            "host": "host-agent:web-1", "action": "kill_process", "reason": "why",
            "target": {"pid": 42, "name": "evil.sh"}
        });
        let flat = json!({
            "host": "host-agent:web-1", "action": "kill_process", "reason": "why",
            "pid": 42, "name": "evil.sh"
        });
        let read = |value: &Value| serde_json::from_value::<CommandRequest>(value.clone());
        let request = read(&nested).unwrap();
        assert_eq!(read(&flat).unwrap(), request);
        assert_eq!(read(&serde_json::to_value(&request).unwrap()).unwrap(), request);
        check(json!({"action": "kill_process", "pid": 42}), "`pid` and `name` go together");
        check(json!({"action": "kill_process"}), "missing field `target`");
        check(
            json!({"action": "kill_process", "pid": 4, "name": "x", "target": {}}),
            "exclude each other",
        );
        check(json!({"action": "collect_file", "pid": 4, "name": "x"}), "target: ");
        check(json!({"action": "collect_file", "target": {"path": "x"}}), "must begin with `/`");
        check(json!({"action": "collect_file", "target": {"path": "/x"}, "y": 1}), "unknown field");
    }

    #[track_caller]
    fn check(mut value: Value, expected: &str) {
        value["host"] = json!("host-agent:web-1");
        value["reason"] = json!("why");
        let error = serde_json::from_value::<CommandRequest>(value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
