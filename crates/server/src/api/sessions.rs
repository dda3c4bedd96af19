//! Who is signed in, and where: one's own sessions, and for those who may, everybody's.

use super::body::Json;
use super::caller::{Caller, Credential};
use super::decide::permit;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use ringwall_access::{AuditEntry, Change, Outcome, Permission, Session, Subject};
use ringwall_server_api::{Page, SessionQuery, SessionRow};
use std::sync::Arc;

/// Whose sessions are meant by everybody's.
const EVERYBODY: &str = "*";

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InQuery(query): InQuery<SessionQuery>,
) -> Result<Json<Page<SessionRow>>, ApiError> {
    let user = match query.user {
        None => own_name(&caller),
        Some(user) => {
            if own_name(&caller).as_deref() != Some(&user) {
                caller.must(Permission::ReadUsers)?;
            }
            Some(user)
        }
    };
    let sessions = server.sign_in.sessions.lock();
    let times = sessions.times();
    let rows = sessions
        .list(server.now())
        .into_iter()
        .filter(|session| {
            user.as_deref().is_some_and(|user| user == EVERYBODY || user == session.user)
        })
        .map(|session| SessionRow {
            id: session.public_id(),
            created: session.created,
            last_used: session.last_used,
            expires: session.ends(times),
            address: session.address.to_string(),
            current: own(&caller).is_some_and(|own| own.public_id() == session.public_id()),
            user: session.user,
        })
        .collect();
    Ok(Json(Page::whole(rows)))
}

/// Ends all of one's own sessions but the one that asks, or all of somebody else's.
pub(super) async fn end_all(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InQuery(query): InQuery<SessionQuery>,
) -> Result<StatusCode, ApiError> {
    let own_name = own_name(&caller);
    let user = query.user.filter(|user| own_name.as_deref() != Some(user));
    match (user, own(&caller)) {
        (None, Some(own)) => {
            let entry = entry_of(&caller, &server, "all others");
            server.sign_in.close(|sessions| sessions.close_others_of(own));
            server.engine.write(move |writing| writing.audit(&entry)).await?;
        }
        // A token has no sessions of its own: there is nothing to end.
        (None, None) => {}
        (Some(user), _) => {
            let action = Change::EndSessions { user: user.clone() };
            let permit = permit(&server, &caller, &action, "").await?;
            server.engine.write(move |writing| writing.audit(permit.audit_entry())).await?;
            server.sign_in.close(|sessions| {
                if user == EVERYBODY {
                    let all = sessions.list(server.now());
                    let kept = own(&caller).map(Session::public_id);
                    for session in all {
                        if kept.as_deref() != Some(&session.public_id()) {
                            sessions.close(&session);
                        }
                    }
                } else {
                    sessions.close_all_of(&user);
                }
            });
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn end(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || not_found("session", &id);
    let all = server.sign_in.sessions.lock().list(server.now());
    let found = all.into_iter().find(|session| session.public_id() == id);
    let session = found.ok_or_else(|| caller.without(Permission::ChangeUsers, missing()))?;
    let entry = if own_name(&caller).as_deref() == Some(&session.user) {
        entry_of(&caller, &server, &id)
    } else {
        let action = Change::EndSessions { user: session.user.clone() };
        permit(&server, &caller, &action, &id).await?.audit_entry().clone()
    };
    server.engine.write(move |writing| writing.audit(&entry)).await?;
    server.sign_in.close(|sessions| sessions.close(&session));
    Ok(StatusCode::NO_CONTENT)
}

/// Everybody may end their own.
fn entry_of(caller: &Caller, server: &Server, which: &str) -> AuditEntry {
    let actor = caller.subject.to_string();
    AuditEntry::new(server.now(), &actor, "end_sessions", which, Outcome::Permitted, "own")
}

fn own(caller: &Caller) -> Option<&Session> {
    match &caller.credential {
        Credential::Session(session) => Some(session),
        Credential::Token(_) => None,
    }
}

fn own_name(caller: &Caller) -> Option<String> {
    match &caller.subject {
        Subject::User { name, .. } => Some(name.clone()),
        _ => None,
    }
}
