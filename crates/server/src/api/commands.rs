use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::engine::{KillOrder, Writing, route};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, Permission};
use ringwall_event::{CommandAction, CommandState, ProcessRef, Source, Target};
use ringwall_server_api::{CommandQuery, CommandRequest, CommandRow, Page, Problem, ProblemKind};
use ringwall_store::{CommandFilter, StateStore};
use std::sync::Arc;

/// More than any system gives a process name.
const NAME_CHARS_MAX: usize = 255;
const REASON_CHARS_MAX: usize = 500;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<CommandQuery>,
) -> Result<Json<Page<CommandRow>>, ApiError> {
    let purpose = (query.state, &query.host);
    let wanted: Wanted<'_, String> =
        Wanted::read(&server, "commands", &purpose, query.limit, query.cursor.as_deref())?;
    let filter = CommandFilter {
        state: query.state,
        source: query.host.map(|host| host.to_string()),
        alert: None,
    };
    let (before, fetch) = (wanted.after.clone(), wanted.fetch());
    let commands = server
        .engine
        .read(move |session| session.commands(&filter, before.as_deref(), fetch))
        .await?;
    let rows = commands.iter().map(CommandRow::from).collect();
    Ok(Json(wanted.page(rows, |row: &CommandRow| row.id.clone())?))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<CommandRow>, ApiError> {
    let missing = not_found("command", &id);
    let command = server.engine.read(move |session| session.command(&id)).await?;
    command.as_ref().map(|command| Json(CommandRow::from(command))).ok_or(missing)
}

pub(super) async fn order(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<CommandRequest>,
) -> Result<Response, ApiError> {
    check(&request)?;
    let command = server
        .engine
        .write(move |writing| {
            let refuse = |error| Ok(Err(caller.without(Permission::OrderCommands, error)));
            if !writing.derived.hosts.contains_key(&request.host) {
                return refuse(not_found("host", &request.host.to_string()));
            }
            let Some((source, target)) = bind(writing, &request) else {
                let detail =
                    format!("no process `{}` with pid {} is seen there", request.name, request.pid);
                return refuse(ApiError::new(ProblemKind::Conflict, detail));
            };
            let order = KillOrder { source, target, reason: request.reason, alert: None };
            let ordered = writing.order_kill(&caller.subject, order)?;
            Ok(ordered.map_err(|error| caller.not_ordered(error)))
        })
        .await??;
    Ok(json(StatusCode::ACCEPTED, &CommandRow::from(&command)))
}

pub(super) async fn withdraw(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<CommandRow>, ApiError> {
    let action = Change::WithdrawCommand { command: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let command = server
        .engine
        .write(move |writing| {
            let Some(command) = writing.session.command(&id)? else {
                return Ok(Err(not_found("command", &id)));
            };
            writing.audit(permit.audit_entry())?;
            let actor = caller.subject.to_string();
            let result = format!("withdrawn by {actor}");
            let state = CommandState::Withdrawn;
            let ended = writing.finish_command(None, &id, state, &result, &actor)?;
            Ok(ended.ok_or_else(|| {
                let detail = format!("the command has {} already", command.state.name());
                ApiError::new(ProblemKind::Conflict, detail)
            }))
        })
        .await??;
    Ok(Json(CommandRow::from(&command)))
}

fn check(request: &CommandRequest) -> Result<(), ApiError> {
    let bad = |field: &str, detail: &str| Err(Problem::invalid_field(field, detail).into());
    if request.action != CommandAction::KillProcess {
        return bad("action", "must be `kill_process`");
    }
    if request.name.is_empty() || request.name.chars().count() > NAME_CHARS_MAX {
        return bad("name", "must have 1 to 255 characters");
    }
    if request.reason.chars().count() > REASON_CHARS_MAX {
        return bad("reason", "must have at most 500 characters");
    }
    Ok(())
}

/// Who shall do it, to which process exactly. The start time comes from the picture of the host
/// where the request does not have it.
fn bind(writing: &Writing<'_>, request: &CommandRequest) -> Option<(Source, Target)> {
    let process = ProcessRef {
        pid: request.pid,
        start_time: request.start_time,
        name: request.name.as_str().into(),
    };
    let hostname = writing.derived.hosts.get(&request.host)?.hostname.clone();
    let (source, target) = route(writing, &request.host, &hostname, &process)?;
    if target.start_time.is_some() {
        return Some((source, target));
    }
    match writing.derived.bind(&source, target.pid, &target.name) {
        Some(bound) => Some((source, bound)),
        // Let `authorise` say what is wrong with a pid that no process can have.
        None if target.pid < 2 => Some((source, target)),
        None => None,
    }
}
