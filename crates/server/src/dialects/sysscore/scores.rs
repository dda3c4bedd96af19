//! `GET /scores` and `POST /scores:recalculate`.

use super::events::ProcessFilter;
use super::query::{Parameters, make_cursor};
use super::refusal::Refusal;
use super::{json, operator};
use crate::engine::HostState;
use crate::server::Server;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_access::Permission;
use ringwall_dialects::sysscore::{Page, Problem, ScoreRow, split_process_id};
use ringwall_event::{Source, Timestamp};
use ringwall_risk::PastScore;
use ringwall_signing::sha256;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The current score of each process and the ones before it, newest first.
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadScores).await?;
    let parameters = Parameters::read(request.uri());
    let limit = parameters.limit()?;
    let filters = ProcessFilter::read(&parameters);
    let range = (parameters.score("risk_min")?, parameters.score("risk_max")?);
    let purpose = format!("sysscore scores {filters:?} {range:?}");
    let before = parameters.cursor::<Position>(&server, &purpose)?;
    let mut rows = match &filters {
        Ok(filters) => newest(&server, filters, range, before, limit + 1),
        Err(_) => Vec::new(),
    };
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = match rows.last().filter(|_| has_more) {
        Some(last) => Some(make_cursor(&server, &purpose, &last.position)?),
        None => None,
    };
    let rows = rows.iter().map(|row| {
        let score = &row.score;
        ScoreRow::new(
            &row.agent_id,
            row.position.2,
            score.risk_score,
            score.anomaly_score,
            score.calculated_at,
        )
    });
    Ok(json(StatusCode::OK, Page::new(rows.collect(), cursor).to_body()))
}

/// Calculates the score of a process as of now; that score is then its current one.
pub(super) async fn recalculate(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadScores).await?;
    let parameters = Parameters::read(request.uri());
    let process_id = parameters.required("process_id")?.to_owned();
    let not_found = || Refusal::from(Problem::process_not_found(&process_id));
    let (agent_id, pid) = split_process_id(&process_id).ok_or_else(not_found)?;
    let source = Source::new(Source::SYSSCORE, agent_id);
    let score = server
        .engine
        .write(move |writing| {
            let now = writing.now;
            let host = writing.derived.hosts.get_mut(&source);
            let process = host.and_then(|host| host.scores.get_mut(&pid));
            let score = process.and_then(|process| process.state.recalculate(now));
            if score.is_some() {
                // No batch stands for it, so it is written down with the state at once.
                writing.keep_derived(source)?;
            }
            Ok(score)
        })
        .await?
        .ok_or_else(not_found)?;
    let row =
        ScoreRow::new(agent_id, pid, score.risk_score, score.anomaly_score, score.calculated_at);
    let body = serde_json::to_string(&row).map_err(Refusal::internal)?;
    Ok(json(StatusCode::OK, body))
}

/// A row's place in the list: its time, a digest of its agent's id, its pid. The digest has one size
/// whatever the id, so that a cursor is short.
type Position = (Timestamp, u64, i64);

/// A row of the list, ordered by its place.
struct Candidate {
    position: Position,
    agent_id: Box<str>,
    score: PastScore,
}

/// Up to `count` scores that fit, newest first, those before `before`.
///
/// Keeps the newest seen so far in a heap and passes over hosts and processes whose newest is older
/// than all of them.
fn newest(
    server: &Server,
    filters: &ProcessFilter,
    (risk_min, risk_max): (Option<f64>, Option<f64>),
    before: Option<Position>,
    count: usize,
) -> Vec<Candidate> {
    let fits = |score: &PastScore| {
        risk_min.is_none_or(|min| score.risk_score >= min)
            && risk_max.is_none_or(|max| score.risk_score <= max)
    };
    let derived = server.engine.derived();
    let mut heap: BinaryHeap<Reverse<Candidate>> = BinaryHeap::with_capacity(count.min(1024));
    for (source, host) in agents(&derived.hosts, filters.agent_id.as_deref()) {
        if is_older(&heap, count, host.last_seen) {
            continue;
        }
        let digest = digest(&source.name);
        for (pid, process) in processes(host, filters.pid) {
            for score in process.state.history() {
                if is_older(&heap, count, score.calculated_at) {
                    break;
                }
                let position = (score.calculated_at, digest, pid);
                if !fits(score) || before.is_some_and(|before| position >= before) {
                    continue;
                }
                let candidate =
                    Candidate { position, agent_id: source.name.clone(), score: *score };
                if heap.len() < count {
                    heap.push(Reverse(candidate));
                } else if let Some(mut oldest) = heap.peek_mut()
                    && oldest.0.position < position
                {
                    *oldest = Reverse(candidate);
                }
            }
        }
    }
    drop(derived);
    heap.into_sorted_vec().into_iter().map(|Reverse(candidate)| candidate).collect()
}

fn is_older(heap: &BinaryHeap<Reverse<Candidate>>, count: usize, moment: Timestamp) -> bool {
    heap.len() >= count && heap.peek().is_some_and(|oldest| moment < oldest.0.position.0)
}

/// The agents of the dialect, or the one that is asked for.
pub(super) fn agents<'a>(
    hosts: &'a std::collections::HashMap<Source, HostState>,
    agent_id: Option<&str>,
) -> Box<dyn Iterator<Item = (&'a Source, &'a HostState)> + 'a> {
    match agent_id {
        Some(agent_id) => {
            let source = Source::new(Source::SYSSCORE, agent_id);
            Box::new(hosts.get_key_value(&source).into_iter())
        }
        None => Box::new(hosts.iter().filter(|(source, _)| &*source.dialect == Source::SYSSCORE)),
    }
}

fn processes(
    host: &HostState,
    pid: Option<i64>,
) -> Box<dyn Iterator<Item = (i64, &crate::engine::ProcessScore)> + '_> {
    match pid {
        Some(pid) => Box::new(host.scores.get(&pid).map(|process| (pid, process)).into_iter()),
        None => Box::new(host.scores.iter().map(|(pid, process)| (*pid, process))),
    }
}

fn digest(agent_id: &str) -> u64 {
    let digest = sha256(agent_id.as_bytes());
    digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.position.cmp(&other.position)
    }
}
