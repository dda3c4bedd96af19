//! Ends a process, and only the one that was meant.
//!
//! A process id is reused: between a report and the order that answers it another process may bear
//! the number. So the process is pinned by a pidfd first, then its start time and name are compared
//! with the order, and both signals go through the pidfd.

use crate::boot_clock::BootClock;
use crate::procfs::{ProcReader, ProcessStat, short_name};
use crate::program_file::Mounts;
use ringwall_event::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::{Duration, Instant};

/// What to end. All that is given must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillOrder {
    /// The process id.
    pub pid: i64,
    /// When the process started.
    pub start_time: Option<Timestamp>,
    /// The short name of its program; none where the order does not say.
    pub name: Option<Box<str>>,
}

/// What must not be ended, beside the first process, this one, its parent, and the kernel's threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Further process ids.
    pub pids: Vec<u32>,
    /// Short names of programs.
    pub names: Vec<Box<str>>,
    /// Short names of programs that the system cannot do without. They count only for a program file
    /// of that name which belongs to root and which nobody else can write: a name alone is no shield.
    pub system_programs: Vec<Box<str>>,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After SIGTERM, before SIGKILL.
    pub grace: Duration,
    /// After SIGKILL.
    pub after_kill: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { grace: Duration::from_secs(2), after_kill: Duration::from_secs(5) }
    }
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// The signal that did it.
    pub by: EndedBy,
    /// From the first signal to the end.
    pub after: Duration,
}

/// The signal that ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndedBy {
    /// It obeyed.
    Term,
    /// It had to be forced.
    Kill,
}

/// Why a process was not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KillError {
    /// Nothing to end: no such process, or it has ended by itself.
    #[error("process {0} is not running")]
    NotRunning(i64),
    /// It is one of those that must not be ended.
    #[error("process {pid} is protected: {reason}")]
    Protected {
        /// Which.
        pid: i64,
        /// By which rule.
        reason: String,
    },
    /// Another process bears the number by now.
    #[error("process {pid} is another one: started {found}, the order says {ordered}")]
    OtherStart {
        /// Which.
        pid: i64,
        /// What runs.
        found: Timestamp,
        /// What was meant.
        ordered: Timestamp,
    },
    /// The process runs another program by now.
    #[error("process {pid} is another one: named `{found}`, the order says `{ordered}`")]
    OtherName {
        /// Which.
        pid: i64,
        /// What runs.
        found: Box<str>,
        /// What was meant.
        ordered: Box<str>,
    },
    /// This program lacks the right.
    #[error("not permitted to end process {0}")]
    NotPermitted(i64),
    /// The kernel refused for another reason.
    #[error("cannot end process {pid}: {error}")]
    Kernel {
        /// Which.
        pid: i64,
        /// What the kernel said.
        error: Errno,
    },
    /// The `/proc` that is mounted here numbers processes otherwise than the kernel does for this
    /// program: what stands there under the number may be about another process.
    #[error("process {0} cannot be identified: /proc is of another pid namespace")]
    OtherNamespace(i64),
    /// Both signals were sent, and it still runs: most likely it waits for a device.
    #[error("process {0} still runs after SIGKILL")]
    StillRunning(i64),
}

/// Ends a process: SIGTERM, and where it does not obey within the grace, SIGKILL. Blocks until the
/// process has ended or patience has; a process that has ended but is not yet reaped counts as ended.
///
/// # Errors
/// Where it is not running, protected, another one than was meant, or could not be ended.
pub fn kill_process(
    order: &KillOrder,
    protected: &Protected,
    patience: Patience,
) -> Result<Killed, KillError> {
    let target = PinnedProcess::pin(order.pid)?;
    target.must_be(order)?;
    target.must_not_be_protected(protected)?;

    let start = Instant::now();
    target.signal(Signal::TERM)?;
    if target.ends_within(patience.grace)? {
        return Ok(Killed { by: EndedBy::Term, after: start.elapsed() });
    }
    match target.signal(Signal::KILL) {
        // Ended between the wait and the signal.
        Err(KillError::NotRunning(_)) => {
            return Ok(Killed { by: EndedBy::Term, after: start.elapsed() });
        }
        result => result?,
    }
    if target.ends_within(patience.after_kill)? {
        return Ok(Killed { by: EndedBy::Kill, after: start.elapsed() });
    }
    Err(KillError::StillRunning(order.pid))
}

/// The start time and short name of a running process, as [`kill_process`] compares them.
pub fn identity(pid: u32) -> Option<(Timestamp, Box<str>)> {
    let target = PinnedProcess::pin(i64::from(pid)).ok()?;
    Some((target.start_time, target.name))
}

/// A process that is held by a pidfd, and what it is.
struct PinnedProcess {
    pid: u32,
    handle: OwnedFd,
    start_time: Timestamp,
    name: Box<str>,
    is_kernel_thread: bool,
    is_of_the_system: bool,
}

impl PinnedProcess {
    fn pin(pid: i64) -> Result<Self, KillError> {
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
        let pinned = Self {
            pid: number,
            handle,
            start_time: clock.moment(start_ticks),
            is_kernel_thread,
            is_of_the_system: is_of_the_system(&mut reader, number, &name),
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

    fn must_be(&self, order: &KillOrder) -> Result<(), KillError> {
        if let Some(ordered) = order.start_time
            && ordered != self.start_time
        {
            return Err(KillError::OtherStart { pid: order.pid, found: self.start_time, ordered });
        }
        if let Some(ordered) = &order.name
            && *ordered != self.name
        {
            return Err(KillError::OtherName {
                pid: order.pid,
                found: self.name.clone(),
                ordered: ordered.clone(),
            });
        }
        Ok(())
    }

    fn must_not_be_protected(&self, protected: &Protected) -> Result<(), KillError> {
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
        } else if protected.names.contains(&self.name) {
            "its name is on the protected list"
        } else if protected.system_programs.contains(&self.name) && self.is_of_the_system {
            "the system cannot do without it"
        } else {
            return Ok(());
        };
        Err(KillError::Protected { pid: i64::from(self.pid), reason: reason.to_owned() })
    }

    fn signal(&self, signal: Signal) -> Result<(), KillError> {
        let pid = i64::from(self.pid);
        pidfd_send_signal(&self.handle, signal).map_err(|error| match error {
            Errno::SRCH => KillError::NotRunning(pid),
            Errno::PERM => KillError::NotPermitted(pid),
            error => KillError::Kernel { pid, error },
        })
    }

    /// Waits for the end; a pidfd becomes readable when its process ends, reaped or not.
    fn ends_within(&self, wait: Duration) -> Result<bool, KillError> {
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

/// Whether the process runs a file of this name which belongs to root and only root can write.
fn is_of_the_system(reader: &mut ProcReader, pid: u32, name: &str) -> bool {
    let link = reader.link_of(pid, "exe").unwrap_or_default();
    is_file_of(link, name)
        && Mounts::default().program_file(reader, pid).is_some_and(|file| file.is_roots)
}

/// Programs that run a file of another name: the program, its file.
const OTHER_FILES: [(&str, &[u8]); 1] = [("systemd-udevd", b"udevadm")];

/// Whether this is the target of the `exe` link of a program of this name; an upgrade may have put
/// another file in the place of the one that it runs.
fn is_file_of(link: &[u8], name: &str) -> bool {
    let path = link.strip_suffix(b" (deleted)").unwrap_or(link);
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    file == name.as_bytes() || OTHER_FILES.contains(&(name, file))
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

    #[test]
    fn a_program_is_known_by_its_file() {
        check_file("/usr/sbin/sshd", "sshd", true);
        check_file("/usr/sbin/sshd (deleted)", "sshd", true);
        check_file("/usr/bin/udevadm", "systemd-udevd", true);
        check_file("/usr/bin/udevadm (deleted)", "systemd-udevd", true);
        check_file("/usr/bin/udevadm", "sshd", false);
        check_file("/usr/bin/systemd-udevd", "udevadm", false);
        check_file("/usr/bin/python3", "sshd", false);
        check_file("/tmp/sshd/x", "sshd", false);
        check_file("", "sshd", false);
    }

    #[track_caller]
    fn check_file(link: &str, name: &str, expected: bool) {
        assert_eq!(is_file_of(link.as_bytes(), name), expected, "{link:?} {name:?}");
    }
}
