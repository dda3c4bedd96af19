use super::body::{Json, JsonOrNothing, json};
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, event_id, not_found};
use crate::engine::{NewCommand, StreamItem, route};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::{Change, Permission};
use ringwall_event::{Alert, AlertState, EventId, Order};
use ringwall_server_api::{
    AlertQuery, AlertRow, CommandRow, KillRequest, NOTE_CHARS_MAX, NoteRequest, Page, Problem,
    ProblemKind,
};
use ringwall_store::{AlertFilter, CommandFilter, Session, StateStore, StoreError};
use std::sync::Arc;

/// How many of its commands an alert shows.
const COMMANDS_SHOWN: usize = 10;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<AlertQuery>,
) -> Result<Json<Page<AlertRow>>, ApiError> {
    let purpose = (query.state, query.severity, &query.host);
    let wanted: Wanted<'_, EventId> =
        Wanted::read(&server, "alerts", &purpose, query.limit, query.cursor.as_deref())?;
    let filter = AlertFilter {
        state: query.state,
        severity: query.severity,
        source: query.host.map(|host| host.to_string()),
    };
    let (before, fetch) = (wanted.after, wanted.fetch());
    let rows = server.engine.read(move |session| rows(session, &filter, before, fetch)).await?;
    Ok(Json(wanted.page(rows, |row| row.id)?))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(text): InPath<String>,
) -> Result<Json<AlertRow>, ApiError> {
    let id = event_id("alert", &text)?;
    let found = server
        .engine
        .read(move |session| {
            let Some((alert, _)) = session.alert(id)? else { return Ok(None) };
            row(session, &alert).map(Some)
        })
        .await?;
    found.map(Json).ok_or_else(|| not_found("alert", &text))
}

pub(super) async fn acknowledge(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(text): InPath<String>,
    JsonOrNothing(request): JsonOrNothing<NoteRequest>,
) -> Result<Json<AlertRow>, ApiError> {
    let id = event_id("alert", &text)?;
    let action = Change::AcknowledgeAlert { alert: id };
    change(&server, &caller, id, &text, request, action, |alert| match alert.state {
        AlertState::Resolved => Err("the alert is resolved already"),
        AlertState::Open | AlertState::Acknowledged => {
            alert.state = AlertState::Acknowledged;
            Ok(())
        }
    })
    .await
}

pub(super) async fn resolve(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(text): InPath<String>,
    JsonOrNothing(request): JsonOrNothing<NoteRequest>,
) -> Result<Json<AlertRow>, ApiError> {
    let id = event_id("alert", &text)?;
    let action = Change::ResolveAlert { alert: id };
    change(&server, &caller, id, &text, request, action, |alert| {
        alert.state = AlertState::Resolved;
        Ok(())
    })
    .await
}

pub(super) async fn kill(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(text): InPath<String>,
    JsonOrNothing(request): JsonOrNothing<KillRequest>,
) -> Result<Response, ApiError> {
    caller.must_still_be_valid(&server).await?;
    let id = event_id("alert", &text)?;
    let command = server
        .engine
        .write(move |writing| {
            let refuse = |error| Ok(Err(caller.without(Permission::OrderCommands, error)));
            let Some((alert, _)) = writing.session.alert(id)? else {
                return refuse(not_found("alert", &text));
            };
            let Some(process) = &alert.process else {
                return refuse(conflict("the alert is not about a process"));
            };
            let Some((source, target)) = route(writing, &alert.source, &alert.host, process) else {
                return refuse(conflict("the host agent of this host does not see this process"));
            };
            let reason = request.reason.filter(|reason| !reason.trim().is_empty());
            let new = NewCommand {
                source,
                order: Order::KillProcess(target),
                reason: reason.unwrap_or_else(|| alert.title.clone()),
                alert: Some(id),
                seconds: None,
            };
            let ordered = writing.order_command(&caller.subject, new)?;
            if ordered.is_ok() {
                writing.publish(StreamItem::Alert(Arc::new(alert)));
            }
            Ok(ordered.map_err(|error| caller.not_ordered(error)))
        })
        .await??;
    Ok(json(StatusCode::ACCEPTED, &CommandRow::from(&command)))
}

/// Changes an alert, if the caller may, with one audit entry either way.
async fn change(
    server: &Server,
    caller: &Caller,
    id: EventId,
    text: &str,
    request: NoteRequest,
    action: Change,
    apply: impl FnOnce(&mut Alert) -> Result<(), &'static str> + Send + 'static,
) -> Result<Json<AlertRow>, ApiError> {
    let note = request.note;
    if note.as_ref().is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX) {
        let detail = format!("must be at most {NOTE_CHARS_MAX} characters");
        return Err(Problem::invalid_field("note", detail).into());
    }
    let missing = not_found("alert", text);
    let permit = permit(server, caller, &action, note.as_deref().unwrap_or_default()).await?;
    let row = server
        .engine
        .write(move |writing| {
            let Some((mut alert, entity)) = writing.session.alert(id)? else {
                return Ok(Err(missing));
            };
            writing.audit(permit.audit_entry())?;
            if let Err(detail) = apply(&mut alert) {
                return Ok(Err(conflict(detail)));
            }
            if let Some(note) = note {
                alert.note = Some(note).filter(|note| !note.trim().is_empty());
            }
            writing.session.put_alert(&alert, &entity)?;
            let row = row(writing.session, &alert)?;
            writing.publish(StreamItem::Alert(Arc::new(alert)));
            Ok(Ok(row))
        })
        .await??;
    Ok(Json(row))
}

fn conflict(detail: &str) -> ApiError {
    ApiError::new(ProblemKind::Conflict, detail)
}

/// Alerts with their commands, newest first.
pub(super) fn rows(
    session: &Session<'_>,
    filter: &AlertFilter,
    before: Option<EventId>,
    limit: usize,
) -> Result<Vec<AlertRow>, StoreError> {
    session.alerts(filter, before, limit)?.iter().map(|alert| row(session, alert)).collect()
}

/// An alert with its commands.
pub(super) fn row(session: &Session<'_>, alert: &Alert) -> Result<AlertRow, StoreError> {
    let filter = CommandFilter { alert: Some(alert.id), ..CommandFilter::default() };
    let commands = session.commands(&filter, None, COMMANDS_SHOWN)?;
    Ok(AlertRow::new(alert, commands.iter().map(CommandRow::from).collect()))
}
