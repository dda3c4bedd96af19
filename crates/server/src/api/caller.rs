//! Who asks: a token or a session, and whether they may.

use super::problem::ApiError;
use crate::accounts::TOKENS;
use crate::engine::OrderError;
use crate::listen::Encrypted;
use crate::server::Server;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use ringwall_access::{
    Permission, PresentedToken, Role, Session, Subject, TokenRecord, verify_csrf,
};
use ringwall_server_api::header::CSRF;
use ringwall_server_api::{Problem, ProblemKind, SESSION_COOKIE, SESSION_COOKIE_HTTPS};
use ringwall_signing::Secret;
use ringwall_store::{StateStore, StoreError};
use std::sync::Arc;

/// Cookies do not know ports: another server on this host may have planted some of the same name.
const SESSION_COOKIES_MAX: usize = 8;

/// Who may ask for something.
#[derive(Clone, Copy)]
pub(super) enum Who {
    /// Everybody.
    Anybody,
    /// Whoever has a token or a session.
    SignedIn,
    /// Whose role includes this.
    May(Permission),
}

/// Puts the check before the handlers.
pub(super) fn check(
    methods: MethodRouter<Arc<Server>>,
    who: Who,
    server: &Arc<Server>,
) -> MethodRouter<Arc<Server>> {
    match who {
        Who::Anybody => methods,
        Who::SignedIn => {
            methods.route_layer(from_fn_with_state((Arc::clone(server), None), check_request))
        }
        Who::May(permission) => methods
            .route_layer(from_fn_with_state((Arc::clone(server), Some(permission)), check_request)),
    }
}

async fn check_request(
    State((server, needed)): State<(Arc<Server>, Option<Permission>)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller =
        authenticate(&server, request.method(), request.headers(), request.extensions()).await?;
    if let Some(permission) = needed {
        caller.must(permission)?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Somebody whose credentials were checked.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Who they are to [`authorise`](ringwall_access::authorise).
    pub(super) subject: Subject,
    pub(super) credential: Credential,
}

/// What they came in with.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// A token, by its id.
    Token(String),
    /// A session.
    Session(Session),
}

impl Caller {
    /// Refuses what the role does not include.
    pub(super) fn must(&self, permission: Permission) -> Result<(), ApiError> {
        if self.subject.may(permission) {
            return Ok(());
        }
        let detail = format!("`{}` may not {permission}", self.subject);
        Err(ApiError::new(ProblemKind::Forbidden, detail))
    }

    /// What to answer where something is not there: whoever may not change it anyway is not told.
    pub(super) fn without(&self, permission: Permission, missing: ApiError) -> ApiError {
        self.must(permission).err().unwrap_or(missing)
    }

    /// What to answer where a kill was not ordered.
    pub(super) fn not_ordered(&self, error: OrderError) -> ApiError {
        match error {
            OrderError::AlreadyOrdered(_) => self.without(Permission::OrderCommands, error.into()),
            OrderError::Refused(_) => error.into(),
        }
    }

    /// The name without its kind.
    pub(super) fn name(&self) -> &str {
        match &self.subject {
            Subject::User { name, .. } | Subject::Token { name, .. } => name,
            _ => "",
        }
    }

    /// The role.
    pub(super) fn role(&self) -> Role {
        self.subject.role().unwrap_or(Role::ReadOnly)
    }

    /// Refuses whoever was shut out since the request began: its body may come slowly.
    pub(super) async fn must_still_be_valid(&self, server: &Server) -> Result<(), ApiError> {
        if self.is_still_valid(server).await {
            return Ok(());
        }
        Err(Problem::unauthenticated().into())
    }

    /// Whether the credential still opens: for answers that take long.
    pub(super) async fn is_still_valid(&self, server: &Server) -> bool {
        match &self.credential {
            Credential::Session(session) => {
                server.sign_in.sessions.lock().is_open(session, server.now())
            }
            Credential::Token(id) => {
                let record = token_record(server, id).await;
                let now = server.now();
                record.is_ok_and(|record| {
                    record.is_some_and(|record| record.expires.is_none_or(|end| now < end))
                })
            }
        }
    }
}

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = ApiError;

    /// Only [`check_request`] puts a caller there: a handler on a path without a check refuses.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Server>) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::unauthenticated().into())
    }
}

async fn authenticate(
    server: &Server,
    method: &Method,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, ApiError> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        // A header that is there must be right: falling back to a cookie would hide the mistake.
        let text = authorization.to_str().unwrap_or_default();
        return match (bearer(text), authorizations.next()) {
            (Some(token), None) => by_token(server, token).await,
            _ => Err(Problem::unauthenticated().into()),
        };
    }
    by_cookie(server, method, headers, is_https(headers, extensions))
}

/// The token of an `Authorization` header: the scheme is compared without regard to case (RFC 9110
/// §11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

async fn by_token(server: &Server, text: &str) -> Result<Caller, ApiError> {
    match check_token(server, text).await? {
        Some((id, subject)) => Ok(Caller { subject, credential: Credential::Token(id) }),
        None => Err(Problem::unauthenticated().into()),
    }
}

/// Who presents this token (`rwt_…`), for the dialects that take our tokens, too; none where it
/// opens nothing.
pub(crate) async fn token_subject(
    server: &Server,
    text: &str,
) -> Result<Option<Subject>, StoreError> {
    Ok(check_token(server, text).await?.map(|(_, subject)| subject))
}

async fn check_token(server: &Server, text: &str) -> Result<Option<(String, Subject)>, StoreError> {
    let Some(presented) = PresentedToken::parse(text) else { return Ok(None) };
    let Some(record) = token_record(server, presented.id()).await? else { return Ok(None) };
    let now = server.now();
    if let Err(error) = record.check(&presented, now) {
        tracing::debug!(token = %record.id, %error, "token refused");
        return Ok(None);
    }
    server.sign_in.tokens_used.lock().insert(record.id.clone(), now);
    let subject = record.subject();
    Ok(Some((record.id, subject)))
}

async fn token_record(server: &Server, id: &str) -> Result<Option<TokenRecord>, StoreError> {
    let id = id.to_owned();
    server.engine.read(move |session| session.document(TOKENS, &id)).await
}

/// Whether the browser speaks https: to us, or to a proxy that says so. Whoever lies about it only
/// gets a cookie of another name.
pub(super) fn is_https(headers: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Encrypted>().is_some()
        || headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
}

/// The name of the session's cookie.
pub(super) const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { SESSION_COOKIE_HTTPS } else { SESSION_COOKIE }
}

/// The session of a request's cookie, whatever the request does.
pub(super) fn session_of(
    server: &Server,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Option<Session> {
    find_session(server, headers, is_https(headers, extensions))
}

fn find_session(server: &Server, headers: &HeaderMap, is_https: bool) -> Option<Session> {
    let now = server.now();
    cookies(headers)
        .filter(|(name, _)| *name == cookie_name(is_https))
        .take(SESSION_COOKIES_MAX)
        .find_map(|(_, value)| server.sign_in.session(value, now).ok())
}

fn by_cookie(
    server: &Server,
    method: &Method,
    headers: &HeaderMap,
    is_https: bool,
) -> Result<Caller, ApiError> {
    let session = find_session(server, headers, is_https).ok_or_else(Problem::unauthenticated)?;
    // The browser sends the cookie with whatever page asks; only our page knows this value.
    if !method.is_safe() {
        let given = headers.get(CSRF).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !verify_csrf(csrf_key(server), &session, given) {
            let detail = format!("`{CSRF}` is missing or not this session's");
            return Err(ApiError::new(ProblemKind::CsrfMissing, detail));
        }
    }
    Ok(Caller { subject: session.subject(), credential: Credential::Session(session) })
}

/// The key that CSRF values are derived with.
pub(super) fn csrf_key(server: &Server) -> &Secret {
    server.secrets.session_key()
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}
