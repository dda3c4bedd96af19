use crate::schemas;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// How far back a preview may look, in hours.
pub const PREVIEW_HOURS_MAX: u32 = 168;
/// How far back a preview looks where nobody says, in hours.
pub const PREVIEW_HOURS_DEFAULT: u32 = 24;

/// The rules of a project as they were last edited, and what its applications are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuardRules {
    /// The project.
    pub project: String,
    /// The version of the last edit: give it as `base_version` with the next. 0 before the first.
    pub version: i64,
    /// What can be edited. Fields that are not set are left out.
    #[schema(value_type = schemas::GuardRuleFields)]
    pub rules: Value,
    /// Whether the edit is past its own `expires_at`: then applications are told none of it.
    pub expired: bool,
    /// When it was edited.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub updated: Option<Timestamp>,
    /// By whom.
    #[schema(example = "user:admin")]
    pub updated_by: Option<String>,
    /// Why, in the words of whoever edited it.
    pub note: Option<String>,
    /// The version in quotes, as HTTP has it.
    #[schema(example = "\"86401\"")]
    pub etag: String,
    /// What applications are told besides.
    pub published: GuardPublished,
}

/// What the applications of a project are told at present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardPublished {
    /// The version that they see: it grows with each edit and with each ban. 0 before the first.
    pub version: i64,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// How many bans hold in this project.
    pub bans: u64,
    /// How many of them found no room in the list: the oldest of those that no person ordered.
    pub bans_left_out: u64,
}

/// Rules to be put into force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardRulesRequest {
    /// All that shall be in force; fields that are left out fall back to the application's own
    /// configuration.
    #[schema(value_type = schemas::GuardRuleFields)]
    pub rules: Value,
    /// The version that was edited. Where there is a newer one, the request is refused.
    pub base_version: i64,
    /// Why, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

/// One edit of a project's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardRulesEdit)]
pub struct GuardRulesEditRow {
    /// Its version.
    pub version: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub updated: Timestamp,
    /// By whom.
    #[schema(example = "user:admin")]
    pub updated_by: String,
    /// Why, in their words.
    pub note: Option<String>,
    /// What changed, in one line.
    #[schema(example = "blocked_user_agents: 1 added")]
    pub summary: String,
}

/// Which edit shall be in force again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardRestoreRequest {
    /// Its version. It is put into force under a new one.
    pub version: i64,
    /// Why, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

/// Rules to be tried on what was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardPreviewRequest {
    /// The rules.
    #[schema(value_type = schemas::GuardRuleFields)]
    pub rules: Value,
    /// How far back, 1 to 168; 24 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 168)]
    pub hours: Option<u32>,
}

/// What rules would have blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardPreview {
    /// How far back it was looked.
    pub hours: u32,
    /// How many stored requests were looked at. Guards report what they notice, not every request.
    pub requests_seen: u64,
    /// How many of them would have been blocked.
    pub would_block: u64,
    /// Whether the time for looking was used up before all were seen: the newest were.
    pub partial: bool,
    /// By which entry of which field.
    pub by_rule: Vec<GuardPreviewRule>,
    /// Fields that are set and cannot be tried on what is stored.
    pub not_tried: Vec<String>,
}

/// What one entry of the rules would have blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardPreviewRule {
    /// The field.
    #[schema(example = "blocked_user_agents")]
    pub field: String,
    /// The entry; empty where the field has none.
    #[schema(example = "sqlmap")]
    pub entry: String,
    /// How many requests. One that several entries block is counted with each.
    pub count: u64,
    /// From how many addresses.
    pub addresses: u64,
    /// The newest of them, at most five.
    pub samples: Vec<GuardPreviewSample>,
}

/// A stored request that would have been blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardPreviewSample {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// From where.
    pub address: String,
    /// How.
    pub method: Option<String>,
    /// For what.
    pub endpoint: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

/// Which part of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GuardHistoryQuery {
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
