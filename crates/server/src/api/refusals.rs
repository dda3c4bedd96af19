//! What host agents tell of commands that they did not believe.

use super::agent_signature::signed;
use super::body::{must_be_json, parse};
use super::problem::ApiError;
use crate::server::Server;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use ringwall_event::Source;
use ringwall_server_api::{CommandRefusals, Problem};
use std::sync::Arc;

const REFUSALS_MAX: usize = 16;
const COMMAND_CHARS_MAX: usize = 64;
const DETAIL_CHARS_MAX: usize = 500;

/// `POST /agent/refusals`.
pub(super) async fn take(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (agent, body) = signed(&server, request).await?;
    must_be_json(&agent.headers)?;
    let CommandRefusals { refusals } = parse(&body)?;
    if refusals.len() > REFUSALS_MAX {
        let detail = format!("must have at most {REFUSALS_MAX} items");
        return Err(Problem::invalid_field("refusals", detail).into());
    }
    for refusal in &refusals {
        let command = refusal.command.as_deref().unwrap_or_default();
        if command.chars().count() > COMMAND_CHARS_MAX
            || refusal.detail.chars().count() > DETAIL_CHARS_MAX
        {
            let detail = "`command` must have at most 64 and `detail` at most 500 characters";
            return Err(Problem::invalid_field("refusals", detail).into());
        }
    }
    tracing::warn!(agent = %agent.agent, reasons = refusals.len(), "a host agent refused commands");
    let source = Source::new(Source::HOST_AGENT, &agent.agent);
    server.engine.write(move |writing| writing.commands_refused(&source, &refusals)).await?;
    Ok(StatusCode::NO_CONTENT)
}
