//! `GET /api/v1/rules` and its stream: what guards of an application are told.

use crate::guard_rules::answering::{self, Asking};
use crate::server::Server;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// The two paths, and both once more doubled: agents up to 2.6 whose endpoint ends in `/api/v1` ask
/// there (guard contract, section 1).
pub(crate) fn routes() -> Router<Arc<Server>> {
    let mut router = Router::new();
    for prefix in ["/api/v1", "/api/v1/api/v1"] {
        router = router
            .route(&format!("{prefix}/rules"), get(poll))
            .route(&format!("{prefix}/rules/stream"), get(stream));
    }
    router
}

async fn poll(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    match authenticate(&server, &headers) {
        Ok(asking) => answering::poll(&server, &asking).await,
        Err(status) => status.into_response(),
    }
}

async fn stream(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    match authenticate(&server, &headers) {
        Ok(asking) => answering::stream(&server, asking).await,
        Err(status) => status.into_response(),
    }
}

/// Whose key it is. A project named beside it must be the key's own.
fn authenticate(server: &Server, headers: &HeaderMap) -> Result<Asking, StatusCode> {
    let key = key(headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let project =
        server.guard_projects().of_key(key, server.now()).ok_or(StatusCode::UNAUTHORIZED)?;
    match headers.get("x-project-id") {
        Some(named) if named.as_bytes() != project.name.as_bytes() => Err(StatusCode::FORBIDDEN),
        _ => Ok(Asking { project, key: key.to_vec().into() }),
    }
}

fn key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().as_bytes())
}
