//! What describes the dialect: the root, its health, OpenAPI, and a page for people.

mod page;

use super::exchange::prefix;
use super::json;
use super::refusal::Refusal;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ringwall_dialects::sysscore::OPENAPI;
use serde_json::Value;

pub(super) async fn root() -> Response {
    json(
        StatusCode::OK,
        r#"{"name":"SysScore Platform API","version":"1.0.0","docs":"/api/v1/docs","openapi":"/api/v1/openapi.json"}"#.to_owned(),
    )
}

pub(super) async fn health() -> Response {
    json(StatusCode::OK, r#"{"status":"healthy"}"#.to_owned())
}

pub(super) async fn openapi(request: Request) -> Result<Response, Refusal> {
    let mut description: Value = serde_json::from_str(OPENAPI).map_err(Refusal::internal)?;
    let prefix = prefix(&request);
    if !prefix.is_empty()
        && let Some(url) = description.pointer_mut("/servers/0/url")
    {
        *url = prefix.into();
    }
    Ok(json(StatusCode::OK, description.to_string()))
}

pub(super) async fn docs() -> Result<Response, Refusal> {
    let description: Value = serde_json::from_str(OPENAPI).map_err(Refusal::internal)?;
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    let headers = [(header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, Html(page::render(&description))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let description: Value = serde_json::from_str(OPENAPI).expect("JSON");
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
        assert!(found > 20);
    }

    #[test]
    fn the_page_is_self_contained_and_names_every_path() {
        let description: Value = serde_json::from_str(OPENAPI).expect("JSON");
        let page = page::render(&description);
        for path in description["paths"].as_object().expect("paths").keys() {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for foreign in ["<script", "http://", "https://", "src="] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
