//! Tests that look at all of this machine's processes, one at a time.
//!
//! A host agent of one test would find and kill the suspicious process of another.

use anyhow::{Context, Result};
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
