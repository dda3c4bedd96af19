//! How the dialects describe themselves: as OpenAPI for programs, as a page without scripts for people.

mod page;

use axum::extract::{OriginalUri, Request};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::Value;

/// The OpenAPI description of a dialect, its server where the dialect is mounted.
pub(super) fn openapi(description: &str, prefix: &str) -> serde_json::Result<Response> {
    let mut description: Value = serde_json::from_str(description)?;
    if !prefix.is_empty()
        && let Some(url) = description.pointer_mut("/servers/0/url")
    {
        *url = prefix.into();
    }
    Ok(json(StatusCode::OK, description.to_string()))
}

/// The same as a page.
pub(super) fn page(description: &str) -> serde_json::Result<Response> {
    let description: Value = serde_json::from_str(description)?;
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    let headers = [(header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, Html(page::render(&description))).into_response())
}

/// The part of the path that leads to the dialect: empty on its own port.
pub(super) fn prefix(request: &Request) -> &str {
    let (asked, inner) = (original_uri(request).path(), request.uri().path());
    // The root of a dialect is also found without the slash at the end of its prefix.
    let is_bare_prefix = inner == "/" && !asked.ends_with('/');
    if is_bare_prefix { asked } else { asked.strip_suffix(inner).unwrap_or_default() }
}

/// The address as it was asked for, with the prefix.
pub(super) fn original_uri(request: &Request) -> &Uri {
    request.extensions().get::<OriginalUri>().map_or_else(|| request.uri(), |uri| &uri.0)
}

/// An answer whose body is JSON text.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body)
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTIONS: [&str; 2] =
        [ringwall_dialects::sysscore::OPENAPI, ringwall_dialects::watcher::OPENAPI];

    #[test]
    fn every_reference_leads_somewhere() {
        for description in DESCRIPTIONS {
            let description: Value = serde_json::from_str(description).expect("JSON");
            let mut waiting = vec![&description];
            let mut found = 0;
            while let Some(value) = waiting.pop() {
                match value {
                    Value::Object(members) => {
                        if let Some(Value::String(target)) = members.get("$ref") {
                            let pointer = target.trim_start_matches('#');
                            assert!(description.pointer(pointer).is_some(), "{target}");
                            found += 1;
                        }
                        waiting.extend(members.values());
                    }
                    Value::Array(items) => waiting.extend(items),
                    _ => {}
                }
            }
            assert!(found > 10);
        }
    }

    #[test]
    fn the_page_is_self_contained_and_names_every_path() {
        for description in DESCRIPTIONS {
            let description: Value = serde_json::from_str(description).expect("JSON");
            let page = page::render(&description);
            for path in description["paths"].as_object().expect("paths").keys() {
                assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
            }
            for foreign in ["<script", "http://", "https://", "src="] {
                assert!(!page.contains(foreign), "{foreign}");
            }
        }
    }
}
