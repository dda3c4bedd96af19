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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold blanks and parentheses; the fields after it do not.
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
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
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib = line.split_whitespace().nth(1).context("no number in VmRSS")?;
    Ok(kib.parse::<u64>()? * 1024)
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
