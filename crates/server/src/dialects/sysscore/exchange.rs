//! What every answer of the dialect has: correlation id, time taken, cross-origin permission, and
//! problems with the address that was asked for.

use super::refusal::Unfinished;
use crate::dialects::description::original_uri;
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use ringwall_dialects::sysscore::accept_correlation_id;
use std::sync::Arc;
use std::time::Instant;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");

/// Wraps the whole router, its error answers included.
pub(super) async fn exchange(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let correlation_id = correlation_id(request.headers());
    let method = request.method().clone();
    let uri = original_uri(&request).clone();
    let host = request.headers().get(header::HOST).cloned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let permitted = origin.as_ref().map(|origin| server.sysscore_origins.answer(origin));

    let mut response = match &permitted {
        Some(None) if is_preflight(&request) => {
            (StatusCode::BAD_REQUEST, "Disallowed CORS origin").into_response()
        }
        Some(_) if is_preflight(&request) => preflight(&request),
        _ => next.run(request).await,
    };

    if let Some(unfinished) = response.extensions_mut().remove::<Unfinished>() {
        if let Some(reason) = &unfinished.reason {
            tracing::error!(%correlation_id, %method, reason, "request failed");
        }
        let instance = instance(&server, host.as_ref(), &uri);
        finish(&mut response, &unfinished, &instance, &correlation_id);
    }
    let is_refused = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if is_refused {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(Some(permitted)) = permitted {
        permit_origin(headers, permitted);
    }
    if server.sysscore_origins.depends_on_origin() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Ok(value) = HeaderValue::try_from(correlation_id.as_str()) {
        headers.insert(CORRELATION_ID, value);
    }
    let taken = start.elapsed();
    if let Ok(value) = HeaderValue::try_from(format!("{:.2}ms", taken.as_secs_f64() * 1e3)) {
        headers.insert(RESPONSE_TIME, value);
    }
    tracing::debug!(
        %method,
        path = uri.path(),
        status = response.status().as_u16(),
        latency_us = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX),
        %correlation_id,
        "sysscore request"
    );
    response
}

/// The caller's, where it is fit to be repeated, else a random UUID (RFC 9562 §5.4).
fn correlation_id(headers: &HeaderMap) -> String {
    let callers =
        headers.get(CORRELATION_ID).and_then(|value| accept_correlation_id(value.as_bytes()));
    if let Some(callers) = callers {
        return callers.to_owned();
    }
    // Without randomness requests cannot be told apart in the log; nothing else depends on it.
    let number = u128::from_be_bytes(random_bytes::<16>().unwrap_or_default());
    let number = (number & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let mut text = format!("{number:032x}");
    for position in [20, 16, 12, 8] {
        text.insert(position, '-');
    }
    text
}

/// The absolute address with its query.
fn instance(server: &Server, host: Option<&HeaderValue>, uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    match host.and_then(|host| host.to_str().ok()) {
        Some(host) => format!("http://{host}{path}"),
        None => format!("http://{}{path}", server.main_address),
    }
}

fn finish(response: &mut Response, unfinished: &Unfinished, instance: &str, correlation_id: &str) {
    *response.body_mut() = Body::from(unfinished.problem.to_body(instance, correlation_id));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = unfinished.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(request: &Request) -> Response {
    let mut response = (StatusCode::OK, "OK").into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, OPTIONS"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.insert(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    // `*` would not cover `Authorization`.
    if let Some(wanted) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        && wanted.len() <= 1024
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

/// Any page may ask, or those that are listed, as with the original; unlike there without the visitor's
/// credentials: who reads must have a token of their own.
fn permit_origin(headers: &mut HeaderMap, permitted: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, permitted);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("X-Correlation-ID, X-Response-Time, Retry-After"),
    );
}
