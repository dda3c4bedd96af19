//! What the kernel says a process has used.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// The kernel's clock tick towards programs: USER_HZ is 100 on every architecture that we run on.
const TICK_MS: u64 = 10;

/// Time on a processor, in user and system mode: fields 14 and 15 of `/proc/PID/stat` (proc(5)).
///
/// # Errors
///
/// When there is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    ticks(&pid.to_string(), 14)
}

/// Time on a processor of our children that ended and were waited for, and of theirs: fields 16 and 17.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn cpu_time_of_ended_children() -> Result<Duration> {
    ticks("self", 16)
}

/// The sum of a field of `/proc/PROCESS/stat`, counted from 1, and the one after it.
fn ticks(process: &str, field: usize) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold blanks and parentheses; the fields after it do not, and begin with the third.
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    let ticks: u64 = fields
        .split(' ')
        .skip(field - 3)
        .take(2)
        .map(|field| field.parse::<u64>().context("not a number in stat"))
        .sum::<Result<u64>>()?;
    Ok(Duration::from_millis(ticks * TICK_MS))
}

/// Resident memory in bytes: `VmRSS` of `/proc/PID/status`.
///
/// # Errors
///
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    memory(pid, "VmRSS:")
}

/// The most that was resident at any time, in bytes: `VmHWM` of `/proc/PID/status`.
///
/// # Errors
///
/// When there is no such process.
pub fn peak_resident_bytes(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such memory")?;
    let kib = line.split_whitespace().nth(1).context("no number of memory")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// The process itself and all that it started, as far as they live.
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        next += 1;
        // Each thread has children of its own; one that ended meanwhile has none.
        let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    family
}

/// How many processes and threads were ever started on this machine: `processes` of `/proc/stat`.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn started() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let count = stat.lines().find_map(|line| line.strip_prefix("processes "));
    Ok(count.context("no processes in /proc/stat")?.trim().parse()?)
}

/// The name of the processor and the number of its logical cores.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}
