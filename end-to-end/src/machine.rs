//! Tests that look at all of this machine's processes, one at a time.
//!
//! A host agent of one test would find and kill the suspicious process of another.

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use std::fs::File;

/// Holds the machine until it is dropped.
#[derive(Debug)]
pub struct Machine(#[expect(dead_code, reason = "holds the lock")] File);

/// Waits until no other test holds the machine.
///
/// # Errors
///
/// When the lock file cannot be made.
pub async fn alone() -> Result<Machine> {
    let path = std::env::temp_dir().join("ringwall-test.lock");
    tokio::task::spawn_blocking(move || {
        let file =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(Machine(file))
    })
    .await?
}

/// That no other host agent watches this machine: it would be as fast as ours, and end what ours was
/// meant to end.
///
/// # Errors
///
/// When there is one, with its process id.
pub fn is_not_watched() -> Result<()> {
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        // A process that has ended meanwhile watches nothing.
        let Ok(command) = std::fs::read(path.join("cmdline")) else { continue };
        let mut words = command.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        let is_agent = program.ends_with(b"ringwall-host-agent")
            || program.ends_with(b"ringwall") && words.next() == Some(b"host-agent");
        if is_agent {
            bail!("a host agent watches this machine already ({}); stop it first", path.display());
        }
    }
    Ok(())
}
