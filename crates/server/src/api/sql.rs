//! `POST /query`: SQL over everything, run by a process of its own.

use super::body::Json;
use super::caller::Caller;
use super::hosts;
use super::problem::ApiError;
use super::scores;
use crate::guard::is_application;
use crate::listen::asked_to_stop;
use crate::query::{
    Failure, FailureCode, HostEntry, QueryRequest as Question, SQL_BYTES_MAX, ScoreEntry, Worker,
    WorkerError,
};
use crate::server::Server;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ringwall_access::{AuditEntry, Outcome, Permission};
use ringwall_event::Timestamp;
use ringwall_server_api::{
    Problem, ProblemKind, QueryAnswer, QueryDone, QueryFormat, QueryLine, QueryRequest,
};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A query as long as it may be, with each character escaped.
const BODY_BYTES_MAX: usize = 8 * SQL_BYTES_MAX;
/// An answer in one piece is at most this large.
const ANSWER_BYTES_MAX: usize = 32 << 20;
const ROWS_DEFAULT: u64 = 10_000;
const TIME_DEFAULT_MS: u64 = 30_000;
/// When it is worth asking again where all places are taken.
const RETRY_AFTER_SECONDS: u64 = 2;

pub(super) async fn run(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<QueryRequest, BODY_BYTES_MAX>,
) -> Result<Response, ApiError> {
    if request.sql.len() > SQL_BYTES_MAX {
        let detail = format!("longer than {SQL_BYTES_MAX} bytes");
        return Err(Problem::invalid_field("sql", detail).into());
    }
    let settings = &server.config.query;
    let row_limit = bounded("row_limit", request.row_limit, ROWS_DEFAULT, settings.rows_max)?;
    let time_max_ms = settings.time_seconds_max.saturating_mul(1000);
    let time_limit_ms =
        bounded("time_limit_ms", request.time_limit_ms, TIME_DEFAULT_MS, time_max_ms)?;
    let program = server
        .queries
        .program()
        .cloned()
        .ok_or_else(|| ApiError::internal(&"the program that runs queries is not known"))?;
    let place = server.queries.place().ok_or_else(|| {
        ApiError::new(ProblemKind::TooManyRequests, "other queries are running; try again soon")
            .after(RETRY_AFTER_SECONDS)
    })?;
    // Who asked what is written down before anything is read.
    let asked = AuditEntry::new(
        server.now(),
        &caller.subject.to_string(),
        "query",
        "events",
        Outcome::Permitted,
        &request.sql,
    );
    server.engine.write(move |writing| writing.audit(&asked)).await?;
    let hosts = if mentions(&request.sql, "hosts") && caller.subject.may(Permission::ReadHosts) {
        host_entries(&server).await?
    } else {
        Vec::new()
    };
    let scores = if mentions(&request.sql, "scores") && caller.subject.may(Permission::ReadScores) {
        score_entries(&server)
    } else {
        Vec::new()
    };
    let question = Question {
        data_dir: server.queries.data_dir().clone(),
        sql: request.sql,
        now: server.now().as_micros(),
        row_limit,
        time_limit_ms,
        memory_bytes_max: settings.memory_bytes_max,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        tables: tables(&caller),
        explain: request.explain,
        hosts,
        scores,
    };
    let worker = Worker::start(&program, &question).map_err(|error| ApiError::internal(&error))?;
    let answering = Answering { worker, server, _place: place };
    match request.format.unwrap_or_default() {
        QueryFormat::Ndjson => answering.stream().await,
        _ => answering.whole().await,
    }
}

fn bounded(name: &str, given: Option<u64>, default: u64, max: u64) -> Result<u64, ApiError> {
    match given {
        None => Ok(default.min(max)),
        Some(given) if (1..=max).contains(&given) => Ok(given),
        Some(_) => Err(Problem::invalid_field(name, format!("must be 1 to {max}")).into()),
    }
}

/// Which tables whoever asks may read elsewhere in the API, too.
fn tables(caller: &Caller) -> Vec<String> {
    [
        ("events", Permission::ReadEvents),
        ("alerts", Permission::ReadAlerts),
        ("commands", Permission::ReadCommands),
        ("scores", Permission::ReadScores),
        ("hosts", Permission::ReadHosts),
        ("audit", Permission::ReadAudit),
        ("deliveries", Permission::ReadWebhooks),
    ]
    .into_iter()
    .filter(|(_, permission)| caller.subject.may(*permission))
    .map(|(table, _)| table.to_owned())
    .collect()
}

/// Whether the name of a table stands in the query, be it in a text: then its rows go along.
fn mentions(sql: &str, table: &str) -> bool {
    sql.to_ascii_lowercase().contains(table)
}

async fn host_entries(server: &Server) -> Result<Vec<HostEntry>, ApiError> {
    let open_alerts = hosts::open_alerts(server).await?;
    let now = server.now();
    let derived = server.engine.derived();
    let rows = derived
        .hosts
        .iter()
        .filter(|(id, _)| !is_application(id))
        .map(|(id, host)| hosts::row(server, id, host, &open_alerts, now));
    Ok(rows
        .map(|row| HostEntry {
            id: row.id.to_string(),
            dialect: row.dialect,
            name: row.name,
            hostname: row.hostname,
            online: row.online,
            first_seen: row.first_seen.as_micros(),
            last_seen: row.last_seen.as_micros(),
            processes: row.processes,
            connections: row.connections,
            open_alerts: row.open_alerts,
            risk_max: row.risk_max,
            events: row.events,
            // Texts and numbers only: this cannot fail.
            system: serde_json::to_string(&row.system).unwrap_or_default(),
        })
        .collect())
}

fn score_entries(server: &Server) -> Vec<ScoreEntry> {
    let derived = server.engine.derived();
    scores::every(&derived)
        .map(|row| ScoreEntry {
            process_id: row.process_id,
            source: row.source.to_string(),
            host: row.host,
            process_pid: row.pid,
            process_name: row.name,
            process_created_time: row.start_time.map(Timestamp::as_micros),
            risk_score: row.risk_score,
            anomaly_score: row.anomaly_score,
            evidence_score: row.evidence_score,
            // Texts only: this cannot fail.
            reasons: serde_json::to_string(&row.reasons).unwrap_or_default(),
            calculated_at: row.calculated_at.as_micros(),
        })
        .collect()
}

/// A query whose answer is awaited. Dropping it ends the query.
struct Answering {
    worker: Worker,
    server: Arc<Server>,
    _place: OwnedSemaphorePermit,
}

impl Answering {
    /// The next line; an error where the server is asked to stop.
    async fn next(&mut self) -> Result<Option<Bytes>, WorkerError> {
        let mut shutdown = self.server.shutdown.clone();
        tokio::select! {
            line = self.worker.next() => line,
            () = asked_to_stop(&mut shutdown) => {
                let stopping = std::io::Error::other("the server stops");
                Err(WorkerError::BrokeOff(stopping))
            }
        }
    }

    /// Hands the lines on as they come. What goes wrong at once is a refusal.
    async fn stream(mut self) -> Result<Response, ApiError> {
        let first = self.next().await.map_err(|error| ApiError::internal(&error))?;
        let first = first.ok_or_else(|| ApiError::internal(&"a query said nothing"))?;
        if let Ok(QueryLineRef::Error(failure)) = serde_json::from_slice(&first) {
            return Err(refusal(&failure));
        }
        let lines =
            futures_util::stream::unfold((Some(self), Some(first)), |(answering, first)| async {
                if let Some(first) = first {
                    return Some((Ok(first), (answering, None)));
                }
                let mut answering = answering?;
                match answering.next().await {
                    Ok(Some(line)) => Some((Ok(line), (Some(answering), None))),
                    Ok(None) => None,
                    // The answer breaks off: a whole one would end with `done`.
                    Err(error) => Some((Err(std::io::Error::other(error)), (None, None))),
                }
            });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
            (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        ];
        Ok((headers, Body::from_stream(lines)).into_response())
    }

    /// Gathers the lines into one answer.
    async fn whole(mut self) -> Result<Response, ApiError> {
        let mut answer =
            QueryAnswer { columns: Vec::new(), rows: Vec::new(), done: QueryDone::default() };
        let mut bytes = 0;
        while let Some(line) = self.next().await.map_err(|error| ApiError::internal(&error))? {
            bytes += line.len();
            if bytes > ANSWER_BYTES_MAX {
                let detail = format!("the answer is larger than {ANSWER_BYTES_MAX} bytes");
                let problem = Problem::new(ProblemKind::InvalidRequest, detail)
                    .with_hint("ask with `\"format\": \"ndjson\"`, or for fewer rows");
                return Err(problem.into());
            }
            if let Ok(QueryLineRef::Error(failure)) = serde_json::from_slice(&line) {
                return Err(refusal(&failure));
            }
            match serde_json::from_slice(&line) {
                Ok(QueryLine::Columns(columns)) => answer.columns = columns,
                Ok(QueryLine::Rows(rows)) => answer.rows.extend(rows),
                Ok(QueryLine::Done(done)) => answer.done = done,
                Ok(_) => {}
                Err(error) => return Err(ApiError::internal(&error)),
            }
        }
        Ok(Json::<QueryAnswer>(answer).into_response())
    }
}

/// The lines that matter before they are handed on.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum QueryLineRef {
    Error(Failure),
}

fn refusal(failure: &Failure) -> ApiError {
    let kind = match failure.code {
        FailureCode::Denied => ProblemKind::Forbidden,
        FailureCode::Storage => ProblemKind::StorageUnavailable,
        FailureCode::Internal => return ApiError::internal(&failure.message),
        _ => ProblemKind::InvalidRequest,
    };
    let problem = Problem::new(kind, &failure.message);
    match &failure.hint {
        Some(hint) => problem.with_hint(hint).into(),
        None => problem.into(),
    }
}
