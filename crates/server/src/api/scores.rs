use super::body::Json;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::InQuery;
use crate::engine::{Derived, HostState, ProcessScore};
use crate::server::Server;
use axum::extract::State;
use ringwall_event::{Source, Timestamp};
use ringwall_risk::{PastScore, WINDOW_SECONDS};
use ringwall_server_api::{Page, Problem, ScoreQuery, ScoreRow};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a score stands in the list: by the last change, newest first.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    calculated_at: Timestamp,
    source: Source,
    pid: i64,
}

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<ScoreQuery>,
) -> Result<Json<Page<ScoreRow>>, ApiError> {
    for (name, bound) in [("risk_min", query.risk_min), ("risk_max", query.risk_max)] {
        if bound.is_some_and(|bound| !(0.0..=100.0).contains(&bound)) {
            return Err(Problem::invalid_parameter(name, "must be 0 to 100").into());
        }
    }
    let purpose = (&query.host, query.risk_min, query.risk_max);
    let wanted: Wanted<'_, Place> =
        Wanted::read(&server, "scores", &purpose, query.limit, query.cursor.as_deref())?;
    let rows = {
        let derived = server.engine.derived();
        let mut found: Vec<_> = all(&derived)
            .filter(|(source, _, _, _)| query.host.as_ref().is_none_or(|host| host == *source))
            .filter_map(|(source, host, pid, entry)| {
                let score = entry.state.current()?;
                let fits = query.risk_min.is_none_or(|min| score.risk_score >= min)
                    && query.risk_max.is_none_or(|max| score.risk_score <= max);
                let calculated_at = score.calculated_at;
                let place = Place { calculated_at, source: source.clone(), pid };
                let is_next = wanted.after.as_ref().is_none_or(|after| place < *after);
                (fits && is_next).then_some((place, host, entry))
            })
            .collect();
        found.sort_unstable_by(|(a, _, _), (b, _, _)| b.cmp(a));
        found.truncate(wanted.fetch());
        found
            .into_iter()
            .filter_map(|(place, host, entry)| row(&place.source, host, place.pid, entry))
            .collect()
    };
    let page = wanted.page(rows, |row: &ScoreRow| Place {
        calculated_at: row.calculated_at,
        source: row.source.clone(),
        pid: row.pid,
    })?;
    Ok(Json(page))
}

/// The riskiest processes that did something lately.
pub(super) fn riskiest(derived: &Derived, now: Timestamp, count: usize) -> Vec<ScoreRow> {
    let mut found: Vec<_> = all(derived)
        .filter_map(|(source, host, pid, entry)| {
            let score = live(entry, now)?;
            Some((score.risk_score.max(score.evidence_score), source, host, pid, entry))
        })
        .collect();
    found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.3).cmp(&(b.1, b.3))));
    found.truncate(count);
    found.into_iter().filter_map(|(_, source, host, pid, e)| row(source, host, pid, e)).collect()
}

/// The score of a process that did something in the last five minutes, as of its latest call.
///
/// As cheap as reading a number: the writer waits while memory is read.
pub(super) fn live(entry: &ProcessScore, now: Timestamp) -> Option<PastScore> {
    entry.state.current().filter(|score| now < score.calculated_at.plus_seconds(WINDOW_SECONDS))
}

fn all(derived: &Derived) -> impl Iterator<Item = (&Source, &HostState, i64, &ProcessScore)> {
    derived.hosts.iter().flat_map(|(source, host)| {
        host.scores.iter().map(move |(pid, entry)| (source, host, *pid, entry))
    })
}

/// Every score there is.
pub(super) fn every(derived: &Derived) -> impl Iterator<Item = ScoreRow> {
    all(derived).filter_map(|(source, host, pid, entry)| row(source, host, pid, entry))
}

fn row(source: &Source, host: &HostState, pid: i64, entry: &ProcessScore) -> Option<ScoreRow> {
    let current = entry.state.current()?;
    let start_time = host.detection.table.process(pid).and_then(|known| known.process.start_time);
    let reasons = entry.state.score(current.calculated_at).map(|score| score.reasons);
    Some(ScoreRow {
        process_id: format!("{}:{pid}", source.name),
        source: source.clone(),
        host: host.hostname.to_string(),
        pid,
        name: entry.name.to_string(),
        start_time,
        risk_score: current.risk_score,
        anomaly_score: current.anomaly_score,
        evidence_score: current.evidence_score,
        reasons: reasons.unwrap_or_default(),
        calculated_at: current.calculated_at,
    })
}
