//! The description of this API: for programs as OpenAPI, for people as a page without scripts.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_signing::sha256;
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| {
    // Texts, numbers and lists only: this cannot fail, as the test sees.
    Bytes::from(serde_json::to_vec(&ringwall_server_api::openapi()).unwrap_or_default())
});

static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let document: Value = serde_json::from_slice(&OPENAPI).unwrap_or_default();
    Bytes::from(render(&document))
});

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:60rem;margin:2rem auto;padding:0 1rem}\
h2{margin-top:2.5rem}\
section{border-top:1px solid #8886;padding:.75rem 0}\
h3{font:600 1rem ui-monospace,monospace;margin:0;overflow-wrap:anywhere}\
h3 b{display:inline-block;min-width:4.5rem}\
p{margin:.25rem 0;white-space:pre-line}\
table{border-collapse:collapse;margin:.5rem 0}\
td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:left;vertical-align:top}\
code{font:.9em ui-monospace,monospace}";

pub(super) async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], Body::from(OPENAPI.clone())).into_response()
}

pub(super) async fn page() -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        STANDARD.encode(sha256(STYLE.as_bytes()))
    );
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = ([(header::CONTENT_TYPE, html)], Body::from(PAGE.clone())).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn render(document: &Value) -> String {
    let info = document.get("info").unwrap_or(&Value::Null);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content=\"width=device-width\"><title>Ringwall API</title><style>{STYLE}</style>\
         <h1>Ringwall API <small>{}</small></h1><p>{}</p>\
         <p>For programs: <a href=openapi.json>openapi.json</a></p>",
        text(info, "version"),
        text(info, "description"),
    );
    for tag in list(document, "tags") {
        let name = tag.get("name").and_then(Value::as_str).unwrap_or_default();
        push(
            &mut page,
            format_args!("<h2>{}</h2><p>{}</p>", escape(name), text(tag, "description")),
        );
        for (path, method, operation) in operations(document) {
            if list(operation, "tags").any(|tag| tag.as_str() == Some(name)) {
                render_operation(&mut page, path, method, operation);
            }
        }
    }
    page.push_str("</html>\n");
    page
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods
            .filter(|(_, operation)| operation.get("responses").is_some())
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn render_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    push(
        page,
        format_args!(
            "<section><h3><b>{}</b> {}</h3><p>{}</p><p>{}</p>",
            escape(&method.to_uppercase()),
            escape(path),
            text(operation, "summary"),
            text(operation, "description"),
        ),
    );
    let mut parameters = list(operation, "parameters").peekable();
    if parameters.peek().is_some() {
        page.push_str("<table><tr><th>parameter<th>in<th>meaning");
        for parameter in parameters {
            push(
                page,
                format_args!(
                    "<tr><td><code>{}</code><td>{}<td>{}",
                    text(parameter, "name"),
                    text(parameter, "in"),
                    text(parameter, "description"),
                ),
            );
        }
        page.push_str("</table>");
    }
    if let Some(body) = operation.get("requestBody") {
        push(page, format_args!("<p>Body: <code>{}</code></p>", escape(&schema_name(body))));
    }
    page.push_str("<table><tr><th>status<th>body<th>meaning");
    for (status, answer) in
        operation.get("responses").and_then(Value::as_object).into_iter().flatten()
    {
        push(
            page,
            format_args!(
                "<tr><td>{}<td><code>{}</code><td>{}",
                escape(status),
                escape(&schema_name(answer)),
                text(answer, "description"),
            ),
        );
    }
    page.push_str("</table></section>");
}

/// The name of the schema of a body.
fn schema_name(body: &Value) -> String {
    let content = body.get("content").and_then(Value::as_object).into_iter().flatten();
    content
        .filter_map(|(media_type, content)| {
            let reference = content.pointer("/schema/$ref").and_then(Value::as_str);
            match reference {
                Some(reference) => reference.rsplit('/').next().map(str::to_owned),
                None => Some(media_type.clone()),
            }
        })
        .collect::<Vec<_>>()
        .join(" or ")
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    escape(value.get(key).and_then(Value::as_str).unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    #[expect(clippy::expect_used, reason = "a string takes whatever is written to it")]
    page.write_fmt(text).expect("a string takes whatever is written to it");
}
