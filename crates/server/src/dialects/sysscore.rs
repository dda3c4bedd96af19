//! The SysScore platform API, as its agents and readers know it.
//!
//! The same router stands at the root of its own port and under `/dialects/sysscore`. What comes from
//! a sender is authenticated on its raw bytes before any of it is parsed.

mod agents;
mod allowed_origins;
mod documents;
mod events;
mod exchange;
mod intake;
mod operator;
mod processes;
mod query;
mod refusal;
mod scores;

#[cfg(test)]
mod tests;

pub(crate) use allowed_origins::AllowedOrigins;

use super::description::{json, prefix};
use crate::server::Server;
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use refusal::Refusal;
use std::sync::Arc;

/// The routes of the dialect, complete with their error answers.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(documents::root))
        .route("/health", get(documents::health))
        .route("/api/v1/openapi.json", get(documents::openapi))
        .route("/api/v1/docs", get(documents::docs))
        .route("/api/v1/redoc", get(documents::docs))
        .route("/api/v1/events", post(intake::post_events).get(events::list))
        .route("/api/v1/processes", get(processes::list))
        .route("/api/v1/processes/{process_id}", get(processes::show))
        .route("/api/v1/scores", get(scores::list))
        .route("/api/v1/scores:recalculate", post(scores::recalculate))
        // Some clients escape the colon.
        .route("/api/v1/scores%3Arecalculate", post(scores::recalculate))
        .route("/api/v1/scores%3arecalculate", post(scores::recalculate))
        .route("/api/v1/agents", post(agents::register).get(agents::list))
        .route("/api/v1/agents/{agent_id}", get(agents::show))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&server), exchange::exchange))
        .with_state(server)
}

/// Everything has one address; one slash too many leads there.
async fn no_such_path(request: Request) -> Response {
    let inner = request.uri().path();
    let Some(path) = inner.strip_suffix('/').filter(|path| is_route(path)) else {
        return Refusal::Plain(StatusCode::NOT_FOUND, "Not Found").into_response();
    };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let location = format!("{}{path}{query}", prefix(&request));
    match HeaderValue::try_from(location) {
        Ok(location) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        Err(_) => Refusal::Plain(StatusCode::NOT_FOUND, "Not Found").into_response(),
    }
}

async fn no_such_method() -> Refusal {
    Refusal::Plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

fn is_route(path: &str) -> bool {
    match path.strip_prefix("/api/v1/") {
        None => path == "/health",
        Some(
            "openapi.json" | "docs" | "redoc" | "events" | "processes" | "scores"
            | "scores:recalculate" | "agents",
        ) => true,
        Some(rest) => rest
            .strip_prefix("processes/")
            .or_else(|| rest.strip_prefix("agents/"))
            .is_some_and(|id| !id.is_empty() && !id.contains('/')),
    }
}

/// `[…]` of rows that are JSON text already.
fn json_array(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}
