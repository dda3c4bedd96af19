//! Bans: whom guarded applications do not let in.

use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::guard_rules::must_exist;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::guard_rules::bans::{BanError, NewBan, done_to};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_event::Network;
use ringwall_server_api::{
    BAN_SECONDS_MAX, BAN_SECONDS_MIN, GuardBanOrigin, GuardBanQuery, GuardBanRequest, GuardBanRow,
    GuardBanState, GuardLiftRequest, Page, Problem, ProblemKind,
};
use ringwall_store::{BanFilter, BanOrigin, GuardBan, GuardBanStore};
use std::sync::Arc;

const REASON_CHARS_MAX: usize = 500;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<GuardBanQuery>,
) -> Result<Json<Page<GuardBanRow>>, ApiError> {
    let state = query.state.unwrap_or_default();
    let wanted: Wanted<'_, String> = Wanted::read(
        &server,
        "guard_bans",
        &(state, &query.project),
        query.limit,
        query.cursor.as_deref(),
    )?;
    let active = match state {
        GuardBanState::Active => Some(true),
        GuardBanState::Ended => Some(false),
        GuardBanState::All => None,
    };
    let filter = BanFilter { active, project: query.project };
    let (before, fetch) = (wanted.after.clone(), wanted.fetch());
    let bans =
        server.engine.read(move |session| session.bans(&filter, before.as_deref(), fetch)).await?;
    let rows = bans.into_iter().map(row).collect();
    Ok(Json(wanted.page(rows, |row: &GuardBanRow| row.id.clone())?))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<GuardBanRow>, ApiError> {
    let missing = not_found("ban", &id);
    let ban = server.engine.read(move |session| session.ban(&id)).await?;
    ban.map(row).map(Json).ok_or(missing)
}

pub(super) async fn add(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<GuardBanRequest>,
) -> Result<Response, ApiError> {
    caller.must_still_be_valid(&server).await?;
    let reason = checked_reason(&request.reason)?;
    let address: Network = request.address.trim().parse().map_err(|_| {
        Problem::invalid_field("address", "must be an address or a network, as in 192.0.2.0/24")
    })?;
    if !(BAN_SECONDS_MIN..=BAN_SECONDS_MAX).contains(&request.seconds) {
        let detail = format!("must be {BAN_SECONDS_MIN} to {BAN_SECONDS_MAX}");
        return Err(Problem::invalid_field("seconds", detail).into());
    }
    if let Some(project) = &request.project {
        must_exist(&server, project)?;
    }
    let new = NewBan {
        address,
        project: request.project,
        seconds: request.seconds,
        reason,
        origin: BanOrigin::Person,
        hosts: request.hosts,
        alert: None,
        country: None,
        caused_by: None,
    };
    let subject = caller.subject;
    let ban = server.engine.write(move |writing| writing.ban_address(&subject, new)).await?;
    match ban {
        Ok(ban) => Ok(json(StatusCode::CREATED, &row(ban))),
        Err(error @ BanError::Refused(_)) => {
            Err(ApiError::new(ProblemKind::ActionRefused, error.to_string()))
        }
        Err(error) => Err(ApiError::new(ProblemKind::Conflict, error.to_string())),
    }
}

pub(super) async fn lift(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
    Json(request): Json<GuardLiftRequest>,
) -> Result<Json<GuardBanRow>, ApiError> {
    let reason = checked_reason(&request.reason)?;
    let known = id.clone();
    let ban = server.engine.read(move |session| session.ban(&known)).await?;
    let action = Change::LiftBan { ban: ban.as_ref().map_or_else(|| format!("ban {id}"), done_to) };
    let permit = permit(&server, &caller, &action, &reason).await?;
    let ban = server
        .engine
        .write(move |writing| {
            let lifted = match writing.lift_ban(&id, &caller.subject, &reason)? {
                None => return Ok(Err(not_found("ban", &id))),
                Some(lifted) => lifted,
            };
            Ok(match lifted {
                Ok(ban) => {
                    writing.audit(permit.audit_entry())?;
                    Ok(ban)
                }
                Err(ended) => {
                    let by = ended.ended_by.unwrap_or_default();
                    let detail = format!("the ban has ended already, by {by}");
                    Err(ApiError::new(ProblemKind::Conflict, detail))
                }
            })
        })
        .await??;
    Ok(Json(row(ban)))
}

fn checked_reason(reason: &str) -> Result<String, ApiError> {
    let reason = reason.trim();
    if reason.is_empty()
        || reason.chars().count() > REASON_CHARS_MAX
        || reason.contains(char::is_control)
    {
        let detail = format!("must have 1 to {REASON_CHARS_MAX} visible characters");
        return Err(Problem::invalid_field("reason", detail).into());
    }
    Ok(reason.to_owned())
}

fn row(ban: GuardBan) -> GuardBanRow {
    GuardBanRow {
        id: ban.id,
        address: ban.address,
        project: ban.project,
        reason: ban.reason,
        origin: match ban.origin {
            BanOrigin::Person => GuardBanOrigin::Person,
            BanOrigin::Alert => GuardBanOrigin::Alert,
            BanOrigin::App => GuardBanOrigin::App,
        },
        hosts: ban.hosts,
        created: ban.created,
        created_by: ban.created_by,
        expires: ban.expires,
        ended: ban.ended,
        ended_by: ban.ended_by,
        alert: ban.alert,
        country: ban.country,
    }
}
