//! What guards report: who they are, what they saw, what they measured.

use super::body::Json;
use super::guard_projects::missing;
use super::page::{PAGE_BUDGET, Wanted};
use super::problem::ApiError;
use super::query::{InPath, InQuery};
use crate::guard::{AgentRecord, guards_of, kept_as, metric_names};
use crate::server::Server;
use axum::extract::State;
use ringwall_event::{Activity, Event, EventId, Source, Timestamp};
use ringwall_server_api::{
    GUARD_ENDPOINTS_MAX, GuardAgentRow, GuardEventQuery, GuardEventRow, GuardMetricEndpoint,
    GuardMetricPoint, GuardMetricQuery, GuardMetrics, Page, Problem,
};
use ringwall_store::{EventFilter, EventStore, GuardMetricStore, PagePosition};
use serde_json::{Value, json};
use std::sync::Arc;

const TEXT_BYTES_MAX: usize = 255;
const DAY_SECONDS: i64 = 86_400;
const STEPS_DEFAULT: i64 = 100;
const STEPS_MAX: i64 = 2000;

pub(super) async fn agents(
    State(server): State<Arc<Server>>,
    InPath(name): InPath<String>,
) -> Result<Json<Page<GuardAgentRow>>, ApiError> {
    if server.guard_projects().project(&name).is_none() {
        return Err(missing(&name));
    }
    let mut records = server.engine.read(move |session| guards_of(session, &name)).await?;
    records.sort_by_key(|record| std::cmp::Reverse(record.last_seen));
    Ok(Json(Page::whole(records.into_iter().map(agent_row).collect())))
}

pub(super) async fn events(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<GuardEventQuery>,
) -> Result<Json<Page<GuardEventRow>>, ApiError> {
    for (name, text) in [("type", &query.event_type), ("address", &query.address)] {
        if text.as_ref().is_some_and(|text| !(1..=TEXT_BYTES_MAX).contains(&text.len())) {
            let detail = format!("must have 1 to {TEXT_BYTES_MAX} bytes");
            return Err(Problem::invalid_parameter(name, detail).into());
        }
    }
    let address = query.address.map(|text| match text.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => text,
    });
    let purpose = (&query.project, &query.event_type, &address, query.since, query.until);
    let wanted: Wanted<'_, (Timestamp, EventId)> =
        Wanted::read(&server, "guard_events", &purpose, query.limit, query.cursor.as_deref())?;
    let filter = EventFilter {
        source: query.project.as_deref().map(|project| Source::new(Source::GUARD, project)),
        dialect: Some(Source::GUARD.to_owned()),
        pid: None,
        kind: Some(APP_GUARD.to_owned()),
        // What has the words anywhere is looked at; what has them in their place is wanted.
        contains: address.clone().or_else(|| query.event_type.clone()),
        since: query.since,
        until: query.until,
    };
    let event_type = query.event_type;
    let after = wanted.after.map(|(time, id)| PagePosition { time, id });
    let fetch = wanted.fetch();
    let (rows, resume): (Vec<GuardEventRow>, _) = server
        .engine
        .read(move |session| {
            let page = session.events_within(&filter, after, fetch, PAGE_BUDGET)?;
            let is_full = page.events.len() >= fetch;
            let last = page.events.last().map(|event| (event.time, event.id));
            let resume = page.resume.map(|place| (place.time, place.id));
            let rows = page
                .events
                .iter()
                .filter_map(event_row)
                .filter(|row| event_type.as_ref().is_none_or(|wanted| *wanted == row.event_type))
                .filter(|row| address.is_none() || row.address == address)
                .collect();
            Ok((rows, resume.or(last.filter(|_| is_full))))
        })
        .await?;
    Ok(Json(wanted.page_until(rows, |row| (row.time, row.id), resume)?))
}

pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<GuardMetricQuery>,
) -> Result<Json<GuardMetrics>, ApiError> {
    let GuardMetricQuery { project, metric, since, until, step_seconds } = query;
    if server.guard_projects().project(&project).is_none() {
        return Err(missing(&project));
    }
    let Some(what) = kept_as(&metric) else {
        let names: Vec<&str> = metric_names().collect();
        let detail = format!("must be one of {}", names.join(", "));
        return Err(Problem::invalid_parameter("metric", detail).into());
    };
    if step_seconds == Some(0) {
        return Err(Problem::invalid_parameter("step_seconds", "must be at least 1").into());
    }
    let until = until.unwrap_or_else(|| server.now());
    let since = since.unwrap_or_else(|| until.plus_seconds(-DAY_SECONDS));
    if since >= until {
        return Err(Problem::invalid_parameter("since", "must be before `until`").into());
    }
    let step_minutes =
        step_minutes(until.as_seconds().saturating_sub(since.as_seconds()), step_seconds);
    let of = project.clone();
    let (points, endpoints) = server
        .engine
        .read(move |session| {
            let points = session.guard_metric_points(&of, what, since, until, step_minutes)?;
            let endpoints =
                session.guard_metric_endpoints(&of, what, since, until, GUARD_ENDPOINTS_MAX)?;
            Ok((points, endpoints))
        })
        .await?;
    Ok(Json(GuardMetrics {
        project,
        metric,
        step_seconds: u64::from(step_minutes) * 60,
        points: points
            .into_iter()
            .map(|it| GuardMetricPoint {
                time: it.time,
                count: it.count,
                sum: it.sum,
                min: it.min,
                max: it.max,
            })
            .collect(),
        endpoints: endpoints
            .into_iter()
            .map(|it| GuardMetricEndpoint { endpoint: it.endpoint, count: it.count, sum: it.sum })
            .collect(),
    }))
}

const APP_GUARD: &str = "app_guard";

/// How wide a step is: as asked for, or about a hundred of them; never so narrow that they are too many.
fn step_minutes(span_seconds: i64, step_seconds: Option<u32>) -> u32 {
    let least = span_seconds.div_euclid(60 * STEPS_MAX) + 1;
    let wanted = match step_seconds {
        Some(seconds) => i64::from(seconds.div_ceil(60)),
        None => span_seconds.div_euclid(60 * STEPS_DEFAULT).max(1),
    };
    u32::try_from(wanted.max(least)).unwrap_or(u32::MAX)
}

fn agent_row(record: AgentRecord) -> GuardAgentRow {
    let warning = record.warning();
    let has_status = record.last_status.is_some();
    GuardAgentRow {
        install_id: record.install_id.map(Into::into),
        address: record.address.into(),
        agent_version: record.agent_version.map(Into::into),
        guard_version: record.guard_version.map(Into::into),
        guard_core_version: record.guard_core_version.map(Into::into),
        status: record.status.map(Into::into),
        uptime_seconds: has_status.then_some(record.uptime_seconds),
        events_sent: has_status.then_some(record.events_sent),
        events_failed: has_status.then_some(record.events_failed),
        buffer_size: has_status.then_some(record.buffer_size),
        dropped: record.dropped,
        errors: record.errors.into_iter().map(Into::into).collect(),
        first_seen: record.first_seen,
        last_seen: record.last_seen,
        warning,
    }
}

fn event_row(event: &Event) -> Option<GuardEventRow> {
    let Activity::AppGuard(seen) = &event.activity else { return None };
    let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    Some(GuardEventRow {
        id: event.id,
        time: event.time,
        project: event.source.name.to_string(),
        install_id: owned(&seen.install_id),
        event_type: seen.event_type.to_string(),
        action: text(&seen.action),
        reason: text(&seen.reason),
        address: owned(&seen.client_address),
        country: owned(&seen.country),
        user_agent: owned(&seen.user_agent),
        method: owned(&seen.method),
        endpoint: owned(&seen.path),
        status_code: seen.status,
        response_time_ms: seen.duration_ms,
        category: owned(&seen.category),
        pattern: owned(&seen.pattern),
        metadata: metadata(event.original.as_deref()),
    })
}

/// Out of what the guard sent, which stands beside the event.
fn metadata(original: Option<&str>) -> Value {
    let original: Option<Value> = original.and_then(|text| serde_json::from_str(text).ok());
    match original {
        Some(Value::Object(mut fields)) => fields.remove("metadata").unwrap_or_else(|| json!({})),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_about_a_hundred_and_never_too_many() {
        check(3600, None, 1);
        check(86_400, None, 14);
        check(86_400, Some(60), 1);
        check(86_400, Some(61), 2);
        check(30 * 86_400, Some(60), 22);
        check(30 * 86_400, None, 432);
    }

    #[track_caller]
    fn check(span_seconds: i64, step_seconds: Option<u32>, expected: u32) {
        assert_eq!(step_minutes(span_seconds, step_seconds), expected, "{span_seconds}");
    }
}
