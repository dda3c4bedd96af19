use crate::Role;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Declares the permissions once: documentation, variant, name on the wire, and the least of the
/// roles that includes it.
macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal for $least:ident;)*) => {
        /// One area of the API, to read or to change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Permission {
            $($(#[$doc])* $variant,)*
        }

        impl Permission {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The lower-case name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The least mighty role that includes it.
            pub const fn least_role(self) -> Role {
                match self {
                    $(Self::$variant => Role::$least,)*
                }
            }
        }
    };
}

permissions! {
    /// See hosts, their processes and connections, and the overview.
    ReadHosts = "read_hosts" for ReadOnly;
    /// See single events.
    ReadEvents = "read_events" for ReadOnly;
    /// See alerts.
    ReadAlerts = "read_alerts" for ReadOnly;
    /// See commands and their results.
    ReadCommands = "read_commands" for ReadOnly;
    /// See risk scores.
    ReadScores = "read_scores" for ReadOnly;
    /// See indicators.
    ReadIndicators = "read_indicators" for ReadOnly;
    /// See what application guards report: their projects, events, metrics, rules and bans.
    ReadGuard = "read_guard" for ReadOnly;
    /// See the audit entries: who did what.
    ReadAudit = "read_audit" for Analyst;
    /// See legal holds.
    ReadHolds = "read_holds" for Analyst;
    /// See webhooks and their deliveries; never their secrets.
    ReadWebhooks = "read_webhooks" for Analyst;
    /// See which keys there are; never their secrets.
    ReadKeys = "read_keys" for Admin;
    /// See which tokens there are; never their secrets.
    ReadTokens = "read_tokens" for Admin;
    /// See who may sign in, and who is signed in.
    ReadUsers = "read_users" for Admin;
    /// Acknowledge and resolve alerts.
    HandleAlerts = "handle_alerts" for Analyst;
    /// Add, import and remove indicators.
    ChangeIndicators = "change_indicators" for Analyst;
    /// Order and withdraw commands to hosts.
    OrderCommands = "order_commands" for Responder;
    /// Have hosts bring copies of their files, and read these.
    CollectFiles = "collect_files" for Responder;
    /// Have deliveries to webhooks sent again.
    ReplayDeliveries = "replay_deliveries" for Responder;
    /// Ban addresses from guarded applications, and lift bans.
    BanAddresses = "ban_addresses" for Responder;
    /// Create and delete the keys of agents.
    ChangeKeys = "change_keys" for Admin;
    /// Create and delete tokens.
    ChangeTokens = "change_tokens" for Admin;
    /// Put legal holds into force and lift them.
    ChangeHolds = "change_holds" for Admin;
    /// Add, change, try and remove webhooks.
    ChangeWebhooks = "change_webhooks" for Admin;
    /// Add, rotate and remove projects of application guards, and change their rules.
    ChangeGuard = "change_guard" for Admin;
    /// Add, change and remove the people who may sign in, and end their sessions.
    ChangeUsers = "change_users" for Admin;
}

impl Permission {
    /// The permission of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Some permissions: what a role includes, or what a token is narrowed to.
///
/// ```
/// use ringwall_access::{Permission, PermissionSet, Role};
///
/// let scopes: PermissionSet = [Permission::ReadAlerts, Permission::ChangeKeys].into_iter().collect();
/// let may = Role::Analyst.permissions().and(scopes);
/// assert_eq!(may.iter().map(Permission::name).collect::<Vec<_>>(), ["read_alerts"]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Whether the permission is one of them.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// They, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

/// A list of names.
impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Permission::name))
    }
}

/// Names that are not known are left out: what a later version wrote can only mean less here.
impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = PermissionSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of permissions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<PermissionSet, A::Error> {
                let mut set = PermissionSet::default();
                while let Some(name) = names.next_element::<String>()? {
                    if let Some(permission) = Permission::from_name(&name) {
                        set.0 |= permission.bit();
                    }
                }
                Ok(set)
            }
        }

        deserializer.deserialize_seq(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_permission_has_a_bit_and_a_name_of_its_own() {
        assert!(Permission::ALL.len() <= 64);
        let all: PermissionSet = Permission::ALL.iter().copied().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Permission::ALL);
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(*permission));
        }
        assert_eq!(Permission::from_name("Read_Hosts"), None);
    }

    #[test]
    fn names_of_later_versions_narrow() {
        let set: PermissionSet = serde_json::from_str(r#"["read_alerts","fly"]"#).unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["read_alerts"]"#);
        assert_eq!(format!("{set:?}"), r#"{"read_alerts"}"#);
        assert!(serde_json::from_str::<PermissionSet>(r#""read_alerts""#).is_err());
    }

    proptest! {
        #[test]
        fn a_set_is_what_it_was_made_of(
            chosen in prop::collection::vec(prop::sample::select(Permission::ALL), 0..20),
            other in prop::collection::vec(prop::sample::select(Permission::ALL), 0..20),
        ) {
            let a: PermissionSet = chosen.iter().copied().collect();
            let b: PermissionSet = other.iter().copied().collect();
            for permission in Permission::ALL {
                let (in_a, in_b) = (chosen.contains(permission), other.contains(permission));
                prop_assert_eq!(a.contains(*permission), in_a);
                prop_assert_eq!(a.and(b).contains(*permission), in_a && in_b);
                prop_assert_eq!(a.without(b).contains(*permission), in_a && !in_b);
            }
            let text = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(serde_json::from_str::<PermissionSet>(&text).unwrap(), a);
        }
    }
}
