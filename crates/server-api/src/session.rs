use crate::SecretText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The cookie that holds a session, over plain http.
pub const SESSION_COOKIE: &str = "ringwall_session";
/// The cookie that holds a session, over https: browsers take one of this prefix from nobody but this
/// very host, over https (RFC 6265bis §4.1.3.2).
pub const SESSION_COOKIE_HTTPS: &str = "__Host-ringwall_session";

/// Who wants to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The name of the user.
    #[schema(example = "admin")]
    pub user: String,
    /// The password.
    pub password: SecretText,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The name of the user, or of the token.
    pub user: String,
    /// What they may do at most.
    pub role: Role,
    /// What they may do, by name: all that the role includes, or what of it a token is narrowed to.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// To be sent as `X-Ringwall-CSRF` with every request that changes something, where the cookie
    /// is the credential. Empty for a token.
    pub csrf: SecretText,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, keys and tokens included.
    Admin,
    /// An analyst who also orders commands to hosts.
    Responder,
    /// Sees everything but keys, tokens and users; works on alerts, keeps the indicators. Orders
    /// nothing.
    Analyst,
    /// Sees what was observed and concluded, changes nothing.
    ReadOnly,
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Responder, Self::Analyst, Self::ReadOnly];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Responder => "responder",
            Self::Analyst => "analyst",
            Self::ReadOnly => "read_only",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}
