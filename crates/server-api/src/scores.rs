use crate::source_text;
use ringwall_event::{Source, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How risky a process is, and why. One row per process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Score)]
pub struct ScoreRow {
    /// Names the process within its source.
    pub process_id: String,
    /// Who reported it: `dialect:name`.
    #[serde(with = "source_text")]
    #[schema(value_type = String, example = "sysscore:agent-1")]
    pub source: Source,
    /// The host it runs on.
    pub host: String,
    /// The process id.
    pub pid: i64,
    /// The short name of the program; empty where no sender told it.
    pub name: String,
    /// When it started, where known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_time: Option<Timestamp>,
    /// The score, 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub risk_score: f64,
    /// The sender's own anomaly score, 0 to 100, where it sends one.
    #[schema(minimum = 0, maximum = 100)]
    pub anomaly_score: Option<f64>,
    /// The part of the score that comes from what the process did, 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub evidence_score: f64,
    /// Why, one sentence a reason.
    pub reasons: Vec<String>,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub calculated_at: Timestamp,
}

/// Which scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScoreQuery {
    /// Those of this host: `dialect:name`.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub host: Option<Source>,
    /// Those with at least this score.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 100)]
    pub risk_min: Option<f64>,
    /// Those with at most this score.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 100)]
    pub risk_max: Option<f64>,
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
