//! `POST /api/v1/status`: how a guard is, as it says itself.

use super::batch_body;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::dialects::description::json;
use crate::engine::{Held, IntakeBatch};
use crate::guard::{AgentFacts, GuardReport};
use crate::server::Server;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_dialects::guard::Status;
use std::sync::Arc;

/// Takes a status. It is never encrypted, and clients keep none for later.
pub(super) async fn take(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&server, &parts)?;
    let job = |text: &[u8]| (Status::read(text), text.len());
    let looked = batch_body::read(&server, &caller, parts.headers, body, job).await?;
    let (status, bytes) = looked.found;
    let status = status.map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let project = &caller.project;
    let report = GuardReport {
        project: project.name.clone(),
        project_id: project.stored.id.clone(),
        sighting: caller.sighting(AgentFacts { status: Some(status), ..AgentFacts::default() }),
        metrics: Vec::new(),
        metrics_key: None,
        installs_max: server.config.guard.installs_per_key_max,
    };
    let batch = IntakeBatch {
        source: Some(project.source()),
        guard: Some(Box::new(report)),
        bytes,
        held: Held::new((caller, looked.room)),
        ..IntakeBatch::default()
    };
    server.engine.take(batch).await?;
    Ok(json(StatusCode::OK, r#"{"success":true,"errors":[]}"#.to_owned()))
}
