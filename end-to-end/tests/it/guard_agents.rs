//! The original guard agents, early and newest, against the real server: events, metrics, status, rules.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::original_guard::{NEWEST_AGENT, OriginalAgent, older_agents};
use ringwall_end_to_end::relay::{Network, Relay, address};
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Every event type that the newest agent knows (contract, section 2.2).
const EVENT_TYPES: [&str; 39] = [
    "ip_banned",
    "ip_unbanned",
    "ip_blocked",
    "ip_ban_failed",
    "rate_limited",
    "rate_limit_script_reloaded",
    "suspicious_request",
    "cloud_blocked",
    "country_blocked",
    "penetration_attempt",
    "behavioral_violation",
    "user_agent_blocked",
    "custom_request_check",
    "decorator_violation",
    "decoding_error",
    "detection_engine_callback_error",
    "geo_lookup_failed",
    "https_enforced",
    "pattern_anomaly_slow_execution",
    "pattern_anomaly_timeout",
    "pattern_anomaly_statistical_anomaly",
    "redis_connection",
    "redis_error",
    "dynamic_rule_applied",
    "dynamic_rule_updated",
    "path_excluded",
    "route_unresolved",
    "pattern_detected",
    "pattern_added",
    "pattern_removed",
    "access_denied",
    "authentication_failed",
    "content_filtered",
    "emergency_mode_activated",
    "emergency_mode_block",
    "dynamic_rule_violation",
    "security_bypass",
    "security_headers_applied",
    "csp_violation",
];
const METRICS: [&str; 7] = [
    "request_count",
    "response_time",
    "error_rate",
    "bandwidth_usage",
    "threat_level",
    "block_rate",
    "cache_hit_rate",
];

/// What `ringwall guard project add` tells once.
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) signing_secret: String,
    pub(crate) encryption_key: String,
}

pub(crate) async fn project(server: &Server, name: &str) -> Result<Project> {
    let told = server.ringwall_json(&["guard", "project", "add", name]).await?;
    let text = |field: &str| {
        told[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {told}"))
    };
    Ok(Project {
        name: text("project")?,
        key: text("key")?,
        signing_secret: text("signing_secret")?,
        encryption_key: text("encryption_key")?,
    })
}

pub(crate) fn endpoint(server: &Server) -> String {
    format!("{}/dialects/guard", server.ready().main)
}

/// An agent that flushes only when it is told to.
fn config(server: &Server, project: &Project) -> Value {
    json!({
        "api_key": project.key, "endpoint": endpoint(server), "project_id": project.name,
        "buffer_size": 10_000, "flush_interval": 3600, "retry_attempts": 3,
    })
}

pub(crate) async fn stored(server: &Server, project: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/guard/events?project={project}&limit=500{cursor}");
        let page = server.api().get_json(&path).await?;
        rows.extend(page["data"].as_array().context("no rows")?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

async fn metric_sum(server: &Server, project: &str, metric: &str) -> Result<(f64, f64)> {
    let path = format!("/api/v1/guard/metrics?project={project}&metric={metric}");
    let answer = server.api().get_json(&path).await?;
    let points = answer["points"].as_array().context("no points")?;
    let sum = |field: &str| points.iter().filter_map(|point| point[field].as_f64()).sum();
    Ok((sum("count"), sum("sum")))
}

fn event(kind: &str, number: usize) -> Value {
    json!({
        "event_type": kind, "ip_address": format!("198.51.100.{}", number + 1),
        "action_taken": "request_blocked", "reason": format!("reason of {kind}: é \u{1F600}"),
        "endpoint": "/order", "method": "POST", "user_agent": "original/1.0", "country": "NL",
        "status_code": 403, "response_time": 0.25, "metadata": {"number": number, "nested": {"a": [1, 2]}},
    })
}

/// Sends one event of each type and one of each metric, a status, and reads the rules.
async fn everything_arrives(version: &str, name: &str, options: &Value) -> Result<()> {
    let home = Folder::new()?;
    let server = Setup::new()?.start().await?;
    let project = project(&server, name).await?;
    let mut config = config(&server, &project);
    for (option, value) in options.as_object().context("options")? {
        config[option] = match value.as_str() {
            Some("SECRET") => json!(project.signing_secret),
            Some("KEY") => json!(project.encryption_key),
            _ => value.clone(),
        };
    }
    let mut agent = OriginalAgent::start(version, home.path(), config).await?;
    let types = match agent.event_types().await? {
        Some(types) => types,
        None => EVENT_TYPES.map(str::to_owned).to_vec(),
    };
    ensure!(types.len() >= 20, "{version}: {types:?}");
    let events: Vec<Value> =
        types.iter().enumerate().map(|(number, kind)| event(kind, number)).collect();
    agent.events(&events).await?;
    let metrics: Vec<Value> = METRICS
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            json!({"metric_type": kind, "value": number as f64 + 0.5, "tags": {"endpoint": "/order"}})
        })
        .collect();
    agent.metrics(&metrics).await?;
    let stats = agent.flush().await?;
    let sent = (stats["events_sent"].as_u64(), stats["events_failed"].as_u64());
    ensure!(sent == (Some(types.len() as u64), Some(0)), "{version}: {stats}");
    ensure!(agent.status().await?, "{version}: the status was refused");

    let rows = stored(&server, &project.name).await?;
    ensure!(rows.len() == types.len(), "{version}: {} of {} events", rows.len(), types.len());
    let by_type: BTreeMap<&str, &Value> =
        rows.iter().filter_map(|row| Some((row["event_type"].as_str()?, row))).collect();
    for (number, kind) in types.iter().enumerate() {
        let row = by_type.get(kind.as_str()).with_context(|| format!("{version}: no {kind}"))?;
        let facts = (&row["address"], &row["endpoint"], &row["country"], &row["reason"]);
        let wanted = event(kind, number);
        let expected =
            (&wanted["ip_address"], &wanted["endpoint"], &wanted["country"], &wanted["reason"]);
        ensure!(facts == expected, "{version}: {row}");
        ensure!(row["metadata"]["number"] == json!(number), "{version}: {row}");
    }
    for (number, kind) in METRICS.iter().enumerate() {
        let found = metric_sum(&server, &project.name, kind).await?;
        ensure!(found == (1.0, number as f64 + 0.5), "{version}: {kind} {found:?}");
    }
    let path = format!("/api/v1/guard/projects/{}/agents", project.name);
    let agents = server.api().get_json(&path).await?;
    ensure!(agents["data"][0]["status"] == "healthy", "{version}: {agents}");

    let rules = json!({"ip_blacklist": ["203.0.113.9"], "blocked_user_agents": ["badbot"]});
    let path = format!("/api/v1/guard/projects/{}/rules", project.name);
    let current = server.api().get_json(&path).await?;
    let change = json!({"rules": rules, "base_version": current["version"]});
    let body = serde_json::to_vec(&change)?;
    let json = [("content-type", "application/json")];
    server.api().send(http::Method::PUT, &path, &json, body).await?.expect(200)?;
    let seen = agent.rules().await?;
    ensure!(seen["ip_blacklist"] == json!(["203.0.113.9"]), "{version}: {seen}");
    ensure!(seen["blocked_user_agents"] == json!(["badbot"]), "{version}: {seen}");
    agent.stop().await?;
    server.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn early_agents_connect_unchanged() -> Result<()> {
    for (number, version) in older_agents()?.iter().enumerate() {
        everything_arrives(version, &format!("early-{number}"), &json!({})).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_encrypt_or_sign_connect_unchanged() -> Result<()> {
    let both = json!({"project_encryption_key": "KEY", "payload_signing_secret": "SECRET"});
    let signed = json!({"payload_signing_secret": "SECRET"});
    for (version, name, options) in [
        ("fastapi-guard-agent==1.1.0", "bearer", json!({"project_encryption_key": "KEY"})),
        ("guard-agent==2.7.1", "wire", signed.clone()),
        ("guard-agent==3.0.0", "both-3", both.clone()),
        (NEWEST_AGENT, "newest", json!({})),
        (NEWEST_AGENT, "signed", signed),
        (NEWEST_AGENT, "both", both),
    ] {
        everything_arrives(version, name, &options)
            .await
            .with_context(|| format!("{version} as {name}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strict_reader_trips_over_is_kept() -> Result<()> {
    let home = Folder::new()?;
    let server = Setup::new()?.start().await?;
    let project = project(&server, "odd").await?;
    let config = config(&server, &project);
    let mut agent = OriginalAgent::start(NEWEST_AGENT, home.path(), config).await?;
    // A lone surrogate, as Python has it for a byte that is no text.
    let mut odd = event("penetration_attempt", 0);
    odd["reason"] = json!("SURROGATE");
    let plain = event("ip_banned", 1);
    agent.events(&[odd, plain]).await?;
    let metric = |value: Value| json!({"metric_type": "threat_level", "value": value, "tags": {}});
    agent.metrics(&[metric(json!("nan")), metric(json!(3.0))]).await?;
    let stats = agent.flush().await?;
    ensure!(stats["events_sent"] == json!(2) && stats["metrics_sent"] == json!(2), "{stats}");
    let rows = stored(&server, "odd").await?;
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row["event_type"].as_str()).collect();
    // What could not be read is told of, too.
    for kind in ["penetration_attempt", "ip_banned", "guard_items_set_aside"] {
        ensure!(kinds.contains(&kind), "{kinds:?}");
    }
    ensure!(rows.len() == 3, "{kinds:?}");
    ensure!(metric_sum(&server, "odd", "threat_level").await? == (1.0, 3.0));
    agent.stop().await?;
    server.stop().await?;
    Ok(())
}

/// Nothing acknowledged is lost and nothing is there twice, however often the server is killed.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_agent_and_a_server_that_is_killed() -> Result<()> {
    const EVENTS: usize = 1_200;
    const KILLS: usize = 4;
    let home = Folder::new()?;
    let mut server = Setup::new()?.start().await?;
    let project = project(&server, "killed").await?;
    // The server comes back on another port: the agent goes through a relay that knows where.
    let relay = Relay::start(Network::Through(address(&server.ready().main)?)).await?;
    let mut config = config(&server, &project);
    config["endpoint"] = json!(format!("{}/dialects/guard", relay.url()));
    config["timeout"] = json!(5);
    // After a failed flush it waits for as long.
    config["flush_interval"] = json!(1);
    config["backoff_factor"] = json!(0.05);
    let mut agent = OriginalAgent::start(NEWEST_AGENT, home.path(), config).await?;
    let each = EVENTS / (KILLS + 1);
    for round in 0..=KILLS {
        let events: Vec<Value> = (round * each..(round + 1) * each)
            .map(|number| {
                let mut event = event(EVENT_TYPES[number % EVENT_TYPES.len()], number % 250);
                event["metadata"] = json!({"number": number});
                event
            })
            .collect();
        agent.events(&events).await?;
        if round == KILLS {
            break;
        }
        let (flushed, restarted) = tokio::join!(agent.flush(), async {
            // Somewhere in the middle of the request.
            sleep(Duration::from_millis(4 * (round as u64 + 1))).await;
            server.kill().await?.start().await
        });
        flushed?;
        server = restarted?;
        relay.set(Network::Through(address(&server.ready().main)?));
    }
    // Its buffer is empty, too, while its own timer has everything under way: what counts is what is stored.
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut numbers = loop {
        let stats = agent.flush().await?;
        let is_empty = stats["buffer_stats"]["current_event_buffer_size"] == json!(0);
        let rows = stored(&server, "killed").await?;
        let numbers = rows.iter().filter_map(|row| row["metadata"]["number"].as_u64());
        let numbers: Vec<u64> = numbers.collect();
        if is_empty && numbers.len() >= EVENTS {
            break numbers;
        }
        ensure!(Instant::now() < deadline, "{} of {EVENTS} events: {stats}", numbers.len());
        sleep(Duration::from_millis(500)).await;
    };
    numbers.sort_unstable();
    let expected: Vec<u64> = (0..EVENTS as u64).collect();
    ensure!(numbers == expected, "{} events of {EVENTS} are there, or others", numbers.len());
    agent.stop().await?;
    server.stop().await?;
    Ok(())
}
