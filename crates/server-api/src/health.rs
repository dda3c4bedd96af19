use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the server lives and can store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// How it is.
    pub status: HealthStatus,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// What somebody must look after, one line each; absent where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// It answers, but cannot store, its queue is full, or there are problems.
    Degraded,
}
