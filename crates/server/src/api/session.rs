//! Signing in and out, and one's own password.

use super::body::{Json, json};
use super::caller::{Caller, Credential, cookie_name, csrf_key, is_https, session_of};
use super::password;
use super::problem::ApiError;
use super::role::{permission_names, wire_role};
use crate::accounts::{ADMIN, USERS, UserRecord};
use crate::engine::Writing;
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::extract::{ConnectInfo, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringwall_access::{AuditEntry, FoldedFailures, NewSession, Outcome, csrf_value, needs_rehash};
use ringwall_server_api::{
    OwnPasswordRequest, Problem, ProblemKind, SecretText, Session, SessionRequest,
};
use ringwall_signing::Secret;
use ringwall_store::{StateStore, StoreError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

const USER_CHARS_MAX: usize = 128;
const WRONG: &str = "wrong user or password";

pub(super) async fn sign_in(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    headers: HeaderMap,
    Json(request): Json<SessionRequest>,
) -> Result<Response, ApiError> {
    let address = address(&extensions);
    let user = request.user;
    if user.chars().count() > USER_CHARS_MAX {
        return Err(Problem::invalid_field("user", "is too long").into());
    }
    server.sign_in.limit.lock().begin(&user, address, server.now())?;
    let password = Secret::from(request.password.expose());
    // On a task of its own: who hangs up is checked and remembered all the same.
    let attempt = tokio::spawn(attempt(Arc::clone(&server), user.clone(), password, address));
    let opened = attempt.await.map_err(|error| ApiError::internal(&error))??;
    let Some(new) = opened else {
        return Err(ApiError::new(ProblemKind::Unauthenticated, WRONG));
    };
    server.sign_in.limit.lock().succeeded(&user, address, server.now());
    // The browser's session before this one has no cookie any more.
    if let Some(before) = session_of(&server, &headers, &extensions)
        && before.user == user
    {
        server.sign_in.close(|sessions| sessions.close(&before));
    }
    let body = Session {
        user,
        role: wire_role(new.session.role),
        permissions: permission_names(new.session.role.permissions()),
        csrf: SecretText::from(csrf_value(csrf_key(&server), &new.session)),
    };
    let mut response = json(StatusCode::OK, &body);
    let id = String::from_utf8_lossy(new.id.expose());
    let seconds = server.config.sign_in.session_seconds;
    set_cookie(&mut response, &id, seconds, is_https(&headers, &extensions))?;
    Ok(response)
}

/// Looks at the password, remembers the attempt, and opens the session where all is right.
async fn attempt(
    server: Arc<Server>,
    user: String,
    password: Secret,
    address: IpAddr,
) -> Result<Option<NewSession>, ApiError> {
    let record: Option<UserRecord> = {
        let user = user.clone();
        server.engine.read(move |session| session.document(USERS, &user)).await?
    };
    let hash = record.map(|record| record.password_hash);
    let is_right = password::is_right(&server, password.clone(), hash.clone()).await?;
    let fresh = match &hash {
        Some(hash) if is_right && needs_rehash(hash) => {
            Some(password::hash(&server, password).await?)
        }
        _ => None,
    };
    let random = random_bytes::<32>().map_err(|error| ApiError::internal(&error))?;
    let opener = Arc::clone(&server);
    // The user is looked at again in the transaction: between the two looks somebody may have
    // disabled them, or changed the password that was right.
    let job = move |writing: &mut Writing<'_>| -> Result<Option<NewSession>, StoreError> {
        let found: Option<UserRecord> = writing.session.document(USERS, &user)?;
        let found = found.filter(|found| is_right && Some(&found.password_hash) == hash.as_ref());
        let why = match &found {
            Some(found) if found.disabled => "user is disabled",
            Some(_) => "",
            None => WRONG,
        };
        let Some(mut found) = found.filter(|found| !found.disabled) else {
            if opener.sign_in.failed.lock().note(address, writing.now) {
                audit(writing, &user, "sign_in", address, Outcome::Refused, why)?;
            }
            return Ok(None);
        };
        audit(writing, &user, "sign_in", address, Outcome::Permitted, why)?;
        found.last_sign_in = Some(writing.now);
        if let Some(fresh) = fresh {
            found.password_hash = fresh;
        }
        writing.session.put_document(USERS, &user, &found)?;
        let mut sessions = opener.sign_in.sessions.lock();
        Ok(Some(sessions.open(&user, found.role, address, &random, writing.now)))
    };
    Ok(server.engine.write(job).await?)
}

pub(super) async fn show(State(server): State<Arc<Server>>, caller: Caller) -> Json<Session> {
    let csrf = match &caller.credential {
        Credential::Session(session) => csrf_value(csrf_key(&server), session),
        Credential::Token(_) => String::new(),
    };
    Json(Session {
        user: caller.name().to_owned(),
        role: wire_role(caller.role()),
        permissions: permission_names(caller.subject.permissions()),
        csrf: SecretText::from(csrf),
    })
}

pub(super) async fn sign_out(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, ApiError> {
    let Credential::Session(session) = &caller.credential else {
        let detail = "a token is not signed out; delete it instead";
        return Err(ApiError::new(ProblemKind::Conflict, detail));
    };
    server.sign_in.close(|sessions| sessions.close(session));
    let (user, address) = (session.user.clone(), address(&extensions));
    server
        .engine
        .write(move |writing| audit(writing, &user, "sign_out", address, Outcome::Permitted, ""))
        .await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0, is_https(&headers, &extensions))?;
    Ok(response)
}

/// One's own password. It needs the current one: an open browser is not its owner.
pub(super) async fn change_password(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    caller: Caller,
    Json(request): Json<OwnPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let Credential::Session(session) = &caller.credential else {
        let detail = "a token has no password; a person changes theirs when signed in";
        return Err(ApiError::new(ProblemKind::Conflict, detail));
    };
    let address = address(&extensions);
    let (session, user) = (session.clone(), session.user.clone());
    let (new, _) = password::new("new", Some(&request.new), &user)?;
    if request.new.expose() == request.current.expose() {
        return Err(Problem::invalid_field("new", "must be another than the current one").into());
    }
    server.sign_in.limit.lock().begin(&user, address, server.now())?;
    let current = Secret::from(request.current.expose());
    let changer = Arc::clone(&server);
    let attempt = tokio::spawn(async move {
        let server = changer;
        let record: Option<UserRecord> = {
            let user = user.clone();
            server.engine.read(move |session| session.document(USERS, &user)).await?
        };
        let hash = record.map(|record| record.password_hash);
        let is_right = password::is_right(&server, current, hash.clone()).await?;
        let fresh = if is_right { Some(password::hash(&server, new).await?) } else { None };
        let is_first = user == ADMIN;
        let keeper = Arc::clone(&server);
        let job = move |writing: &mut Writing<'_>| -> Result<bool, StoreError> {
            let found: Option<UserRecord> = writing.session.document(USERS, &user)?;
            let found = found.filter(|found| Some(&found.password_hash) == hash.as_ref());
            let (Some(mut found), Some(fresh)) = (found, fresh) else {
                if keeper.sign_in.failed.lock().note(address, writing.now) {
                    let why = "wrong current password";
                    audit(writing, &user, "change_password", address, Outcome::Refused, why)?;
                }
                return Ok(false);
            };
            audit(writing, &user, "change_password", address, Outcome::Permitted, "")?;
            found.password_hash = fresh;
            found.password_changed = Some(writing.now);
            writing.session.put_document(USERS, &user, &found)?;
            keeper.sign_in.close(|sessions| sessions.close_others_of(&session));
            Ok(true)
        };
        let is_changed = server.engine.write(job).await?;
        if is_changed && is_first {
            forget_first_password(&server).await;
        }
        Ok::<_, ApiError>(is_changed)
    });
    if !attempt.await.map_err(|error| ApiError::internal(&error))?? {
        return Err(Problem::invalid_field("current", "is not your password").into());
    }
    server.sign_in.limit.lock().succeeded(caller.name(), address, server.now());
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the first password out of the files it was told in: it may not be one any more. The next
/// start tries again where this fails.
pub(super) async fn forget_first_password(server: &Arc<Server>) {
    let server = Arc::clone(server);
    let forgotten = tokio::task::spawn_blocking(move || server.first_password.forget());
    match forgotten.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "first password still in its file");
        }
        Err(error) => tracing::error!(%error, "first password still in its file"),
    }
}

/// Writes down what of the failed attempts was not written one by one, once their minute is over.
pub(crate) async fn write_failed_sign_ins(server: &Server) {
    let due = server.sign_in.failed.lock().due(server.now());
    write_folded(server, due).await;
}

/// The same for all of them, as the server stops.
pub(crate) async fn write_rest_of_failed_sign_ins(server: &Server) {
    let rest = server.sign_in.failed.lock().rest();
    write_folded(server, rest).await;
}

async fn write_folded(server: &Server, folded: Option<FoldedFailures>) {
    let Some(FoldedFailures { count, last_address }) = folded else { return };
    let job = move |writing: &mut Writing<'_>| {
        let why = format!("{count} further attempts failed within a minute; this was the last");
        let place = last_address.to_string();
        let entry =
            AuditEntry::new(writing.now, "anybody", "sign_in", &place, Outcome::Refused, &why);
        writing.audit(&entry)
    };
    if let Err(error) = server.engine.write(job).await {
        tracing::warn!(%error, count, "failed attempts to sign in are not in the audit entries");
    }
}

fn audit(
    writing: &mut Writing<'_>,
    user: &str,
    action: &str,
    address: IpAddr,
    outcome: Outcome,
    why: &str,
) -> Result<(), StoreError> {
    let (actor, place) = (format!("user:{user}"), address.to_string());
    writing.audit(&AuditEntry::new(writing.now, &actor, action, &place, outcome, why))
}

/// Whose request it is. Without a listener (in tests) it comes from here.
pub(super) fn address(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip().to_canonical())
}

/// Over https the cookie is `Secure`, and its prefix keeps other hosts and plain http from planting
/// one.
fn set_cookie(
    response: &mut Response,
    id: &str,
    seconds: i64,
    is_https: bool,
) -> Result<(), ApiError> {
    let secure = if is_https { "; Secure" } else { "" };
    let name = cookie_name(is_https);
    let cookie =
        format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}
