//! Webhooks that SysScore agents name in the metadata of their registration.

use super::record::{NewWebhook, fresh_id};
use super::{StoredWebhook, TargetUrl, WebhookFormat};
use crate::engine::Writing;
use crate::secrets::Secrets;
use ringwall_dialects::sysscore::AgentWebhook;
use ringwall_event::{Finding, Source};
use ringwall_signing::Secret;
use ringwall_store::{AuditRecord, StateStore, StoreError};

/// Why a registration's webhook was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret could not be made or sealed.
    #[error("{0}")]
    Sealing(String),
}

/// Makes the webhook that a registration names: it is told of the agent's processes alone, in the
/// SysScore form.
pub(crate) fn register_agent(
    writing: &mut Writing<'_>,
    secrets: &Secrets,
    agent: &str,
    wanted: &AgentWebhook,
    by: &str,
) -> Result<(), RegistrationError> {
    let sealing = |error: anyhow::Error| RegistrationError::Sealing(error.to_string());
    let shared: Option<Secret> = writing.rules.webhooks.settings().sysscore.shared_secret.clone();
    let id = fresh_id().map_err(sealing)?;
    let new = NewWebhook {
        name: format!("sysscore agent {agent}"),
        format: WebhookFormat::SysScore,
        min_severity: None,
        findings: vec![Finding::RiskThreshold.kind().to_owned()],
        sources: vec![Source::new(Source::SYSSCORE, agent)],
        enabled: true,
        agent: Some(agent.into()),
        threshold: wanted.threshold,
        created: writing.now,
        created_by: by.to_owned(),
    };
    // Nobody is told a secret of its own here: whoever wants one rotates it.
    let (stored, _) =
        StoredWebhook::new(secrets, &id, new, &wanted.url, shared.is_some()).map_err(sealing)?;
    let webhook = stored.open(secrets, &id, shared.as_ref()).map_err(sealing)?;
    writing.put_webhook(webhook)?;
    writing.session.append_audit(&AuditRecord {
        time: writing.now,
        actor: by.to_owned(),
        action: "add_webhook".to_owned(),
        subject: format!("webhook {id}"),
        outcome: "permitted".to_owned(),
        reason: format!("the registration of the SysScore agent {agent}")
            .chars()
            .take(300)
            .collect(),
    })?;
    Ok(())
}

/// Whether the address can be posted to at all; where it leads is looked at with each attempt.
pub(crate) fn can_be_posted_to(url: &str) -> Result<(), String> {
    TargetUrl::parse(url).map(drop).map_err(|error| error.to_string())
}
