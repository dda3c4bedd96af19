//! `GET /processes` and `GET /processes/{process_id}`.

use super::query::Parameters;
use super::refusal::Refusal;
use super::scores::agents;
use super::{json, operator};
use crate::server::Server;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_access::Permission;
use ringwall_dialects::sysscore::{Problem, ProcessRow, split_process_id};
use ringwall_event::Source;
use std::sync::Arc;

/// The original lists all; a list without pages needs an end.
const PROCESSES_MAX: usize = 20_000;

/// By agent and pid.
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadHosts).await?;
    let parameters = Parameters::read(request.uri());
    let derived = server.engine.derived();
    let mut hosts: Vec<_> = agents(&derived.hosts, parameters.text("agent_id")).collect();
    hosts.sort_by_key(|(source, _)| *source);
    let rows: Vec<ProcessRow<'_>> = hosts
        .into_iter()
        .flat_map(|(source, host)| {
            host.scores.iter().map(|(pid, process)| {
                ProcessRow::new(
                    &source.name,
                    *pid,
                    &process.name,
                    process.first_seen,
                    process.last_seen,
                )
            })
        })
        .take(PROCESSES_MAX)
        .collect();
    let body = serde_json::to_string(&rows).map_err(Refusal::internal)?;
    Ok(json(StatusCode::OK, body))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Path(process_id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadHosts).await?;
    let not_found = || Refusal::from(Problem::process_not_found(&process_id));
    let (agent_id, pid) = split_process_id(&process_id).ok_or_else(not_found)?;
    let source = Source::new(Source::SYSSCORE, agent_id);
    let derived = server.engine.derived();
    let process =
        derived.hosts.get(&source).and_then(|host| host.scores.get(&pid)).ok_or_else(not_found)?;
    let row = ProcessRow::new(agent_id, pid, &process.name, process.first_seen, process.last_seen);
    let body = serde_json::to_string(&row).map_err(Refusal::internal)?;
    Ok(json(StatusCode::OK, body))
}
