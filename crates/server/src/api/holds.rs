use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_server_api::{HoldRequest, HoldRow, Page, Problem, ProblemKind};
use ringwall_store::{HOLDS_MAX, HoldAdded, LegalHold};
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 128;
const REASON_CHARS_MAX: usize = 500;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<HoldRow>>, ApiError> {
    let holds = server.engine.read(|session| session.holds()).await?;
    Ok(Json(Page::whole(holds.into_iter().map(row).collect())))
}

pub(super) async fn add(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<HoldRequest>,
) -> Result<Response, ApiError> {
    let name = one_line("name", &request.name, NAME_CHARS_MAX)?;
    let reason = one_line("reason", &request.reason, REASON_CHARS_MAX)?;
    if let (Some(since), Some(until)) = (request.since, request.until)
        && until <= since
    {
        return Err(Problem::invalid_field("until", "must be after `since`").into());
    }
    let action = Change::AddHold { name: name.clone() };
    let permit = permit(&server, &caller, &action, &reason).await?;
    let hold = LegalHold {
        name,
        source: request.source,
        since: request.since,
        until: request.until,
        reason,
        created_by: permit.audit_entry().actor.clone(),
        created: server.now(),
    };
    let answer = row(hold.clone());
    server
        .engine
        .write(move |writing| {
            let conflict = |detail| Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            match writing.session.add_hold(&hold)? {
                HoldAdded::Added => {}
                HoldAdded::NameTaken => {
                    return conflict(format!("there is a hold `{}` already", hold.name));
                }
                HoldAdded::TooMany => {
                    return conflict(format!("there are {HOLDS_MAX} holds already; lift some"));
                }
            }
            writing.audit(permit.audit_entry())?;
            Ok(Ok(()))
        })
        .await??;
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = not_found("hold", &name);
    let action = Change::RemoveHold { name: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            writing.session.remove_hold(&name)
        })
        .await?;
    if removed.is_some() { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}

fn one_line(field: &str, text: &str, chars_max: usize) -> Result<String, ApiError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > chars_max || text.contains(char::is_control) {
        let detail = format!("must have 1 to {chars_max} visible characters");
        return Err(Problem::invalid_field(field, detail).into());
    }
    Ok(text.to_owned())
}

fn row(hold: LegalHold) -> HoldRow {
    HoldRow {
        name: hold.name,
        source: hold.source,
        since: hold.since,
        until: hold.until,
        reason: hold.reason,
        created_by: hold.created_by,
        created: hold.created,
    }
}
