use crate::{Action, Permission, PermissionSet, RefusalReason, Rules};
use ringwall_event::Network;

/// Have guarded applications let an address in no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanAddress {
    /// Whom.
    pub address: Network,
    /// Those of this project; of all projects where there is none.
    pub project: Option<String>,
    /// For so many seconds.
    pub seconds: u64,
    /// Whether hosts shall block the address, too.
    pub hosts: bool,
}

impl Action for BanAddress {
    fn name(&self) -> &'static str {
        "ban_address"
    }

    fn permission(&self) -> Permission {
        Permission::BanAddresses
    }

    fn grants(&self) -> PermissionSet {
        // Each host's block is decided by itself; but half of what is wanted shall not be done.
        let needed = self.hosts.then_some(Permission::OrderCommands);
        needed.into_iter().collect()
    }

    fn done_to(&self) -> String {
        let place = match &self.project {
            Some(project) => format!("guard project {project}"),
            None => "all guard projects".to_owned(),
        };
        let hosts = if self.hosts { " and on all hosts" } else { "" };
        format!("{} in {place}{hosts} for {} s", self.address, self.seconds)
    }

    fn check(&self, rules: &Rules) -> Result<(), RefusalReason> {
        let network = self.address;
        if let Some(prefix_min) = rules.networks().too_wide(network) {
            return Err(RefusalReason::NetworkTooWide { network, prefix_min });
        }
        match rules.never_banned(network) {
            Some(why) => Err(RefusalReason::ProtectedNetwork { network, why }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Role, Subject, authorise};
    use ringwall_event::Timestamp;

    fn rules() -> Rules {
        Rules::default()
            .with_own_addresses(["198.51.100.4".parse().unwrap()])
            .with_protected_networks(["10.0.0.0/8".parse().unwrap()])
            .with_bans(
                ["203.0.113.0/24".parse().unwrap()],
                [("ban/probes", "ban_address"), ("ban/probes", "block_address")],
            )
    }

    #[test]
    fn what_is_never_banned() {
        check("192.0.2.7", None);
        check("192.0.2.0/24", None);
        check("2001:db8::/48", None);
        check(
            "192.0.0.0/16",
            Some("network 192.0.0.0/16 is too wide to be blocked: its prefix must be 24 or longer"),
        );
        check("127.0.0.1", Some("127.0.0.1 is never blocked: loopback"));
        check("::1", Some("::1 is never blocked: loopback"));
        check(
            "198.51.100.0/24",
            Some("198.51.100.0/24 is never blocked: 198.51.100.4 is the server's own"),
        );
        check("10.1.2.3", Some("10.1.2.3 is never blocked: 10.0.0.0/8 is on the protected list"));
        check(
            "203.0.113.9",
            Some(
                "203.0.113.9 is never blocked: 203.0.113.0/24 is on the list of those never banned",
            ),
        );
    }

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        let subject = Subject::User { name: "ada".into(), role: Role::Responder };
        let found = decide(address, false, &subject);
        assert_eq!(found.as_deref(), expected, "{address}");
    }

    fn decide(address: &str, hosts: bool, subject: &Subject) -> Option<String> {
        let action =
            BanAddress { address: address.parse().unwrap(), project: None, seconds: 60, hosts };
        match authorise(&rules(), &action, subject, "probes", Timestamp::from_micros(1)) {
            Decision::Permit(permit) => {
                assert_eq!(permit.audit_entry().action, "ban_address");
                None
            }
            Decision::Refuse(refusal) => Some(refusal.why().to_string()),
        }
    }

    #[test]
    fn who_may_ban() {
        let rule = |name: &str| Subject::Rule { name: name.into() };
        assert_eq!(decide("192.0.2.7", true, &rule("ban/probes")), None);
        assert_eq!(
            decide("192.0.2.7", false, &rule("ban/other")).unwrap(),
            "`rule:ban/other` may not ban_address by itself"
        );
        let analyst = Subject::User { name: "bo".into(), role: Role::Analyst };
        assert_eq!(
            decide("192.0.2.7", false, &analyst).unwrap(),
            "`user:bo` may not ban_addresses"
        );
        let scoped = Subject::Token {
            name: "ci".into(),
            role: Role::Responder,
            scopes: Some([Permission::BanAddresses].into_iter().collect()),
        };
        assert_eq!(decide("192.0.2.7", false, &scoped), None);
        assert_eq!(
            decide("192.0.2.7", true, &scoped).unwrap(),
            "`token:ci` cannot give order_commands, which it does not have itself"
        );
    }
}
