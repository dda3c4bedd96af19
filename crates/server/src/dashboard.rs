//! The built dashboard, served from memory.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};

/// Name below `dashboard/dist`, and content.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Ringwall</title>\
<p>This program was built without its dashboard. Run <code>./x build</code>, \
which builds the dashboard first.</p>";

/// Nothing from elsewhere, nothing inline but styles that components set.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Answers a request for a page or an asset. A page of the dashboard's own routing is `index.html`.
pub(crate) async fn serve(uri: Uri, headers: HeaderMap) -> Response<Body> {
    let name = uri.path().trim_start_matches('/');
    let found = find(name);
    let (name, content) = match found {
        Some(file) => file,
        // A missing asset is missing; anything else is a route inside the dashboard.
        None if name.starts_with("assets/") => return plain(StatusCode::NOT_FOUND, "not found"),
        None => find("index.html").unwrap_or(("index.html", NOT_BUILT.as_bytes())),
    };
    let immutable = name.starts_with("assets/");
    let tag = format!("\"{}\"", &ringwall_signing::sha256_hex(content)[..32]);
    let mut response =
        if headers.get(header::IF_NONE_MATCH).is_some_and(|have| have == tag.as_str()) {
            plain(StatusCode::NOT_MODIFIED, "")
        } else {
            Response::new(Body::from(content))
        };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    out.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(if immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        out.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn find(name: &str) -> Option<(&'static str, &'static [u8])> {
    FILES.iter().find(|(file, _)| *file == name).copied()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
