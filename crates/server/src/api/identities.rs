//! The host agents that enrolled.

use super::body::{Json, JsonOrNothing};
use super::caller::Caller;
use super::decide::{audit, permit};
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::identities::IdentityFacts;
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use ringwall_access::{Change, IdentityState};
use ringwall_event::Source;
use ringwall_server_api::{
    self as wire, HostIdentity, IdentityReason, IdentityRow, Page, Problem, ProblemKind,
};
use std::sync::Arc;

const REASON_CHARS_MAX: usize = 500;
/// Of the digest that tells machines apart, people see the beginning.
const MACHINE_DIGITS_SHOWN: usize = 12;

pub(super) async fn list(State(server): State<Arc<Server>>) -> Json<Page<IdentityRow>> {
    Json(Page::whole(server.identities.list().into_iter().map(row).collect()))
}

pub(super) async fn revoke(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    JsonOrNothing(reason): JsonOrNothing<IdentityReason>,
) -> Result<Json<IdentityRow>, ApiError> {
    let reason = reason_text(reason)?;
    let action = Change::RevokeIdentity { name: name.clone() };
    let permit = permit(&server, &caller, &action, &reason).await?;
    let warning = (!reason.is_empty()).then_some(reason);
    let (engine, state) = (&server.engine, IdentityState::Revoked);
    let known = server.identities.set_state(engine, &name, state, warning, audit(permit)).await?;
    answer(&server, known, &name)
}

pub(super) async fn reinstate(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
    JsonOrNothing(reason): JsonOrNothing<IdentityReason>,
) -> Result<Json<IdentityRow>, ApiError> {
    let reason = reason_text(reason)?;
    let action = Change::ReinstateIdentity { name: name.clone() };
    let permit = permit(&server, &caller, &action, &reason).await?;
    let is_suspect = |facts: &IdentityFacts| {
        facts.record.state != IdentityState::Active || facts.record.warning.is_some()
    };
    if server.identities.find(&name).is_some_and(|facts| !is_suspect(&facts)) {
        let detail = format!("`{name}` is active, and nothing is held against it");
        return Err(ApiError::new(ProblemKind::Conflict, detail));
    }
    let (engine, state) = (&server.engine, IdentityState::Active);
    let known = server.identities.set_state(engine, &name, state, None, audit(permit)).await?;
    answer(&server, known, &name)
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(name): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let action = Change::ForgetIdentity { name: name.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed = server.identities.remove(&server.engine, &name, audit(permit)).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found("host agent", &name)) }
}

/// What a host says of its agent's identity.
pub(super) fn of_host(server: &Server, source: &Source) -> Option<HostIdentity> {
    if &*source.dialect != Source::HOST_AGENT {
        return None;
    }
    let facts = server.identities.find(&source.name)?;
    Some(HostIdentity {
        state: state(facts.record.state),
        key_id: facts.record.key.id(),
        enrolled: facts.record.enrolled,
    })
}

fn reason_text(reason: IdentityReason) -> Result<String, ApiError> {
    let reason = reason.reason.unwrap_or_default().trim().to_owned();
    if reason.chars().count() > REASON_CHARS_MAX || reason.contains(char::is_control) {
        let detail = format!("must be one line of at most {REASON_CHARS_MAX} characters");
        return Err(Problem::invalid_field("reason", detail).into());
    }
    Ok(reason)
}

fn answer(server: &Server, known: bool, name: &str) -> Result<Json<IdentityRow>, ApiError> {
    let facts = server.identities.find(name).filter(|_| known);
    facts.map(|facts| Json(row(facts))).ok_or_else(|| not_found("host agent", name))
}

fn row(facts: IdentityFacts) -> IdentityRow {
    let record = facts.record;
    IdentityRow {
        name: facts.name,
        key_id: record.key.id(),
        machine: record
            .machine
            .as_ref()
            .map(|machine| machine.chars().take(MACHINE_DIGITS_SHOWN).collect()),
        hostname: record.hostname.clone(),
        state: state(record.state),
        enrolled: record.enrolled,
        enrolled_by: record.enrolled_by.clone(),
        rotated: record.rotated,
        last_used: facts.last_used,
        address: facts.address.map(|address| address.to_string()),
        version: record.version.clone(),
        warning: record.warning.clone(),
    }
}

const fn state(state: IdentityState) -> wire::IdentityState {
    match state {
        IdentityState::Active => wire::IdentityState::Active,
        IdentityState::Revoked => wire::IdentityState::Revoked,
        IdentityState::Suspended => wire::IdentityState::Suspended,
    }
}
