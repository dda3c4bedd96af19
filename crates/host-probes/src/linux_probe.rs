//! Watches a Linux host: the process connector where it is permitted, procfs for everything else.

mod changes;
mod connection_table;
mod cpu_budget;
mod executable_digests;
mod forks;
mod looks;
mod process_reader;
mod process_table;
mod system;

use crate::boot_clock::{BootClock, now};
use crate::containers::Containers;
use crate::probe::{
    Batch, Capabilities, Observation, Probe, ProbeError, ProbeSettings, ProcessChanges,
};
use crate::process_connector::ProcessConnector;
use crate::procfs::{ProcReader, last_pid};
use crate::user_names::UserNames;
use changes::Leaderless;
use connection_table::{ConnectionChanges, ConnectionTable};
use cpu_budget::{CpuBudget, process_time};
use executable_digests::ExecutableDigests;
use forks::Forks;
use process_table::ProcessTable;
use ringwall_event::{Activity, ProcessRef, SystemInfo, Timestamp};
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
    containers: Containers,
    digests: ExecutableDigests,
    /// Processes whose digest is still to be taken.
    undigested: VecDeque<Undigested>,
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
    /// Ended a moment ago, by pid and start: the kernel tells of an end before the process is out of
    /// its list.
    ended: VecDeque<(u32, u64, Instant)>,
    pids: Vec<u32>,
    /// Counts the looks at all processes.
    look: u64,
    last_pid: Option<u64>,
    changes: Vec<Observation>,
    changed: Option<Instant>,
    losses: u64,
    budget: CpuBudget,
    /// Whether anything was put off since the last batch.
    throttled: bool,
    due: Due,
    /// When the full picture before was taken.
    pictured: Option<Instant>,
}

/// A process whose digest could not be had at once.
#[derive(Clone, Copy, Debug)]
struct Undigested {
    pid: u32,
    start_time: Option<Timestamp>,
    /// Whether its start was told without: then the digest is news. Otherwise the next picture has it.
    is_news: bool,
}

/// When to do what next.
#[derive(Clone, Copy, Debug)]
struct Due {
    picture: Instant,
    /// A glance at the counts of connections; a look where they moved.
    connections: Instant,
    /// A look at the connections in other networks than this program's.
    elsewhere: Instant,
    /// The next piece of work on digests.
    digests: Instant,
    /// A look at all process ids, where the kernel does not tell of changes or has lost some.
    scan: Instant,
    /// A look at the id given out last, which shows cheaply whether a scan is due.
    glance: Instant,
}

/// Changes are handed over at the latest when there are so many.
const CHANGES_MAX: usize = 512;
/// Connections are looked for so often, or more seldom where a look takes long.
const CONNECTION_INTERVAL: Duration = Duration::from_millis(250);
/// Connections in other networks are looked for so often, or more seldom where a look takes long.
const ELSEWHERE_INTERVAL: Duration = Duration::from_secs(1);
/// From one piece of work on digests to the next, while there is any.
const DIGEST_INTERVAL: Duration = Duration::from_millis(20);
/// Over its budget the probe tries again after this long.
const THROTTLED_INTERVAL: Duration = Duration::from_secs(1);
/// A picture is put off by no more than so many of its intervals.
const PICTURES_PUT_OFF_MAX: u32 = 2;
/// Ends of processes are looked for so often where the kernel does not tell of them.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);
/// Starts of processes are looked for so often where the kernel does not tell of them.
const GLANCE_INTERVAL: Duration = Duration::from_millis(50);
/// A repeated look may take one part of so many of the time.
const COST_FACTOR: u32 = 200;
/// No look is put off for longer than this.
const INTERVAL_MAX: Duration = Duration::from_secs(5);

impl LinuxProbe {
    /// A probe that has not yet looked at anything.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn new(settings: ProbeSettings) -> Result<Self, ProbeError> {
        let mut reader =
            ProcReader::open().map_err(|error| ProbeError::Procfs(error.to_string()))?;
        let clock = BootClock::of_this_host(&mut reader).ok_or(ProbeError::BootTime)?;
        let system = system::info(&mut reader, &clock);
        let connections = ConnectionTable::new(&mut reader, settings.sock_diag);
        let capabilities = system::capabilities(&mut reader, connections.source().clone());
        let start = Instant::now();
        let budget = CpuBudget::new(settings.cpu_percent_max, process_time(), start);
        Ok(Self {
            settings,
            reader,
            clock,
            users: UserNames::new(),
            containers: Containers::default(),
            digests: ExecutableDigests::default(),
            undigested: VecDeque::new(),
            processes: ProcessTable::default(),
            connections,
            connector: None,
            capabilities,
            memory_total: system.memory_total.unwrap_or_default(),
            system,
            forks: Forks::default(),
            leaderless: VecDeque::new(),
            ended: VecDeque::new(),
            pids: Vec::new(),
            look: 0,
            last_pid: None,
            changes: Vec::new(),
            changed: None,
            losses: 0,
            budget,
            throttled: false,
            due: Due {
                picture: start,
                connections: start,
                elsewhere: start,
                digests: start,
                scan: start,
                glance: start,
            },
            pictured: None,
        })
    }

    fn observe(&mut self, activity: Activity, system_call: Option<&'static str>) {
        self.changed.get_or_insert_with(Instant::now);
        self.changes.push(Observation { time: now(), activity, system_call });
    }

    fn observe_end(&mut self, process: ProcessRef, exit_code: Option<i32>) {
        self.observe(Activity::ProcessEnded { process, exit_code }, Some("exit_group"));
    }

    fn look_at_connections(&mut self) {
        let began = self.cost();
        let changes = self.connections.look(&mut self.reader, &self.processes);
        self.observe_connections(changes);
        if self.capabilities.connections != *self.connections.source() {
            self.capabilities.connections = self.connections.source().clone();
        }
        self.due.connections = self.next_look(began, CONNECTION_INTERVAL);
    }

    fn look_at_connections_elsewhere(&mut self) {
        let began = self.cost();
        let changes = self.connections.look_elsewhere(&mut self.reader, &self.processes);
        self.observe_connections(changes);
        self.due.elsewhere = self.next_look(began, ELSEWHERE_INTERVAL);
    }

    fn observe_connections(&mut self, changes: ConnectionChanges) {
        for (connection, call) in changes.opened {
            self.observe(Activity::ConnectionOpened(connection), call);
        }
        for connection in changes.closed {
            self.observe(Activity::ConnectionClosed(connection), None);
        }
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
            // After a loss, what is known may have changed unnoticed as well.
            self.look_at_all(now, self.connector.is_some())?;
            self.due.scan = match self.connector {
                // Asked for again by the next loss.
                Some(_) => now + Duration::from_secs(24 * 3600),
                None => self.next_look(began, SCAN_INTERVAL),
            };
            self.due.glance = self.next_look(began, GLANCE_INTERVAL);
        }
        if self.due.connections.min(self.due.elsewhere).min(self.next_digest()) > now
            && self.due.picture > now
        {
            return Ok(());
        }
        let affordable = self.budget.settle(process_time(), now);
        if !affordable {
            self.put_off(now);
        }
        if self.due.connections <= now {
            self.due.connections = now + CONNECTION_INTERVAL;
            if self.connections.is_moving(&mut self.reader) {
                self.look_at_connections();
            }
        }
        if self.due.elsewhere <= now {
            self.look_at_connections_elsewhere();
        }
        if self.next_digest() <= now {
            self.due.digests = now + DIGEST_INTERVAL;
            self.look_at_undigested();
        }
        if self.due.picture <= now {
            self.due.picture = now + self.settings.collection_interval;
            let inventory = self.picture()?;
            self.observe(Activity::Inventory(Box::new(inventory)), None);
        }
        Ok(())
    }

    /// More was used than is allowed: what can wait does. Starts and ends of processes are no part of
    /// it, and a picture comes late, but it comes.
    fn put_off(&mut self, now: Instant) {
        self.throttled = true;
        let later = now + THROTTLED_INTERVAL;
        self.due.connections = self.due.connections.max(later);
        self.due.elsewhere = self.due.elsewhere.max(later);
        self.due.digests = self.due.digests.max(later);
        let interval = self.settings.collection_interval;
        let overdue = self.pictured.is_some_and(|at| now >= at + interval * PICTURES_PUT_OFF_MAX);
        if !overdue {
            self.due.picture = self.due.picture.max(later);
        }
    }

    /// When to go on with digests; far away where none is wanted.
    fn next_digest(&self) -> Instant {
        match self.undigested.is_empty() {
            true => self.due.picture,
            false => self.due.digests,
        }
    }

    fn next_due(&self) -> Instant {
        let mut next = self.due.picture.min(self.due.connections).min(self.due.scan);
        next = next.min(self.due.elsewhere).min(self.next_digest());
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
            elsewhere: after + ELSEWHERE_INTERVAL,
            digests: after,
            scan: after + SCAN_INTERVAL,
            glance: after + GLANCE_INTERVAL,
        };
        Ok(())
    }

    fn next_batch(&mut self, wait: Duration, batch: &mut Batch) -> Result<(), ProbeError> {
        let deadline = Instant::now() + wait;
        loop {
            let now = Instant::now();
            let more = self.take_notices(now);
            self.work(now)?;
            let now = Instant::now();
            let ripe = self.changed.is_some_and(|at| now >= at + self.settings.coalesce);
            if ripe || self.changes.len() >= CHANGES_MAX || now >= deadline {
                self.changed = None;
                batch.observations.append(&mut self.changes);
                batch.losses += std::mem::take(&mut self.losses);
                batch.throttled |= std::mem::take(&mut self.throttled);
                batch.connections_left_out = self.connections.left_out();
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
