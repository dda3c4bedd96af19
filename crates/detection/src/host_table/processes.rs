use super::Change;
use ringwall_event::form_1::Process1;
use ringwall_event::{Process, ProcessRef, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many processes of one host are followed; further ones are not.
pub const PROCESSES_MAX: usize = 1 << 16;

/// How many ended processes are remembered, so that a picture taken a moment before the end does
/// not bring one back.
const ENDED_MAX: usize = 256;

/// For how long a process that started while a picture was taken may be absent from it.
const PICTURE_SECONDS_MAX: i64 = 60;

/// A process of a host, and when it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostProcess {
    /// As last reported; what the last report leaves out is kept from earlier ones.
    pub process: Process,
    /// When the server first took a report of it.
    pub first_seen: Timestamp,
    /// When the server last took a report of it.
    pub last_seen: Timestamp,
    /// When the source says that it saw the start, until a picture confirms it.
    started: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Processes {
    by_pid: BTreeMap<i64, HostProcess>,
    ended: VecDeque<(i64, Timestamp)>,
}

impl Processes {
    pub(super) fn get(&self, pid: i64) -> Option<&HostProcess> {
        self.by_pid.get(&pid)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &HostProcess> {
        self.by_pid.values()
    }

    pub(super) fn started<'e>(
        &mut self,
        process: &'e Process,
        time: Timestamp,
        received: Timestamp,
    ) -> Option<Change<'e>> {
        let change = self.seen(process, received);
        if let Some(entry) = self.by_pid.get_mut(&process.pid) {
            entry.started = Some(time);
        }
        change
    }

    pub(super) fn ended<'e>(&mut self, process: &ProcessRef) -> Option<Change<'e>> {
        if let Some(start_time) = process.start_time {
            if self.ended.len() >= ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((process.pid, start_time));
        }
        let known = self.by_pid.get(&process.pid)?;
        // Programs change their names, so the name counts only where there is nothing better.
        let same = match (known.process.start_time, process.start_time) {
            (Some(known), Some(ended)) => known == ended,
            _ => process.name.is_empty() || known.process.name == process.name,
        };
        if !same {
            return None;
        }
        self.by_pid.remove(&process.pid).map(vanished)
    }

    /// Takes a whole picture: what it does not hold is gone.
    pub(super) fn reconcile<'e>(
        &mut self,
        picture: &'e [Process],
        time: Timestamp,
        received: Timestamp,
        changes: &mut Vec<Change<'e>>,
    ) {
        let mut listed: Vec<i64> = picture.iter().map(|process| process.pid).collect();
        listed.sort_unstable();
        let gone = self.by_pid.extract_if(.., |pid, entry| {
            listed.binary_search(pid).is_err() && !began_during(entry.started, time)
        });
        changes.extend(gone.map(|(_, entry)| vanished(entry)));
        // A pid that is listed twice is the process that is listed first; the other would make the
        // two take turns for ever.
        let mut taken = std::collections::HashSet::with_capacity(picture.len());
        for process in picture {
            let ended = process
                .start_time
                .is_some_and(|start_time| self.ended.contains(&(process.pid, start_time)));
            if !ended && taken.insert(process.pid) {
                changes.extend(self.seen(process, received));
                if let Some(entry) = self.by_pid.get_mut(&process.pid) {
                    entry.started = None;
                }
            }
        }
    }

    fn seen<'e>(&mut self, process: &'e Process, received: Timestamp) -> Option<Change<'e>> {
        let is_full = self.by_pid.len() >= PROCESSES_MAX;
        let Some(entry) = self.by_pid.get_mut(&process.pid) else {
            if !is_full {
                self.by_pid.insert(process.pid, HostProcess::new(process.clone(), received));
            }
            return Some(Change::Appeared(process));
        };
        if !entry.is_same(process) {
            let ended = ProcessRef::from(&entry.process);
            *entry = HostProcess::new(process.clone(), received);
            return Some(Change::Replaced { process, ended });
        }
        entry.last_seen = received;
        let before = ProcessRef::from(&entry.process);
        entry.update(process).then_some(Change::Changed { process, before })
    }
}

impl HostProcess {
    fn new(process: Process, received: Timestamp) -> Self {
        Self { process, first_seen: received, last_seen: received, started: None }
    }

    /// Whether a report of the same pid is of the same process: the start time tells; where one is
    /// not known, as in the Watcher dialect, another name means another process.
    fn is_same(&self, process: &Process) -> bool {
        match (self.process.start_time, process.start_time) {
            (Some(known), Some(reported)) => known == reported,
            _ => self.process.name == process.name,
        }
    }

    /// Takes over what is reported; whether anything that indicators look at is different.
    fn update(&mut self, process: &Process) -> bool {
        let known = &mut self.process;
        let other_program = known.name != process.name;
        let mut changed = other_program;
        known.name.clone_from(&process.name);
        known.start_time = process.start_time.or(known.start_time);
        known.parent_pid = process.parent_pid.or(known.parent_pid);
        replace(&mut known.user, &process.user);
        for (known, reported) in [
            (&mut known.executable, &process.executable),
            (&mut known.command_line, &process.command_line),
            (&mut known.executable_sha256, &process.executable_sha256),
        ] {
            // What was known of another program does not hold for this one.
            if other_program && reported.is_none() {
                *known = None;
            } else {
                changed |= replace(known, reported);
            }
        }
        if process.container.is_some() || other_program {
            known.container.clone_from(&process.container);
        }
        known.cpu_percent = process.cpu_percent.or(known.cpu_percent);
        known.memory_percent = process.memory_percent.or(known.memory_percent);
        changed
    }
}

fn replace(known: &mut Option<Box<str>>, reported: &Option<Box<str>>) -> bool {
    let differs = reported.is_some() && known != reported;
    if differs {
        known.clone_from(reported);
    }
    differs
}

fn began_during(started: Option<Timestamp>, picture: Timestamp) -> bool {
    started.is_some_and(|started| {
        (0..PICTURE_SECONDS_MAX * 1_000_000).contains(&started.micros_since(picture))
    })
}

/// [`Processes`] as the first version of the program wrote it into checkpoints.
#[derive(Debug, Deserialize)]
pub(super) struct Processes1 {
    by_pid: BTreeMap<i64, HostProcess1>,
    ended: VecDeque<(i64, Timestamp)>,
}

#[derive(Debug, Deserialize)]
struct HostProcess1 {
    process: Process1,
    first_seen: Timestamp,
    last_seen: Timestamp,
    started: Option<Timestamp>,
}

impl From<Processes1> for Processes {
    fn from(processes: Processes1) -> Self {
        let by_pid = processes.by_pid.into_iter().map(|(pid, entry)| {
            let HostProcess1 { process, first_seen, last_seen, started } = entry;
            (pid, HostProcess { process: process.into(), first_seen, last_seen, started })
        });
        Self { by_pid: by_pid.collect(), ended: processes.ended }
    }
}

fn vanished<'e>(entry: HostProcess) -> Change<'e> {
    Change::Vanished { ended: ProcessRef::from(&entry.process), first_seen: entry.first_seen }
}
