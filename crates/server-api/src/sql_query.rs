use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A question in SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// One `SELECT` over `events`, `alerts`, `commands`, `scores`, `hosts`, `audit`; at most 64 KiB.
    #[schema(example = "SELECT process_name, count(*) FROM events GROUP BY 1")]
    pub sql: String,
    /// At most so many rows; what is beyond is left out, and the answer says so. 10,000 where it is
    /// absent; the configuration bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub row_limit: Option<u64>,
    /// After so many milliseconds it is given up; 30,000 where it is absent; the configuration
    /// bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 600_000)]
    pub time_limit_ms: Option<u64>,
    /// In which form the answer comes; `json` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<QueryFormat>,
    /// Instead of rows, answer how they would be found, a step a row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueryFormat {
    /// One object with everything, at most 32 MiB.
    #[default]
    Json,
    /// One object a line, as they come: `columns`, `rows`, `progress`; the last is `done` or `error`.
    Ndjson,
}

/// The answer to a question, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueryAnswer {
    /// The columns.
    pub columns: Vec<QueryColumn>,
    /// The rows, each with a value for each column.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub rows: Vec<Vec<serde_json::Value>>,
    /// How it was had.
    pub done: QueryDone,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryColumn {
    /// Its name, as the question gives it.
    pub name: String,
    /// `time`, `text`, `integer`, `float`, `uid`, or `any` for what is computed.
    #[serde(rename = "type")]
    pub kind: String,
}

/// How an answer was had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryDone {
    /// How many rows there are.
    pub rows: u64,
    /// Whether there were more.
    pub truncated: bool,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// How much processor time it took, in milliseconds.
    pub cpu_ms: u64,
    /// How many events were looked at.
    pub events_scanned: u64,
    /// Of how many it was known without looking that they do not fit.
    #[serde(default)]
    pub events_skipped: u64,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryProgress {
    /// Parts of the store to look at.
    pub files: u64,
    /// Those looked at.
    pub files_done: u64,
    /// Events looked at.
    pub events_scanned: u64,
    /// Events of which it was known without looking that they do not fit.
    #[serde(default)]
    pub events_skipped: u64,
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryFailure {
    /// `invalid_query`, `denied`, `time_limit`, `memory_limit`, `storage` or `internal`.
    pub code: String,
    /// The reason, for people; where it is about a place of the question, `line:column:` is first.
    pub message: String,
    /// A way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A line of an answer that comes as it is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryLine {
    /// The columns; always the first.
    Columns(Vec<QueryColumn>),
    /// Some rows.
    #[schema(value_type = Vec<Vec<Object>>)]
    Rows(Vec<Vec<serde_json::Value>>),
    /// How far it is.
    Progress(QueryProgress),
    /// The end.
    Done(QueryDone),
    /// The end, before its time.
    Error(QueryFailure),
}
