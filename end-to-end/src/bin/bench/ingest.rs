//! How many signed SysScore events a second of the server's processor time takes in.

use anyhow::{Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::Setup;
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// As the guide's client sends them.
pub(crate) const BATCH: u64 = 50;

pub(crate) async fn run(duration: Duration, connections: u64) -> Result<()> {
    let agents = agents(connections);
    let mut setup = Setup::new()?;
    for agent in &agents {
        setup = setup.sysscore_agent(&agent.id, &agent.secret);
    }
    let server = setup.start().await?;
    let url = server.dialect("sysscore")?.to_owned();
    // Caches fill, tables grow to their size.
    send(&url, &agents, Duration::from_secs(1)).await?;

    let cpu_before = process_stat::cpu_time(server.pid())?;
    let start = Instant::now();
    let events = send(&url, &agents, duration).await?.len() as u64 * BATCH;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = (process_stat::cpu_time(server.pid())? - cpu_before).as_secs_f64();
    let resident = process_stat::resident_bytes(server.pid())?;
    server.stop().await?;

    let events = events as f64;
    println!("load      {connections} connections, signed batches of {BATCH}, {seconds:.1} s");
    println!("events/s  {:.0}", events / seconds);
    println!("events per CPU second of the server  {:.0}", events / cpu_seconds);
    println!("server    {cpu_seconds:.2} CPU s, {:.0} MiB resident", resident as f64 / 1048576.0);
    Ok(())
}

/// SysScore agents, each for a connection of its own.
pub(crate) fn agents(connections: u64) -> Vec<Agent> {
    (0..connections)
        .map(|number| Agent::new(&format!("agent-{number}"), &format!("secret-key-{number}")))
        .collect()
}

/// Sends as fast as the answers come; returns how long each batch waited for its answer.
pub(crate) async fn send(url: &str, agents: &[Agent], duration: Duration) -> Result<Vec<Duration>> {
    let end = Instant::now() + duration;
    let mut tasks = Vec::new();
    for agent in agents.iter().cloned() {
        let http = Http::new(url);
        tasks.push(tokio::spawn(send_until(end, http, agent)));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.append(&mut task.await??);
    }
    Ok(waits)
}

async fn send_until(end: Instant, http: Http, agent: Agent) -> Result<Vec<Duration>> {
    let mut waits = Vec::new();
    while Instant::now() < end {
        let sent = waits.len() as i64 * BATCH as i64;
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let items: Vec<_> = (0..BATCH)
            .map(|index| {
                let call = CALLS.get(index as usize % CALLS.len()).copied().unwrap_or("read");
                let metadata = json!({"risk_score": 12.5, "anomaly_score": index});
                item(1000 + (sent + index as i64) % 211, call, now + index as i64, metadata)
            })
            .collect();
        let key = format!("{}-{:016x}", agent.id, getrandom::u64()?);
        let body = batch(&items);
        let start = Instant::now();
        let answer = agent.send(&http, &key, &body).await?;
        waits.push(start.elapsed());
        let receipt = Receipt::read(answer)?;
        ensure!(receipt.accepted == BATCH, "{receipt:?}");
    }
    Ok(waits)
}

/// What an ordinary machine calls most.
const CALLS: [&str; 10] = [
    "read",
    "write",
    "openat",
    "close",
    "mmap",
    "futex",
    "execve",
    "connect",
    "fork",
    "exit_group",
];
