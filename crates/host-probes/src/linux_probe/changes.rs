//! Processes as they start and end: what the kernel tells, and what a look finds.

use super::process_reader::{Vital, user, vital};
use super::process_table::KnownProcess;
use super::{INTERVAL_MAX, LinuxProbe, forks};
use crate::process_connector::{ProcessNotice, Received};
use ringwall_event::{Activity, Process, ProcessRef};
use std::time::{Duration, Instant};

/// How a start became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Fork,
    Exec,
    Scan,
}

/// A process whose first thread ended before the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaderless {
    pid: u32,
    exit_code: i32,
    pub(super) due: Instant,
    wait: Duration,
}

/// Notices of the kernel taken in before other work gets its turn.
const NOTICES_PER_TURN: usize = 2048;
/// A fork that did not lead to another program in this time is a process of its own.
const FORK_WAIT: Duration = Duration::from_millis(25);
/// After a loss others may follow.
const MISSED_WAIT: Duration = Duration::from_millis(200);
/// A start of the same program told twice within this time is told once.
const SAME_START: Duration = Duration::from_secs(1);
/// Ends that are remembered, and how long.
const ENDED_MAX: usize = 1024;
const ENDED_REMEMBERED: Duration = Duration::from_secs(3);

impl LinuxProbe {
    /// Takes in what the kernel tells; whether anything is left.
    pub(super) fn take_notices(&mut self, now: Instant) -> bool {
        for _ in 0..NOTICES_PER_TURN {
            let Some(connector) = &mut self.connector else {
                return false;
            };
            match connector.receive() {
                Ok(Received::Notice(notice)) => self.take_notice(notice, now),
                Ok(Received::Lost(count)) => {
                    tracing::debug!(count, "the kernel lost notices of processes");
                    self.losses += 1;
                    self.look_soon(now);
                }
                Ok(Received::Nothing) => return false,
                Err(error) => {
                    tracing::warn!(%error, "the process connector failed: scanning from now on");
                    self.fall_back(format!("the process connector failed: {error}"), now);
                    return false;
                }
            }
        }
        true
    }

    /// Something was missed: all processes are looked at, once for all that is missed in a moment.
    fn look_soon(&mut self, now: Instant) {
        self.due.scan = self.due.scan.min(now + MISSED_WAIT);
    }

    pub(super) fn take_notice(&mut self, notice: ProcessNotice, now: Instant) {
        match notice {
            #[expect(
                clippy::collapsible_match,
                reason = "a condition with an effect is no pattern"
            )]
            ProcessNotice::Forked { parent, child } => {
                if !self.forks.add(child, parent, now + FORK_WAIT) {
                    self.look_soon(now);
                }
            }
            ProcessNotice::Executed(pid) => {
                let parent = self.forks.take(pid);
                self.see_start(pid, parent, Start::Exec, now);
            }
            ProcessNotice::Exited { pid, exit_code } => self.see_exit(pid, exit_code, now),
            ProcessNotice::UserChanged(pid) => self.see_user(pid),
            ProcessNotice::Traced { tracer, .. } if tracer != 0 && self.settings.system_calls => {
                self.see_call(tracer, "ptrace");
            }
            _ => {}
        }
    }

    pub(super) fn see_start(&mut self, pid: u32, parent: Option<u32>, start: Start, now: Instant) {
        let Some(vital) = vital(&mut self.reader, pid) else {
            self.see_vanished(pid, parent, start, now);
            return;
        };
        if vital.is_kernel_thread || (start == Start::Scan && self.is_over(&vital)) {
            return;
        }
        let described = self.describe(&vital, self.settings.executable_digests);
        let process = described.process.clone();
        if let Some(known) = self.processes.get_mut(pid) {
            if known.is_another(&vital) {
                let gone = ProcessRef::from(&known.process);
                self.observe_end(gone, None);
            } else if now.duration_since(known.announced) < SAME_START
                && is_same_program(&known.process, &process)
            {
                return;
            }
        }
        let call = self.starting_call(&process, start);
        self.want_digest(&process, pid);
        let mut known = KnownProcess::new(described, &vital, now, self.look);
        // The load since the last picture: a process from before it is not charged its whole life.
        known.cpu_ticks_pictured =
            self.processes.get(pid).map_or(0, |before| before.cpu_ticks_pictured);
        self.processes.insert(pid, known);
        self.observe(Activity::ProcessStarted(process), call);
    }

    /// A process that was gone before it could be looked at: which program it ran is not known, unless
    /// it still was its parent's. It is held as known, so that the notice of its end finds it.
    pub(super) fn see_vanished(
        &mut self,
        pid: u32,
        parent: Option<u32>,
        start: Start,
        now: Instant,
    ) {
        if start == Start::Scan {
            return;
        }
        let before = self.processes.get(pid).map(|known| &known.process);
        let mut process = Process {
            pid: i64::from(pid),
            start_time: before.and_then(|before| before.start_time),
            parent_pid: before.and_then(|before| before.parent_pid).or(parent.map(i64::from)),
            ..Process::default()
        };
        let parent = parent.and_then(|parent| self.processes.get(parent));
        if start == Start::Fork
            && let Some(parent) = parent
        {
            process.name = parent.process.name.clone();
            process.user = parent.process.user.clone();
            process.executable = parent.process.executable.clone();
        }
        let call = if start == Start::Fork { "fork" } else { "execve" };
        self.processes.insert(pid, KnownProcess::vanished(process.clone(), now, self.look));
        self.observe(Activity::ProcessStarted(process), Some(call));
    }

    /// Which call a start shows. A scan sees only the outcome: the parent's program, or another.
    pub(super) fn starting_call(&self, process: &Process, start: Start) -> Option<&'static str> {
        let same_program = || {
            let parent = process.parent_pid.and_then(|parent| u32::try_from(parent).ok());
            let parent = parent.and_then(|parent| self.processes.get(parent));
            parent.is_some_and(|parent| parent.process.executable == process.executable)
        };
        match start {
            Start::Exec => Some("execve"),
            Start::Fork => Some("fork"),
            Start::Scan if same_program() => Some("fork"),
            Start::Scan => Some("execve"),
        }
    }

    pub(super) fn see_exit(&mut self, pid: u32, exit_code: i32, now: Instant) {
        if let Some(parent) = self.forks.take(pid) {
            // Forked, did its work in its parent's program, and ended.
            self.see_start(pid, Some(parent), Start::Fork, now);
        }
        if self.processes.get(pid).is_none() {
            return;
        }
        let others = vital(&mut self.reader, pid).is_some_and(|vital| vital.threads > 1);
        if others && self.leaderless.len() < forks::FORKS_MAX {
            let wait = Duration::from_millis(10);
            self.leaderless.push_back(Leaderless { pid, exit_code, due: now + wait, wait });
            return;
        }
        self.end(pid, exit_code, now);
    }

    pub(super) fn end(&mut self, pid: u32, exit_code: i32, now: Instant) {
        let Some(known) = self.processes.remove(pid) else {
            return;
        };
        self.ended.push_back((pid, known.start_ticks, now));
        let over = |(_, _, at): &(u32, u64, Instant)| now.duration_since(*at) > ENDED_REMEMBERED;
        while self.ended.len() > ENDED_MAX || self.ended.front().is_some_and(over) {
            self.ended.pop_front();
        }
        self.observe_end(ProcessRef::from(&known.process), Some(exit_code));
    }

    /// Whether the process has ended, or its end was told already.
    pub(super) fn is_over(&self, vital: &Vital) -> bool {
        let is_it = |(pid, start, _): &(u32, u64, Instant)| {
            (*pid, *start) == (vital.pid, vital.start_ticks)
        };
        vital.has_ended || self.ended.iter().any(is_it)
    }

    /// Looks again at processes whose first thread ended while others were there.
    pub(super) fn look_at_leaderless(&mut self, now: Instant) {
        for _ in 0..self.leaderless.len() {
            let Some(mut entry) = self.leaderless.pop_front() else {
                return;
            };
            if entry.due > now {
                self.leaderless.push_back(entry);
                continue;
            }
            let Some(known) = self.processes.get(entry.pid) else {
                continue;
            };
            let lives = vital(&mut self.reader, entry.pid)
                .is_some_and(|vital| !vital.has_ended && !known.is_another(&vital));
            if lives {
                entry.wait = (entry.wait * 2).min(INTERVAL_MAX);
                entry.due = now + entry.wait;
                self.leaderless.push_back(entry);
            } else {
                self.end(entry.pid, entry.exit_code, now);
            }
        }
    }

    pub(super) fn see_user(&mut self, pid: u32) {
        let user = user(&mut self.reader, &mut self.users, pid);
        if let Some(known) = self.processes.get_mut(pid) {
            known.process.user = user;
            if self.settings.system_calls {
                self.see_call(pid, "setuid");
            }
        }
    }

    pub(super) fn see_call(&mut self, pid: u32, name: &'static str) {
        let activity = Activity::SystemCall {
            process: self.processes.reference(pid),
            name: name.into(),
            risk_score: None,
            anomaly_score: None,
        };
        self.observe(activity, Some(name));
    }

    pub(super) fn look_at_forks(&mut self, now: Instant) {
        while let Some((pid, parent)) = self.forks.next_due(now) {
            self.see_start(pid, Some(parent), Start::Fork, now);
        }
    }
}

fn is_same_program(one: &Process, other: &Process) -> bool {
    one.name == other.name
        && one.executable == other.executable
        && one.command_line == other.command_line
}
