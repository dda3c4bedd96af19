use crate::audit_entry::one_line;
use crate::{Action, AuditEntry, OrderCommand, Outcome, Permission, Rules, Subject};
use ringwall_event::{Command, CommandState, EventId, Network, Timestamp};

/// Decides whether the subject may do this. Every action of ours passes here, and every decision
/// carries the one audit entry that it leaves.
///
/// `reason` says why the subject wants it, in one line.
pub fn authorise<A: Action>(
    rules: &Rules,
    action: &A,
    subject: &Subject,
    reason: &str,
    now: Timestamp,
) -> Decision<A> {
    match refusal(rules, action, subject) {
        None => Decision::Permit(Permit {
            action: action.clone(),
            entry: entry(action, subject, reason, now, Outcome::Permitted),
        }),
        Some(why) => {
            let entry = entry(action, subject, &why.to_string(), now, Outcome::Refused);
            Decision::Refuse(Refusal { why, entry: Box::new(entry) })
        }
    }
}

/// What [`authorise`] decided. Either way its audit entry must be kept.
#[derive(Debug)]
#[must_use = "a decision leaves an audit entry"]
pub enum Decision<A> {
    /// It may be done.
    Permit(Permit<A>),
    /// It may not.
    Refuse(Refusal),
}

impl<A: Action> Decision<A> {
    /// What is to be remembered of the decision.
    pub fn audit_entry(&self) -> &AuditEntry {
        match self {
            Self::Permit(permit) => permit.audit_entry(),
            Self::Refuse(refusal) => refusal.audit_entry(),
        }
    }

    /// The permit, or the refusal as an error.
    ///
    /// # Errors
    /// Where it was refused.
    pub fn into_result(self) -> Result<Permit<A>, Refusal> {
        match self {
            Self::Permit(permit) => Ok(permit),
            Self::Refuse(refusal) => Err(refusal),
        }
    }
}

/// The proof that one action was permitted. Only [`authorise`] makes it, and it is used up by what
/// is done with it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit is there to be used"]
pub struct Permit<A> {
    action: A,
    entry: AuditEntry,
}

impl<A: Action> Permit<A> {
    /// What was permitted.
    pub const fn action(&self) -> &A {
        &self.action
    }

    /// What is to be remembered of it.
    pub const fn audit_entry(&self) -> &AuditEntry {
        &self.entry
    }
}

impl Permit<OrderCommand> {
    /// The command that carries out what was permitted, on exactly the host and target that were
    /// permitted.
    ///
    /// `id` must be fresh and unguessable; the command expires `ttl_seconds` after `now`.
    pub fn into_command(
        self,
        id: String,
        alert: Option<EventId>,
        now: Timestamp,
        ttl_seconds: i64,
    ) -> Command {
        Command {
            id,
            source: self.action.source,
            order: self.action.order,
            reason: self.entry.reason,
            ordered_by: self.entry.actor,
            alert,
            state: CommandState::Queued,
            created: now,
            expires: now.plus_seconds(ttl_seconds),
            delivered: None,
            finished: None,
            deliveries: 0,
            result: None,
            file: None,
        }
    }
}

/// That an action was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    why: RefusalReason,
    // Boxed, as this travels as an error.
    entry: Box<AuditEntry>,
}

impl Refusal {
    /// Why.
    pub const fn why(&self) -> &RefusalReason {
        &self.why
    }

    /// What is to be remembered of it.
    pub fn audit_entry(&self) -> &AuditEntry {
        &self.entry
    }
}

/// Why an action was refused; the text may be shown to who wanted it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The subject's role does not include what the action needs.
    #[error("`{subject}` may not {permission}")]
    MissingPermission {
        /// Who wanted it.
        subject: String,
        /// What they lack.
        permission: Permission,
    },
    /// The action would give somebody what the subject does not have.
    #[error("`{subject}` cannot give {permission}, which it does not have itself")]
    MissingGrant {
        /// Who wanted it.
        subject: String,
        /// What they lack.
        permission: Permission,
    },
    /// One of our rules wanted what the configuration does not let it do by itself.
    #[error("`{subject}` may not {action} by itself")]
    NotAutomatic {
        /// The rule.
        subject: String,
        /// The action's name.
        action: &'static str,
    },
    /// Process ids below 2 are the kernel, `init`, or whole groups of processes; no system gives
    /// ids beyond 32 bits.
    #[error("no command may hit pid {0}")]
    Pid(i64),
    /// The process is on the protected list.
    #[error("process `{0}` is protected")]
    ProtectedName(String),
    /// The process is this server, or the host agent beside it.
    #[error("pid {0} is ringwall itself")]
    OwnProcess(i64),
    /// Clients of this dialect only report.
    #[error("`{0}` takes no commands")]
    TakesNoCommands(String),
    /// Without the start time a reused pid could be hit.
    #[error("start time of pid {0} is not known")]
    StartTimeUnknown(i64),
    /// Clients of this dialect end processes, and do nothing else.
    #[error("`{0}` takes no commands but kills of single processes")]
    TakesOnlyKills(String),
    /// The file lies where the system keeps what it needs.
    #[error("file `{path}` is protected, as is all in `{folder}`")]
    ProtectedPath {
        /// The file.
        path: String,
        /// What is on the list.
        folder: String,
    },
    /// The kernel makes up what is read there.
    #[error("`{0}` is no stored file")]
    NoStoredFile(String),
    /// A host needs these addresses.
    #[error("{network} is never blocked: {why}")]
    ProtectedNetwork {
        /// What should be blocked.
        network: Network,
        /// Why not.
        why: String,
    },
    /// So many addresses are not blocked at once.
    #[error(
        "network {network} is too wide to be blocked: its prefix must be {prefix_min} or longer"
    )]
    NetworkTooWide {
        /// What should be blocked.
        network: Network,
        /// The shortest prefix that is permitted.
        prefix_min: u8,
    },
    /// A block must end, and not at once.
    #[error("a block lasts 1 to {seconds_max} s, not {seconds} s")]
    BlockSeconds {
        /// How long it should last.
        seconds: u64,
        /// How long it may last.
        seconds_max: u64,
    },
}

fn refusal<A: Action>(rules: &Rules, action: &A, subject: &Subject) -> Option<RefusalReason> {
    may(rules, action, subject).and_then(|()| action.check(rules)).err()
}

fn may<A: Action>(rules: &Rules, action: &A, subject: &Subject) -> Result<(), RefusalReason> {
    let permission = action.permission();
    match subject {
        Subject::Rule { .. } if rules.is_automatic(subject, action.name()) => Ok(()),
        Subject::Rule { .. } => Err(RefusalReason::NotAutomatic {
            subject: one_line(&subject.to_string()),
            action: action.name(),
        }),
        _ if !subject.may(permission) => Err(RefusalReason::MissingPermission {
            subject: one_line(&subject.to_string()),
            permission,
        }),
        _ => match action.grants().without(subject.permissions()).iter().next() {
            None => Ok(()),
            Some(permission) => Err(RefusalReason::MissingGrant {
                subject: one_line(&subject.to_string()),
                permission,
            }),
        },
    }
}

fn entry<A: Action>(
    action: &A,
    subject: &Subject,
    reason: &str,
    now: Timestamp,
    outcome: Outcome,
) -> AuditEntry {
    let done_to = action.done_to();
    AuditEntry::new(now, &subject.to_string(), action.name(), &done_to, outcome, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Role};
    use ringwall_event::{Order, ProcessTarget, Source};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn kill(dialect: &str, host: &str, pid: i64, name: &str) -> OrderCommand {
        OrderCommand {
            source: Source::new(dialect, host),
            hostname: host.into(),
            order: Order::KillProcess(ProcessTarget {
                pid,
                start_time: Some(Timestamp::from_micros(5)),
                name: name.into(),
            }),
            observed: None,
        }
    }

    fn user(role: Role) -> Subject {
        Subject::User { name: "ada".into(), role }
    }

    fn rules() -> Rules {
        Rules::default().with_own_processes(["Web-1"], [700, 701])
    }

    #[test]
    fn kills_of_vital_processes_are_refused_to_everybody() {
        for subject in [user(Role::Admin), Subject::indicator_rule()] {
            let check = |host: &str, pid, name: &str, expected: Option<RefusalReason>| {
                let action = kill("host-agent", host, pid, name);
                check_decision(&action, &subject, expected);
            };
            check("web-2", 4321, "evil.sh", None);
            for pid in [i64::MIN, -1, 0, 1, 1 << 32, i64::MAX] {
                check("web-2", pid, "evil.sh", Some(RefusalReason::Pid(pid)));
            }
            check("web-2", 2, "evil.sh", None);
            check("web-2", 42, "SSHD", Some(RefusalReason::ProtectedName("SSHD".into())));
            check("web-1", 700, "evil.sh", Some(RefusalReason::OwnProcess(700)));
            check("WEB-1", 701, "evil.sh", Some(RefusalReason::OwnProcess(701)));
            check("web-2", 700, "evil.sh", None);
        }
    }

    #[test]
    fn roles_bound_what_people_and_programs_do() {
        let lacks = |subject: &Subject, permission| {
            Some(RefusalReason::MissingPermission { subject: subject.to_string(), permission })
        };
        let kill = kill("host-agent", "web-2", 9, "evil.sh");
        let token = Change::CreateToken { name: "ci".into(), grants: Role::Admin.permissions() };
        check_decision(&kill, &user(Role::Admin), None);
        check_decision(&kill, &user(Role::Responder), None);
        let analyst = user(Role::Analyst);
        check_decision(&kill, &analyst, lacks(&analyst, Permission::OrderCommands));
        let reader = user(Role::ReadOnly);
        check_decision(&kill, &reader, lacks(&reader, Permission::OrderCommands));
        let program = Subject::Token { name: "ci".into(), role: Role::ReadOnly, scopes: None };
        check_decision(&kill, &program, lacks(&program, Permission::OrderCommands));
        check_decision(&token, &user(Role::Admin), None);
        check_decision(&token, &analyst, lacks(&analyst, Permission::ChangeTokens));
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        use Permission as P;
        let lacks = |subject: &Subject, permission| {
            Some(RefusalReason::MissingGrant { subject: subject.to_string(), permission })
        };
        let scoped = |scopes: &[P]| Subject::Token {
            name: "ci".into(),
            role: Role::Admin,
            scopes: Some(scopes.iter().copied().collect()),
        };
        let token = |grants: &[P]| Change::CreateToken {
            name: "new".into(),
            grants: grants.iter().copied().collect(),
        };
        let maker = scoped(&[P::ChangeTokens, P::ReadAlerts]);
        check_decision(&token(&[P::ReadAlerts]), &maker, None);
        check_decision(&token(&[P::ChangeTokens, P::ReadAlerts]), &maker, None);
        check_decision(&token(&[P::ReadAlerts, P::ReadKeys]), &maker, lacks(&maker, P::ReadKeys));
        let list =
            |kills| Change::AddIndicator { kind: "process".into(), value: "evil.sh".into(), kills };
        let analyst = user(Role::Analyst);
        check_decision(&list(false), &analyst, None);
        check_decision(&list(true), &analyst, lacks(&analyst, P::OrderCommands));
        check_decision(&list(true), &user(Role::Responder), None);
        let import = Change::ImportIndicators { count: 2, kills: true };
        check_decision(&import, &analyst, lacks(&analyst, P::OrderCommands));
    }

    #[test]
    fn rules_do_only_what_is_configured() {
        let refused = |subject: &Subject, action| {
            Some(RefusalReason::NotAutomatic { subject: subject.to_string(), action })
        };
        let kill = kill("host-agent", "web-2", 9, "evil.sh");
        let indicator = Subject::indicator_rule();
        check_decision(&kill, &indicator, None);
        let other = Subject::Rule { name: "risk".into() };
        check_decision(&kill, &other, refused(&other, "kill_process"));
        let delete = Change::DeleteToken { token: "t".into() };
        check_decision(&delete, &indicator, refused(&indicator, "delete_token"));
        let quiet = rules().with_automatic_actions([]);
        let decision = authorise(&quiet, &kill, &indicator, "why", NOW);
        assert_eq!(
            decision.into_result().err().map(|r| r.why),
            refused(&indicator, "kill_process")
        );
    }

    #[test]
    fn only_watcher_clients_are_sent_bare_pids() {
        for (dialect, expected) in [
            ("watcher", None),
            ("host-agent", Some(RefusalReason::StartTimeUnknown(9))),
            ("sysscore", Some(RefusalReason::TakesNoCommands("sysscore:web-2".into()))),
        ] {
            let target = ProcessTarget { pid: 9, start_time: None, name: "evil.sh".into() };
            let action = OrderCommand {
                source: Source::new(dialect, "web-2"),
                hostname: "web-2".into(),
                order: Order::KillProcess(target),
                observed: None,
            };
            check_decision(&action, &user(Role::Admin), expected);
        }
    }

    #[track_caller]
    fn check_decision<A: Action + PartialEq + std::fmt::Debug>(
        action: &A,
        subject: &Subject,
        expected: Option<RefusalReason>,
    ) {
        let decision = authorise(&rules(), action, subject, "because", NOW);
        let entry = decision.audit_entry().clone();
        assert_eq!(entry.time, NOW);
        assert_eq!(entry.actor, subject.to_string());
        assert_eq!(entry.action, action.name());
        assert_eq!(entry.subject, action.done_to());
        match expected {
            None => {
                assert_eq!(entry.outcome, Outcome::Permitted, "{action:?} by {subject}");
                assert_eq!(entry.reason, "because");
                assert_eq!(decision.into_result().unwrap().action(), action);
            }
            Some(why) => {
                assert_eq!(entry.outcome, Outcome::Refused, "{action:?} by {subject}");
                assert_eq!(entry.reason, why.to_string());
                assert_eq!(decision.into_result().unwrap_err().why(), &why);
            }
        }
    }

    #[test]
    fn a_command_is_what_was_permitted() {
        let action = kill("host-agent", "web-2", 9, "evil.sh");
        let permit = authorise(&rules(), &action, &user(Role::Responder), "bad\nnews", NOW)
            .into_result()
            .unwrap();
        let command = permit.into_command("cmd_1".into(), None, NOW, 300);
        assert_eq!(command.source, Source::new("host-agent", "web-2"));
        let target = command.order.process().unwrap();
        assert_eq!((target.pid, &*target.name), (9, "evil.sh"));
        assert_eq!(command.reason, "bad news");
        assert_eq!(command.ordered_by, "user:ada");
        assert_eq!(command.state, CommandState::Queued);
        assert_eq!((command.created, command.expires), (NOW, NOW.plus_seconds(300)));
    }
}
