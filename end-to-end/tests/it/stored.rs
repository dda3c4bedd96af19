//! What a store holds, by every way that it can be asked.

use anyhow::{Context, Result, bail, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::Server;
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use ringwall_end_to_end::tour;
use ringwall_event::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The ids of all events that the SysScore dialect shows.
///
/// # Errors
///
/// When one is there twice.
pub(crate) async fn sysscore_ids(server: &Server) -> Result<BTreeSet<String>> {
    let reader = tour::sysscore_reader(server)?;
    let mut stored = BTreeSet::new();
    for row in pages::of_sysscore(&reader, "/api/v1/events?limit=1000").await? {
        ensure!(stored.insert(pages::text(&row, "/id")?.to_owned()), "twice: {row}");
    }
    Ok(stored)
}

/// That everything acknowledged is stored, once.
pub(crate) async fn nothing_lost(server: &Server, acknowledged: &BTreeSet<String>) -> Result<()> {
    let stored = sysscore_ids(server).await?;
    let lost: Vec<_> = acknowledged.difference(&stored).take(3).collect();
    ensure!(
        lost.is_empty(),
        "{} of {} acknowledged events are lost, such as {lost:?}",
        acknowledged.difference(&stored).count(),
        acknowledged.len()
    );
    Ok(())
}

/// Sends a batch of events whose times no other number gives; their ids, or none when the answer was
/// "come back".
pub(crate) async fn send(
    http: &Http,
    agent: &Agent,
    number: u64,
    events: u64,
) -> Result<Option<Vec<String>>> {
    let items: Vec<_> = (0..events)
        .map(|index| {
            let time = 1_780_000_000_000_000 + (number * 1000 + index) as i64;
            item(index as i64 + 2, "openat", time, json!({ "serial": number * 1000 + index }))
        })
        .collect();
    let answer = agent.send(http, &format!("batch-{number}"), &batch(&items)).await?;
    match answer.status {
        207 => {
            let receipt = Receipt::read(answer)?;
            ensure!(receipt.errors == 0, "{receipt:?}");
            Ok(Some(receipt.ids))
        }
        503 => Ok(None),
        other => bail!("status {other}: {}", answer.text()),
    }
}

/// What `ringwall store verify` found: its exit code and its words as JSON.
pub(crate) async fn verify(tool: Command) -> Result<(Option<i32>, Value)> {
    let mut tool = tokio::process::Command::from(tool);
    let output = tool.args(["store", "verify", "--json"]).output().await?;
    let words = String::from_utf8_lossy(&output.stderr);
    let found = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("store verify ended with {}: {words}", output.status))?;
    Ok((output.status.code(), found))
}

/// That `ringwall store verify` finds the store sound.
pub(crate) async fn is_sound(tool: Command) -> Result<()> {
    let (code, found) = verify(tool).await?;
    ensure!(code == Some(0), "store verify ended with {code:?}: {found}");
    Ok(())
}

/// The rows of a query.
pub(crate) async fn query(server: &Server, sql: &str) -> Result<Vec<Vec<Value>>> {
    let question = json!({ "sql": sql, "row_limit": 100_000 });
    let answer = server.api().post("/api/v1/query", &question).await?;
    let answer = answer.expect(200).with_context(|| sql.to_owned())?.json()?;
    let rows = answer.get("rows").cloned().with_context(|| format!("no rows in {answer}"))?;
    Ok(serde_json::from_value(rows)?)
}

/// The number `n` of a query, by the tool for people.
pub(crate) async fn number(tool: Command, sql: &str) -> Result<i64> {
    let mut tool = tokio::process::Command::from(tool);
    let output = tool.args(["query", "--json", sql]).output().await?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{sql}: {}: {words}", output.status);
    let rows: Value = serde_json::from_slice(&output.stdout)?;
    rows.pointer("/0/n").and_then(Value::as_i64).with_context(|| format!("{sql}: {rows}"))
}

/// How many events lie in files.
pub(crate) async fn archived(server: &Server) -> Result<u64> {
    let store = server.api().get_json("/api/v1/store").await?;
    store.pointer("/archive/events").and_then(Value::as_u64).with_context(|| store.to_string())
}

/// How many events the counts by minute tell of, of the last days.
pub(crate) async fn on_timeline(server: &Server) -> Result<u64> {
    const DAY: i64 = 86_400;
    let until = Timestamp::from_micros(now_us()?).as_seconds() / DAY * DAY + DAY;
    let [since, until] = [until - 3 * DAY, until]
        .map(|seconds| Timestamp::from_micros(seconds * 1_000_000).to_naive_iso());
    let mut totals = BTreeSet::new();
    for by in ["kind", "severity", "source"] {
        let path = format!("/api/v1/timeline?since={since}Z&until={until}Z&step=3600&by={by}");
        let timeline = server.api().get_json(&path).await?;
        let series = timeline.get("series").and_then(Value::as_array).context("no series")?;
        let counts = series.iter().filter_map(|one| one.get("counts").and_then(Value::as_array));
        let sum: u64 = counts.flatten().filter_map(Value::as_u64).sum();
        ensure!(timeline.get("total").and_then(Value::as_u64) == Some(sum), "{by}: {timeline}");
        totals.insert(sum);
    }
    let total = totals.pop_first().context("no total")?;
    ensure!(totals.is_empty(), "timelines differ: {total}, {totals:?}");
    Ok(total)
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}
