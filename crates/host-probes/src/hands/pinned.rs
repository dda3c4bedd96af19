use super::system_program::is_of_the_system;
use super::{KillError, KillOrder, Protected};
use crate::boot_clock::BootClock;
use crate::procfs::{ProcReader, ProcessStat, short_name, user_ids};
use ringwall_event::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::{Duration, Instant};

/// A process that is held by a pidfd, and what it is.
pub(super) struct PinnedProcess {
    pub(super) pid: u32,
    handle: OwnedFd,
    pub(super) start_time: Timestamp,
    pub(super) name: Box<str>,
    /// When it was pinned.
    pub(super) parent_pid: u32,
    is_kernel_thread: bool,
    /// Real, effective, saved and file system user; none where they may not be read.
    users: Option<[u32; 4]>,
    is_of_the_system: bool,
}

impl PinnedProcess {
    pub(super) fn pin(pid: i64) -> Result<Self, KillError> {
        let not_running = || KillError::NotRunning(pid);
        // Zero and below would mean a group of processes, this program's own among them.
        let number = i32::try_from(pid).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(not_running)?;
        let raw = Pid::from_raw(number).ok_or_else(not_running)?;
        let handle = match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Err(not_running()),
            Err(error) => return Err(KillError::Kernel { pid, error }),
        };
        let number = u32::try_from(number).map_err(|_| not_running())?;
        let mut reader = ProcReader::open().map_err(|error| KillError::Kernel { pid, error })?;
        let clock = BootClock::of_this_host(&mut reader).ok_or_else(not_running)?;
        let arguments = reader.read_of(number, "cmdline", 4096).unwrap_or_default().to_vec();
        let text = reader.read_of(number, "stat", 4096).map_err(|_| not_running())?;
        let stat = ProcessStat::parse(text).map_err(|_| not_running())?;
        let name = short_name(stat.name, &arguments);
        let (start_ticks, is_kernel_thread) = (stat.start_ticks, stat.is_kernel_thread());
        let parent_pid = stat.parent_pid;
        let users = reader.read_of(number, "status", 4096).ok().and_then(user_ids);
        let pinned = Self {
            pid: number,
            handle,
            start_time: clock.moment(start_ticks),
            parent_pid,
            is_kernel_thread,
            users,
            is_of_the_system: is_of_the_system(&mut reader, number, &name, users),
            name,
        };
        // The number could be given to another process only after this one ended. It has not ended
        // yet, so what was read above is about the process behind the handle.
        if pinned.ends_within(Duration::ZERO)? {
            return Err(not_running());
        }
        pinned.must_be_what_was_read(&mut reader)?;
        Ok(pinned)
    }

    /// The handle was opened by a number of this program's own pid namespace; `/proc` may have been
    /// mounted in another one. So the same tree is asked which number the handle has there.
    fn must_be_what_was_read(&self, reader: &mut ProcReader) -> Result<(), KillError> {
        let pid = i64::from(self.pid);
        let file = format!("self/fdinfo/{}", self.handle.as_raw_fd());
        let text = reader.read(&file, 4096).map_err(|_| KillError::OtherNamespace(pid))?;
        match pid_of_handle(text) {
            Some(found) if found == pid => Ok(()),
            // It ended in between.
            Some(-1) => Err(KillError::NotRunning(pid)),
            _ => Err(KillError::OtherNamespace(pid)),
        }
    }

    /// Whether it is the process that the order means; the name that it bears, where that is another than
    /// the order says.
    ///
    /// Number and start time together are of one process only, whatever it runs: the name is what it says
    /// of itself and may change at any moment. Were the name to count as well, a process would escape every
    /// order by renaming itself; as it does not, none gains by it: whether it is protected is decided by
    /// what it is now. Without a start time the name is all that tells a reused number, and must agree.
    pub(super) fn must_be(&self, order: &KillOrder) -> Result<Option<Box<str>>, KillError> {
        if let Some(ordered) = order.start_time
            && ordered != self.start_time
        {
            return Err(KillError::OtherStart { pid: order.pid, found: self.start_time, ordered });
        }
        match &order.name {
            Some(ordered) if *ordered != self.name && order.start_time.is_none() => {
                Err(KillError::OtherName {
                    pid: order.pid,
                    found: self.name.clone(),
                    ordered: ordered.clone(),
                })
            }
            Some(ordered) if *ordered != self.name => Ok(Some(self.name.clone())),
            _ => Ok(None),
        }
    }

    pub(super) fn must_not_be_protected(&self, protected: &Protected) -> Result<(), KillError> {
        let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get());
        let reason = if self.pid == 1 {
            "the first process"
        } else if self.pid == std::process::id() {
            "the host agent itself"
        } else if parent.and_then(|parent| u32::try_from(parent).ok()) == Some(self.pid) {
            "the host agent's parent"
        } else if self.is_kernel_thread {
            "a thread of the kernel"
        } else if protected.pids.contains(&self.pid) {
            "its number is on the protected list"
        } else if protected.names.iter().any(|name| name.is_for(&self.name, self.users)) {
            "its name is on the protected list"
        } else if protected.system_programs.contains(&self.name) && self.is_of_the_system {
            "the system cannot do without it"
        } else {
            return Ok(());
        };
        Err(KillError::Protected { pid: i64::from(self.pid), reason: reason.to_owned() })
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), KillError> {
        let pid = i64::from(self.pid);
        pidfd_send_signal(&self.handle, signal).map_err(|error| match error {
            Errno::SRCH => KillError::NotRunning(pid),
            Errno::PERM => KillError::NotPermitted(pid),
            error => KillError::Kernel { pid, error },
        })
    }

    /// Whether it lives. Where it does, its number is still its own.
    pub(super) fn lives(&self) -> bool {
        matches!(self.ends_within(Duration::ZERO), Ok(false))
    }

    /// What the kernel says it does now: `T` for halted. None where it has ended.
    pub(super) fn state(&self, reader: &mut ProcReader) -> Result<Option<u8>, KillError> {
        let state = reader
            .read_of(self.pid, "stat", 4096)
            .ok()
            .and_then(|text| ProcessStat::parse(text).ok().map(|stat| stat.state));
        // Read before it is known to live: so it is about the process behind the handle.
        if self.ends_within(Duration::ZERO)? { Ok(None) } else { Ok(state) }
    }

    /// Waits for the end; a pidfd becomes readable when its process ends, reaped or not.
    pub(super) fn ends_within(&self, wait: Duration) -> Result<bool, KillError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let mut handles = [PollFd::new(&self.handle, PollFlags::IN)];
            match poll(&mut handles, timeout.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(KillError::Kernel { pid: i64::from(self.pid), error }),
            }
        }
    }
}

/// The process behind a pidfd, from its `fdinfo`: zero where the tree's namespace does not have it, -1
/// where it has ended.
fn pid_of_handle(fdinfo: &[u8]) -> Option<i64> {
    let line = fdinfo.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Pid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_tells_its_process() {
        check(
            "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t7\nPid:\t42\nNSpid:\t42\t7\n",
            Some(42),
        );
        check("Pid:\t-1\nNSpid:\t-1\n", Some(-1));
        check("NSpid:\t42\n", None);
        check("Pid:\tx\n", None);
        check("", None);
    }

    #[track_caller]
    fn check(fdinfo: &str, expected: Option<i64>) {
        assert_eq!(pid_of_handle(fdinfo.as_bytes()), expected, "{fdinfo:?}");
    }
}
