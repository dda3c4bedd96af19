//! Watches a Linux host: the process connector where it is permitted, procfs for everything else.

mod connection_table;
mod executable_digests;
mod forks;
mod process_reader;
mod process_table;

use crate::boot_clock::{BootClock, now};
use crate::probe::{
    Batch, Capabilities, Observation, Probe, ProbeError, ProbeSettings, ProcessChanges,
};
use crate::process_connector::{ProcessConnector, ProcessNotice, Received};
use crate::procfs::{ProcReader, last_pid, memory, pretty_name, processors};
use crate::user_names::UserNames;
use connection_table::ConnectionTable;
use executable_digests::ExecutableDigests;
use forks::Forks;
use process_reader::{arguments_mark, describe, user, vital};
use process_table::{KnownProcess, ProcessTable};
use ringwall_event::{Activity, Inventory, Process, ProcessRef, SystemInfo};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A probe for Linux.
#[derive(Debug)]
pub struct LinuxProbe {
    settings: ProbeSettings,
    reader: ProcReader,
    clock: BootClock,
    users: UserNames,
    digests: ExecutableDigests,
    processes: ProcessTable,
    connections: ConnectionTable,
    connector: Option<ProcessConnector>,
    capabilities: Capabilities,
    system: SystemInfo,
    memory_total: u64,
    /// Forked a moment ago: most will run another program before they are worth a word.
    forks: Forks,
    /// First threads that ended before the others of their process.
    leaderless: VecDeque<Leaderless>,
    pids: Vec<u32>,
    /// Counts the looks at all processes.
    look: u64,
    last_pid: Option<u64>,
    changes: Vec<Observation>,
    changed: Option<Instant>,
    losses: u64,
    due: Due,
    /// When the full picture before was taken.
    pictured: Option<Instant>,
}

/// When to do what next.
#[derive(Clone, Copy, Debug)]
struct Due {
    picture: Instant,
    connections: Instant,
    /// A look at all process ids, where the kernel does not tell of changes or has lost some.
    scan: Instant,
    /// A look at the id given out last, which shows cheaply whether a scan is due.
    glance: Instant,
    allowance: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Leaderless {
    pid: u32,
    exit_code: i32,
    due: Instant,
    wait: Duration,
}

/// How a start became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Fork,
    Exec,
    Scan,
}

/// Changes are handed over at the latest when there are so many.
const CHANGES_MAX: usize = 512;
/// Notices of the kernel taken in before other work gets its turn.
const NOTICES_PER_TURN: usize = 2048;
/// A fork that did not lead to another program in this time is a process of its own.
const FORK_WAIT: Duration = Duration::from_millis(25);
/// Connections are looked at so often, or more seldom where a look takes long.
const CONNECTION_INTERVAL: Duration = Duration::from_secs(1);
/// Ends of processes are looked for so often where the kernel does not tell of them.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);
/// Starts of processes are looked for so often where the kernel does not tell of them.
const GLANCE_INTERVAL: Duration = Duration::from_millis(50);
/// A repeated look may take one part of so many of the time.
const COST_FACTOR: u32 = 100;
/// No look is put off for longer than this.
const INTERVAL_MAX: Duration = Duration::from_secs(5);
/// A start of the same program told twice within this time is told once.
const SAME_START: Duration = Duration::from_secs(1);
/// Bytes of program files read for digests in a second of changes, and in one full picture.
const DIGEST_BYTES_PER_SECOND: u64 = 24 << 20;
const DIGEST_BYTES_PER_PICTURE: u64 = 8 << 20;

impl LinuxProbe {
    /// A probe that has not yet looked at anything.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn new(settings: ProbeSettings) -> Result<Self, ProbeError> {
        let mut reader =
            ProcReader::open().map_err(|error| ProbeError::Procfs(error.to_string()))?;
        let clock = BootClock::of_this_host(&mut reader).ok_or(ProbeError::BootTime)?;
        let system = system_info(&mut reader, &clock);
        let capabilities = capabilities(&mut reader);
        let start = Instant::now();
        Ok(Self {
            settings,
            reader,
            clock,
            users: UserNames::new(),
            digests: ExecutableDigests::default(),
            processes: ProcessTable::default(),
            connections: ConnectionTable::default(),
            connector: None,
            capabilities,
            memory_total: system.memory_total.unwrap_or_default(),
            system,
            forks: Forks::default(),
            leaderless: VecDeque::new(),
            pids: Vec::new(),
            look: 0,
            last_pid: None,
            changes: Vec::new(),
            changed: None,
            losses: 0,
            due: Due {
                picture: start,
                connections: start,
                scan: start,
                glance: start,
                allowance: start,
            },
            pictured: None,
        })
    }

    /// One full picture, for who wants no more than that.
    ///
    /// # Errors
    /// Where the processes cannot be listed.
    pub fn picture(&mut self) -> Result<Inventory, ProbeError> {
        let now = Instant::now();
        self.users.refresh();
        self.connections.look(&mut self.reader, &self.processes);
        self.look_at_all(now, true)?;
        // Holders of sockets are searched among the known processes, names found there as well.
        if self.pictured.is_none() {
            self.connections.look(&mut self.reader, &self.processes);
        }
        let seconds = self.pictured.map(|before| now.duration_since(before).as_secs_f64());
        self.pictured = Some(now);
        self.look_at_memory();
        let processes = self.measured_processes(seconds);
        Ok(Inventory {
            processes,
            connections: self.connections.all(&self.processes),
            system: self.system.clone(),
        })
    }

    fn observe(&mut self, activity: Activity, system_call: Option<&'static str>) {
        self.changed.get_or_insert_with(Instant::now);
        self.changes.push(Observation { time: now(), activity, system_call });
    }

    fn observe_end(&mut self, process: ProcessRef, exit_code: Option<i32>) {
        self.observe(Activity::ProcessEnded { process, exit_code }, Some("exit_group"));
    }

    /// Takes in what the kernel tells; whether anything is left.
    fn take_notices(&mut self, now: Instant) -> bool {
        for _ in 0..NOTICES_PER_TURN {
            let Some(connector) = &mut self.connector else {
                return false;
            };
            match connector.receive() {
                Ok(Received::Notice(notice)) => self.take_notice(notice, now),
                Ok(Received::Lost(count)) => {
                    tracing::debug!(count, "the kernel lost notices of processes");
                    self.losses += 1;
                    self.due.scan = now;
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

    fn take_notice(&mut self, notice: ProcessNotice, now: Instant) {
        match notice {
            ProcessNotice::Forked { parent, child } => {
                let room = self.forks.add(child, parent, now + FORK_WAIT);
                self.due.scan = if room { self.due.scan } else { now };
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

    fn see_start(&mut self, pid: u32, parent: Option<u32>, start: Start, now: Instant) {
        let Some(vital) = vital(&mut self.reader, pid) else {
            self.see_vanished(pid, parent, start, now);
            return;
        };
        if vital.is_kernel_thread || (start == Start::Scan && vital.has_ended) {
            return;
        }
        let digests = self.settings.executable_digests.then_some(&mut self.digests);
        let (process, mark) =
            describe(&mut self.reader, &mut self.users, &self.clock, digests, &vital);
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
        let mut known = KnownProcess::new(process.clone(), mark, &vital, now, self.look);
        // The load since the last picture: a process from before it is not charged its whole life.
        known.cpu_ticks = self.processes.get(pid).map_or(0, |before| before.cpu_ticks);
        self.processes.insert(pid, known);
        self.observe(Activity::ProcessStarted(process), call);
    }

    /// A process that was gone before it could be looked at: which program it ran is not known, unless
    /// it still was its parent's. It is held as known, so that the notice of its end finds it.
    fn see_vanished(&mut self, pid: u32, parent: Option<u32>, start: Start, now: Instant) {
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
    fn starting_call(&self, process: &Process, start: Start) -> Option<&'static str> {
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

    fn see_exit(&mut self, pid: u32, exit_code: i32, now: Instant) {
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
        if let Some(known) = self.processes.remove(pid) {
            self.observe_end(ProcessRef::from(&known.process), Some(exit_code));
        }
    }

    /// Looks again at processes whose first thread ended while others were there.
    fn look_at_leaderless(&mut self, now: Instant) {
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
            } else if let Some(known) = self.processes.remove(entry.pid) {
                self.observe_end(ProcessRef::from(&known.process), Some(entry.exit_code));
            }
        }
    }

    fn see_user(&mut self, pid: u32) {
        let user = user(&mut self.reader, &mut self.users, pid);
        if let Some(known) = self.processes.get_mut(pid) {
            known.process.user = user;
            if self.settings.system_calls {
                self.see_call(pid, "setuid");
            }
        }
    }

    fn see_call(&mut self, pid: u32, name: &'static str) {
        let activity = Activity::SystemCall {
            process: self.processes.reference(pid),
            name: name.into(),
            risk_score: None,
            anomaly_score: None,
        };
        self.observe(activity, Some(name));
    }

    fn look_at_forks(&mut self, now: Instant) {
        while let Some((pid, parent)) = self.forks.next_due(now) {
            self.see_start(pid, Some(parent), Start::Fork, now);
        }
    }

    /// Looks at all processes: what is new is told as a start, what is missing as an end. With
    /// `closely`, those that are known are looked at again as well.
    fn look_at_all(&mut self, now: Instant, closely: bool) -> Result<(), ProbeError> {
        self.look += 1;
        let first = self.look == 1;
        let mut pids = std::mem::take(&mut self.pids);
        let listed = self.reader.pids(&mut pids);
        listed.map_err(|error| ProbeError::Procfs(error.to_string()))?;
        for pid in pids.iter().copied() {
            let look = self.look;
            match self.processes.get_mut(pid) {
                Some(known) => {
                    known.look = look;
                    let young = self.connector.is_none() && known.is_young(now);
                    if closely || young {
                        self.look_at_known(pid, now);
                    }
                }
                None if first => self.look_at_first(pid, now),
                None if self.forks.contains(pid) => {}
                None => self.see_start(pid, None, Start::Scan, now),
            }
        }
        self.pids = pids;
        for gone in self.processes.remove_unseen(self.look) {
            self.observe_end(gone, None);
        }
        Ok(())
    }

    /// A process that ran before this program did: known from now on, its start is no news.
    fn look_at_first(&mut self, pid: u32, now: Instant) {
        let Some(vital) = vital(&mut self.reader, pid) else {
            return;
        };
        if vital.is_kernel_thread || vital.has_ended {
            return;
        }
        let (process, mark) =
            describe(&mut self.reader, &mut self.users, &self.clock, None, &vital);
        let mut known = KnownProcess::new(process, mark, &vital, now, self.look);
        known.cpu_ticks = vital.cpu_ticks;
        self.processes.insert(pid, known);
    }

    fn look_at_known(&mut self, pid: u32, now: Instant) {
        let seen = vital(&mut self.reader, pid);
        let Some(known) = self.processes.get_mut(pid) else {
            return;
        };
        let Some(vital) = seen.filter(|vital| !vital.has_ended) else {
            // Told as an end by the look that is under way.
            known.look = 0;
            return;
        };
        if known.is_another(&vital) {
            self.see_start(pid, None, Start::Scan, now);
            return;
        }
        known.process.parent_pid = (vital.parent_pid != 0).then(|| i64::from(vital.parent_pid));
        let mark = arguments_mark(&mut self.reader, pid);
        let changed = known.kernel_name != vital.kernel_name || known.arguments_mark != mark;
        if !changed && self.connector.is_some() {
            return;
        }
        let digests = self.settings.executable_digests.then_some(&mut self.digests);
        let (process, mark) =
            describe(&mut self.reader, &mut self.users, &self.clock, digests, &vital);
        let another = known.process.executable != process.executable;
        known.kernel_name = vital.kernel_name;
        known.arguments_mark = mark;
        known.process = process;
        if another {
            known.announced = now;
            let process = known.process.clone();
            self.observe(Activity::ProcessStarted(process), Some("execve"));
        }
    }

    /// The known processes with their load since the picture before.
    fn measured_processes(&mut self, seconds: Option<f64>) -> Vec<Process> {
        let page_size = rustix::param::page_size() as f64;
        let pids: Vec<u32> = self.processes.youngest_first();
        let mut measured = Vec::with_capacity(self.processes.len());
        for pid in pids.into_iter().rev() {
            let Some(vital) = vital(&mut self.reader, pid) else {
                continue;
            };
            let digest = self.missing_digest(pid);
            let Some(known) = self.processes.get_mut(pid) else {
                continue;
            };
            if digest.is_some() {
                known.process.executable_sha256 = digest;
            }
            let ticks = vital.cpu_ticks.saturating_sub(known.cpu_ticks);
            known.cpu_ticks = vital.cpu_ticks;
            let mut process = known.process.clone();
            process.cpu_percent = seconds.map(|seconds| {
                let age = process
                    .start_time
                    .map_or(seconds, |start| now().micros_since(start).max(0) as f64 / 1_000_000.0);
                percent(self.clock.seconds(ticks), seconds.min(age).max(0.01))
            });
            if self.memory_total > 0 {
                let resident = vital.resident_pages as f64 * page_size;
                process.memory_percent = Some(percent(resident, self.memory_total as f64));
            }
            measured.push(process);
        }
        measured
    }

    /// The digest of a program whose file was not read yet, as far as the allowance goes.
    fn missing_digest(&mut self, pid: u32) -> Option<Box<str>> {
        let process = &self.processes.get(pid)?.process;
        let missing = process.executable.is_some() && process.executable_sha256.is_none();
        if !missing || !self.settings.executable_digests || self.pictured.is_none() {
            return None;
        }
        self.digests.of_process(&mut self.reader, pid)
    }

    fn look_at_memory(&mut self) {
        if let Ok(text) = self.reader.read("meminfo", 8192)
            && let Some((total, available)) = memory(text)
        {
            self.memory_total = total;
            self.system.memory_total = Some(total);
            self.system.memory_available = Some(available);
        }
    }

    fn look_at_connections(&mut self) {
        let began = self.cost();
        let changes = self.connections.look(&mut self.reader, &self.processes);
        for (connection, call) in changes.opened {
            self.observe(Activity::ConnectionOpened(connection), call);
        }
        for connection in changes.closed {
            self.observe(Activity::ConnectionClosed(connection), None);
        }
        self.due.connections = self.next_look(began, CONNECTION_INTERVAL);
    }

    /// Whether an id was given out since the last glance: then a process or thread has started.
    fn glance(&mut self) -> bool {
        let last = self.reader.read("loadavg", 128).ok().and_then(last_pid);
        let moved = last.is_none() || last != self.last_pid;
        self.last_pid = last;
        moved
    }

    /// What looking has cost so far. Reading program files is no part of it: that has its own measure.
    fn cost(&self) -> Duration {
        processor_time().saturating_sub(self.digests.cost())
    }

    /// The moment of the next look, a look having begun when looking had cost so much: at the usual
    /// interval, or later where it costs much, so that looking stays a small share of the time.
    fn next_look(&self, began: Duration, interval: Duration) -> Instant {
        let cost = self.cost().saturating_sub(began);
        Instant::now() + (cost * COST_FACTOR).clamp(interval, INTERVAL_MAX)
    }

    fn fall_back(&mut self, reason: String, now: Instant) {
        self.connector = None;
        self.capabilities.process_changes = ProcessChanges::Scan(reason);
        self.due.scan = now;
        self.due.glance = now;
    }

    /// Does everything that is due.
    fn work(&mut self, now: Instant) -> Result<(), ProbeError> {
        self.look_at_forks(now);
        self.look_at_leaderless(now);
        if self.connector.is_none() && self.due.glance <= now {
            self.due.glance = now + GLANCE_INTERVAL;
            if self.glance() && self.due.scan > now + SCAN_INTERVAL / 2 {
                // Soon, but not so often that looking itself becomes a load.
                self.due.scan = now;
            }
        }
        if self.due.scan <= now {
            let began = self.cost();
            self.look_at_all(now, false)?;
            self.due.scan = match self.connector {
                // Asked for again by the next loss.
                Some(_) => now + Duration::from_secs(24 * 3600),
                None => self.next_look(began, SCAN_INTERVAL),
            };
            self.due.glance = self.next_look(began, GLANCE_INTERVAL);
        }
        if self.due.connections <= now {
            self.look_at_connections();
        }
        if self.due.picture <= now {
            self.due.picture = now + self.settings.collection_interval;
            self.digests.allow(DIGEST_BYTES_PER_PICTURE);
            self.due.allowance = now + Duration::from_secs(1);
            let inventory = self.picture()?;
            self.observe(Activity::Inventory(Box::new(inventory)), None);
        }
        Ok(())
    }

    fn next_due(&self) -> Instant {
        let mut next = self.due.picture.min(self.due.connections).min(self.due.scan);
        if self.connector.is_none() {
            next = next.min(self.due.glance);
        }
        let fork = self.forks.earliest();
        let leaderless = self.leaderless.iter().map(|entry| entry.due).min();
        let flush = self.changed.map(|changed| changed + self.settings.coalesce);
        fork.into_iter().chain(leaderless).chain(flush).fold(next, Instant::min)
    }

    /// Sleeps until the moment, or until the kernel has something to tell.
    fn sleep(&self, until: Instant) -> Result<(), Errno> {
        let wait = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(wait).ok();
        let mut sources = self
            .connector
            .as_ref()
            .map(|it| [PollFd::from_borrowed_fd(it.descriptor(), PollFlags::IN)]);
        let sources = sources.as_mut().map_or(&mut [][..], |sources| &mut sources[..]);
        match poll(sources, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Probe for LinuxProbe {
    fn start(&mut self) -> Result<(), ProbeError> {
        let now = Instant::now();
        // Subscribed before the first look, so that nothing falls between.
        let reason = if self.settings.process_connector {
            match ProcessConnector::open() {
                Ok(connector) => {
                    self.connector = Some(connector);
                    self.capabilities.process_changes = ProcessChanges::ProcessConnector;
                    None
                }
                Err(error) => Some(format!("process connector: {error}")),
            }
        } else {
            Some("the process connector is switched off".to_owned())
        };
        if let Some(reason) = reason {
            self.fall_back(reason, now);
        }
        let inventory = self.picture()?;
        self.glance();
        self.observe(Activity::Inventory(Box::new(inventory)), None);
        let after = Instant::now();
        self.due = Due {
            picture: now + self.settings.collection_interval,
            connections: after + CONNECTION_INTERVAL,
            scan: after + SCAN_INTERVAL,
            glance: after + GLANCE_INTERVAL,
            allowance: after,
        };
        Ok(())
    }

    fn next_batch(&mut self, wait: Duration, batch: &mut Batch) -> Result<(), ProbeError> {
        let deadline = Instant::now() + wait;
        loop {
            let now = Instant::now();
            if self.due.allowance <= now {
                self.digests.allow(DIGEST_BYTES_PER_SECOND);
                self.due.allowance = now + Duration::from_secs(1);
            }
            let more = self.take_notices(now);
            self.work(now)?;
            let now = Instant::now();
            let ripe = self.changed.is_some_and(|at| now >= at + self.settings.coalesce);
            if ripe || self.changes.len() >= CHANGES_MAX || now >= deadline {
                self.changed = None;
                batch.observations.append(&mut self.changes);
                batch.losses += std::mem::take(&mut self.losses);
                return Ok(());
            }
            if !more {
                let until = self.next_due().min(deadline);
                self.sleep(until).map_err(|error| ProbeError::Procfs(error.to_string()))?;
            }
        }
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

/// What this thread has used of the processor: time that others take from it is no cost of its own.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn is_same_program(one: &Process, other: &Process) -> bool {
    one.name == other.name
        && one.executable == other.executable
        && one.command_line == other.command_line
}

/// A share in percent, rounded to a thousandth.
fn percent(part: f64, whole: f64) -> f64 {
    (part / whole * 100_000.0).round() / 1000.0
}

fn system_info(reader: &mut ProcReader, clock: &BootClock) -> SystemInfo {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Some(text.to_string_lossy().into());
    let os_release = ["/etc/os-release", "/usr/lib/os-release"];
    let os_release = os_release.iter().find_map(|path| std::fs::read(path).ok());
    SystemInfo {
        platform: text(uname.sysname()),
        os: os_release.and_then(|text| pretty_name(&text)),
        kernel: text(uname.release()),
        architecture: text(uname.machine()),
        cpu_count: reader.read("stat", 1 << 20).ok().and_then(processors),
        memory_total: reader.read("meminfo", 8192).ok().and_then(memory).map(|memory| memory.0),
        memory_available: None,
        boot_time: Some(clock.boot_time()),
        agent_version: Some(env!("CARGO_PKG_VERSION").into()),
    }
}

fn capabilities(reader: &mut ProcReader) -> Capabilities {
    Capabilities {
        process_changes: ProcessChanges::Scan("not started yet".to_owned()),
        // The first process belongs to root, and its program file shows only to who may see all.
        other_users: reader.link_of(1, "exe").is_some(),
        connections: reader.read("net/tcp", 1).is_ok(),
    }
}
