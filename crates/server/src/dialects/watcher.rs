//! The Watcher server, as its agents and its UI know it.
//!
//! The same router stands at the root of its own port and under `/dialects/watcher`. These clients know
//! no credentials: whoever is admitted can report any process of any host, so [`exchange`] admits
//! this machine and configured addresses only, and a host that has an enrolled agent takes no orders
//! from here.

mod collect;
mod commands;
mod exchange;
mod reads;
mod refusal;
mod room;

#[cfg(test)]
mod tests;

use super::description::{self, json};
use crate::server::Server;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use refusal::Refusal;
use ringwall_dialects::watcher::{OPENAPI, health_body, root_body};
use ringwall_event::Source;
use room::Room;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The routes of the dialect, complete with their error answers.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let payloads = payloads_of_known_hosts(&server);
    let payloads = AtomicU64::new(payloads);
    let watcher = Arc::new(Watcher { server, payloads, room: Room::default() });
    Router::new()
        .route("/", get(root))
        .route("/health", get(health))
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .route("/redoc", get(docs))
        .route("/api/v1/collect", post(collect::collect))
        .route("/api/v1/commands", get(commands::poll))
        .route("/api/v1/dashboard/stats", get(reads::stats))
        .route("/api/v1/alerts", get(reads::alerts))
        .route("/api/v1/events", get(reads::events))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&watcher), exchange::exchange))
        .with_state(watcher)
}

/// What the handlers see.
struct Watcher {
    server: Arc<Server>,
    /// Payloads stored, of all hosts.
    payloads: AtomicU64,
    /// What all hosts together may occupy.
    room: Room,
}

fn payloads_of_known_hosts(server: &Server) -> u64 {
    let derived = server.engine.derived();
    derived.hosts.iter().filter(|(source, _)| is_watcher(source)).map(|(_, host)| host.events).sum()
}

fn is_watcher(source: &Source) -> bool {
    &*source.dialect == Source::WATCHER
}

async fn root(request: Request) -> Response {
    json(StatusCode::OK, root_body(description::prefix(&request)))
}

async fn health(State(watcher): State<Arc<Watcher>>) -> Response {
    json(StatusCode::OK, health_body(watcher.server.now()))
}

async fn openapi(request: Request) -> Result<Response, Refusal> {
    description::openapi(OPENAPI, description::prefix(&request)).map_err(Refusal::internal)
}

async fn docs() -> Result<Response, Refusal> {
    description::page(OPENAPI).map_err(Refusal::internal)
}

/// Everything has one address; one slash too many leads there, as in the framework.
async fn no_such_path(request: Request) -> Response {
    let name = request.uri().path().strip_suffix('/').and_then(|path| path.rsplit_once('/'));
    let Some((_, name)) = name.filter(|(folder, name)| is_route(folder, name)) else {
        return Refusal::Plain(StatusCode::NOT_FOUND, "Not Found").into_response();
    };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    match HeaderValue::try_from(format!("../{name}{query}")) {
        Ok(location) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        Err(_) => Refusal::Plain(StatusCode::NOT_FOUND, "Not Found").into_response(),
    }
}

fn is_route(folder: &str, name: &str) -> bool {
    match folder {
        "" => matches!(name, "health" | "docs" | "redoc" | "openapi.json"),
        "/api/v1" => matches!(name, "collect" | "commands" | "alerts" | "events"),
        "/api/v1/dashboard" => name == "stats",
        _ => false,
    }
}

async fn no_such_method() -> Refusal {
    Refusal::Plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
