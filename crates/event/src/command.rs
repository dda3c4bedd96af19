use crate::{EventId, Order, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// An order to a host, from its creation to its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// `cmd_` and 32 hexadecimal digits: unguessable and sorted by time.
    pub id: String,
    /// The client that shall carry it out.
    pub source: Source,
    /// What to do, and to what.
    #[serde(flatten)]
    pub order: Order,
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
    /// The file that it brought, where it was to bring one and did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<CollectedFile>,
}

/// A file that a host brought to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedFile {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: Box<str>,
    /// When the server had the whole of it.
    pub received: Timestamp,
    /// When the server gave it up for its age; none while it is there.
    #[serde(default)]
    pub removed: Option<Timestamp>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcessTarget;
    use serde_json::json;

    #[test]
    fn commands_of_earlier_versions_are_read() {
        let body = json!({
            "id": "cmd_1",
            "source": {"dialect": "host-agent", "name": "web-1"},
            "action": "kill_process",
            "target": {"pid": 42, "start_time": "2026-01-02T03:04:05Z", "name": "evil.sh"},
            "reason": "why", "ordered_by": "rule:indicator", "alert": null,
            "state": "queued", "created": "2026-01-02T03:04:06Z", "expires": "2026-01-02T03:14:06Z",
            "delivered": null, "finished": null, "deliveries": 0, "result": null
        });
        let command: Command = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(
            command.order,
            Order::KillProcess(ProcessTarget {
                pid: 42,
                start_time: Some(Timestamp::from_micros(1_767_323_045_000_000)),
                name: "evil.sh".into(),
            })
        );
        assert_eq!(serde_json::to_value(&command).unwrap(), body);
    }
}
