use crate::{Role, SecretText};
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The token of a program, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenRow {
    /// Names it in paths.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do at most.
    pub role: Role,
    /// The permissions it is narrowed to; none: all of its role.
    #[serde(default)]
    #[schema(example = json!(["read_alerts"]))]
    pub scopes: Option<Vec<String>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it ends; none: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was last used, since the server started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is for, 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "ci")]
    pub name: String,
    /// What it may do at most.
    pub role: Role,
    /// Narrows the role to these permissions, by name: `read_alerts`, `order_commands`. What the
    /// role does not include is not added. All of the role where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, example = json!(["read_alerts"]))]
    pub scopes: Option<Vec<String>>,
    /// After how many days it ends, 1 to 3650; never where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// A token that was made. Its text is told this once; the server keeps a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    /// Names it in paths.
    pub id: String,
    /// What to send as `Authorization: Bearer …`; begins with `rwt_`.
    pub token: SecretText,
}
