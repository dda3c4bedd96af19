//! What host agents ask: to be rid of their events, and for commands. Every request is signed.

use super::agent_signature::{not_accepted, signed};
use super::body::{Json, must_be_json, must_be_json_maybe_packed, parse};
use super::problem::ApiError;
use super::query::{InPath, in_query, not_found};
use crate::engine::{IntakeBatch, LossCount, judged_result};
use crate::identities::NotAccepted;
use crate::server::Server;
use crate::unpack::unpack;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_event::{Activity, Command, CommandState, Event, EventId, Source};
use ringwall_server_api::{
    AgentReport, AgentReportAnswer, CommandOutcome, CommandPayload, CommandResult, Problem,
    SignedCommand, SignedCommands, WAIT_SECONDS_MAX,
};
use ringwall_signing::{canonical_json, sha256};
use ringwall_store::{StateStore, StoreError};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A command that was handed out is handed out again after this long, if no result came: the agent
/// may have been stopped in between, and knows a command by its id.
const LEASE_SECONDS: i64 = 30;
/// `spool_id` and `hostname` are names, not essays.
const NAME_BYTES_MAX: usize = 255;
const RESULT_CHARS_MAX: usize = 2000;

/// `POST /agent/reports`. The signature is over the body as it came, packed or not.
pub(super) async fn report(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<AgentReportAnswer>, ApiError> {
    let (parts, body) = signed(&server, request).await?;
    must_be_json_maybe_packed(&parts.headers)?;
    let body = unpack(&parts.headers, body, server.config.limits.body_bytes_max)?;
    let report: AgentReport = parse(&body)?;
    for (field, text) in [("spool_id", &report.spool_id), ("hostname", &report.hostname)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            let detail = format!("must have 1 to {NAME_BYTES_MAX} bytes");
            return Err(Problem::invalid_field(field, detail).into());
        }
    }
    if report.events.iter().any(|event| matches!(event.activity, Activity::EventsLost(_))) {
        let detail = "what was lost is concluded from `dropped_total`";
        return Err(Problem::invalid_field("events", detail).into());
    }
    let source = Source::new(Source::HOST_AGENT, &parts.agent);
    let mark = mark(&parts.agent, &report, &body);
    let received = server.now();
    let host: Box<str> = report.hostname.as_str().into();
    let losses = (report.dropped_total > 0).then(|| LossCount {
        spool_id: report.spool_id.as_str().into(),
        total: report.dropped_total,
        host: host.clone(),
    });
    let sent = report.events.len();
    let events = report
        .events
        .into_iter()
        .map(|mut event| {
            event.activity.shorten_texts();
            event
        })
        .map(|event| Event {
            id: EventId::default(),
            time: event.time,
            received,
            source: source.clone(),
            host: host.clone(),
            severity: event.severity.unwrap_or_default(),
            activity: event.activity,
            original: None,
        })
        .collect();
    let batch = IntakeBatch {
        source: Some(source),
        mark: Some(mark),
        events,
        bytes: body.len(),
        losses,
        ..IntakeBatch::default()
    };
    let taken = server.engine.take(batch).await?;
    let total = u64::try_from(sent).unwrap_or(u64::MAX);
    let duplicates = if taken.replayed {
        total
    } else {
        let count = taken.outcomes.iter().take(sent).filter(|outcome| outcome.duplicate).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    Ok(Json(AgentReportAnswer { accepted: total - duplicates, duplicates }))
}

/// What makes a report the same as an earlier one: sender, spool, number and content as it was before it
/// was packed.
fn mark(agent: &str, report: &AgentReport, body: &[u8]) -> [u8; 32] {
    let mut parts = b"ringwall-agent-report-v1".to_vec();
    for part in [agent.as_bytes(), report.spool_id.as_bytes()] {
        parts.push(0);
        parts.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        parts.extend(part);
    }
    parts.extend(report.sequence.to_be_bytes());
    parts.extend(sha256(body));
    sha256(&parts)
}

/// How long to hold the answer open, and who asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandsQuery {
    wait: Option<u64>,
    /// Drawn at the start of the agent.
    run: Option<String>,
    /// The digest that tells its machine from others.
    machine: Option<String>,
}

/// `GET /agent/commands`: answers when there is a command, or when the wait is over.
pub(super) async fn commands(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Json<SignedCommands>, ApiError> {
    let uri = request.uri().clone();
    let (parts, _) = signed(&server, request).await?;
    let query: CommandsQuery = in_query(&uri)?;
    let (run, machine) = (query.run.as_deref(), query.machine.as_deref());
    if let Some(evidence) = server.identities.evidence(&parts.agent, run, machine) {
        let (engine, now) = (&server.engine, server.now());
        let identities = &server.identities;
        identities.tell_of_clone(engine, &parts.agent, evidence, parts.address, now).await?;
    }
    let source = Source::new(Source::HOST_AGENT, &parts.agent);
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(WAIT_SECONDS_MAX));
    let deadline = Instant::now() + wait;
    let signal = server.engine.command_signal(&source);
    let mut shutdown = server.shutdown.clone();
    loop {
        // Listen before looking: a command that comes in between is not missed.
        let mut rings = std::pin::pin!(signal.notified());
        rings.as_mut().enable();
        // Whoever was shut out meanwhile gets no command any more.
        match server.identities.check(&parts.agent, &parts.key_id) {
            Ok(()) => {}
            // It asks again, with the key that it has by now.
            Err(NotAccepted::RetiredKey) => return Ok(Json(SignedCommands::default())),
            Err(error) => return Err(not_accepted(&parts.agent, error)),
        }
        let due = due(&server, &source).await?;
        let is_over = Instant::now() >= deadline || *shutdown.borrow();
        if !due.is_empty() || is_over {
            let commands =
                due.iter().map(|command| sign(&server, command)).collect::<Result<_, _>>()?;
            return Ok(Json(SignedCommands { commands }));
        }
        // A command that was handed out and never answered comes due without a ring.
        let look_again = deadline.min(Instant::now() + Duration::from_secs(5));
        tokio::select! {
            () = rings => {}
            () = tokio::time::sleep_until(look_again) => {}
            () = crate::listen::asked_to_stop(&mut shutdown) => {}
        }
    }
}

async fn due(server: &Server, source: &Source) -> Result<Vec<Command>, ApiError> {
    if !server.engine.derived().open_commands.contains(source) {
        return Ok(Vec::new());
    }
    let source = source.clone();
    Ok(server.engine.write(move |writing| writing.deliver(&source, LEASE_SECONDS)).await?)
}

/// The order as it is signed: bound to this host, this target and an end.
fn sign(server: &Server, command: &Command) -> Result<SignedCommand, ApiError> {
    let payload = CommandPayload {
        id: command.id.clone(),
        host: command.source.name.to_string(),
        order: command.order.clone(),
        reason: command.reason.clone(),
        issued: command.created,
        expires: command.expires,
    };
    let value = serde_json::to_value(&payload).map_err(|error| ApiError::internal(&error))?;
    let text = canonical_json(&value);
    Ok(SignedCommand {
        signature: server.secrets.signing_key().sign_command(text.as_bytes()),
        payload: STANDARD.encode(text),
    })
}

/// `POST /agent/commands/{id}/result`.
pub(super) async fn result(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (parts, body) = signed(&server, request).await?;
    must_be_json(&parts.headers)?;
    let report: CommandResult = parse(&body)?;
    if report.result.chars().count() > RESULT_CHARS_MAX {
        let detail = format!("must have at most {RESULT_CHARS_MAX} characters");
        return Err(Problem::invalid_field("result", detail).into());
    }
    let source = Source::new(Source::HOST_AGENT, &parts.agent);
    let state = match report.state {
        CommandOutcome::Succeeded => CommandState::Succeeded,
        CommandOutcome::Failed => CommandState::Failed,
    };
    let missing = not_found("command", &id);
    let is_known = server
        .engine
        .write(move |writing| {
            let known = writing.session.command(&id)?.filter(|known| known.source == source);
            let Some(known) = known else { return Ok::<_, StoreError>(false) };
            let (state, result) = judged_result(&known, state, report.result);
            // A command that has ended keeps its first result: the agent reports again where it did
            // not hear our answer.
            let actor = source.to_string();
            writing.finish_command(Some(&source), &id, state, &result, &actor)?;
            Ok(true)
        })
        .await?;
    if is_known { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}
