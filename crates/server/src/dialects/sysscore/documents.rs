//! What describes the dialect: the root, its health, OpenAPI, and a page for people.

use super::json;
use super::refusal::Refusal;
use crate::dialects::description;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use ringwall_dialects::sysscore::OPENAPI;

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
    description::openapi(OPENAPI, description::prefix(&request)).map_err(Refusal::internal)
}

pub(super) async fn docs() -> Result<Response, Refusal> {
    description::page(OPENAPI).map_err(Refusal::internal)
}
