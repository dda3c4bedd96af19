use super::body::Json;
use super::problem::ApiError;
use super::query::InQuery;
use crate::server::Server;
use axum::extract::State;
use ringwall_event::Activity;
use ringwall_server_api::{
    Problem, TIMELINE_SERIES_MAX, Timeline, TimelineGroup, TimelineQuery, TimelineSeries,
};
use ringwall_store::{self as store, SeriesKey, TimelineBy};
use std::sync::Arc;

const DAY_SECONDS: i64 = 86_400;

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<TimelineQuery>,
) -> Result<Json<Timeline>, ApiError> {
    if let Some(kind) = &query.kind
        && !Activity::KINDS.contains(&kind.as_str())
    {
        let detail = format!("must be one of {}", Activity::KINDS.join(", "));
        return Err(Problem::invalid_parameter("kind", detail).into());
    }
    if query.step == Some(0) {
        return Err(Problem::invalid_parameter("step", "must be at least 1").into());
    }
    let until = query.until.unwrap_or_else(|| server.now());
    let since = query.since.unwrap_or_else(|| until.plus_seconds(-DAY_SECONDS));
    if since >= until {
        return Err(Problem::invalid_parameter("since", "must be before `until`").into());
    }
    let by = query.by.unwrap_or_default();
    let wanted = store::TimelineQuery {
        since,
        until,
        step_minutes: query.step.map(|seconds| seconds.div_ceil(60)),
        by: match by {
            TimelineGroup::None => TimelineBy::Nothing,
            TimelineGroup::Kind => TimelineBy::Kind,
            TimelineGroup::Severity => TimelineBy::Severity,
            TimelineGroup::Source => TimelineBy::Source,
        },
        kind: query.kind,
        severity: query.severity,
        source: query.host,
        series_max: TIMELINE_SERIES_MAX,
    };
    let timeline = server.engine.timeline(wanted).await?;
    let mut series: Vec<TimelineSeries> = timeline
        .series
        .into_iter()
        .map(|series| TimelineSeries { key: key(&series.key), counts: series.counts })
        .collect();
    if !timeline.other.is_empty() {
        series.push(TimelineSeries { key: "other".to_owned(), counts: timeline.other });
    }
    Ok(Json(Timeline {
        step_seconds: u64::from(timeline.step_minutes) * 60,
        since: timeline.since,
        until: timeline.until,
        by,
        series,
        total: timeline.total,
    }))
}

fn key(key: &SeriesKey) -> String {
    match key {
        SeriesKey::All => "all".to_owned(),
        SeriesKey::Kind(kind) => (*kind).to_owned(),
        SeriesKey::Severity(severity) => severity.to_string(),
        SeriesKey::Source(source) => source.to_string(),
    }
}
