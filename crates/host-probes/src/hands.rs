//! Ends, halts and continues processes, and only those that were meant.
//!
//! A process id is reused: between a report and the order that answers it another process may bear
//! the number. So the process is pinned by a pidfd first, then its start time is compared with that of
//! the order, and all signals go through the pidfd.

mod halt;
mod pinned;
mod protected_name;
mod system_program;
mod tree;

pub use halt::{Halt, Halted, continue_process, stop_process};
pub use protected_name::ProtectedName;
pub use tree::{KilledTree, Spared, TreeError, kill_tree};

use pinned::PinnedProcess;
use ringwall_event::Timestamp;
use rustix::io::Errno;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Which process is meant: pid and start time are who it is. Where there is no start time, the name must
/// agree; else another name is only told.
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
    /// Names of programs, some of one user only.
    pub names: Vec<ProtectedName>,
    /// Short names of programs that the system cannot do without. They count only for the system's own
    /// process of that name: one that runs the file of that name, which belongs to root and which nobody
    /// else can write, as root or as its service's own user in its service's own unit, and in no container
    /// that this program is not in. A name alone is no shield, nor is the file.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// The name that it bore, where that was another than the order says.
    pub renamed: Option<Box<str>>,
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

/// Why a process was not ended, halted or continued.
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
    /// The process bears another name, and there is no start time to know it by.
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
    #[error("not permitted to signal process {0}")]
    NotPermitted(i64),
    /// The kernel refused for another reason.
    #[error("cannot signal process {pid}: {error}")]
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
    /// The signal was sent, and it still runs.
    #[error("process {0} was told to stop and still runs")]
    NotStopped(i64),
    /// The signal was sent, and it is still halted: somebody else halts it, or traces it.
    #[error("process {0} was told to continue and is still stopped")]
    NotContinued(i64),
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
    let renamed = target.must_be(order)?;
    target.must_not_be_protected(protected)?;

    let start = Instant::now();
    let ended = |by| Killed { renamed, by, after: start.elapsed() };
    target.signal(Signal::TERM)?;
    if target.ends_within(patience.grace)? {
        return Ok(ended(EndedBy::Term));
    }
    match target.signal(Signal::KILL) {
        // Ended between the wait and the signal.
        Err(KillError::NotRunning(_)) => return Ok(ended(EndedBy::Term)),
        result => result?,
    }
    if target.ends_within(patience.after_kill)? {
        return Ok(ended(EndedBy::Kill));
    }
    Err(KillError::StillRunning(order.pid))
}

/// The start time and short name of a running process, as [`kill_process`] compares them.
pub fn identity(pid: u32) -> Option<(Timestamp, Box<str>)> {
    let target = PinnedProcess::pin(i64::from(pid)).ok()?;
    Some((target.start_time, target.name))
}
