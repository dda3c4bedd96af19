//! What the UI and people read: counts, alerts, payloads. Of this dialect only: what enrolled hosts
//! report is not for everyone who reaches the port.

use super::commands::parameter;
use super::refusal::Refusal;
use super::{Watcher, is_watcher, json};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_dialects::validation::{Fault, Integer};
use ringwall_dialects::watcher::{
    ALERTS_MAX, AlertRow, EVENTS_DEFAULT, EVENTS_MAX, SeverityBreakdown, StatsRow,
    original_event_extract, write_events,
};
use ringwall_event::{Activity, Alert, Command, Event, Inventory, Source, Timestamp};
use ringwall_store::{EventFilter, EventStore, PagePosition, Session, StateStore, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A host that was not heard of for this long is not counted any more.
const HOST_SECONDS: i64 = 3600;

pub(super) async fn stats(State(watcher): State<Arc<Watcher>>) -> Result<Response, Refusal> {
    let server = &watcher.server;
    let now = server.now();
    let since = now.plus_seconds(-HOST_SECONDS);
    let (unique_hosts, waiting) = {
        let derived = server.engine.derived();
        let hosts = derived.hosts.iter();
        let count =
            hosts.filter(|(source, host)| is_watcher(source) && host.last_seen >= since).count();
        let waiting: Vec<Source> =
            derived.open_commands.iter().filter(|source| is_watcher(source)).cloned().collect();
        (count, waiting)
    };
    let lease_seconds = server.engine.rules().lease_seconds;
    let (counts, pending) = server
        .engine
        .read(move |session| {
            let counts = session.live_alert_counts_of_dialect(Source::WATCHER)?;
            let mut pending = 0u64;
            for source in waiting {
                let open = session.open_commands(&source.to_string())?;
                pending += u64::from(open.iter().any(|one| is_waiting(one, lease_seconds, now)));
            }
            Ok((counts, pending))
        })
        .await?;
    let mut breakdown = SeverityBreakdown::default();
    for (severity, count) in counts {
        breakdown.add(severity, count);
    }
    let row = StatsRow {
        event_count: watcher.payloads.load(Ordering::Relaxed),
        alert_count: breakdown.total(),
        unique_hosts: u64::try_from(unique_hosts).unwrap_or(u64::MAX),
        pending_command_hosts: pending,
        alert_severity_breakdown: breakdown,
    };
    Ok(json(StatusCode::OK, serde_json::to_string(&row).map_err(Refusal::internal)?))
}

/// Whether the next poll would be given this command.
fn is_waiting(command: &Command, lease_seconds: i64, now: Timestamp) -> bool {
    now < command.expires
        && command.delivered.is_none_or(|at| now >= at.plus_seconds(lease_seconds))
}

pub(super) async fn alerts(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
) -> Result<Response, Refusal> {
    let with_events = match parameter(&request, "original_event").as_deref() {
        None => false,
        Some(text) => flag(text).ok_or_else(|| {
            const NO_FLAG: Fault = Fault::new(
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
            );
            Refusal::parameter("original_event", &NO_FLAG, Some(text))
        })?,
    };
    let (alerts, mut extracts) = watcher
        .server
        .engine
        .read(move |session| {
            let alerts = session.live_alerts_of_dialect(Source::WATCHER, ALERTS_MAX)?;
            let mut extracts = HashMap::new();
            for (position, alert) in alerts.iter().enumerate().filter(|_| with_events) {
                if let Some(extract) = extract(session, alert)? {
                    extracts.insert(position, extract);
                }
            }
            Ok((alerts, extracts))
        })
        .await?;
    let rows: Vec<AlertRow<'_>> = alerts
        .iter()
        .enumerate()
        .map(|(position, alert)| {
            AlertRow::new(alert).with_original_event(extracts.remove(&position))
        })
        .collect();
    Ok(json(StatusCode::OK, serde_json::to_string(&rows).map_err(Refusal::internal)?))
}

fn extract(session: &Session<'_>, alert: &Alert) -> Result<Option<serde_json::Value>, StoreError> {
    let Some((process, id)) = alert.process.as_ref().zip(alert.events.first()) else {
        return Ok(None);
    };
    Ok(session.event(*id)?.and_then(|event| original_event_extract(&event, Some(process.pid))))
}

/// The words that the framework takes for a flag.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

pub(super) async fn events(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
) -> Result<Response, Refusal> {
    let limit = match parameter(&request, "limit") {
        None => EVENTS_DEFAULT,
        Some(text) => {
            limit(&text).map_err(|fault| Refusal::parameter("limit", &fault, Some(&text)))?
        }
    };
    let body = watcher.server.engine.read(move |session| newest(session, limit)).await?;
    Ok(json(StatusCode::OK, body))
}

/// Any whole number from 0; what is more than is given means all of that.
fn limit(text: &str) -> Result<usize, Fault> {
    match Integer::parse(text)? {
        Integer::Fits(limit) if limit < 0 => Err(Fault::below(0.0)),
        Integer::Fits(limit) => Ok(usize::try_from(limit).unwrap_or(EVENTS_MAX).min(EVENTS_MAX)),
        Integer::TooLarge if text.trim_start().starts_with('-') => Err(Fault::below(0.0)),
        Integer::TooLarge => Ok(EVENTS_MAX),
    }
}

/// A list of payloads ends early where it would become larger than this.
const EVENTS_BYTES_MAX: usize = 32 << 20;
/// Payloads are read few at a time: each may be as large as a request.
const EVENTS_AT_ONCE: usize = 8;

fn newest(session: &Session<'_>, limit: usize) -> Result<String, StoreError> {
    let filter =
        EventFilter { dialect: Some(Source::WATCHER.to_owned()), ..EventFilter::default() };
    let mut found: Vec<Event> = Vec::new();
    let mut after = None;
    let mut bytes = 0usize;
    while found.len() < limit && bytes < EVENTS_BYTES_MAX {
        let page = session.events(&filter, after, EVENTS_AT_ONCE.min(limit - found.len()))?;
        let Some(last) = page.last() else { break };
        after = Some(PagePosition { time: last.time, id: last.id });
        for event in page {
            bytes += event.original.as_ref().map_or(0, |text| text.len());
            // Only the text is given back.
            let activity = Activity::Inventory(Box::<Inventory>::default());
            found.push(Event { activity, ..event });
        }
    }
    // Agents' clocks differ a little; the order is that of the receipt.
    found.sort_by_key(|event| std::cmp::Reverse(event.id));
    Ok(write_events(&found))
}
