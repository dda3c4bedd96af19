//! A program that runs to its end, and what it took.

use crate::process_stat;
use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What a program and all that it started used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// From its start to its end.
    pub wall: Duration,
    /// Time on processors, user and system.
    pub cpu: Duration,
    /// The most memory that one of the processes had resident, in bytes; looked at every few
    /// milliseconds.
    pub peak_bytes: u64,
}

const LOOK: Duration = Duration::from_millis(5);

/// Runs it to its end. One at a time: what other children use meanwhile would be counted in.
///
/// # Errors
///
/// With its words, when it did not end well.
pub fn run(mut command: Command) -> Result<(Output, Usage)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cpu_before = process_stat::cpu_time_of_ended_children()?;
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let pid = child.id();
    let ended = AtomicBool::new(false);
    let (output, peak_bytes) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                for pid in process_stat::family(pid) {
                    // One that ends meanwhile was seen before.
                    peak = peak.max(process_stat::peak_resident_bytes(pid).unwrap_or(0));
                }
                thread::sleep(LOOK);
            }
            peak
        });
        let output = child.wait_with_output();
        ended.store(true, Ordering::Relaxed);
        (output, watch.join().unwrap_or(0))
    });
    let output = output.with_context(|| format!("cannot wait for {name}"))?;
    let wall = start.elapsed();
    let cpu = process_stat::cpu_time_of_ended_children()?.saturating_sub(cpu_before);
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{name} ended with {}: {words}", output.status);
    }
    Ok((output, Usage { wall, cpu, peak_bytes }))
}
