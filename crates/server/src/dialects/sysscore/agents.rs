//! The register of agents: for people. It gives out no secrets, and no agent needs to be in it.

use super::refusal::Refusal;
use super::{json, json_array, operator};
use crate::body;
use crate::server::Server;
use crate::webhooks::{RegistrationError, can_be_posted_to, register_agent};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_access::Permission;
use ringwall_dialects::sysscore::{Agent, AgentRegistration, AgentWebhook, Problem};
use ringwall_event::Source;
use ringwall_store::{StateStore, StoreError};
use std::sync::Arc;

/// The kind under which registered agents are kept, by their id.
const REGISTERED: &str = "sysscore-agent";
const AGENTS_MAX: usize = 20_000;
const BODY_BYTES_MAX: usize = 128 << 10;

pub(super) async fn register(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let headers = request.headers().clone();
    operator::admit(&server, &headers, Permission::ChangeKeys).await?;
    let body = body::read(request.into_body(), BODY_BYTES_MAX).await?;
    let registration = AgentRegistration::read(&body)?;
    let id = registration.id.clone();
    let webhook = AgentWebhook::read(&registration.metadata)?;
    let mut by = String::new();
    if let Some(webhook) = &webhook {
        by = operator::admit(&server, &headers, Permission::ChangeWebhooks).await?;
        can_be_posted_to(&webhook.url).map_err(|why| webhook.refusal(&why))?;
    }
    let sealing = Arc::clone(&server);
    let registered = server
        .engine
        .write(move |writing| {
            let agents: Vec<(String, Agent)> = writing.session.documents(REGISTERED)?;
            if agents.iter().any(|(known, _)| **known == *registration.id) {
                return Ok(Err(Problem::agent_already_exists(&registration.id)));
            }
            if agents.len() >= AGENTS_MAX {
                return Ok(Err(Problem::TOO_MANY_AGENTS));
            }
            let agent = Agent::new(registration, writing.now);
            writing.session.put_document(REGISTERED, &agent.id, &agent)?;
            if let Some(webhook) = webhook {
                match register_agent(writing, &sealing.secrets, &agent.id, &webhook, &by) {
                    Ok(()) => {}
                    Err(RegistrationError::Store(error)) => return Err(error),
                    Err(RegistrationError::Sealing(why)) => {
                        return Err(StoreError::Unreadable { what: "webhook", why });
                    }
                }
            }
            Ok(Ok(agent))
        })
        .await?;
    let agent = seen(&server, registered?);
    tracing::info!(agent = ?id, "agent registered");
    Ok(json(StatusCode::CREATED, agent.to_row()))
}

/// By id.
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadHosts).await?;
    let agents: Vec<(String, Agent)> =
        server.engine.read(|session| session.documents(REGISTERED)).await?;
    let rows: Vec<String> =
        agents.into_iter().map(|(_, agent)| seen(&server, agent).to_row()).collect();
    Ok(json(StatusCode::OK, json_array(&rows)))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Path(agent_id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadHosts).await?;
    let id = agent_id.clone();
    let agent: Option<Agent> =
        server.engine.read(move |session| session.document(REGISTERED, &id)).await?;
    let agent = agent.ok_or_else(|| Problem::agent_not_found(&agent_id))?;
    Ok(json(StatusCode::OK, seen(&server, agent).to_row()))
}

/// With the time of the latest batch, which the register itself does not follow.
fn seen(server: &Server, mut agent: Agent) -> Agent {
    let source = Source::new(Source::SYSSCORE, &agent.id);
    if let Some(host) = server.engine.derived().hosts.get(&source) {
        agent.last_seen = agent.last_seen.max(host.last_seen);
    }
    agent
}
