use super::process_reader::{Described, KernelName, Vital};
use ringwall_event::{Process, ProcessRef};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The processes that are known to run.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    known: HashMap<u32, KnownProcess>,
    /// What their command lines take.
    command_line_bytes: usize,
}

/// A process as it was last seen.
#[derive(Debug)]
pub(super) struct KnownProcess {
    /// As it is reported; load and memory are filled in by each full picture.
    pub(super) process: Process,
    pub(super) start_ticks: u64,
    pub(super) kernel_name: KernelName,
    pub(super) arguments_mark: u64,
    /// The network namespace it is in.
    pub(super) network: Option<u64>,
    /// Processor time at the last full picture.
    pub(super) cpu_ticks_pictured: u64,
    /// Processor time and memory when it was last looked at.
    pub(super) cpu_ticks: u64,
    pub(super) resident_pages: u64,
    /// When its start was reported.
    pub(super) announced: Instant,
    /// The look at all processes that saw it last.
    pub(super) look: u64,
    /// How often it was looked at while it was young.
    young_looks: u8,
}

/// Younger than this, a process may well change its program once more.
const YOUNG: Duration = Duration::from_secs(5);
/// However long the looks are apart, a process is young for so many of them.
const YOUNG_LOOKS: u8 = 3;

/// Command lines of all processes together are held whole up to this, then cut short up to twice as much,
/// then not at all: a host may have millions of processes, each with a line of 4 kB. What is reported when a
/// process starts has all of it.
const COMMAND_LINES_BYTES_MAX: usize = 16 << 20;
/// What is kept of a command line that is cut short, in bytes.
const SHORT_BYTES: usize = 128;

impl KnownProcess {
    pub(super) fn new(described: Described, vital: &Vital, now: Instant, look: u64) -> Self {
        Self {
            process: described.process,
            start_ticks: vital.start_ticks,
            kernel_name: vital.kernel_name,
            arguments_mark: described.arguments_mark,
            network: described.network,
            cpu_ticks_pictured: 0,
            cpu_ticks: vital.cpu_ticks,
            resident_pages: vital.resident_pages,
            announced: now,
            look,
            young_looks: 0,
        }
    }

    /// A process of which nothing but this is known, and nothing more will be.
    pub(super) fn vanished(process: Process, now: Instant, look: u64) -> Self {
        Self {
            process,
            // No process has this one: whoever bears the number next is another.
            start_ticks: u64::MAX,
            kernel_name: KernelName::new(b""),
            arguments_mark: 0,
            network: None,
            cpu_ticks_pictured: 0,
            cpu_ticks: 0,
            resident_pages: 0,
            announced: now,
            look,
            young_looks: YOUNG_LOOKS,
        }
    }

    /// Whether it should be looked at again soon; counts the looks.
    pub(super) fn is_young(&mut self, now: Instant) -> bool {
        let young = self.young_looks < YOUNG_LOOKS || now.duration_since(self.announced) < YOUNG;
        self.young_looks = self.young_looks.saturating_add(1);
        young
    }

    /// Whether it was gone before anything could be learned of it.
    pub(super) fn has_vanished(&self) -> bool {
        self.start_ticks == u64::MAX
    }

    /// Whether another process bears the number by now.
    pub(super) fn is_another(&self, vital: &Vital) -> bool {
        self.start_ticks != vital.start_ticks
    }
}

impl ProcessTable {
    pub(super) fn get(&self, pid: u32) -> Option<&KnownProcess> {
        self.known.get(&pid)
    }

    pub(super) fn get_mut(&mut self, pid: u32) -> Option<&mut KnownProcess> {
        self.known.get_mut(&pid)
    }

    pub(super) fn insert(&mut self, pid: u32, mut process: KnownProcess) {
        self.remove(pid);
        self.fit(&mut process.process);
        self.known.insert(pid, process);
    }

    pub(super) fn remove(&mut self, pid: u32) -> Option<KnownProcess> {
        let removed = self.known.remove(&pid)?;
        self.command_line_bytes -= command_line_bytes(&removed.process);
        Some(removed)
    }

    /// What a known process is found to be by now.
    pub(super) fn describe(&mut self, pid: u32, mut process: Process) {
        let Some(known) = self.known.get_mut(&pid) else { return };
        self.command_line_bytes -= command_line_bytes(&known.process);
        known.process.command_line = None;
        self.fit(&mut process);
        if let Some(known) = self.known.get_mut(&pid) {
            known.process = process;
        }
    }

    /// Takes room for its command line, as much of it as there is.
    fn fit(&mut self, process: &mut Process) {
        let room = |bytes_max: usize| bytes_max.saturating_sub(self.command_line_bytes);
        if let Some(line) = &mut process.command_line
            && line.len() > room(COMMAND_LINES_BYTES_MAX)
        {
            let short = line.get(..line.floor_char_boundary(SHORT_BYTES)).unwrap_or_default();
            let fits = short.len() <= room(2 * COMMAND_LINES_BYTES_MAX);
            process.command_line = fits.then(|| short.into());
        }
        self.command_line_bytes += command_line_bytes(process);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes out the processes that the latest look at all did not see.
    pub(super) fn remove_unseen(&mut self, look: u64) -> Vec<ProcessRef> {
        let mut gone = Vec::new();
        let bytes = &mut self.command_line_bytes;
        self.known.retain(|_, known| {
            let seen = known.look == look;
            if !seen {
                *bytes -= command_line_bytes(&known.process);
                gone.push(ProcessRef::from(&known.process));
            }
            seen
        });
        gone
    }

    /// The ids of all, the youngest first.
    pub(super) fn youngest_first(&self) -> Vec<u32> {
        let mut pids: Vec<_> =
            self.known.iter().map(|(pid, known)| (known.start_ticks, *pid)).collect();
        pids.sort_unstable_by(|a, b| b.cmp(a));
        pids.into_iter().map(|(_, pid)| pid).collect()
    }

    /// The networks that processes are in, but for this one, each with the lowest pid in it.
    pub(super) fn networks_beside(&self, own: Option<u64>) -> BTreeMap<u64, u32> {
        let mut networks = BTreeMap::new();
        for (pid, known) in &self.known {
            if let Some(network) = known.network.filter(|network| Some(*network) != own) {
                let lowest = networks.entry(network).or_insert(*pid);
                *lowest = (*lowest).min(*pid);
            }
        }
        networks
    }

    /// The name of a process, where it is known.
    pub(super) fn name(&self, pid: u32) -> Option<&str> {
        self.get(pid).map(|known| &*known.process.name)
    }

    /// As much of a process as names it; without its name where it is not known.
    pub(super) fn reference(&self, pid: u32) -> ProcessRef {
        match self.get(pid) {
            Some(known) => ProcessRef::from(&known.process),
            None => ProcessRef { pid: i64::from(pid), ..ProcessRef::default() },
        }
    }
}

fn command_line_bytes(process: &Process) -> usize {
    process.command_line.as_ref().map_or(0, |line| line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, line: &str) -> KnownProcess {
        let process =
            Process { pid: i64::from(pid), command_line: Some(line.into()), ..Process::default() };
        KnownProcess::vanished(process, Instant::now(), 1)
    }

    fn held(table: &ProcessTable) -> usize {
        table.known.values().map(|known| command_line_bytes(&known.process)).sum()
    }

    #[test]
    fn command_lines_are_bounded_in_total() {
        let mut table = ProcessTable::default();
        let line = "x".repeat(4000);
        let whole = u32::try_from(COMMAND_LINES_BYTES_MAX / line.len()).unwrap();
        for pid in 0..whole * 50 {
            table.insert(pid, process(pid, &line));
        }
        let length = |table: &ProcessTable, pid| {
            table.get(pid).unwrap().process.command_line.as_ref().map(|line| line.len())
        };
        assert_eq!(length(&table, 0), Some(4000));
        assert_eq!(length(&table, whole), Some(SHORT_BYTES));
        assert_eq!(length(&table, whole * 50 - 1), None);
        assert!(held(&table) <= 2 * COMMAND_LINES_BYTES_MAX);
        assert_eq!(table.command_line_bytes, held(&table));
        // A letter of several bytes at the cut.
        table.insert(whole, process(whole, &"é".repeat(2000)));
        assert!(length(&table, whole).unwrap() <= SHORT_BYTES);

        // What goes makes room, whichever way it goes.
        table.describe(1, process(1, "short").process);
        assert_eq!(length(&table, 1), Some(5));
        for pid in 2..whole * 49 {
            table.remove(pid);
        }
        assert_eq!(table.command_line_bytes, held(&table));
        table.insert(7, process(7, &line));
        assert_eq!(length(&table, 7), Some(4000));
        table.remove_unseen(2);
        assert_eq!((table.command_line_bytes, table.len()), (0, 0));
    }
}
