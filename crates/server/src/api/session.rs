use super::body::{Json, json};
use super::caller::{Caller, Credential, cookie_name, csrf_key, is_https};
use super::problem::ApiError;
use super::role::{permission_names, wire_role};
use crate::accounts::{USERS, UserRecord};
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::extract::{ConnectInfo, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringwall_access::{AuditEntry, Outcome, csrf_value, verify_password};
use ringwall_server_api::{Problem, ProblemKind, SecretText, Session, SessionRequest};
use ringwall_signing::Secret;
use ringwall_store::StateStore;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// As long as a session can live: seven days.
const COOKIE_SECONDS: u64 = 7 * 86_400;
/// How long a sign-in waits for the ones before it.
const PASSWORD_WAIT: Duration = Duration::from_secs(5);
const USER_CHARS_MAX: usize = 128;

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
    let record: Option<UserRecord> = {
        let user = user.clone();
        server.engine.read(move |session| session.document(USERS, &user)).await?
    };
    let password = Secret::from(request.password.expose());
    // On a task of its own: who hangs up is checked and remembered all the same.
    let attempt = {
        let (server, user) = (Arc::clone(&server), user.clone());
        tokio::spawn(async move {
            let hash = record.as_ref().map(|record| record.password_hash.clone());
            let is_right = check_password(&server, password, hash).await?;
            let record = record.filter(|_| is_right);
            let outcome = if record.is_some() { Outcome::Permitted } else { Outcome::Refused };
            remember(&server, &user, "sign_in", address, outcome).await?;
            Ok::<_, ApiError>(record)
        })
    };
    let record = attempt.await.map_err(|error| ApiError::internal(&error))??;
    let Some(record) = record else {
        return Err(ApiError::new(ProblemKind::Unauthenticated, "wrong user or password"));
    };
    server.sign_in.limit.lock().succeeded(&user, address);
    let random = random_bytes::<32>().map_err(|error| ApiError::internal(&error))?;
    let new = server.sign_in.sessions.lock().open(&user, record.role, &random, server.now());
    let body = Session {
        user,
        role: wire_role(record.role),
        permissions: permission_names(record.role.permissions()),
        csrf: SecretText::from(csrf_value(csrf_key(&server), &new.session)),
    };
    let mut response = json(StatusCode::OK, &body);
    let id = String::from_utf8_lossy(new.id.expose());
    set_cookie(&mut response, &id, COOKIE_SECONDS, is_https(&headers, &extensions))?;
    Ok(response)
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
    server.sign_in.sessions.lock().close(session);
    remember(&server, &session.user, "sign_out", address(&extensions), Outcome::Permitted).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0, is_https(&headers, &extensions))?;
    Ok(response)
}

/// Hashes off the threads that serve requests, a few at a time.
async fn check_password(
    server: &Server,
    password: Secret,
    hash: Option<String>,
) -> Result<bool, ApiError> {
    let places = Arc::clone(&server.sign_in.passwords);
    let place = tokio::time::timeout(PASSWORD_WAIT, places.acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        return Err(ApiError::new(ProblemKind::Busy, "too many people sign in at once").after(1));
    };
    // The place is given back when the work is done, not when nobody waits for it any more.
    let work = move || {
        let is_right = verify_password(&password, hash.as_deref());
        drop(place);
        is_right
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))
}

async fn remember(
    server: &Server,
    user: &str,
    action: &str,
    address: IpAddr,
    outcome: Outcome,
) -> Result<(), ApiError> {
    let user = format!("user:{user}");
    let action = action.to_owned();
    let reason = match outcome {
        Outcome::Permitted => "",
        Outcome::Refused => "wrong user or password",
    };
    server
        .engine
        .write(move |writing| {
            let place = address.to_string();
            let entry = AuditEntry::new(writing.now, &user, &action, &place, outcome, reason);
            writing.audit(&entry)
        })
        .await?;
    Ok(())
}

/// Whose request it is. Without a listener (in tests) it comes from here.
pub(super) fn address(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip())
}

/// Over https the cookie is `Secure`, and its prefix keeps other hosts and plain http from planting
/// one.
fn set_cookie(
    response: &mut Response,
    id: &str,
    seconds: u64,
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
