//! `GET /commands`: what a host shall carry out now.

use super::refusal::Refusal;
use super::{Watcher, json};
use crate::server::Server;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_dialects::validation::Fault;
use ringwall_dialects::watcher::write_commands;
use ringwall_event::{CommandState, Source};
use std::sync::Arc;

/// Gives each waiting command, and again after the lease while the host still reports its process: a
/// poll proves neither that the answer arrived nor that it was the host that asked.
pub(super) async fn poll(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
) -> Result<Response, Refusal> {
    let host = parameter(&request, "host")
        .ok_or_else(|| Refusal::parameter("host", &Fault::MISSING, None))?;
    let server = &watcher.server;
    let source = Source::new(Source::WATCHER, &host);
    // Most polls find nothing; these cost no write.
    if !server.engine.derived().open_commands.contains(&source) {
        return Ok(json(StatusCode::OK, "[]".to_owned()));
    }
    let is_enrolled = is_enrolled(server, &host);
    let commands = server
        .engine
        .write(move |writing| {
            if !is_enrolled {
                let lease_seconds = writing.rules.lease_seconds;
                return writing.deliver(&source, lease_seconds);
            }
            for command in writing.open_commands(&source)? {
                writing.finish_command(
                    Some(&source),
                    &command.id,
                    CommandState::Withdrawn,
                    "this host has an enrolled agent: orders go through that one",
                    "server",
                )?;
            }
            Ok(Vec::new())
        })
        .await?;
    Ok(json(StatusCode::OK, write_commands(&commands)))
}

/// Whether this host has an agent that proves who it is. Then nobody else is told what to do there.
fn is_enrolled(server: &Server, hostname: &str) -> bool {
    let enrolled = server.identities.enrolled();
    enrolled.contains_host(hostname)
        || server.engine.derived().host_agent_on(hostname, &enrolled).is_some()
}

/// The text of a query parameter, the last where it is repeated.
pub(super) fn parameter(request: &Request, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
    pairs.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}
