//! What the worst query does to intake: the load of `bench ingest`, without and with queries beside it.

use crate::ingest::{self, BATCH};
use crate::percentile;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::measured;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What is asked again and again, each by somebody of its own.
const QUERIES: [(&str, &str); 2] = [
    (
        "a join of everything with everything, sorted",
        "SELECT a.process_name, b.process_name FROM events a, events b \
         WHERE a.process_pid + b.process_pid > 0 ORDER BY a.raw_data || b.raw_data",
    ),
    (
        "a substring that is nowhere",
        "SELECT count(*) FROM events WHERE instr(process_cmd_line, 'no-such-thing') > 0 \
         OR instr(raw_data, 'no-such-thing') > 0",
    ),
];

pub(crate) async fn run(duration: Duration, connections: u64, events: u64) -> Result<()> {
    let agents = ingest::agents(connections);
    let mut setup = Setup::new()?;
    for agent in &agents {
        setup = setup.sysscore_agent(&agent.id, &agent.secret);
    }
    let mut generate = setup.tool();
    generate.arg("generate").arg("--data-dir").arg(setup.data());
    generate.args(["--events", &events.to_string(), "--hosts", "100", "--seed", "7"]);
    measured::run(generate)?;
    let server = setup.start().await?;
    let url = server.dialect("sysscore")?.to_owned();
    ingest::send(&url, &agents, Duration::from_secs(1)).await?;
    println!(
        "load      {connections} connections, signed batches of {BATCH}; {events} events stored"
    );

    let alone = ingest::send(&url, &agents, duration).await?;
    told("alone          ", alone, duration);
    let queries: Vec<Asked> =
        QUERIES.into_iter().map(|query| Asked::start(&server, query)).collect();
    // Both run before anything is measured.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let beside = ingest::send(&url, &agents, duration).await?;
    let mut lines = Vec::new();
    for query in queries {
        lines.push(query.stop().await?);
    }
    told("beside queries ", beside, duration);
    lines.iter().for_each(|line| println!("{line}"));
    let again = ingest::send(&url, &agents, duration).await?;
    told("alone again    ", again, duration);
    let peak = process_stat::peak_resident_bytes(server.pid())?;
    println!("server    {:.0} MiB resident at most", peak as f64 / 1048576.0);
    server.stop().await?;
    Ok(())
}

fn told(name: &str, mut waits: Vec<Duration>, duration: Duration) {
    waits.sort_unstable();
    let events = waits.len() as f64 * BATCH as f64;
    let [half, most, worst] =
        [0.5, 0.95, 1.0].map(|share| percentile(&waits, share).as_secs_f64() * 1000.0);
    println!(
        "{name}  {:.0} events/s; an answer takes p50 {half:.1} ms, p95 {most:.1} ms, worst {worst:.1} ms",
        events / duration.as_secs_f64()
    );
}

/// Somebody who asks the same again as soon as the answer is there, or refused.
struct Asked {
    name: &'static str,
    task: JoinHandle<Result<()>>,
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    peak: Arc<AtomicU64>,
}

impl Asked {
    fn start(server: &Server, (name, sql): (&'static str, &'static str)) -> Self {
        let (stop, ended, peak) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::default());
        let asker =
            Asker { http: server.api(), sql, stop: Arc::clone(&stop), ended: Arc::clone(&ended) };
        let watched: Arc<AtomicU64> = Arc::clone(&peak);
        let (pid, over) = (server.pid(), Arc::clone(&stop));
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                for worker in process_stat::family(pid).into_iter().filter(|worker| *worker != pid)
                {
                    let bytes = process_stat::peak_resident_bytes(worker).unwrap_or(0);
                    watched.fetch_max(bytes, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { name, task: tokio::spawn(asker.ask()), stop, ended, peak }
    }

    /// Asks no more; says how it went.
    async fn stop(self) -> Result<String> {
        self.stop.store(true, Ordering::Relaxed);
        // The question that runs is given up with its connection: its worker ends.
        self.task.abort();
        match self.task.await {
            Ok(outcome) => outcome.context(self.name)?,
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(format!(
            "    {}: {} ended meanwhile; a worker had {:.0} MiB at most",
            self.name,
            self.ended.load(Ordering::Relaxed),
            self.peak.load(Ordering::Relaxed) as f64 / 1048576.0
        ))
    }
}

struct Asker {
    http: Http,
    sql: &'static str,
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
}

impl Asker {
    async fn ask(self) -> Result<()> {
        let question = json!({"sql": self.sql, "time_limit_ms": 30_000});
        while !self.stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            // One that runs into its bounds is answered so, and asked again.
            let status = self.http.post("/api/v1/query", &question).await?.status;
            ensure!(status != 404 && status != 401 && status != 400, "answered {status}");
            self.ended.fetch_add(1, Ordering::Relaxed);
            if start.elapsed() < Duration::from_millis(5) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }
}
