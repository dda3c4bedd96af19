use crate::{CommandRow, schemas, source_text};
use ringwall_event::{
    Alert, AlertState, EventId, Finding, ProcessRef, Severity, Source, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How long a note can be.
pub const NOTE_CHARS_MAX: usize = 2000;

/// A conclusion: one per entity, with a count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertRow {
    /// 32 hexadecimal digits; sorts by the first sighting.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    pub id: EventId,
    /// Which kind of conclusion.
    #[schema(value_type = schemas::Finding)]
    pub finding: Finding,
    /// How bad it is.
    #[schema(value_type = schemas::Severity)]
    pub severity: Severity,
    /// What people have done about it.
    #[schema(value_type = schemas::AlertState)]
    pub state: AlertState,
    /// Whose events led to it: `dialect:name`, which is also the id of the host's row.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub source: Source,
    /// The host it is about.
    pub host: String,
    /// The process it is about.
    #[schema(value_type = Option<schemas::ProcessRef>)]
    pub process: Option<ProcessRef>,
    /// One line for people.
    pub title: String,
    /// Why, one sentence a reason.
    pub reasons: Vec<String>,
    /// How many sightings.
    pub count: u64,
    /// The first sighting.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// The latest sighting.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// The ids of the events behind it: the first few.
    #[schema(value_type = Vec<String>)]
    pub events: Vec<EventId>,
    /// Whether killing the process is offered to people, as the rules did not order it.
    pub kill_offered: bool,
    /// A note that somebody left.
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// What was ordered because of it, newest first.
    #[serde(default)]
    pub commands: Vec<CommandRow>,
}

impl AlertRow {
    /// The row of an alert and of the commands that answer it.
    pub fn new(alert: &Alert, commands: Vec<CommandRow>) -> Self {
        let alert = alert.clone();
        Self {
            id: alert.id,
            finding: alert.finding,
            severity: alert.severity,
            state: alert.state,
            source: alert.source,
            host: alert.host.into(),
            process: alert.process,
            title: alert.title,
            reasons: alert.reasons,
            count: alert.count,
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
            events: alert.events,
            kill_offered: alert.kill_offered,
            note: alert.note,
            commands,
        }
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schemas::AlertState>)]
    pub state: Option<AlertState>,
    /// Those of this severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schemas::Severity>)]
    pub severity: Option<Severity>,
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

/// A change of an alert's state, with a word about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// Takes the place of the alert's note; absent leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// An order to end the process that an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    /// Why, one line, for the audit log; the alert's title where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}
