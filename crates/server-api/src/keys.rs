use crate::SecretText;
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The key of an agent, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyRow {
    /// `kind/name`.
    #[schema(example = "sysscore/agent-1")]
    pub id: String,
    /// Which family it is for.
    pub kind: KeyKind,
    /// The agent's name.
    pub name: String,
    /// When it was made; none where it comes from the environment.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created: Option<Timestamp>,
    /// When it last signed something that was accepted, since the server started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
    /// Where it comes from.
    pub origin: KeyOrigin,
}

/// Which family a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum KeyKind {
    /// Signs bodies of the SysScore dialect.
    #[serde(rename = "sysscore")]
    SysScore,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::SysScore];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SysScore => "sysscore",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// Made through this API; sealed in the database.
    Stored,
    /// From `AGENT_KEYS`; can only be changed there.
    Environment,
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Which family it is for.
    pub kind: KeyKind,
    /// The agent's name, 1 to 128 visible characters.
    #[schema(min_length = 1, max_length = 128, example = "agent-1")]
    pub name: String,
    /// The secret, 8 to 1024 bytes; a random one is made where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
}

/// A key that was made. The secret is told this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyCreated {
    /// Which family it is for.
    pub kind: KeyKind,
    /// The agent's name.
    #[schema(example = "agent-1")]
    pub id: String,
    /// The secret.
    pub secret: SecretText,
}
