//! Where alerts are told.

use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::deliveries::row as delivery_row;
use super::problem::ApiError;
use super::query::{InPath, not_found};
use crate::server::Server;
use crate::webhooks::{
    AddressRules, NewWebhook, StoredWebhook, TEST, TargetUrl, Webhook, WebhookFormat, fresh_id,
    test_body,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_event::{Finding, Source};
use ringwall_server_api::{
    self as wire, DeliveryCounts, Page, Problem, ProblemKind, ReplayAnswer, SecretText,
    WebhookChange, WebhookCreated, WebhookRequest, WebhookRow, WebhookSecret,
};
use ringwall_signing::Secret;
use ringwall_store::{OutboxStore, StoreError};
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 128;
/// More than anybody keeps track of. Those of agents' registrations are bounded by the agents.
const WEBHOOKS_MAX: usize = 500;
const SOURCES_MAX: usize = 1000;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
) -> Result<Json<Page<WebhookRow>>, ApiError> {
    let counts = server.engine.read(|session| session.delivery_counts()).await?;
    let rows = server.webhooks().all();
    let rows = rows.iter().map(|webhook| row(webhook, counts.get(&webhook.id).copied()));
    Ok(Json(Page::whole(rows.collect())))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<WebhookRow>, ApiError> {
    let webhook = server.webhooks().webhook(&id).ok_or_else(|| not_found("webhook", &id))?;
    let counts = server.engine.read(move |session| session.delivery_counts_of(&id)).await?;
    Ok(Json(row(&webhook, Some(counts))))
}

pub(super) async fn create(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Json(request): Json<WebhookRequest>,
) -> Result<Response, ApiError> {
    let name = checked_name(&request.name)?;
    check_findings(&request.findings)?;
    check_sources(&request.sources)?;
    check_url(&server, request.url.expose())?;
    let permit = permit(&server, &caller, &Change::AddWebhook { name: name.clone() }, "").await?;
    let id = fresh_id().map_err(|error| ApiError::internal(&error))?;
    let format = match request.format {
        wire::WebhookFormat::Standard => WebhookFormat::Standard,
        wire::WebhookFormat::SysScore => WebhookFormat::SysScore,
    };
    // The receivers of the SysScore form know this one, where there is one.
    let shared = server.webhooks().settings().sysscore.shared_secret.clone();
    let uses_shared = format == WebhookFormat::SysScore && shared.is_some();
    let new = NewWebhook {
        name,
        format,
        min_severity: request.min_severity,
        findings: request.findings,
        sources: request.sources,
        enabled: request.enabled,
        agent: None,
        threshold: None,
        created: server.now(),
        created_by: caller.subject.to_string(),
    };
    let (stored, secret) =
        StoredWebhook::new(&server.secrets, &id, new, request.url.expose(), uses_shared)
            .map_err(|error| ApiError::internal(&error))?;
    let webhook = open(&server, &id, &stored)?;
    let answer = WebhookCreated {
        id,
        secret: secret.as_ref().map(told).transpose()?,
        webhook: row(&webhook, None),
    };
    server
        .engine
        .write(move |writing| {
            let known = writing.stored_webhooks()?;
            let of_people = known.iter().filter(|(_, webhook)| webhook.agent.is_none()).count();
            if of_people >= WEBHOOKS_MAX {
                let detail = format!("there are {WEBHOOKS_MAX} webhooks already; remove some");
                return Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            }
            if known.iter().any(|(_, webhook)| webhook.name == stored.name) {
                return Ok(Err(name_taken(&stored.name)));
            }
            writing.audit(permit.audit_entry())?;
            writing.put_webhook(webhook)?;
            Ok(Ok(()))
        })
        .await??;
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) async fn change(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
    Json(request): Json<WebhookChange>,
) -> Result<Json<WebhookRow>, ApiError> {
    let name = request.name.as_deref().map(checked_name).transpose()?;
    check_findings(request.findings.as_deref().unwrap_or_default())?;
    check_sources(request.sources.as_deref().unwrap_or_default())?;
    if let Some(url) = &request.url {
        check_url(&server, url.expose())?;
    }
    let action = Change::ChangeWebhook { webhook: id.clone() };
    let permit = permit(&server, &caller, &action, &what_changes(&request)).await?;
    let changing = Arc::clone(&server);
    let webhook = server
        .engine
        .write(move |writing| {
            let Some(mut stored) = writing.stored_webhook(&id)? else {
                return Ok(Err(not_found("webhook", &id)));
            };
            if let Some(name) = name {
                let known = writing.stored_webhooks()?;
                if known.iter().any(|(other, webhook)| *other != id && webhook.name == name) {
                    return Ok(Err(name_taken(&name)));
                }
                stored.name = name;
            }
            if let Some(url) = &request.url {
                let sealed = stored.lead_to(&changing.secrets, &id, url.expose());
                if let Err(error) = sealed {
                    return Ok(Err(ApiError::internal(&error)));
                }
            }
            if let Some(min_severity) = request.min_severity {
                stored.min_severity = min_severity;
            }
            if let Some(findings) = request.findings {
                stored.findings = findings;
            }
            if let Some(sources) = request.sources {
                stored.sources = sources;
            }
            if let Some(enabled) = request.enabled {
                if enabled && !stored.enabled {
                    // Whoever resumes it does not want to wait for what failed before.
                    writing.session.hasten(&id, writing.now)?;
                }
                stored.enabled = enabled;
                stored.paused_because = None;
            }
            writing.audit(permit.audit_entry())?;
            let webhook = match open(&changing, &id, &stored) {
                Ok(webhook) => webhook,
                Err(error) => return Ok(Err(error)),
            };
            let counts = writing.session.delivery_counts_of(&id)?;
            let answer = row(&webhook, Some(counts));
            writing.put_webhook(webhook)?;
            Ok::<_, StoreError>(Ok(answer))
        })
        .await??;
    Ok(Json(webhook))
}

pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let missing = not_found("webhook", &id);
    let action = Change::RemoveWebhook { webhook: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let removed = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            writing.remove_webhook(&id)
        })
        .await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(missing) }
}

pub(super) async fn test(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, ApiError> {
    let action = Change::TestWebhook { webhook: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let webhook = server.webhooks().webhook(&id).ok_or_else(|| not_found("webhook", &id))?;
    if !webhook.stored.enabled {
        let detail = "the webhook is paused; resume it first";
        return Err(ApiError::new(ProblemKind::Conflict, detail));
    }
    let delivery = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            let body = test_body(&webhook, writing.now).map_err(|error| {
                StoreError::Unreadable { what: "delivery", why: error.to_string() }
            })?;
            let id = writing.enqueue(&webhook, TEST, &webhook.id, &body)?;
            writing.session.delivery(&id)
        })
        .await?
        .ok_or_else(|| not_found("webhook", &id))?;
    Ok(json(StatusCode::ACCEPTED, &delivery_row(delivery)))
}

pub(super) async fn replay(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, ApiError> {
    let action = Change::ReplayDeadLetters { webhook: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    if server.webhooks().webhook(&id).is_none() {
        return Err(not_found("webhook", &id));
    }
    let webhooks = server.webhooks();
    let answer = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            let counts = writing.session.delivery_counts_of(&id)?;
            let room = webhooks.settings().waiting_max.saturating_sub(counts.waiting());
            let replayed = writing.session.replay_dead_letters(&id, room, writing.now)?;
            writing.after_commit(move || webhooks.ring(&id));
            Ok(ReplayAnswer { replayed, left: counts.dead_letter.saturating_sub(replayed) })
        })
        .await?;
    Ok(json(StatusCode::ACCEPTED, &answer))
}

pub(super) async fn rotate_secret(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<WebhookSecret>, ApiError> {
    let action = Change::RotateWebhookSecret { webhook: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let rotating = Arc::clone(&server);
    let answer = server
        .engine
        .write(move |writing| {
            let Some(mut stored) = writing.stored_webhook(&id)? else {
                return Ok(Err(not_found("webhook", &id)));
            };
            let until = writing.now.plus_seconds(rotating.webhooks().settings().rotation_seconds);
            let rotated = stored
                .rotate(&rotating.secrets, &id, until)
                .map_err(|error| ApiError::internal(&error))
                .and_then(|secret| told(&secret))
                .and_then(|secret| Ok((secret, open(&rotating, &id, &stored)?)));
            let (secret, webhook) = match rotated {
                Ok(rotated) => rotated,
                Err(error) => return Ok(Err(error)),
            };
            writing.audit(permit.audit_entry())?;
            writing.put_webhook(webhook)?;
            let previous_until = stored.previous_secret_until();
            Ok::<_, StoreError>(Ok(WebhookSecret { id, secret, previous_until }))
        })
        .await??;
    Ok(Json(answer))
}

fn row(webhook: &Webhook, counts: Option<ringwall_store::DeliveryCounts>) -> WebhookRow {
    let stored = webhook.stored.clone();
    let counts = counts.unwrap_or_default();
    WebhookRow {
        id: webhook.id.clone(),
        url: webhook.url.shown().to_owned(),
        format: match webhook.format() {
            WebhookFormat::Standard => wire::WebhookFormat::Standard,
            WebhookFormat::SysScore => wire::WebhookFormat::SysScore,
        },
        shared_secret: stored.uses_shared_secret(),
        previous_secret_until: stored.previous_secret_until(),
        name: stored.name,
        min_severity: stored.min_severity,
        findings: stored.findings,
        sources: stored.sources,
        enabled: stored.enabled,
        paused_because: stored.paused_because,
        agent: stored.agent.map(String::from),
        threshold: stored.threshold,
        created: stored.created,
        created_by: stored.created_by,
        deliveries: DeliveryCounts {
            pending: counts.pending,
            failed: counts.failed,
            success: counts.success,
            dead_letter: counts.dead_letter,
        },
    }
}

fn open(server: &Server, id: &str, stored: &StoredWebhook) -> Result<Webhook, ApiError> {
    let webhooks = server.webhooks();
    let shared = webhooks.settings().sysscore.shared_secret.as_ref();
    stored.open(&server.secrets, id, shared).map_err(|error| ApiError::internal(&error))
}

fn told(secret: &Secret) -> Result<SecretText, ApiError> {
    let text = std::str::from_utf8(secret.expose()).map_err(|error| ApiError::internal(&error))?;
    Ok(SecretText::from(text))
}

fn name_taken(name: &str) -> ApiError {
    ApiError::new(ProblemKind::Conflict, format!("there is a webhook `{name}` already"))
}

/// The names of the fields, for the audit entry; their values may be secret.
fn what_changes(request: &WebhookChange) -> String {
    let fields = [
        ("name", request.name.is_some()),
        ("url", request.url.is_some()),
        ("min_severity", request.min_severity.is_some()),
        ("findings", request.findings.is_some()),
        ("sources", request.sources.is_some()),
    ];
    let mut words: Vec<&str> =
        fields.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    words.extend(request.enabled.map(|enabled| if enabled { "resumed" } else { "paused" }));
    words.join(", ")
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        let detail = format!("must have 1 to {NAME_CHARS_MAX} visible characters");
        return Err(Problem::invalid_field("name", detail).into());
    }
    Ok(name.to_owned())
}

fn check_findings(findings: &[String]) -> Result<(), ApiError> {
    let is_known = |kind: &String| Finding::KINDS.contains(&kind.as_str());
    if findings.len() <= Finding::KINDS.len() && findings.iter().all(is_known) {
        return Ok(());
    }
    let detail = format!("must be of {}", Finding::KINDS.join(", "));
    Err(Problem::invalid_field("findings", detail).into())
}

fn check_sources(sources: &[Source]) -> Result<(), ApiError> {
    if sources.len() <= SOURCES_MAX {
        return Ok(());
    }
    let detail = format!("must be at most {SOURCES_MAX}");
    Err(Problem::invalid_field("sources", detail).into())
}

/// An address that is written as such is looked at now; where a name leads is looked at with each
/// attempt.
fn check_url(server: &Server, text: &str) -> Result<(), ApiError> {
    let url = TargetUrl::parse(text)
        .map_err(|error| ApiError::from(Problem::invalid_field("url", error.to_string())))?;
    let rules = AddressRules::new(server.webhooks().settings().allowed.clone());
    if let Some(address) = url.address()
        && let Some(kind) = rules.refusal(address)
    {
        let detail = format!("{address} is {kind}: not allowed by webhooks.allow_networks");
        return Err(Problem::invalid_field("url", detail).into());
    }
    Ok(())
}
