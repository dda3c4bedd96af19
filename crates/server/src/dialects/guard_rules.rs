//! `GET /api/v1/rules` and its stream: what guards of an application are told.

use super::guard::caller::project_of;
use crate::guard_rules::answering::{self, Asking};
use crate::server::Server;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
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

async fn poll(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    Ok(answering::poll(&server, &asking(&server, &headers)?).await)
}

async fn stream(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    Ok(answering::stream(&server, asking(&server, &headers)?).await)
}

/// Whose key it is. Who has none is answered without a body: agents take objects for rules.
fn asking(server: &Server, headers: &HeaderMap) -> Result<Asking, StatusCode> {
    let found = project_of(server, headers);
    let (project, key) = found.map_err(|refusal| refusal.into_response().status())?;
    Ok(Asking { project, key: key.to_vec().into() })
}
