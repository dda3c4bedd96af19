//! A request's head as the engine sees it.

use crate::peer::{OverTls, peer};
use http::Version;
use http::header::HOST;
use http::request::Parts;
use http_body::SizeHint;
use ringwall_inspection::{BodySize, Headers, HttpVersion, RequestHead, Scheme};

/// Calls with the engine's view of the request.
pub(crate) fn with_head<T>(
    parts: &Parts,
    body: BodySize,
    call: impl FnOnce(&RequestHead<'_>) -> T,
) -> T {
    let mut pairs: Vec<(&str, &[u8])> = Vec::with_capacity(parts.headers.len() + 1);
    // HTTP/2 has the host in the target.
    if let (Some(authority), false) = (parts.uri.authority(), parts.headers.contains_key(HOST)) {
        pairs.push((HOST.as_str(), authority.as_str().as_bytes()));
    }
    pairs.extend(parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let uri = original_uri(parts);
    // What the target of HTTP/2 says of its scheme is the client's word.
    let is_tls = parts.extensions.get::<OverTls>().is_some();
    call(&RequestHead {
        method: parts.method.as_str(),
        path: uri.path(),
        query: uri.query(),
        version: match parts.version {
            Version::HTTP_09 | Version::HTTP_10 => HttpVersion::Http10,
            Version::HTTP_2 => HttpVersion::Http2,
            Version::HTTP_3 => HttpVersion::Http3,
            _ => HttpVersion::Http11,
        },
        scheme: if is_tls { Scheme::Https } else { Scheme::Http },
        peer: peer(&parts.extensions),
        headers: Headers::new(&pairs),
        body,
    })
}

/// How much body comes, as the carrier of the body tells.
pub(crate) fn body_size(is_end: bool, hint: &SizeHint) -> BodySize {
    match hint.exact() {
        _ if is_end => BodySize::Empty,
        Some(0) => BodySize::Empty,
        Some(bytes) => BodySize::Exact(bytes),
        None => BodySize::Unknown,
    }
}

/// The target as the client sent it: a router that nests others hands on a part of it.
#[cfg(feature = "axum")]
fn original_uri(parts: &Parts) -> &http::Uri {
    parts.extensions.get::<axum::extract::OriginalUri>().map_or(&parts.uri, |original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original_uri(parts: &Parts) -> &http::Uri {
    &parts.uri
}
