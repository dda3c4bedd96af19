use crate::{Permission, Role};
use std::fmt;

/// Who wants to act: a person, a program with a token, or one of our own rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A person who signed in.
    User {
        /// The name they signed in with.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// A program that presented a token.
    Token {
        /// The name the token was given.
        name: String,
        /// What it may do.
        role: Role,
    },
    /// A rule of ours that acts by itself; may do only what the configuration lists for it.
    Rule {
        /// Its name: `indicator`.
        name: String,
    },
}

impl Subject {
    /// The rule that answers matched indicators.
    pub fn indicator_rule() -> Self {
        Self::Rule { name: "indicator".into() }
    }

    /// The role of a person or program; rules have none.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::User { role, .. } | Self::Token { role, .. } => Some(*role),
            Self::Rule { .. } => None,
        }
    }

    /// Whether the subject's role includes this permission; never for rules.
    pub fn may(&self, permission: Permission) -> bool {
        self.role().is_some_and(|role| role.allows(permission))
    }
}

/// `user:admin`, `token:ci`, `rule:indicator`: as audit entries and commands name it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "user:{name}"),
            Self::Token { name, .. } => write!(f, "token:{name}"),
            Self::Rule { name } => write!(f, "rule:{name}"),
        }
    }
}
