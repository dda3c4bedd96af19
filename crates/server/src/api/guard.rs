//! What every request passes: its correlation id, where it claims to go and to come from, and the
//! headers of every answer.

use super::problem::{ApiError, write_body};
use crate::secrets::random_bytes;
use crate::server::Server;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ringwall_dialects::sysscore::accept_correlation_id;
use ringwall_server_api::ProblemKind;
use std::net::IpAddr;
use std::sync::Arc;
use tracing::Instrument;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Answers of the API are data: a browser shall not show, run, frame or keep them. `Strict-Transport-Security`
/// is added by TLS listeners where the configuration asks for it.
const ANSWER_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) async fn run(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let began = std::time::Instant::now();
    let correlation_id = correlation_id(request.headers());
    let method = request.method().clone();
    let path: String = request.uri().path().to_owned();
    let span = tracing::info_span!("request", %correlation_id);
    let checked = check(&server, request.method(), request.uri(), request.headers());
    let response = match checked {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(error) => error.into_response(),
    };
    let mut response = write_body(response, &path, &correlation_id);
    let headers = response.headers_mut();
    for (name, value) in ANSWER_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        headers.insert(CORRELATION_ID, value);
    }
    let status = response.status().as_u16();
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(%method, path, status, micros, "answered"));
    response
}

/// The caller's id where it is harmless, else a new one.
fn correlation_id(headers: &HeaderMap) -> String {
    let given =
        headers.get(CORRELATION_ID).and_then(|value| accept_correlation_id(value.as_bytes()));
    match given {
        Some(given) => given.to_owned(),
        // Without randomness the answer goes out without an id that could find it.
        None => random_bytes::<16>()
            .map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes)))
            .unwrap_or_default(),
    }
}

fn check(server: &Server, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = host(uri, headers);
    let names = server.own_names();
    let bound = server.main_address.ip();
    if !host.as_ref().is_some_and(|host| is_own_name(host.host(), bound, &names)) {
        return Err(ApiError::new(
            ProblemKind::InvalidRequest,
            "the `Host` header does not name this server; further names are set in `server.host_names`",
        ));
    }
    if !method.is_safe() && !is_same_origin(headers, host.as_ref()) {
        return Err(ApiError::new(
            ProblemKind::Forbidden,
            "the request comes from a page of another origin",
        ));
    }
    Ok(())
}

/// Where the request claims to go; none where it does not say, or says two things.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok(),
        (None, _) => uri.authority().cloned(),
        (Some(_), Some(_)) => None,
    }
}

/// Whether a `Host` is this server's: a name of loopback, the address it is bound to, or one of
/// `names`.
///
/// Else a page whose own name was made to resolve to 127.0.0.1 (DNS rebinding) would be of the same
/// origin as this server, and could ask it anything.
fn is_own_name(host: &str, bound: IpAddr, names: &[String]) -> bool {
    let host = host.trim_end_matches('.');
    if host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
    {
        return true;
    }
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match literal.parse::<IpAddr>() {
        // Who knows an address is not led astray by a name.
        Ok(address) => address.is_loopback() || address == bound || bound.is_unspecified(),
        Err(_) => false,
    }
}

/// Whether a request that changes something comes from our own page, or from no page at all.
fn is_same_origin(headers: &HeaderMap, host: Option<&Authority>) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")))
        .and_then(|text| text.parse::<Authority>().ok());
    authority.is_some() && authority.as_ref() == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_answered() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let wide = IpAddr::from([192, 0, 2, 7]);
        for (host, bound, expected) in [
            ("localhost", loopback, true),
            ("LOCALHOST.", loopback, true),
            ("127.0.0.1", loopback, true),
            ("127.8.9.1", loopback, true),
            ("[::1]", loopback, true),
            ("evil.example", loopback, false),
            ("127.0.0.1.evil.example", loopback, false),
            ("localhost.evil.example", loopback, false),
            ("192.0.2.7", loopback, false),
            ("192.0.2.7", wide, true),
            ("192.0.2.8", wide, false),
            ("", loopback, false),
            ("Guard.Example", loopback, true),
            ("www.guard.example", loopback, false),
        ] {
            let names = ["guard.example".to_owned()];
            assert_eq!(is_own_name(host, bound, &names), expected, "host {host:?}");
        }
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        for (origin, site, expected) in [
            (None, None, true),
            (Some("http://127.0.0.1:7400"), None, true),
            (Some("http://127.0.0.1:7400"), Some("same-origin"), true),
            (Some("http://127.0.0.1:9000"), None, false),
            (Some("http://localhost:7400"), None, false),
            (Some("https://evil.example"), None, false),
            (Some("null"), None, false),
            (Some(""), None, false),
            (None, Some("cross-site"), false),
            (None, Some("same-site"), false),
            (None, Some("none"), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            let host = "127.0.0.1:7400".parse().unwrap();
            assert_eq!(
                is_same_origin(&headers, Some(&host)),
                expected,
                "origin {origin:?}, site {site:?}"
            );
        }
    }
}
