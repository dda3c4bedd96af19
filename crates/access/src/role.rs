use crate::{Permission, PermissionSet};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a person or program may do, as a named set of permissions. Each includes all of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything: keys, tokens, people and legal holds included.
    Admin,
    /// An analyst who also orders commands to hosts.
    Responder,
    /// Reads, handles alerts, keeps indicators; orders nothing.
    Analyst,
    /// Reads what was observed and concluded.
    ReadOnly,
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Responder, Self::Analyst, Self::ReadOnly];

    /// Whether the role includes this permission.
    pub const fn allows(self, permission: Permission) -> bool {
        self.rank() >= permission.least_role().rank()
    }

    /// All that the role includes.
    pub fn permissions(self) -> PermissionSet {
        Permission::ALL.iter().copied().filter(|permission| self.allows(*permission)).collect()
    }

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Responder => "responder",
            Self::Analyst => "analyst",
            Self::ReadOnly => "read_only",
        }
    }

    /// The role of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Admin => 3,
            Self::Responder => 2,
            Self::Analyst => 1,
            Self::ReadOnly => 0,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles() {
        use Permission as P;
        let read_only = [
            P::ReadHosts,
            P::ReadEvents,
            P::ReadAlerts,
            P::ReadCommands,
            P::ReadScores,
            P::ReadIndicators,
            P::ReadGuard,
        ];
        let analyst =
            [P::ReadAudit, P::ReadHolds, P::ReadWebhooks, P::HandleAlerts, P::ChangeIndicators];
        let responder = [P::OrderCommands, P::CollectFiles, P::ReplayDeliveries, P::BanAddresses];
        check(Role::ReadOnly, &[&read_only[..]]);
        check(Role::Analyst, &[&read_only[..], &analyst]);
        check(Role::Responder, &[&read_only[..], &analyst, &responder]);
        check(Role::Admin, &[P::ALL]);
    }

    #[track_caller]
    fn check(role: Role, expected: &[&[Permission]]) {
        let expected: PermissionSet =
            expected.iter().flat_map(|list| list.iter().copied()).collect();
        assert_eq!(role.permissions(), expected, "role {role}");
        for permission in Permission::ALL {
            assert_eq!(role.allows(*permission), expected.contains(*permission), "{permission}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert_eq!(Role::from_name("root"), None);
    }
}
