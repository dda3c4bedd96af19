//! What a thousand host agents cost a server, and how soon an order is at any of them.

mod simulated;

use crate::limits::Limits;
use crate::percentile;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::{Server, Setup};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use simulated::{Counts, Fleet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// What to load the server with.
pub(crate) struct Load {
    pub(crate) agents: u64,
    pub(crate) duration: Duration,
    pub(crate) orders: u64,
}

/// An order that takes longer than this is counted as this.
const PATIENCE: Duration = Duration::from_secs(20);
/// What was promised of the delivery, for 95 of 100 orders.
const DELIVERY_LIMIT_MS: f64 = 1000.0;
/// All agents are there and nothing is left of their arrival after this long.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) async fn run(load: Load) -> Result<()> {
    ensure!(load.agents > 0 && load.orders > 0, "at least one agent and one order");
    allow_open_files(load.agents * 2 + 256)?;
    let server = Setup::new()?.start().await?;
    println!("load      {} host agents in one process, beside the server", load.agents);
    let began = Instant::now();
    let fleet = Arc::new(Fleet::enrol(&server, load.agents).await?);
    println!("enrolled  in {:.1} s", began.elapsed().as_secs_f64());
    let arrival = Instant::now();
    let tasks = fleet.start();
    fleet.until_all_are_there(&server).await?;
    println!("arrived   in {:.1} s", arrival.elapsed().as_secs_f64());
    sleep(SETTLE).await;

    let before = Sample::take(&server, &fleet)?;
    let delivered = order(&server, &fleet, &load).await?;
    let rest = load.duration.saturating_sub(before.at.elapsed());
    sleep(rest).await;
    let after = Sample::take(&server, &fleet)?;
    let connections = sockets_of(server.pid())?;
    let peak = process_stat::peak_resident_bytes(server.pid())?;
    tasks.stop().await?;
    server.stop().await?;

    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let rate = |count: fn(&Sample) -> u64| (count(&after) - count(&before)) as f64 / seconds;
    println!(
        "reports   {:.0} a second, {:.0} events a second, {} of them refused or lost",
        rate(|sample| sample.reports),
        rate(|sample| sample.events),
        after.failures - before.failures
    );
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    println!("server    {:.0} % of a core over {seconds:.0} s", 100.0 * cpu / seconds);
    println!(
        "memory    {:.0} MiB resident, {:.0} MiB at most",
        after.resident as f64 / 1048576.0,
        peak as f64 / 1048576.0
    );
    println!("sockets   {connections}");
    let mut limits = Limits::default();
    tell_delivery(delivered, &mut limits);
    ensure!(after.failures == before.failures, "requests of agents failed");
    limits.held()
}

fn tell_delivery(mut delivered: Vec<Duration>, limits: &mut Limits) {
    delivered.sort_unstable();
    let [half, most, worst] =
        [0.5, 0.95, 1.0].map(|share| percentile(&delivered, share).as_secs_f64() * 1000.0);
    let verdict = limits.check("delivery p95", most, DELIVERY_LIMIT_MS, "ms");
    println!(
        "orders    {} to random agents, order -> agent has it: p50 {half:.1} ms, p95 {most:.1} ms, \
         worst {worst:.1} ms; {verdict}",
        delivered.len()
    );
}

/// Orders one after the other, evenly over the time; how long each was under way.
async fn order(server: &Server, fleet: &Fleet, load: &Load) -> Result<Vec<Duration>> {
    let orders = u32::try_from(load.orders).context("too many orders")?;
    let pause = load.duration / orders;
    let api = server.api();
    let mut delivered = Vec::new();
    let mut ticks = tokio::time::interval(pause);
    for _ in 0..orders {
        ticks.tick().await;
        delivered.push(order_one(&api, fleet).await?);
    }
    Ok(delivered)
}

async fn order_one(api: &Http, fleet: &Fleet) -> Result<Duration> {
    let agent = fleet.any()?;
    let (pid, name) = agent.process();
    // An order of its own for each: the server makes one of two that are the same.
    let body = json!({
        "host": format!("host-agent:{}", agent.name()),
        "action": "kill_process",
        "target": {"pid": pid, "start_time": null, "name": name},
        "reason": "a bench",
    });
    let mut arrivals = agent.arrivals();
    let start = Instant::now();
    let answer = api.post("/api/v1/commands", &body).await?.expect(202)?.json()?;
    let id = answer.get("id").and_then(Value::as_str).context("an order without an id")?;
    let arrived = timeout(PATIENCE, async {
        loop {
            // The agent may have it before the answer is here.
            if let Some(at) = arrivals.borrow_and_update().get(id) {
                return Ok::<_, anyhow::Error>(*at);
            }
            arrivals.changed().await.context("the agent ended")?;
        }
    })
    .await;
    Ok(match arrived {
        Ok(at) => at?.saturating_duration_since(start),
        Err(_) => PATIENCE,
    })
}

/// The server and the fleet at one moment.
struct Sample {
    at: Instant,
    cpu: Duration,
    resident: u64,
    reports: u64,
    events: u64,
    failures: u64,
}

impl Sample {
    fn take(server: &Server, fleet: &Fleet) -> Result<Self> {
        let counts: &Counts = fleet.counts();
        Ok(Self {
            at: Instant::now(),
            cpu: process_stat::cpu_time(server.pid())?,
            resident: process_stat::resident_bytes(server.pid())?,
            reports: counts.reports.load(Ordering::Relaxed),
            events: counts.events.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
        })
    }
}

/// The sockets that a process has open.
fn sockets_of(pid: u32) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that was closed meanwhile is none.
        let target = std::fs::read_link(entry?.path()).unwrap_or_default();
        count += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(count)
}

/// Raises how many files this program may open.
fn allow_open_files(wanted: u64) -> Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
        ensure!(raised >= wanted, "{wanted} open files are needed, {raised} allowed (ulimit -Hn)");
        setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum })
            .context("cannot raise the limit of open files")?;
    }
    Ok(())
}
