use crate::source_text;
use ringwall_event::{Source, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What must be kept, whatever the rules of retention say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldRow {
    /// Names it in paths; one of a kind.
    pub name: String,
    /// Only what this one sent; none: everything.
    #[serde(with = "source_text::option")]
    #[schema(value_type = Option<String>, example = "host-agent:web-1")]
    pub source: Option<Source>,
    /// Received at or after; none: from the beginning.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Received before; none: without end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    #[schema(example = "user:admin")]
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// A hold to be put into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// What people call it, 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "case-7")]
    pub name: String,
    /// Only what this one sent (`host-agent:web-1`); everything where it is absent.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "host-agent:web-1")]
    pub source: Option<Source>,
    /// Received at or after; from the beginning where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Received before; without end where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "court order 12/26")]
    pub reason: String,
}
