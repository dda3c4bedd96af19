use crate::{Role, SecretText};
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = User)]
pub struct UserRow {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may not sign in at the moment.
    pub disabled: bool,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When their password was last changed; none: it is the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub password_changed: Option<Timestamp>,
    /// When they last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_sign_in: Option<Timestamp>,
    /// How many of their sessions are open.
    pub sessions: u64,
}

/// Somebody to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// What they sign in with: 1 to 64 of `a-z 0-9 . _ - @ +`, a letter or digit first.
    #[schema(min_length = 1, max_length = 64, example = "ada")]
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// At least 12 characters. One is made where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// What of a user shall be other than it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What they may do from now on. Their sessions end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether they may not sign in. Their sessions end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Another password for somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// At least 12 characters. One is made where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// Somebody who got a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordAnswer {
    /// What they sign in with.
    pub name: String,
    /// The password that was made, told this once; none where one was given.
    pub password: Option<SecretText>,
}

/// Another password for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPasswordRequest {
    /// The one they have.
    pub current: SecretText,
    /// At least 12 characters.
    pub new: SecretText,
}

/// A browser that somebody is signed in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OpenSession)]
pub struct SessionRow {
    /// Names it in paths; opens nothing.
    pub id: String,
    /// Who.
    pub user: String,
    /// When they signed in.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When they last asked for something.
    #[schema(value_type = String, format = DateTime)]
    pub last_used: Timestamp,
    /// When it ends, should nobody use it any more.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// From where they signed in.
    pub address: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Whose sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// A user, or `*` for everybody: for those who may `read_users`. One's own where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}
