use serde::{Deserialize, Serialize};
use std::fmt;

/// What a person or program may do, as a named set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, keys and tokens included.
    Admin,
    /// Reads, handles alerts, orders commands, keeps indicators.
    Analyst,
    /// Reads what was observed and concluded.
    ReadOnly,
}

/// One area of the API, to read or to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// See hosts, their processes and connections, and the overview.
    ReadHosts,
    /// See single events.
    ReadEvents,
    /// See alerts.
    ReadAlerts,
    /// See commands and their results.
    ReadCommands,
    /// See risk scores.
    ReadScores,
    /// See indicators.
    ReadIndicators,
    /// See the audit entries: who did what.
    ReadAudit,
    /// See which keys there are; never their secrets.
    ReadKeys,
    /// See which tokens there are; never their secrets.
    ReadTokens,
    /// See legal holds.
    ReadHolds,
    /// Acknowledge and resolve alerts.
    HandleAlerts,
    /// Order and withdraw commands to hosts.
    OrderCommands,
    /// Have hosts bring copies of their files, and read these.
    CollectFiles,
    /// Add, import and remove indicators.
    ChangeIndicators,
    /// Create and delete the keys of agents.
    ChangeKeys,
    /// Create and delete tokens.
    ChangeTokens,
    /// Put legal holds into force and lift them.
    ChangeHolds,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::ReadHosts,
        Self::ReadEvents,
        Self::ReadAlerts,
        Self::ReadCommands,
        Self::ReadScores,
        Self::ReadIndicators,
        Self::ReadAudit,
        Self::ReadKeys,
        Self::ReadTokens,
        Self::ReadHolds,
        Self::HandleAlerts,
        Self::OrderCommands,
        Self::CollectFiles,
        Self::ChangeIndicators,
        Self::ChangeKeys,
        Self::ChangeTokens,
        Self::ChangeHolds,
    ];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadHosts => "read_hosts",
            Self::ReadEvents => "read_events",
            Self::ReadAlerts => "read_alerts",
            Self::ReadCommands => "read_commands",
            Self::ReadScores => "read_scores",
            Self::ReadIndicators => "read_indicators",
            Self::ReadAudit => "read_audit",
            Self::ReadKeys => "read_keys",
            Self::ReadTokens => "read_tokens",
            Self::ReadHolds => "read_holds",
            Self::HandleAlerts => "handle_alerts",
            Self::OrderCommands => "order_commands",
            Self::CollectFiles => "collect_files",
            Self::ChangeIndicators => "change_indicators",
            Self::ChangeKeys => "change_keys",
            Self::ChangeTokens => "change_tokens",
            Self::ChangeHolds => "change_holds",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Analyst, Self::ReadOnly];

    /// Whether the role includes this permission.
    pub const fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        match permission {
            P::ReadHosts
            | P::ReadEvents
            | P::ReadAlerts
            | P::ReadCommands
            | P::ReadScores
            | P::ReadIndicators => true,
            P::ReadAudit
            | P::ReadHolds
            | P::HandleAlerts
            | P::OrderCommands
            | P::CollectFiles
            | P::ChangeIndicators => {
                matches!(self, Self::Admin | Self::Analyst)
            }
            P::ReadKeys | P::ReadTokens | P::ChangeKeys | P::ChangeTokens | P::ChangeHolds => {
                matches!(self, Self::Admin)
            }
        }
    }

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::ReadOnly => "read_only",
        }
    }

    /// The role of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
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
        check(Role::Admin, &P::ALL);
        check(
            Role::Analyst,
            &[
                P::ReadHosts,
                P::ReadEvents,
                P::ReadAlerts,
                P::ReadCommands,
                P::ReadScores,
                P::ReadIndicators,
                P::ReadAudit,
                P::ReadHolds,
                P::HandleAlerts,
                P::OrderCommands,
                P::CollectFiles,
                P::ChangeIndicators,
            ],
        );
        check(
            Role::ReadOnly,
            &[
                P::ReadHosts,
                P::ReadEvents,
                P::ReadAlerts,
                P::ReadCommands,
                P::ReadScores,
                P::ReadIndicators,
            ],
        );
    }

    #[track_caller]
    fn check(role: Role, expected: &[Permission]) {
        let allowed: Vec<_> = Permission::ALL.into_iter().filter(|p| role.allows(*p)).collect();
        assert_eq!(allowed, expected, "role {role}");
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
