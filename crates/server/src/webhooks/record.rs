//! A webhook: where it leads, what it is told, and how that is signed.

use super::TargetUrl;
use crate::secrets::{Secrets, random_bytes};
use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ringwall_event::{Alert, Severity, Source, Timestamp};
use ringwall_signing::Secret;
use serde::{Deserialize, Serialize};

/// The kind of document that webhooks are kept as, by their id.
pub(super) const WEBHOOKS: &str = "webhook";

/// In which form a webhook's receiver is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WebhookFormat {
    /// Standard Webhooks 1.0: every alert.
    Standard,
    /// The SysScore contract, section 10: processes whose risk rose to the threshold.
    SysScore,
}

/// A webhook as it is kept: address and secrets are sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredWebhook {
    /// What people call it.
    pub(crate) name: String,
    /// The form.
    pub(crate) format: WebhookFormat,
    /// Alerts below this are not told.
    pub(crate) min_severity: Option<Severity>,
    /// Only these kinds of finding; all where it is empty.
    pub(crate) findings: Vec<String>,
    /// Only of these sources; all where it is empty.
    pub(crate) sources: Vec<Source>,
    /// Whether anything is sent.
    pub(crate) enabled: bool,
    /// Why it is not, where nobody asked for that.
    pub(crate) paused_because: Option<String>,
    /// The SysScore agent whose registration named it.
    pub(crate) agent: Option<Box<str>>,
    /// The risk from which that agent's processes are told of, where its registration says so.
    pub(crate) threshold: Option<f64>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// By whom.
    pub(crate) created_by: String,
    url: String,
    signing: Signing,
    /// The secret before this one, while both sign.
    previous: Option<PreviousSecret>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "secret", rename_all = "lowercase")]
enum Signing {
    /// A secret that only this receiver knows.
    Own { sealed: String },
    /// `HMAC_SECRET_KEY`, which all receivers of the SysScore form know.
    Shared,
}

#[derive(Clone, Serialize, Deserialize)]
struct PreviousSecret {
    sealed: String,
    until: Timestamp,
}

/// A secret on its way to whoever asked for it: told this once. None where the shared one signs.
pub(crate) type SecretTold = Option<Secret>;

impl StoredWebhook {
    /// A new webhook with a secret of its own, or the shared one.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn new(
        secrets: &Secrets,
        id: &str,
        wanted: NewWebhook,
        url: &str,
        uses_shared_secret: bool,
    ) -> anyhow::Result<(Self, SecretTold)> {
        let (signing, told) = if uses_shared_secret {
            (Signing::Shared, None)
        } else {
            let text = fresh_secret(wanted.format)?;
            let sealed = secrets.seal(&secret_purpose(id), text.expose())?;
            (Signing::Own { sealed }, Some(text))
        };
        let stored = Self {
            name: wanted.name,
            format: wanted.format,
            min_severity: wanted.min_severity,
            findings: wanted.findings,
            sources: wanted.sources,
            enabled: wanted.enabled,
            paused_because: None,
            agent: wanted.agent,
            threshold: wanted.threshold,
            created: wanted.created,
            created_by: wanted.created_by,
            url: secrets.seal(&url_purpose(id), url.as_bytes())?,
            signing,
            previous: None,
        };
        Ok((stored, told))
    }

    /// Leads to another address from now on.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn lead_to(&mut self, secrets: &Secrets, id: &str, url: &str) -> anyhow::Result<()> {
        self.url = secrets.seal(&url_purpose(id), url.as_bytes())?;
        Ok(())
    }

    /// Makes a new secret. In the standard form the old one signs beside it until `until`; the other
    /// form has room for one signature only.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn rotate(
        &mut self,
        secrets: &Secrets,
        id: &str,
        until: Timestamp,
    ) -> anyhow::Result<Secret> {
        let text = fresh_secret(self.format)?;
        let sealed = secrets.seal(&secret_purpose(id), text.expose())?;
        let before = std::mem::replace(&mut self.signing, Signing::Own { sealed });
        self.previous = match (before, self.format) {
            (Signing::Own { sealed }, WebhookFormat::Standard) => {
                Some(PreviousSecret { sealed, until })
            }
            _ => None,
        };
        Ok(text)
    }

    /// Whether the shared secret signs.
    pub(crate) const fn uses_shared_secret(&self) -> bool {
        matches!(self.signing, Signing::Shared)
    }

    /// Until when the secret before signs, too.
    pub(crate) fn previous_secret_until(&self) -> Option<Timestamp> {
        self.previous.as_ref().map(|previous| previous.until)
    }

    /// Opens address and secrets.
    ///
    /// # Errors
    /// Where they were sealed under another master key, or altered.
    pub(crate) fn open(
        &self,
        secrets: &Secrets,
        id: &str,
        shared: Option<&Secret>,
    ) -> anyhow::Result<Webhook> {
        let url = secrets.open(&url_purpose(id), &self.url)?;
        let url = std::str::from_utf8(url.expose()).context("the address is not text")?;
        let open = |sealed: &str| -> anyhow::Result<Secret> {
            signing_key(self.format, &secrets.open(&secret_purpose(id), sealed)?)
        };
        let secret = match &self.signing {
            Signing::Own { sealed } => Some(open(sealed)?),
            Signing::Shared => shared.cloned(),
        };
        let previous = match &self.previous {
            Some(previous) => Some((open(&previous.sealed)?, previous.until)),
            None => None,
        };
        Ok(Webhook {
            id: id.to_owned(),
            url: TargetUrl::parse(url)?,
            secret,
            previous,
            stored: self.clone(),
        })
    }
}

/// What somebody says of a webhook to be made.
pub(crate) struct NewWebhook {
    pub(crate) name: String,
    pub(crate) format: WebhookFormat,
    pub(crate) min_severity: Option<Severity>,
    pub(crate) findings: Vec<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) enabled: bool,
    pub(crate) agent: Option<Box<str>>,
    pub(crate) threshold: Option<f64>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
}

/// A webhook in force, with what it takes to use it.
pub(crate) struct Webhook {
    /// Its id, `whk_…`.
    pub(crate) id: String,
    /// Where it leads.
    pub(crate) url: TargetUrl,
    /// What people said of it.
    pub(crate) stored: StoredWebhook,
    /// What signs; none where that is the shared secret and there is none.
    secret: Option<Secret>,
    previous: Option<(Secret, Timestamp)>,
}

impl Webhook {
    /// The form.
    pub(crate) const fn format(&self) -> WebhookFormat {
        self.stored.format
    }

    /// Whether its receiver wants to be told of this alert.
    pub(super) fn wants(&self, alert: &Alert) -> bool {
        let stored = &self.stored;
        stored.enabled
            && stored.min_severity.is_none_or(|least| alert.severity >= least)
            && (stored.findings.is_empty()
                || stored.findings.iter().any(|kind| kind == alert.finding.kind()))
            && (stored.sources.is_empty() || stored.sources.contains(&alert.source))
    }

    /// The secrets that sign now, the current one first.
    pub(super) fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let previous = self.previous.iter().filter(move |(_, until)| now < *until);
        self.secret.iter().chain(previous.map(|(secret, _)| secret))
    }
}

/// An id for a new webhook.
///
/// # Errors
/// Where the system gives no randomness.
pub(crate) fn fresh_id() -> anyhow::Result<String> {
    Ok(format!("whk_{:016x}", u64::from_be_bytes(random_bytes::<8>()?)))
}

const PREFIX: &str = "whsec_";

/// Standard Webhooks has a form for secrets; in the SysScore form the text itself is the key.
fn fresh_secret(format: WebhookFormat) -> anyhow::Result<Secret> {
    let random = random_bytes::<32>()?;
    Ok(Secret::from(match format {
        WebhookFormat::Standard => format!("{PREFIX}{}", STANDARD.encode(random)),
        WebhookFormat::SysScore => URL_SAFE_NO_PAD.encode(random),
    }))
}

fn signing_key(format: WebhookFormat, text: &Secret) -> anyhow::Result<Secret> {
    match format {
        WebhookFormat::SysScore => Ok(text.clone()),
        WebhookFormat::Standard => {
            let encoded = text.expose().strip_prefix(PREFIX.as_bytes()).unwrap_or(text.expose());
            Ok(Secret::from(STANDARD.decode(encoded).context("the secret is not base64")?))
        }
    }
}

fn url_purpose(id: &str) -> String {
    format!("webhook/{id}/url")
}

fn secret_purpose(id: &str) -> String {
    format!("webhook/{id}/secret")
}
