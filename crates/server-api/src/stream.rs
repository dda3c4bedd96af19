use crate::{AlertRow, CommandRow, EventRow, HostRow, source_text};
use ringwall_event::Source;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What to be told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Alerts that are new or changed.
    Alerts,
    /// Commands that are new or changed.
    Commands,
    /// Hosts that are new or whose picture changed.
    Hosts,
    /// Events as they are stored. Only where it is asked for: there are many.
    Events,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Alerts, Self::Commands, Self::Hosts, Self::Events];
    /// What is told where the request does not say.
    pub const DEFAULT: [Self; 3] = [Self::Alerts, Self::Commands, Self::Hosts];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Commands => "commands",
            Self::Hosts => "hosts",
            Self::Events => "events",
        }
    }

    /// The topic of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// What to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Topics with commas between them: `alerts`, `commands`, `hosts`, `events`. Where it is
    /// absent: all but `events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "alerts,events")]
    pub topics: Option<String>,
    /// Only what is about this host: `dialect:name`.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub host: Option<Source>,
}

/// What the stream tells. On the wire it is a server-sent event whose name is
/// [`StreamEvent::name`] and whose data is the JSON of what the variant holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// An alert is new or changed.
    Alert(Box<AlertRow>),
    /// A command is new or changed.
    Command(Box<CommandRow>),
    /// A host is new or its picture changed.
    Host(Box<HostRow>),
    /// Events were stored.
    Events(EventsRow),
    /// The counts, every two seconds.
    Tick(Tick),
    /// The reader was too slow and missed something: load the lists again.
    Lagged(Lagged),
}

impl StreamEvent {
    /// The name of the server-sent event.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Command(_) => "command",
            Self::Host(_) => "host",
            Self::Events(_) => "events",
            Self::Tick(_) => "tick",
            Self::Lagged(_) => "lagged",
        }
    }

    /// The data of the server-sent event: one line of JSON.
    ///
    /// # Errors
    /// Where a value has no JSON form, which none of these has.
    pub fn data(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Alert(row) => serde_json::to_string(row),
            Self::Command(row) => serde_json::to_string(row),
            Self::Host(row) => serde_json::to_string(row),
            Self::Events(rows) => serde_json::to_string(rows),
            Self::Tick(tick) => serde_json::to_string(tick),
            Self::Lagged(lagged) => serde_json::to_string(lagged),
        }
    }

    /// What a server-sent event says; none for a name that this version does not know.
    ///
    /// # Errors
    /// Where the data is not what the name promises.
    pub fn read(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "alert" => Self::Alert(serde_json::from_str(data)?),
            "command" => Self::Command(serde_json::from_str(data)?),
            "host" => Self::Host(serde_json::from_str(data)?),
            "events" => Self::Events(serde_json::from_str(data)?),
            "tick" => Self::Tick(serde_json::from_str(data)?),
            "lagged" => Self::Lagged(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

/// Events that were stored together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventBatch)]
pub struct EventsRow {
    /// The events, oldest first.
    pub events: Vec<EventRow>,
}

/// The counts, every two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tick {
    /// All events that are stored.
    pub events_total: u64,
    /// Those of the last 60 seconds.
    pub events_last_minute: u64,
    /// Alerts that nobody looked at yet.
    pub alerts_open: u64,
    /// Hosts that report now.
    pub hosts_online: u64,
}

/// How much a slow reader missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lagged {
    /// How many messages.
    pub missed: u64,
}
