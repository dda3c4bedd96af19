//! gRPC: how a call is told from other requests, and the guard's own answer as its clients understand it.
//!
//! A client of gRPC reads `grpc-status`, and makes of any other answer what it thinks best. So the guard
//! answers a call with nothing but headers, as a server does that has no message to send ("Trailers-Only" in
//! the protocol of gRPC over HTTP/2); those of gRPC-Web read the same.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, RETRY_AFTER,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use ringwall_inspection::Reply;
use std::fmt::Write;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// For clients that try again by themselves.
const PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// No message of an application's check is told any further, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

const MEDIA_TYPE: &[u8] = b"application/grpc";
const WEB_MEDIA_TYPE: &[u8] = b"application/grpc-web";

/// The media type of a call; none where the request is another.
pub(crate) fn media_type(head: &Parts) -> Option<&HeaderValue> {
    let value = head.headers.get(CONTENT_TYPE).filter(|_| head.method == Method::POST)?;
    let (start, rest) = value.as_bytes().split_at_checked(MEDIA_TYPE.len())?;
    // `application/grpc+proto`, `application/grpc-web-text`, `application/grpc; charset=…`.
    let is_grpc = start.eq_ignore_ascii_case(MEDIA_TYPE)
        && matches!(rest.first(), None | Some(b'+' | b'-' | b';' | b' '));
    is_grpc.then_some(value)
}

/// The head of the answer: the reply's own headers are still to come.
pub(crate) fn answer<B>(reply: &Reply, media_type: &HeaderValue, body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type.clone());
    headers.insert(STATUS, HeaderValue::from(code(reply.status)));
    let phrase = || StatusCode::from_u16(reply.status).ok()?.canonical_reason();
    let text = if reply.body.is_empty() { phrase().unwrap_or_default() } else { &reply.body };
    if let Ok(message) = HeaderValue::from_maybe_shared(Bytes::from(percent_encoded(text))) {
        headers.insert(MESSAGE, message);
    }
    let asked =
        reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(RETRY_AFTER.as_str()));
    if let Some(seconds) = asked.and_then(|(_, seconds)| seconds.parse::<u32>().ok()) {
        headers.insert(PUSHBACK_MS, HeaderValue::from(u64::from(seconds) * 1000));
    }
    response
}

/// Lets the script of another origin, which may read the answer, read of its headers what the call came to: the
/// client of gRPC-Web in a browser is such a script. An answer of the application has it in the body.
pub(crate) fn expose(headers: &mut HeaderMap, media_type: &HeaderValue) {
    let start = media_type.as_bytes().get(..WEB_MEDIA_TYPE.len());
    let is_web = start.is_some_and(|start| start.eq_ignore_ascii_case(WEB_MEDIA_TYPE));
    if !is_web || !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    let exposed = headers.get(ACCESS_CONTROL_EXPOSE_HEADERS).and_then(|value| value.to_str().ok());
    let names = match exposed {
        Some(exposed) => format!("{exposed}, {STATUS}, {MESSAGE}"),
        None => format!("{STATUS}, {MESSAGE}"),
    };
    if let Ok(names) = HeaderValue::from_str(&names) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
    }
}

/// The code of gRPC for a status of HTTP: what the call would have ended with, had the application refused it
/// for the same reason.
const fn code(status: u16) -> u16 {
    match status {
        // Invalid argument.
        400 => 3,
        // Deadline exceeded.
        408 | 504 => 4,
        404 => 5,
        // Permission denied.
        403 => 7,
        // Resource exhausted.
        413 | 429 => 8,
        // Failed precondition: TLS is required, or what a check demands.
        300..=399 | 412 => 9,
        // Unimplemented: a media type or an encoding that is not taken.
        415 | 501 => 12,
        // Internal.
        500 => 13,
        // Unavailable.
        502 | 503 => 14,
        // Unauthenticated.
        401 => 16,
        // Unknown.
        _ => 2,
    }
}

/// Everything but printable ASCII as `%XX`, and `%` itself.
fn percent_encoded(text: &str) -> String {
    let text = text.get(..text.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or_default();
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else if write!(encoded, "%{byte:02X}").is_err() {
            // Writing into a string does not fail.
            break;
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_method_and_media_type() {
        let check = |method: &str, value: &str, expected: bool| {
            let request = http::Request::builder().method(method).header("content-type", value);
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(media_type(&head).is_some(), expected, "{method} {value}");
        };
        check("POST", "application/grpc", true);
        check("POST", "Application/gRPC+proto", true);
        check("POST", "application/grpc-web-text", true);
        check("POST", "application/grpc;x=y", true);
        check("GET", "application/grpc", false);
        check("POST", "application/grpcs", false);
        check("POST", "application/json", false);
    }

    #[test]
    fn the_answer_has_nothing_but_headers() {
        let reply = Reply::new(429, "50 % too many\n").header("retry-after", "7");
        let response = answer(&reply, &HeaderValue::from_static("application/grpc+proto"), ());
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!(header("content-type"), "application/grpc+proto");
        assert_eq!(header("grpc-status"), "8");
        assert_eq!(header("grpc-message"), "50 %25 too many%0A");
        assert_eq!(header("grpc-retry-pushback-ms"), "7000");
        let redirect =
            answer(&Reply::new(301, ""), &HeaderValue::from_static("application/grpc"), ());
        assert_eq!(redirect.headers()["grpc-status"], "9");
        assert_eq!(redirect.headers()["grpc-message"], "Moved Permanently");
    }

    /// Browsers hid it, so that a client of another origin saw a call without an end.
    #[test]
    fn a_browser_may_read_the_status_where_it_may_read_the_answer() {
        let check = |media_type: &'static str,
                     headers: &[(&'static str, &'static str)],
                     expected: Option<&str>| {
            let pairs = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            let mut headers: HeaderMap = pairs.collect();
            expose(&mut headers, &HeaderValue::from_static(media_type));
            let exposed = headers.get("access-control-expose-headers");
            assert_eq!(exposed.map(|value| value.to_str().unwrap()), expected, "{media_type}");
        };
        const ALLOWED: (&str, &str) = ("access-control-allow-origin", "https://shop.example");
        const EXPOSED: (&str, &str) = ("access-control-expose-headers", "x-request-id");
        let names = "grpc-status, grpc-message";
        check("application/grpc-web+proto", &[ALLOWED], Some(names));
        check("Application/gRPC-Web-Text", &[ALLOWED], Some(names));
        let both = format!("x-request-id, {names}");
        check("application/grpc-web", &[ALLOWED, EXPOSED], Some(&both));
        check("application/grpc-web", &[], None);
        check("application/grpc+proto", &[ALLOWED], None);
    }
}
