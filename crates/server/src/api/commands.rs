use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::engine::{NewCommand, Writing, route};
use crate::guard::is_application;
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, Permission};
use ringwall_event::{
    CommandAction, CommandState, Order, ProcessRef, ProcessTarget, QuarantineTarget, Source,
};
use ringwall_server_api::{CommandQuery, CommandRequest, CommandRow, Page, Problem, ProblemKind};
use ringwall_store::{CommandFilter, StateStore, StoreError};
use std::sync::Arc;

/// More than any system gives a process name.
const NAME_CHARS_MAX: usize = 255;
const REASON_CHARS_MAX: usize = 500;
/// Host agents take no command that is good for longer than a day.
const EXPIRES_SECONDS_MAX: u32 = 86_400;

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
    caller.must_still_be_valid(&server).await?;
    check(&request)?;
    let command = server
        .engine
        .write(move |writing| {
            let permission = match request.order.action() {
                CommandAction::CollectFile => Permission::CollectFiles,
                _ => Permission::OrderCommands,
            };
            let refuse = |error| Ok(Err(caller.without(permission, error)));
            let is_host = !is_application(&request.host);
            if !is_host || !writing.derived.hosts.contains_key(&request.host) {
                return refuse(not_found("host", &request.host.to_string()));
            }
            let (source, order) = match bind(writing, &request)? {
                Ok(bound) => bound,
                Err(detail) => return refuse(ApiError::new(ProblemKind::Conflict, detail)),
            };
            let new = NewCommand {
                source,
                order,
                reason: request.reason,
                alert: None,
                seconds: request.expires_in_seconds.map(i64::from),
            };
            let ordered = writing.order_command(&caller.subject, new)?;
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
    if let Some(target) = request.order.process()
        && (target.name.is_empty() || target.name.chars().count() > NAME_CHARS_MAX)
    {
        return bad("target/name", "must have 1 to 255 characters");
    }
    if request.reason.chars().count() > REASON_CHARS_MAX {
        return bad("reason", "must have at most 500 characters");
    }
    if request
        .expires_in_seconds
        .is_some_and(|seconds| !(1..=EXPIRES_SECONDS_MAX).contains(&seconds))
    {
        return bad("expires_in_seconds", "must be 1 to 86400");
    }
    Ok(())
}

/// Who shall do it, to what exactly; or why nobody can.
fn bind(
    writing: &Writing<'_>,
    request: &CommandRequest,
) -> Result<Result<(Source, Order), String>, StoreError> {
    let to_process = |make: fn(ProcessTarget) -> Order, target: &ProcessTarget| {
        let bound = bind_process(writing, &request.host, target);
        bound.map(|(source, target)| (source, make(target))).ok_or_else(|| {
            format!("no process `{}` with pid {} is seen there", target.name, target.pid)
        })
    };
    Ok(match &request.order {
        Order::KillProcess(target) => to_process(Order::KillProcess, target),
        Order::KillTree(target) => to_process(Order::KillTree, target),
        Order::StopProcess(target) => to_process(Order::StopProcess, target),
        Order::ContinueProcess(target) => to_process(Order::ContinueProcess, target),
        Order::RestoreFile(target) if !is_quarantined(writing, &request.host, target)? => {
            Err(format!("no file is in quarantine there as `{}`", target.quarantine_id))
        }
        order => Ok((request.host.clone(), order.clone())),
    })
}

/// Whether this host put a file away under this id, as far as the server knows.
fn is_quarantined(
    writing: &Writing<'_>,
    host: &Source,
    target: &QuarantineTarget,
) -> Result<bool, StoreError> {
    let command = writing.session.command(target.quarantine_id.as_str())?;
    Ok(command.is_some_and(|command| {
        command.source == *host
            && command.order.action() == CommandAction::QuarantineFile
            && command.state == CommandState::Succeeded
    }))
}

/// Who shall do it, to which process exactly. The start time comes from the picture of the host
/// where the request does not have it.
fn bind_process(
    writing: &Writing<'_>,
    host: &Source,
    target: &ProcessTarget,
) -> Option<(Source, ProcessTarget)> {
    let process =
        ProcessRef { pid: target.pid, start_time: target.start_time, name: target.name.clone() };
    let hostname = writing.derived.hosts.get(host)?.hostname.clone();
    let (source, target) = route(writing, host, &hostname, &process)?;
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
