//! What stands around every request: who is admitted, which web pages may read, one line in the log.

use super::Watcher;
use super::refusal::Refusal;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

pub(super) async fn exchange(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let settings = &watcher.server.config.dialects.watcher;
    let is_listed = |origin: &HeaderValue| {
        settings.cors_origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let mut response = if !peer.is_some_and(|peer| settings.admits(peer)) {
        Refusal::Plain(StatusCode::FORBIDDEN, "Clients of this address are not admitted")
            .into_response()
    } else if is_rebound(peer, request.headers()) {
        Refusal::Plain(StatusCode::FORBIDDEN, "This server does not go by that name")
            .into_response()
    } else if is_of_another_site(request.headers()) && !origin.as_ref().is_some_and(is_listed) {
        Refusal::Plain(StatusCode::FORBIDDEN, "Pages of other sites are not admitted")
            .into_response()
    } else if is_preflight(&request) {
        preflight(request.headers(), origin.as_ref().is_some_and(is_listed))
    } else {
        next.run(request).await
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if is_listed(&origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    tracing::debug!(
        ?peer,
        %method,
        path,
        status = response.status().as_u16(),
        latency_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        "watcher request"
    );
    response
}

/// Whether a browser says that a page of another site asks. It shows such a page no answer, but to ask
/// for commands is to take them: the agent would not get them.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// Whether a browser on this machine was led here by a public name that was made to point at it: to
/// the browser the page of that name would be of one origin with us. Names that are made locally have
/// no dot or a local ending, and programs ask for addresses.
fn is_rebound(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    const LOCAL_ENDINGS: [&str; 5] = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
    let Some(host) = headers.get(header::HOST) else { return false };
    let Ok(host) = host.to_str() else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.parse::<IpAddr>().is_ok() || name.starts_with('[');
    let is_local = !name.contains('.') || LOCAL_ENDINGS.iter().any(|end| name.ends_with(end));
    peer.is_some_and(|peer| peer.to_canonical().is_loopback()) && !is_address && !is_local
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(asked: &HeaderMap, is_listed: bool) -> Response {
    if !is_listed {
        return (StatusCode::BAD_REQUEST, "Disallowed CORS origin").into_response();
    }
    let mut response = (StatusCode::OK, "OK").into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        && wanted.len() <= 1024
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}
