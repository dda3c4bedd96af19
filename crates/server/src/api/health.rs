use super::body::Json;
use crate::server::{Server, VERSION};
use axum::extract::State;
use ringwall_server_api::{Health, HealthStatus};
use std::sync::Arc;

pub(super) async fn show(State(server): State<Arc<Server>>) -> Json<Health> {
    let (queued, capacity) = server.engine.load();
    let can_read = server.engine.read(|_| Ok(())).await.is_ok();
    let problems = server.upkeep.problems();
    let is_well = can_read && queued < capacity && problems.is_empty();
    let status = if is_well { HealthStatus::Ok } else { HealthStatus::Degraded };
    Json(Health { status, version: VERSION.to_owned(), problems })
}
