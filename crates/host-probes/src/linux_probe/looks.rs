//! Looks at all processes, and full pictures.

use super::changes::Start;
use super::executable_digests::{Answer, Wanted};
use super::process_reader::{Described, Sources, Vital, arguments_mark, describe, vital};
use super::process_table::KnownProcess;
use super::{LinuxProbe, Undigested};
use crate::boot_clock::now;
use crate::probe::ProbeError;
use crate::procfs::memory;
use ringwall_event::{Activity, Inventory, Process, Timestamp};
use std::time::Instant;

/// Processes whose digest is still to be taken; of further ones it comes with a picture.
const UNDIGESTED_MAX: usize = 1024;

impl LinuxProbe {
    /// One full picture, for who wants no more than that.
    ///
    /// # Errors
    /// Where the processes cannot be listed.
    pub fn picture(&mut self) -> Result<Inventory, ProbeError> {
        let now = Instant::now();
        self.users.refresh();
        self.look_at_all(now, true)?;
        if self.pictured.is_none() {
            // What was open before this program ran is no news.
            self.connections.look(&mut self.reader, &self.processes);
            self.connections.look_elsewhere(&mut self.reader, &self.processes);
        } else {
            self.look_at_connections();
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

    /// Looks at all processes: what is new is told as a start, what is missing as an end. With
    /// `closely`, those that are known are looked at again as well.
    pub(super) fn look_at_all(&mut self, now: Instant, closely: bool) -> Result<(), ProbeError> {
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

    pub(super) fn describe(&mut self, vital: &Vital, with_digest: bool) -> Described {
        let sources = Sources {
            reader: &mut self.reader,
            users: &mut self.users,
            containers: &mut self.containers,
            clock: &self.clock,
            digests: with_digest.then_some(&mut self.digests),
        };
        describe(sources, vital)
    }

    /// A process that ran before this program did: known from now on, its start is no news.
    pub(super) fn look_at_first(&mut self, pid: u32, now: Instant) {
        let Some(vital) = vital(&mut self.reader, pid) else {
            return;
        };
        if vital.is_kernel_thread || vital.has_ended {
            return;
        }
        let described = self.describe(&vital, false);
        let mut known = KnownProcess::new(described, &vital, now, self.look);
        known.cpu_ticks_pictured = vital.cpu_ticks;
        self.processes.insert(pid, known);
    }

    pub(super) fn look_at_known(&mut self, pid: u32, now: Instant) {
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
        known.cpu_ticks = vital.cpu_ticks;
        known.resident_pages = vital.resident_pages;
        known.process.parent_pid = (vital.parent_pid != 0).then(|| i64::from(vital.parent_pid));
        let mark = arguments_mark(&mut self.reader, pid);
        let changed = known.kernel_name != vital.kernel_name || known.arguments_mark != mark;
        if !changed && self.connector.is_some() {
            return;
        }
        let described = self.describe(&vital, self.settings.executable_digests);
        let Some(known) = self.processes.get_mut(pid) else {
            return;
        };
        let another = known.process.executable != described.process.executable;
        known.kernel_name = vital.kernel_name;
        known.arguments_mark = described.arguments_mark;
        known.network = described.network;
        if another {
            known.announced = now;
        }
        let process = described.process.clone();
        self.processes.describe(pid, described.process);
        if another {
            self.want_digest(&process, pid);
            self.observe(Activity::ProcessStarted(process), Some("execve"));
        }
    }

    /// The known processes with their load since the picture before.
    pub(super) fn measured_processes(&mut self, seconds: Option<f64>) -> Vec<Process> {
        let page_size = rustix::param::page_size() as f64;
        let pids: Vec<u32> = self.processes.youngest_first();
        let mut measured = Vec::with_capacity(self.processes.len());
        for pid in pids.into_iter().rev() {
            let digest = self.missing_digest(pid);
            let Some(known) = self.processes.get_mut(pid).filter(|known| !known.has_vanished())
            else {
                continue;
            };
            if digest.is_some() {
                known.process.executable_sha256 = digest;
            }
            let ticks = known.cpu_ticks.saturating_sub(known.cpu_ticks_pictured);
            known.cpu_ticks_pictured = known.cpu_ticks;
            let mut process = known.process.clone();
            process.cpu_percent = seconds.map(|seconds| {
                let age = process
                    .start_time
                    .map_or(seconds, |start| now().micros_since(start).max(0) as f64 / 1_000_000.0);
                percent(self.clock.seconds(ticks), seconds.min(age).max(0.01))
            });
            if self.memory_total > 0 {
                let resident = known.resident_pages as f64 * page_size;
                process.memory_percent = Some(percent(resident, self.memory_total as f64));
            }
            measured.push(process);
        }
        measured
    }

    /// The digest of a program whose file was not read yet, as far as the allowance goes.
    pub(super) fn missing_digest(&mut self, pid: u32) -> Option<Box<str>> {
        let process = &self.processes.get(pid)?.process;
        let missing = process.executable.is_some() && process.executable_sha256.is_none();
        if !missing || !self.settings.executable_digests || self.pictured.is_none() {
            return None;
        }
        let start_time = process.start_time;
        match self.digests.of_process(&mut self.reader, pid, Wanted::Sometime) {
            Answer::Digest(digest) => return Some(digest),
            Answer::Later => self.defer_digest(pid, start_time, false),
            Answer::Never => {}
        }
        None
    }

    /// Remembers that a process started whose digest could not be had at once.
    pub(super) fn want_digest(&mut self, process: &Process, pid: u32) {
        let missing = process.executable.is_some() && process.executable_sha256.is_none();
        if missing && self.settings.executable_digests {
            self.defer_digest(pid, process.start_time, true);
        }
    }

    fn defer_digest(&mut self, pid: u32, start_time: Option<Timestamp>, is_news: bool) {
        let is_waiting =
            self.undigested.iter().any(|it| (it.pid, it.start_time) == (pid, start_time));
        if !is_waiting && self.undigested.len() < UNDIGESTED_MAX {
            self.undigested.push_back(Undigested { pid, start_time, is_news });
        }
    }

    /// Goes on with a digest that is wanted; what takes longer lets the others have their turns. A digest
    /// that follows a start is told as news of the process, so that it is judged at once and not with the
    /// next picture.
    pub(super) fn look_at_undigested(&mut self) {
        let Some(next) = self.undigested.pop_front() else {
            return;
        };
        let known = self.processes.get(next.pid);
        let wanted = known.is_some_and(|known| {
            let process = &known.process;
            process.start_time == next.start_time && process.executable_sha256.is_none()
        });
        if !wanted {
            return;
        }
        let urgency = if next.is_news { Wanted::Later } else { Wanted::Sometime };
        match self.digests.of_process(&mut self.reader, next.pid, urgency) {
            Answer::Later => self.undigested.push_back(next),
            Answer::Never => {}
            Answer::Digest(digest) => {
                if let Some(known) = self.processes.get_mut(next.pid) {
                    known.process.executable_sha256 = Some(digest);
                    let process = known.process.clone();
                    if next.is_news {
                        self.observe(Activity::ProcessStarted(process), None);
                    }
                }
            }
        }
    }

    pub(super) fn look_at_memory(&mut self) {
        if let Ok(text) = self.reader.read("meminfo", 8192)
            && let Some((total, available)) = memory(text)
        {
            self.memory_total = total;
            self.system.memory_total = Some(total);
            self.system.memory_available = Some(available);
        }
    }
}

/// A share in percent, rounded to a thousandth.
fn percent(part: f64, whole: f64) -> f64 {
    (part / whole * 100_000.0).round() / 1000.0
}
