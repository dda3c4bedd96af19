use crate::audit_entry::one_line;
use crate::protected_paths::is_of_the_kernel;
use crate::{Action, Permission, RefusalReason, Rules};
use ringwall_event::{
    AbsolutePath, BlockTarget, CommandAction, Network, Order, ProcessTarget, Source,
};

/// Have something done on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCommand {
    /// The client that shall carry it out.
    pub source: Source,
    /// The name of the host that the client reports, which may be another than its own.
    pub hostname: Box<str>,
    /// What is to be done, and to what.
    pub order: Order,
    /// The process that it is done to, as the host's own enrolled agent reported the one of that pid and
    /// start time; none for all other clients, whom nobody has to believe.
    pub observed: Option<ObservedProcess>,
}

/// What is known of who bears a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedProcess {
    /// The name of the user it runs as.
    pub user: Option<Box<str>>,
    /// The path of its program.
    pub executable: Option<Box<str>>,
    /// Whether it is in a container.
    pub in_container: bool,
}

impl Action for OrderCommand {
    fn name(&self) -> &'static str {
        self.order.action().name()
    }

    fn permission(&self) -> Permission {
        match self.order.action() {
            // To act on a host is one thing, to read what people keep there another.
            CommandAction::CollectFile => Permission::CollectFiles,
            _ => Permission::OrderCommands,
        }
    }

    fn done_to(&self) -> String {
        format!("{} {}", self.source, self.order.done_to())
    }

    fn check(&self, rules: &Rules) -> Result<(), RefusalReason> {
        self.must_be_taken()?;
        match &self.order {
            Order::KillProcess(target) | Order::KillTree(target) | Order::StopProcess(target) => {
                self.must_be_hit_safely(target)?;
                self.must_not_be_protected(rules, target)
            }
            // Whoever halted `sshd` did harm; to let it go on does none.
            Order::ContinueProcess(target) => self.must_be_hit_safely(target),
            Order::CollectFile(target) => must_be_stored(&target.path),
            Order::QuarantineFile(target) => {
                must_be_stored(&target.path)?;
                match rules.paths().protects(&target.path) {
                    None => Ok(()),
                    Some(folder) => Err(RefusalReason::ProtectedPath {
                        path: one_line(target.path.as_str()),
                        folder: one_line(folder),
                    }),
                }
            }
            Order::BlockAddress(target) => may_be_blocked(rules, target),
            Order::UnblockAddress(_) | Order::RestoreFile(_) => Ok(()),
        }
    }
}

impl OrderCommand {
    /// Whether the client takes such an order at all.
    fn must_be_taken(&self) -> Result<(), RefusalReason> {
        let source = || one_line(&self.source.to_string());
        match &*self.source.dialect {
            Source::HOST_AGENT => Ok(()),
            Source::WATCHER if self.order.action() == CommandAction::KillProcess => Ok(()),
            Source::WATCHER => Err(RefusalReason::TakesOnlyKills(source())),
            _ => Err(RefusalReason::TakesNoCommands(source())),
        }
    }

    /// Whether the order names one process and no other.
    fn must_be_hit_safely(&self, target: &ProcessTarget) -> Result<(), RefusalReason> {
        if !(2..=i64::from(u32::MAX)).contains(&target.pid) {
            return Err(RefusalReason::Pid(target.pid));
        }
        // Watcher clients know neither start times nor a way to compare them (Watcher contract, §3).
        if target.start_time.is_none() && &*self.source.dialect != Source::WATCHER {
            return Err(RefusalReason::StartTimeUnknown(target.pid));
        }
        Ok(())
    }

    fn must_not_be_protected(
        &self,
        rules: &Rules,
        target: &ProcessTarget,
    ) -> Result<(), RefusalReason> {
        if rules.protects(&target.name, self.observed.as_ref()) {
            return Err(RefusalReason::ProtectedName(one_line(&target.name)));
        }
        if rules.is_own_process([&self.source.name, &self.hostname], target.pid) {
            return Err(RefusalReason::OwnProcess(target.pid));
        }
        Ok(())
    }
}

fn must_be_stored(path: &AbsolutePath) -> Result<(), RefusalReason> {
    if is_of_the_kernel(path) {
        return Err(RefusalReason::NoStoredFile(one_line(path.as_str())));
    }
    Ok(())
}

fn may_be_blocked(rules: &Rules, target: &BlockTarget) -> Result<(), RefusalReason> {
    let network: Network = target.address;
    if let Some(prefix_min) = rules.networks().too_wide(network) {
        return Err(RefusalReason::NetworkTooWide { network, prefix_min });
    }
    if let Some(why) = rules.networks().protects(network) {
        return Err(RefusalReason::ProtectedNetwork { network, why });
    }
    let seconds_max = rules.block_seconds_max();
    if !(1..=seconds_max).contains(&target.seconds) {
        return Err(RefusalReason::BlockSeconds { seconds: target.seconds, seconds_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Outcome, Role, Subject, authorise};
    use ringwall_event::{CommandId, FileTarget, QuarantineTarget, Timestamp, UnblockTarget};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn process(pid: i64, name: &str) -> ProcessTarget {
        ProcessTarget { pid, start_time: Some(Timestamp::from_micros(5)), name: name.into() }
    }

    fn file(path: &str) -> FileTarget {
        FileTarget { path: AbsolutePath::parse(path).unwrap() }
    }

    fn rules() -> Rules {
        Rules::default()
            .with_own_processes(["web-1"], [700])
            .with_own_addresses(["198.51.100.4".parse().unwrap()])
            .with_protected_networks([
                "10.0.0.0/8".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ])
    }

    /// Decides for an administrator, and checks that the decision leaves its audit entry.
    #[track_caller]
    fn check_from(dialect: &str, order: &Order, expected: Option<RefusalReason>) {
        let subject = Subject::User { name: "ada".into(), role: Role::Admin };
        let action = OrderCommand {
            source: Source::new(dialect, "web-1"),
            hostname: "web-1".into(),
            order: order.clone(),
            observed: None,
        };
        let decision = authorise(&rules(), &action, &subject, "because", NOW);
        let entry = decision.audit_entry().clone();
        assert_eq!(entry.action, order.action().name());
        assert_eq!(entry.subject, format!("{dialect}:web-1 {}", order.done_to()));
        match (&decision, &expected) {
            (Decision::Permit(_), _) => assert_eq!(entry.outcome, Outcome::Permitted, "{order}"),
            (Decision::Refuse(refusal), _) => {
                assert_eq!(entry.outcome, Outcome::Refused, "{order}");
                assert_eq!(entry.reason, refusal.why().to_string());
            }
        }
        let found = decision.into_result().err().map(|refusal| refusal.why().clone());
        assert_eq!(found, expected, "{order}");
    }

    #[track_caller]
    fn check(order: &Order, expected: Option<RefusalReason>) {
        check_from("host-agent", order, expected);
    }

    #[test]
    fn vital_processes_are_neither_ended_nor_halted() {
        for order in [Order::KillProcess, Order::KillTree, Order::StopProcess] {
            check(&order(process(42, "evil.sh")), None);
            for pid in [i64::MIN, -1, 0, 1, 1 << 32] {
                check(&order(process(pid, "evil.sh")), Some(RefusalReason::Pid(pid)));
            }
            let protected = RefusalReason::ProtectedName("sshd".into());
            check(&order(process(42, "sshd")), Some(protected));
            check(&order(process(700, "x")), Some(RefusalReason::OwnProcess(700)));
            let loose = ProcessTarget { start_time: None, ..process(9, "x") };
            check(&order(loose), Some(RefusalReason::StartTimeUnknown(9)));
        }
        check(&Order::ContinueProcess(process(42, "sshd")), None);
        check(&Order::ContinueProcess(process(1, "init")), Some(RefusalReason::Pid(1)));
    }

    #[test]
    fn clients_take_what_they_know() {
        let kill = Order::KillProcess(process(42, "evil.sh"));
        let tree = Order::KillTree(process(42, "evil.sh"));
        check_from("watcher", &kill, None);
        check_from("watcher", &tree, Some(RefusalReason::TakesOnlyKills("watcher:web-1".into())));
        for order in [&kill, &tree] {
            let none = RefusalReason::TakesNoCommands("sysscore:web-1".into());
            check_from("sysscore", order, Some(none));
        }
    }

    #[test]
    fn what_the_system_needs_is_not_quarantined() {
        let protected = |path: &str, folder: &str| {
            check(
                &Order::QuarantineFile(file(path)),
                Some(RefusalReason::ProtectedPath { path: path.into(), folder: folder.into() }),
            );
            check(&Order::CollectFile(file(path)), None);
        };
        protected("/usr/bin/bash", "/usr/bin");
        protected("/etc/passwd", "/etc");
        protected("/boot/vmlinuz", "/boot");
        protected("/lib64/ld-linux.so.2", "/lib64");
        protected("/var/lib/ringwall-host-agent/key", "/var/lib/ringwall-host-agent");
        check(&Order::QuarantineFile(file("/usr/local/bin/evil")), None);
        check(&Order::QuarantineFile(file("/etcetera/evil")), None);
        check(&Order::QuarantineFile(file("/tmp/evil")), None);
        for path in ["/proc/1/environ", "/dev/mem", "/sys/kernel/notes"] {
            let refused = RefusalReason::NoStoredFile(path.into());
            check(&Order::CollectFile(file(path)), Some(refused.clone()));
            check(&Order::QuarantineFile(file(path)), Some(refused));
        }
        let quarantine_id = CommandId::parse("cmd_1").unwrap();
        check(&Order::RestoreFile(QuarantineTarget { quarantine_id }), None);
    }

    #[test]
    fn nobody_is_cut_off_from_what_they_need() {
        let block = |address: &str, seconds| {
            Order::BlockAddress(BlockTarget { address: address.parse().unwrap(), seconds })
        };
        let protected = |text: &str, why: &str| {
            let network = text.parse().unwrap();
            let why = why.to_owned();
            check(&block(text, 60), Some(RefusalReason::ProtectedNetwork { network, why }));
        };
        protected("127.0.0.1", "loopback");
        protected("127.8.8.8", "loopback");
        protected("::1", "loopback");
        protected("::ffff:127.0.0.1", "loopback");
        protected("0.0.0.0", "this host on this network");
        protected("224.0.0.1", "multicast");
        protected("255.255.255.255", "broadcast");
        protected("ff02::1", "multicast");
        protected("fe80::1", "link-local");
        protected("198.51.100.4", "198.51.100.4 is the server's own");
        protected("198.51.100.0/24", "198.51.100.4 is the server's own");
        protected("10.1.2.3", "10.0.0.0/8 is on the protected list");
        protected("2001:db8:1::/48", "2001:db8::/32 is on the protected list");
        let wide = |text: &str, prefix_min| {
            let network = text.parse().unwrap();
            let refused = RefusalReason::NetworkTooWide { network, prefix_min };
            check(&block(text, 60), Some(refused));
        };
        wide("203.0.113.0/23", 24);
        wide("0.0.0.0/0", 24);
        wide("2001:db9::/47", 48);
        wide("::/0", 48);
        check(&block("203.0.113.0/24", 60), None);
        check(&block("203.0.113.9", 1), None);
        check(&block("2001:db9::/48", 60), None);
        let seconds_max = Rules::default().block_seconds_max();
        for seconds in [0, seconds_max + 1, u64::MAX] {
            let refused = RefusalReason::BlockSeconds { seconds, seconds_max };
            check(&block("203.0.113.9", seconds), Some(refused));
        }
        check(&block("203.0.113.9", seconds_max), None);
        let loopback = UnblockTarget { address: "127.0.0.1".parse().unwrap() };
        check(&Order::UnblockAddress(loopback), None);
    }

    #[test]
    fn to_collect_files_is_a_permission_of_its_own() {
        let action = |order| OrderCommand {
            source: Source::new("host-agent", "web-1"),
            hostname: "web-1".into(),
            order,
            observed: None,
        };
        let collect = action(Order::CollectFile(file("/tmp/x")));
        assert_eq!(collect.permission(), Permission::CollectFiles);
        let stop = action(Order::StopProcess(process(9, "x")));
        assert_eq!(stop.permission(), Permission::OrderCommands);
        let reader = Subject::User { name: "bob".into(), role: Role::ReadOnly };
        let decision = authorise(&rules(), &collect, &reader, "because", NOW);
        let expected = RefusalReason::MissingPermission {
            subject: "user:bob".into(),
            permission: Permission::CollectFiles,
        };
        assert_eq!(decision.audit_entry().outcome, Outcome::Refused);
        assert_eq!(decision.into_result().unwrap_err().why(), &expected);
    }
}
