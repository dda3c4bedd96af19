use ringwall_event::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How many paths a metric is broken down by.
pub const GUARD_ENDPOINTS_MAX: usize = 20;

/// A guard that reports for a project: one installation, or one address where it does not say which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardAgent)]
pub struct GuardAgentRow {
    /// Which installation; null for agents before 2.5.
    #[schema(example = "1c7b4d52-3f0e-4b8a-9d51-0a6f0f6d2b11")]
    pub install_id: Option<String>,
    /// The address that it last sent from.
    pub address: String,
    /// The version of the agent.
    pub agent_version: Option<String>,
    /// The version of the middleware.
    pub guard_version: Option<String>,
    /// The version of the middleware's engine.
    pub guard_core_version: Option<String>,
    /// `healthy` or `degraded`, as it last said itself; null where it never did.
    pub status: Option<String>,
    /// For how long it has run, by its last status.
    pub uptime_seconds: Option<f64>,
    /// How many events it sent since it started.
    pub events_sent: Option<u64>,
    /// How many it could not send.
    pub events_failed: Option<u64>,
    /// How many items waited.
    pub buffer_size: Option<u64>,
    /// How many items it dropped; only our own agent says so.
    pub dropped: Option<u64>,
    /// What is wrong, in its words.
    pub errors: Vec<String>,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last seen.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// What somebody should look at; null where all is well.
    pub warning: Option<String>,
}

/// What a guard saw or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardEvent)]
pub struct GuardEventRow {
    /// 32 hexadecimal digits; the same as in `/events`.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    pub id: EventId,
    /// When it happened, as the guard says.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The project.
    #[schema(example = "shop")]
    pub project: String,
    /// Which installation.
    pub install_id: Option<String>,
    /// The kind: `penetration_attempt`, `ip_banned`; the set is open.
    #[schema(example = "penetration_attempt")]
    pub event_type: String,
    /// What the guard did: `request_blocked`, `logged_only`; null where it does not say.
    pub action: Option<String>,
    /// Why; null where it does not say.
    pub reason: Option<String>,
    /// The client's address; null where it is about no client.
    pub address: Option<String>,
    /// The country of that address.
    pub country: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The method of the request.
    pub method: Option<String>,
    /// The path of the request.
    pub endpoint: Option<String>,
    /// The status of the answer.
    pub status_code: Option<u16>,
    /// How long the answer took.
    pub response_time_ms: Option<f64>,
    /// What kind of attack.
    pub category: Option<String>,
    /// The pattern that was found.
    pub pattern: Option<String>,
    /// Details, by kind.
    #[schema(value_type = Object)]
    pub metadata: serde_json::Value,
}

/// Which events of guards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GuardEventQuery {
    /// Those of this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Those of this kind.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[param(rename = "type", min_length = 1, max_length = 255)]
    pub event_type: Option<String>,
    /// Those about the client with this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(min_length = 1, max_length = 255)]
    pub address: Option<String>,
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

/// Which measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GuardMetricQuery {
    /// The project.
    pub project: String,
    /// What: `request_count`, `response_time`, `error_rate`, `bandwidth_usage`, `threat_level`,
    /// `block_rate`, `cache_hit_rate`, or `other` for what has another name. These are as guards report
    /// them. The server itself counts the `events` that came, and those that tell of a `blocked` request, each
    /// in the minute in which it happened: `count` and `sum` of a point are their number. A guard that
    /// reports no `block_rate` still has a blocked share: `blocked` to `request_count`, in which Python
    /// guards count only what they let through, plus `blocked`.
    pub metric: String,
    /// From this moment on; a day before `until` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Until this moment; now where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How wide a step is, rounded up to whole minutes; about a hundred steps where it is absent. It is
    /// widened where there would be more than 2000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 60)]
    pub step_seconds: Option<u32>,
}

/// What was measured, over time and by path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuardMetrics {
    /// The project.
    pub project: String,
    /// What was measured.
    pub metric: String,
    /// How wide a step is.
    pub step_seconds: u64,
    /// The steps in which anything was measured, the earliest first.
    pub points: Vec<GuardMetricPoint>,
    /// The paths with the most values, at most 20; `events` and `blocked` are not broken down by path.
    pub endpoints: Vec<GuardMetricEndpoint>,
}

/// What was measured in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuardMetricPoint {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
}

/// What was measured of one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuardMetricEndpoint {
    /// The path; empty for what belongs to none, `(other)` for what came beyond the first 50 of a minute.
    pub endpoint: String,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}
