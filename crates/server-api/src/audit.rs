use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who did what, and whether it was permitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditRow {
    /// Counts up without a gap.
    #[schema(example = "17")]
    pub id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who: `user:admin`, `token:ci`, `rule:indicator`.
    pub actor: String,
    /// What: `kill_process`, `sign_in`.
    pub action: String,
    /// To what or whom.
    pub subject: String,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// Why, or with what result.
    pub reason: Option<String>,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It was allowed.
    Permitted,
    /// It was not.
    Refused,
    /// It was carried out.
    Succeeded,
    /// It was tried and could not be done.
    Failed,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Permitted, Self::Refused, Self::Succeeded, Self::Failed];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Refused => "refused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The outcome of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}
