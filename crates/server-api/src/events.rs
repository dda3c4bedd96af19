use crate::{schemas, source_text};
use ringwall_event::{EventId, Severity, Source, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventRow {
    /// 32 hexadecimal digits; sorts by the time of receipt.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    pub id: EventId,
    /// When it happened, as the sender claims.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// When the server took it.
    #[schema(value_type = String, format = DateTime)]
    pub received: Timestamp,
    /// Who sent it: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "host-agent:web-1")]
    pub source: Source,
    /// The host it happened on.
    pub host: String,
    /// How bad it is by itself.
    #[schema(value_type = schemas::Severity)]
    pub severity: Severity,
    /// `process_started`, `process_ended`, `connection_opened`, `connection_closed`, `system_call`,
    /// `inventory`, `http_request`, `sign_in` or `app_guard`.
    pub kind: String,
    /// The process it is about.
    pub pid: Option<i64>,
    /// One line for people.
    pub summary: String,
    /// The whole event with the names of OCSF 1.x.
    #[schema(value_type = Object)]
    pub ocsf: serde_json::Value,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Those of this host: `dialect:name`.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub host: Option<Source>,
    /// Those about this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// Those of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Those with these words in any of their texts; A to Z count as a to z.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1, max_length = 256)]
    pub contains: Option<String>,
    /// Those that happened at this moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Those that happened before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
