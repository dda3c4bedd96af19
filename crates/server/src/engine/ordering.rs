//! Commands from the order to the result.

use super::{Derived, StreamItem, Writing};
use crate::identities::Enrolled;
use crate::secrets::random_bytes;
use ringwall_access::{Decision, ObservedProcess, OrderCommand, Subject, authorise};
use ringwall_event::{Command, CommandState, EventId, Order, ProcessTarget, Source, Timestamp};
use ringwall_store::{AuditRecord, StateStore, StoreError};
use std::sync::Arc;

/// A wish to have something done on a host.
#[derive(Clone, Debug)]
pub(crate) struct NewCommand {
    /// The client that shall do it.
    pub(crate) source: Source,
    /// What, and to what.
    pub(crate) order: Order,
    /// Why, one line.
    pub(crate) reason: String,
    /// The alert that it answers.
    pub(crate) alert: Option<EventId>,
    /// After how many seconds it is void; as configured where nobody says.
    pub(crate) seconds: Option<i64>,
}

/// Why nothing was ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    /// The policy says no.
    #[error("{0}")]
    Refused(String),
    /// There is an open command that orders the same.
    #[error("command `{0}` orders the same and is still open")]
    AlreadyOrdered(String),
}

impl Writing<'_> {
    /// Orders what is wished for if the policy permits it; either way one audit entry is left.
    pub(crate) fn order_command(
        &mut self,
        subject: &Subject,
        new: NewCommand,
    ) -> Result<Result<Command, OrderError>, StoreError> {
        let open = self.session.open_commands(&new.source.to_string())?;
        if let Some(same) = open.iter().find(|command| command.order == new.order) {
            return Ok(Err(OrderError::AlreadyOrdered(same.id.clone())));
        }
        if open.len() >= OPEN_COMMANDS_MAX {
            return Ok(Err(OrderError::Refused(format!(
                "{OPEN_COMMANDS_MAX} commands wait for this client already"
            ))));
        }
        let hostname = match self.derived.hosts.get(&new.source) {
            Some(host) => host.hostname.clone(),
            None => new.source.name.clone(),
        };
        let observed = new.order.process().and_then(|target| self.observed(&new.source, target));
        let action = OrderCommand { source: new.source, hostname, order: new.order, observed };
        let decision = authorise(&self.rules.access, &action, subject, &new.reason, self.now);
        self.audit(decision.audit_entry())?;
        let permit = match decision {
            Decision::Permit(permit) => permit,
            Decision::Refuse(refusal) => {
                return Ok(Err(OrderError::Refused(refusal.why().to_string())));
            }
        };
        let id = command_id(self.now, open.len())?;
        let seconds = new.seconds.unwrap_or(self.rules.command_seconds);
        let command = permit.into_command(id, new.alert, self.now, seconds);
        self.derived.open_commands.insert(command.source.clone());
        self.keep(&command)?;
        Ok(Ok(command))
    }

    /// The process that is meant, as its host's own agent reported it.
    fn observed(&self, source: &Source, target: &ProcessTarget) -> Option<ObservedProcess> {
        if &*source.dialect != Source::HOST_AGENT {
            return None;
        }
        let known = self.derived.hosts.get(source)?.detection.table.process(target.pid)?;
        let process = &known.process;
        (process.start_time.is_some() && process.start_time == target.start_time).then(|| {
            ObservedProcess {
                user: process.user.clone(),
                executable: process.executable.clone(),
                in_container: process.container.is_some(),
            }
        })
    }

    /// The commands that this source shall carry out now. Each is leased: it is not given again
    /// before `lease_seconds` have passed.
    pub(crate) fn deliver(
        &mut self,
        source: &Source,
        lease_seconds: i64,
    ) -> Result<Vec<Command>, StoreError> {
        let mut due = Vec::new();
        for mut command in self.open_commands(source)? {
            let leased =
                command.delivered.is_some_and(|at| self.now < at.plus_seconds(lease_seconds));
            if leased || command.expires <= self.now {
                continue;
            }
            command.state = CommandState::Delivered;
            command.delivered = Some(self.now);
            command.deliveries = command.deliveries.saturating_add(1);
            self.keep(&command)?;
            due.push(command);
        }
        Ok(due)
    }

    /// The open commands of a source; asks the database only where there may be some.
    pub(crate) fn open_commands(&mut self, source: &Source) -> Result<Vec<Command>, StoreError> {
        if !self.derived.open_commands.contains(source) {
            return Ok(Vec::new());
        }
        let open = self.session.open_commands(&source.to_string())?;
        if open.is_empty() {
            self.derived.open_commands.remove(source);
        }
        Ok(open)
    }

    /// Brings an open command to its end, and leaves an audit entry. None where there is no such
    /// command of this source, or it has ended already.
    pub(crate) fn finish_command(
        &mut self,
        source: Option<&Source>,
        id: &str,
        state: CommandState,
        result: &str,
        actor: &str,
    ) -> Result<Option<Command>, StoreError> {
        let Some(mut command) = self.session.command(id)? else { return Ok(None) };
        if !command.state.is_open() || source.is_some_and(|source| *source != command.source) {
            return Ok(None);
        }
        command.state = state;
        command.finished = Some(self.now);
        command.result = Some(result.chars().take(RESULT_CHARS_MAX).collect());
        self.keep(&command)?;
        let record = AuditRecord {
            time: self.now,
            actor: actor.to_owned(),
            action: command.order.action().name().to_owned(),
            subject: subject_text(&command),
            outcome: state.name().to_owned(),
            reason: command.result.clone().unwrap_or_default(),
        };
        self.session.append_audit(&record)?;
        Ok(Some(command))
    }

    pub(super) fn keep(&mut self, command: &Command) -> Result<(), StoreError> {
        self.session.put_command(command)?;
        self.publish(StreamItem::Command(Arc::new(command.clone())));
        Ok(())
    }

    pub(crate) fn audit(&mut self, entry: &ringwall_access::AuditEntry) -> Result<(), StoreError> {
        self.session.append_audit(&AuditRecord {
            time: entry.time,
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            outcome: entry.outcome.name().to_owned(),
            reason: entry.reason.clone(),
        })?;
        Ok(())
    }
}

const RESULT_CHARS_MAX: usize = 2000;
/// How many commands may wait for one client.
const OPEN_COMMANDS_MAX: usize = 500;

impl Derived {
    /// The host agent that reports the host of this name and has a key now: the one of the same
    /// name, else the one that reported last.
    pub(crate) fn host_agent_on(&self, hostname: &str, enrolled: &Enrolled) -> Option<&Source> {
        let named = Source::new(Source::HOST_AGENT, hostname);
        if let Some((source, _)) = self.hosts.get_key_value(&named)
            && enrolled.contains(&source.name)
        {
            return Some(source);
        }
        self.hosts
            .iter()
            .filter(|(source, host)| {
                &*source.dialect == Source::HOST_AGENT
                    && host.hostname.eq_ignore_ascii_case(hostname)
                    && enrolled.contains(&source.name)
            })
            .max_by_key(|(source, host)| (host.last_seen, *source))
            .map(|(source, _)| source)
    }

    /// The process as this source knows it, if its name agrees: what a command can be bound to.
    pub(crate) fn bind(&self, source: &Source, pid: i64, name: &str) -> Option<ProcessTarget> {
        let process = self.hosts.get(source)?.detection.table.process(pid)?;
        (process.process.name.eq_ignore_ascii_case(name)).then(|| ProcessTarget {
            pid,
            start_time: process.process.start_time,
            name: process.process.name.clone(),
        })
    }
}

fn subject_text(command: &Command) -> String {
    format!("{} on {}: {}", command.id, command.source, command.order.done_to())
}

/// `cmd_`, the time, how many are open already, and sixty-four random bits: those of one source sort by
/// their creation, and nobody guesses one.
fn command_id(now: Timestamp, open: usize) -> Result<String, StoreError> {
    let random = random_bytes::<8>()
        .map_err(|error| StoreError::Unreadable { what: "randomness", why: error.to_string() })?;
    let random = u64::from_le_bytes(random);
    let millis = now.as_millis().unsigned_abs() & 0xffff_ffff_ffff;
    let open = u16::try_from(open).unwrap_or(u16::MAX);
    Ok(format!("cmd_{millis:012x}{open:04x}{random:016x}"))
}
