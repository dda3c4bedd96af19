//! Everything that the dashboard asks a server with a large store.

use super::mebibytes;
use crate::limits::Limits;
use crate::percentile;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages::percent_encoded;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use ringwall_event::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MS_MAX: f64 = 50.0;
/// Hosts that report to this server, so that there are scores, alerts and commands as well.
const AGENTS: u64 = 20;
const LISTED: &str = "stage2.bin";
const MINUTE: i64 = 60;

pub(super) async fn ask(data: &Path, requests: u64, limits: &mut Limits) -> Result<()> {
    let mut setup = Setup::new()?.data_in(data);
    for number in 0..AGENTS {
        setup = setup.sysscore_agent(&format!("bench-{number}"), "secret");
    }
    let start = Instant::now();
    let server = setup.start().await?;
    println!("server    ready after {:.2} s", start.elapsed().as_secs_f64());
    fill(&server).await?;
    let api = server.api();
    for (name, paths) in endpoints(&api).await? {
        let mut times = Vec::new();
        for number in 0..requests.max(1) {
            let path = paths.get(number as usize % paths.len()).context("no path")?;
            times.push(timed(&api, path).await?.0);
        }
        told(&name, times, limits);
    }
    told("events, one page after another", deep(&api, requests).await?, limits);
    let peak = process_stat::peak_resident_bytes(server.pid())?;
    println!("server    {:.0} MiB resident at most", mebibytes(peak));
    server.stop().await?;
    Ok(())
}

fn told(name: &str, mut times: Vec<Duration>, limits: &mut Limits) {
    times.sort_unstable();
    let [half, most, worst] =
        [0.5, 0.95, 1.0].map(|share| percentile(&times, share).as_secs_f64() * 1000.0);
    let held = limits.check(name, most, MS_MAX, "ms");
    let count = times.len();
    println!(
        "{name}  {count} requests: p50 {half:.1} ms, p95 {most:.1} ms, worst {worst:.1} ms; {held}"
    );
}

async fn timed(api: &Http, path: &str) -> Result<(Duration, Value)> {
    let start = Instant::now();
    let answer = api.get(path).await?;
    let time = start.elapsed();
    Ok((time, answer.expect(200).with_context(|| path.to_owned())?.json()?))
}

/// Scores, alerts, commands and audit entries, as the dashboard shows them.
async fn fill(server: &Server) -> Result<()> {
    let api = server.api();
    let listed = json!({"kind": "process", "value": LISTED, "action": "alert"});
    let status = api.post("/api/v1/indicators", &listed).await?.status;
    ensure!([201, 409].contains(&status), "an indicator is answered {status}");
    let watcher = Http::new(server.dialect("watcher")?);
    for host in 0..AGENTS {
        let processes = [json!({"pid": 7, "name": "calm"}), json!({"pid": 666, "name": LISTED})];
        let report = json!({
            "hostname": format!("watched-{host}"),
            "timestamp": "2026-01-01T00:00:00",
            "processes": processes,
        });
        watcher.post("/api/v1/collect", &report).await?.expect(200)?;
    }
    let sysscore = Http::new(server.dialect("sysscore")?);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    for number in 0..AGENTS {
        let agent = Agent::new(&format!("bench-{number}"), "secret");
        for round in 0..10 {
            let items: Vec<_> = (0..50)
                .map(|index| {
                    let call = if index % 5 == 0 { "ptrace" } else { "execve" };
                    let metadata = json!({"risk_score": 20.0 + index as f64, "anomaly_score": 60});
                    item(100 + index, call, now + round * 50 + index, metadata)
                })
                .collect();
            let key = format!("bench-{}", getrandom::u64()?);
            Receipt::read(agent.send(&sysscore, &key, &batch(&items)).await?)?;
        }
    }
    Ok(())
}

/// Each with the paths that take turns.
async fn endpoints(api: &Http) -> Result<Vec<(String, Vec<String>)>> {
    let store = api.get_json("/api/v1/store").await?;
    let moment = |name: &str| -> Result<Timestamp> {
        let text = store.get(name).cloned().with_context(|| format!("no {name} in {store}"))?;
        Ok(serde_json::from_value(text)?)
    };
    let (oldest, newest) = (moment("oldest")?.as_seconds(), moment("newest")?.as_seconds());
    let at = |seconds: i64| percent_encoded(&iso(seconds));
    let hosts: Vec<String> = values(api, "/api/v1/hosts?limit=1000", "/id").await?;
    let some: Vec<String> = hosts.iter().take(20).map(|host| percent_encoded(host)).collect();
    let of_each = |before: &str, after: &str| -> Vec<String> {
        some.iter().map(|host| format!("{before}{host}{after}")).collect()
    };
    let events = "/api/v1/events?limit=100";
    let reported = reporters(api, events).await?;
    let half = oldest + (newest - oldest) / 2;
    let of_reporters = |after: &str| -> Vec<String> {
        reported.iter().map(|host| format!("{events}&host={host}{after}")).collect()
    };
    let ids = values(api, &format!("{events}&until={}", at(half)), "/id").await?;
    let mut all = vec![
        ("overview", vec!["/api/v1/overview".to_owned()]),
        ("hosts", vec!["/api/v1/hosts?limit=1000".to_owned()]),
        ("one host", of_each("/api/v1/hosts/", "")),
        ("processes of a host", of_each("/api/v1/hosts/", "/processes")),
        ("connections of a host", of_each("/api/v1/hosts/", "/connections")),
        ("events, first page", vec![events.to_owned()]),
        ("events of a host", of_reporters("")),
        ("events of a host, long ago", of_reporters(&format!("&until={}", at(half)))),
        ("events of a process", of_reporters("&pid=1000")),
        (
            "events before a moment",
            (1..20)
                .map(|part| {
                    format!("{events}&until={}", at(oldest + (newest - oldest) * part / 20))
                })
                .collect(),
        ),
        (
            "events of an hour",
            (1..20)
                .map(|part| {
                    let since = oldest + (newest - oldest) * part / 20;
                    format!("{events}&since={}&until={}", at(since), at(since + 60 * MINUTE))
                })
                .collect(),
        ),
        ("events with a frequent word", vec![format!("{events}&contains=bash")]),
        ("events with a rare word", vec![format!("{events}&contains=stage2.bin")]),
        ("events with a word that is nowhere", vec![format!("{events}&contains=no-such-word")]),
        ("one event", ids.iter().take(20).map(|id| format!("/api/v1/events/{id}")).collect()),
        ("open alerts", vec!["/api/v1/alerts?limit=100&state=open".to_owned()]),
        ("alerts", vec!["/api/v1/alerts?limit=100".to_owned()]),
        ("scores", vec!["/api/v1/scores?limit=100".to_owned()]),
        ("scores of a host", of_each("/api/v1/scores?limit=1000&host=", "")),
        ("commands", vec!["/api/v1/commands?limit=100".to_owned()]),
        ("audit", vec!["/api/v1/audit?limit=100".to_owned()]),
        ("indicators", vec!["/api/v1/indicators".to_owned()]),
        ("store", vec!["/api/v1/store".to_owned()]),
        ("health", vec!["/api/v1/health".to_owned()]),
    ]
    .into_iter()
    .map(|(name, paths)| (name.to_owned(), paths))
    .collect::<Vec<_>>();
    for kind in ["process_started", "connection_opened", "http_request", "sign_in", "inventory"] {
        all.push((format!("events of kind {kind}"), vec![format!("{events}&kind={kind}")]));
    }
    // As the dashboard asks: whole steps, up to the end of the step that the newest event is in.
    for (name, span, step) in [
        ("1 h", 60 * MINUTE, MINUTE),
        ("24 h", 24 * 60 * MINUTE, 15 * MINUTE),
        ("30 d", 30 * 24 * 60 * MINUTE, 12 * 60 * MINUTE),
    ] {
        let until = (newest / step + 1) * step;
        let times = format!("since={}&until={}&step={step}", at(until - span), at(until));
        for by in ["kind", "severity", "source"] {
            let path = format!("/api/v1/timeline?{times}&by={by}");
            all.push((format!("timeline, {name} by {by}"), vec![path]));
        }
    }
    all.retain(|(_, paths)| !paths.is_empty());
    Ok(all)
}

/// Hosts that old events came from.
async fn reporters(api: &Http, events: &str) -> Result<Vec<String>> {
    let mut hosts = values(api, &format!("{events}&kind=process_started"), "/source").await?;
    hosts.sort();
    hosts.dedup();
    Ok(hosts.iter().take(20).map(|host| percent_encoded(host)).collect())
}

async fn values(api: &Http, path: &str, pointer: &str) -> Result<Vec<String>> {
    let page = api.get_json(path).await?;
    let rows = page.get("data").and_then(Value::as_array).context("no data")?;
    Ok(rows
        .iter()
        .filter_map(|row| row.pointer(pointer).and_then(Value::as_str).map(str::to_owned))
        .collect())
}

/// The times of pages that follow one another.
async fn deep(api: &Http, requests: u64) -> Result<Vec<Duration>> {
    let mut path = "/api/v1/events?limit=100".to_owned();
    let mut times = Vec::new();
    for _ in 0..requests.max(1) {
        let (time, page) = timed(api, &path).await?;
        times.push(time);
        let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) else { break };
        path = format!("/api/v1/events?limit=100&cursor={}", percent_encoded(cursor));
    }
    Ok(times)
}

fn iso(seconds: i64) -> String {
    format!("{}Z", Timestamp::from_micros(seconds * 1_000_000).to_naive_iso())
}
