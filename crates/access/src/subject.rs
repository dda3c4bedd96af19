use crate::{Permission, PermissionSet, Role};
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
        /// What it may do at most.
        role: Role,
        /// What of that it may do; none for all of it.
        scopes: Option<PermissionSet>,
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

    /// What the role includes, narrowed by the scopes; nothing for rules.
    pub fn permissions(&self) -> PermissionSet {
        match self {
            Self::User { role, .. } | Self::Token { role, scopes: None, .. } => role.permissions(),
            Self::Token { role, scopes: Some(scopes), .. } => role.permissions().and(*scopes),
            Self::Rule { .. } => PermissionSet::default(),
        }
    }

    /// Whether the subject has this permission; never for rules.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions().contains(permission)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_narrow_and_never_widen() {
        use Permission as P;
        let token = |role, scopes: Option<&[P]>| Subject::Token {
            name: "ci".into(),
            role,
            scopes: scopes.map(|scopes| scopes.iter().copied().collect()),
        };
        check(&token(Role::ReadOnly, None), P::ReadAlerts, true);
        check(&token(Role::ReadOnly, Some(&[P::ReadAlerts])), P::ReadAlerts, true);
        check(&token(Role::ReadOnly, Some(&[P::ReadAlerts])), P::ReadEvents, false);
        check(&token(Role::ReadOnly, Some(&[P::OrderCommands])), P::OrderCommands, false);
        check(&token(Role::Admin, Some(&[])), P::ReadHosts, false);
        check(&Subject::indicator_rule(), P::ReadHosts, false);
    }

    #[track_caller]
    fn check(subject: &Subject, permission: Permission, expected: bool) {
        assert_eq!(subject.may(permission), expected, "{subject:?} {permission}");
    }
}
