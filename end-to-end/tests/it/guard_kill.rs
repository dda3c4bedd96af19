//! Nothing lost, nothing twice, for guard agents: a client that keeps to their contract sends events and
//! measurements while the server is killed by SIGKILL at random moments and started again.
//!
//! `RINGWALL_KILLS` says how many times (6), `RINGWALL_SEED` repeats the choices of a run.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long the server is up between two kills, at most.
const UP_MS: u64 = 700;
/// An agent waits a second and more; the test has not that long.
const RETRY: Duration = Duration::from_millis(15);
const EVENTS_MAX: u64 = 40;

/// Files of a few batches, so that events are moved while they come again.
const HASTY: &str = "\
[archive]
after_seconds = 0
intake_events_min = 1
file_events_max = 5000
";

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_of_a_guard_is_there_exactly_once() -> Result<()> {
    let kills: u32 = match std::env::var("RINGWALL_KILLS") {
        Ok(kills) => kills.parse().with_context(|| format!("RINGWALL_KILLS `{kills}`"))?,
        Err(_) => 6,
    };
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("{kills} kills, RINGWALL_SEED={seed}");
    let mut server = Setup::new()?.config(HASTY)?.start().await?;
    let project = server.ringwall_json(&["guard", "project", "add", "shop"]).await?;
    let key = project["key"].as_str().context("no key")?.to_owned();

    let (up, main) = watch::channel(server.ready().main.clone());
    let (stop, stopped) = watch::channel(false);
    let clients: Vec<_> = (0..3)
        .map(|number| {
            let client = GuardAgent {
                key: key.clone(),
                number,
                // Agents before 2.4 give their events no keys.
                has_event_keys: number != 2,
                main: main.clone(),
                stopped: stopped.clone(),
                random: random.fork(),
                sent: Sent::default(),
            };
            tokio::spawn(client.run())
        })
        .collect();
    for _ in 0..kills {
        sleep(Duration::from_millis(random.within(20..UP_MS))).await;
        server = server.kill().await?.start().await?;
        up.send(server.ready().main.clone())?;
    }
    sleep(Duration::from_millis(200)).await;
    stop.send(true)?;
    let mut sent = Sent::default();
    for client in clients {
        let one = client.await??;
        sent.events.extend(one.events);
        sent.measured += one.measured;
    }
    ensure!(!sent.events.is_empty() && sent.measured > 0, "nothing was acknowledged");

    check(&server, &sent).await?;
    let server = server.kill().await?.start().await?;
    check(&server, &sent).await?;
    eprintln!("{} events, {} measurements", sent.events.len(), sent.measured);
    let log = server.log();
    assert!(!log.contains("panicked"), "the server panicked: see its log\n{log}");
    server.stop().await?;
    Ok(())
}

/// What was acknowledged.
#[derive(Default)]
struct Sent {
    /// The events, by the number that their metadata carries.
    events: BTreeSet<String>,
    /// How many values of measurements.
    measured: u64,
}

/// An agent as its contract has it: a batch keeps its name and its content over its attempts, and a batch
/// that is requeued comes under another name, together with what is new.
struct GuardAgent {
    key: String,
    number: u64,
    has_event_keys: bool,
    main: watch::Receiver<String>,
    stopped: watch::Receiver<bool>,
    random: Random,
    sent: Sent,
}

impl GuardAgent {
    async fn run(mut self) -> Result<Sent> {
        let mut next = 0;
        let mut batches = 0;
        let mut queue: Vec<Value> = Vec::new();
        while !*self.stopped.borrow() || !queue.is_empty() {
            for _ in 0..self.random.within(1..EVENTS_MAX) {
                queue.push(self.event(next));
                next += 1;
            }
            batches += 1;
            // Three attempts, then it goes back into the queue; without keys that would be other
            // events, so old agents' batches are tried until they are taken.
            let attempts = if self.has_event_keys { 3 } else { u32::MAX };
            let body = self.batch(batches, &queue, &[]);
            if self.send("events", &body, attempts).await? {
                for event in queue.drain(..) {
                    let mark = event["metadata"]["mark"].as_str().context("no mark")?;
                    self.sent.events.insert(mark.to_owned());
                }
            }
            batches += 1;
            let count = self.random.within(1..20);
            let metrics: Vec<Value> = (0..count).map(|_| metric()).collect();
            let body = self.batch(batches, &[], &metrics);
            ensure!(self.send("metrics", &body, u32::MAX).await?, "the measurements were given up");
            self.sent.measured += count;
        }
        Ok(self.sent)
    }

    fn event(&self, number: u64) -> Value {
        let mark = format!("{}-{number}", self.number);
        let mut event = json!({
            "timestamp": "2026-11-20 20:16:39.561480+00:00",
            "event_type": "ip_blocked",
            "ip_address": format!("203.0.113.{}", number % 250),
            "action_taken": "request_blocked",
            "reason": "a test",
            "endpoint": "/item",
            "method": "GET",
            "metadata": { "mark": mark },
        });
        if self.has_event_keys {
            event["idempotency_key"] = json!(format!("key-{mark}"));
        }
        event
    }

    fn batch(&self, number: u64, events: &[Value], metrics: &[Value]) -> Vec<u8> {
        let batch = json!({
            "project_id": "shop", "events": events, "metrics": metrics,
            "batch_id": format!("{}-{number:08x}", self.number), "compressed": false,
            "created_at": "2026-11-20 20:16:40+00:00", "agent_version": "3.2.4",
        });
        batch.to_string().into_bytes()
    }

    /// Whether the batch was taken within so many attempts.
    async fn send(&self, kind: &str, body: &[u8], attempts: u32) -> Result<bool> {
        for _ in 0..attempts {
            let url = self.main.borrow().clone();
            let http = Http::without_keep_alive(&url)
                .with_header("x-api-key", &self.key)
                .with_header("x-project-id", "shop")
                .with_header("x-agent-install-id", &format!("install-{}", self.number))
                .with_header("content-type", "application/json");
            let path = format!("/dialects/guard/api/v1/{kind}");
            match http.send(http::Method::POST, &path, &[], body.to_vec()).await {
                Ok(answer) if answer.status == 200 => {
                    let told: Value = answer.json()?;
                    ensure!(told["success"] == true && told["errors"] == json!([]), "{told}");
                    return Ok(true);
                }
                // Whatever else would make a real agent throw the batch away or hammer.
                Ok(answer) => ensure!(answer.status == 503, "{kind}: {}", answer.status),
                // No answer came: perhaps it was taken.
                Err(_) => {}
            }
            sleep(RETRY).await;
        }
        Ok(false)
    }
}

fn metric() -> Value {
    json!({
        "timestamp": "2026-11-20 20:16:39+00:00", "metric_type": "request_count", "value": 1.0,
        "endpoint": null, "tags": { "endpoint": "/item", "method": "GET" },
    })
}

/// What the server has is what was acknowledged: every batch was sent until it was, so nothing else may
/// be there either.
async fn check(server: &Server, sent: &Sent) -> Result<()> {
    let api = server.api();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = api.get_json(&format!("/api/v1/guard/events?limit=1000{cursor}")).await?;
        for row in page["data"].as_array().context("no rows")? {
            let mark = row["metadata"]["mark"].as_str().with_context(|| format!("{row}"))?;
            *found.entry(mark.to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for mark in &sent.events {
        let times = found.get(mark).copied().unwrap_or_default();
        ensure!(times == 1, "event {mark} was acknowledged and is there {times} times");
    }
    ensure!(found.len() == sent.events.len(), "{} events, {} sent", found.len(), sent.events.len());
    let path = "/api/v1/guard/metrics?project=shop&metric=request_count&since=2020-01-01T00:00:00Z";
    let metrics = api.get_json(path).await?;
    let measured: u64 = metrics["points"]
        .as_array()
        .context("no points")?
        .iter()
        .filter_map(|point| point["count"].as_u64())
        .sum();
    ensure!(measured == sent.measured, "{measured} values, {} acknowledged", sent.measured);
    Ok(())
}
