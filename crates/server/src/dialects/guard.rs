//! What the guards of web applications speak: the Python guard agents from 0.0.1 on, and our own layer.
//!
//! The router stands under `/dialects/guard` alone: the clients' endpoint takes a path. What an answer
//! does to a client is in its contract, section 1.5: a batch of which anything can be kept is answered
//! `200`, "not now" is 503, "too much" is 413, a wrong key 401 or 403. Nothing else goes to a right
//! client: several versions throw away what is answered 400, 404 or 422.

mod batch_body;
pub(super) mod caller;
mod intake;
mod refusal;
mod status;
mod unpack;

#[cfg(test)]
mod tests;

use crate::server::Server;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use refusal::Refusal;
use std::sync::Arc;

/// The routes of the dialect. Clients up to 2.6 add the version to an endpoint that has it already, so
/// everything stands there a second time.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let routes = Router::new()
        .route("/events", post(intake::events))
        .route("/metrics", post(intake::metrics))
        .route("/events/encrypted", post(intake::encrypted))
        .route("/status", post(status::take));
    Router::new()
        .nest("/api/v1/api/v1", routes.clone())
        .nest("/api/v1", routes)
        .merge(super::guard_rules::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(server)
}

async fn no_such_path(request: Request) -> Response {
    tracing::debug!(path = request.uri().path(), "no such path of the guard dialect");
    Refusal::NoSuchPath.into_response()
}

async fn no_such_method() -> Response {
    Refusal::Plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").into_response()
}
