//! One query in a process of its own, bounded before it begins: what it does to itself, nobody else feels.

use anyhow::{Context, Result};
use clap::Args;
use ringwall_lifecycle::Exit;
use ringwall_server::query::{QueryRequest, Surroundings, run_query};
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use rustix::thread::set_no_new_privs;
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, BufRead, BufReader, Read};

/// Runs one query that comes on stdin, for a server
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// The question with the rows of hosts and scores.
const QUESTION_BYTES_MAX: u64 = 512 << 20;
/// Of the memory that the process may take, this share is for SQLite, in percent.
const SQLITE_PERCENT: u64 = 75;

pub(crate) fn run(_arguments: &Arguments) -> Result<Exit> {
    // Whoever asked may be killed: then nobody waits for the answer.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_no_new_privs(true)?;
    bound(Resource::Core, 0)?;
    // Intake goes first. Who may not be nicer stays as it is.
    if let Err(error) = nice(19) {
        tracing::debug!(%error, "not nicer");
    }
    let mut line = Vec::new();
    BufReader::new(io::stdin().lock().take(QUESTION_BYTES_MAX))
        .read_until(b'\n', &mut line)
        .context("no question")?;
    let mut request: QueryRequest = serde_json::from_slice(&line).context("no question")?;
    drop(line);
    bound(Resource::Data, request.memory_bytes_max)?;
    request.memory_bytes_max = request.memory_bytes_max / 100 * SQLITE_PERCENT;
    let threads = u64::try_from(request.threads).unwrap_or(1).max(1);
    bound(Resource::Cpu, (request.time_limit_ms.div_ceil(1000)).saturating_mul(threads) + 2)?;
    let surroundings = Surroundings {
        opened: &|| bound(Resource::Fsize, 0).map_err(io::Error::from),
        cpu_ms: &cpu_ms,
    };
    run_query(request, &surroundings, io::stdout())?;
    Ok(Exit::Yes)
}

fn bound(resource: Resource, max: u64) -> rustix::io::Result<()> {
    setrlimit(resource, Rlimit { current: Some(max), maximum: Some(max) })
}

fn cpu_ms() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec.unsigned_abs() * 1000 + used.tv_nsec.unsigned_abs() / 1_000_000
}
