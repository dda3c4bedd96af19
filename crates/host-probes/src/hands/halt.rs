use super::pinned::PinnedProcess;
use super::{KillError, KillOrder, Protected};
use crate::procfs::ProcReader;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How a process came to be halted, or to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// It was not so before.
    Changed,
    /// It was so already.
    Already,
}

/// What became of an order to halt a process, or to let it go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halted {
    /// How it came to be so.
    pub halt: Halt,
    /// The name that it bears, where that is another than the order says.
    pub renamed: Option<Box<str>>,
}

/// The kernel halts a process within moments, but for one that waits for a device.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Halts a process by SIGSTOP, and makes sure that it is halted. It keeps its memory, its files and its
/// place, and goes on by [`continue_process`].
///
/// # Errors
/// Where it is not running, protected, another one than was meant, or does not stop.
pub fn stop_process(order: &KillOrder, protected: &Protected) -> Result<Halted, KillError> {
    let target = PinnedProcess::pin(order.pid)?;
    let renamed = target.must_be(order)?;
    target.must_not_be_protected(protected)?;
    if is_halted(&target)? {
        return Ok(Halted { halt: Halt::Already, renamed });
    }
    target.signal(Signal::STOP)?;
    let halt = becomes(&target, true, KillError::NotStopped(order.pid))?;
    Ok(Halted { halt, renamed })
}

/// Lets a halted process go on by SIGCONT, and makes sure that it does. Who is protected is not asked: it
/// does no harm, and whoever halted a vital process did.
///
/// # Errors
/// Where it is not running, another one than was meant, or does not go on.
pub fn continue_process(order: &KillOrder) -> Result<Halted, KillError> {
    let target = PinnedProcess::pin(order.pid)?;
    let renamed = target.must_be(order)?;
    if !is_halted(&target)? {
        return Ok(Halted { halt: Halt::Already, renamed });
    }
    target.signal(Signal::CONT)?;
    let halt = becomes(&target, false, KillError::NotContinued(order.pid))?;
    Ok(Halted { halt, renamed })
}

fn becomes(target: &PinnedProcess, halted: bool, failure: KillError) -> Result<Halt, KillError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_halted(target)? == halted {
            return Ok(Halt::Changed);
        }
        if Instant::now() >= deadline {
            return Err(failure);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether it is halted by a signal; what a debugger traces is not, as it may go on at any moment.
fn is_halted(target: &PinnedProcess) -> Result<bool, KillError> {
    let pid = i64::from(target.pid);
    let mut reader = ProcReader::open().map_err(|error| KillError::Kernel { pid, error })?;
    match target.state(&mut reader)? {
        Some(state) => Ok(state == b'T'),
        None => Err(KillError::NotRunning(pid)),
    }
}
