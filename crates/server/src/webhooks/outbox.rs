//! From an alert to its deliveries, in the alert's transaction.

use super::message::{self, ALERT_ESCALATED, ALERT_RAISED, RISK_THRESHOLD_CROSSED};
use super::{Webhook, WebhookFormat};
use crate::engine::Writing;
use ringwall_detection::RiskRise;
use ringwall_event::{Alert, Severity};
use ringwall_store::{NewDelivery, OutboxStore, StoreError};
use std::sync::Arc;

/// What is new about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The alert itself.
    Raised,
    /// It became more severe than this.
    Escalated(Severity),
    /// Only that it was seen again.
    Seen,
}

/// Why a delivery is a dead letter that was never given up by its attempts.
const TOO_MANY: &str = "too many deliveries waited for this receiver";

impl Writing<'_> {
    /// Writes a delivery for every webhook whose receiver wants to be told of this.
    pub(crate) fn tell_of_alert(
        &mut self,
        alert: &Alert,
        news: News,
        rise: Option<RiskRise>,
    ) -> Result<(), StoreError> {
        let webhooks = self.rules.webhooks.of(&alert.source);
        // Every receiver in the standard form gets the same bytes.
        let mut standard: Option<Vec<u8>> = None;
        for webhook in webhooks.iter().filter(|webhook| webhook.wants(alert)) {
            match (webhook.format(), news, rise) {
                (WebhookFormat::Standard, News::Raised | News::Escalated(_), _) => {
                    let (event_type, previous) = match news {
                        News::Escalated(before) => (ALERT_ESCALATED, Some(before)),
                        _ => (ALERT_RAISED, None),
                    };
                    let body = match standard.take() {
                        Some(body) => body,
                        None => {
                            let base = &self.rules.webhooks.settings().dashboard_url;
                            message::alert_body(event_type, alert, previous, base, self.now)
                                .map_err(unwritable)?
                        }
                    };
                    self.enqueue(webhook, event_type, &alert.id.to_string(), &body)?;
                    standard = Some(body);
                }
                (WebhookFormat::SysScore, _, Some(rise)) => {
                    let Some(process) = &alert.process else { continue };
                    let body = message::crossing_body(&alert.source, process, rise, self.now)
                        .map_err(unwritable)?;
                    let subject = alert.id.to_string();
                    self.enqueue(webhook, RISK_THRESHOLD_CROSSED, &subject, &body)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes one delivery, due at once; returns its id. Where too many wait, the oldest give way.
    pub(crate) fn enqueue(
        &mut self,
        webhook: &Arc<Webhook>,
        event_type: &str,
        subject: &str,
        body: &[u8],
    ) -> Result<String, StoreError> {
        let now = self.now;
        let id = format!("dlv_{}", self.derived.next_base(now));
        self.session.put_delivery(&NewDelivery {
            id: &id,
            webhook: &webhook.id,
            event_type,
            subject,
            created: now,
            payload: body,
        })?;
        let waiting_max = self.rules.webhooks.settings().waiting_max;
        let given_up = self.session.give_up_oldest(&webhook.id, waiting_max, TOO_MANY, now)?;
        let (webhooks, to_ring) = (self.rules.webhooks.clone(), webhook.id.clone());
        self.after_commit(move || {
            if given_up > 0 && webhooks.may_tell_of_overflow() {
                tracing::warn!(
                    webhook = %to_ring,
                    given_up,
                    waiting_max,
                    "too many deliveries wait: the oldest are dead letters"
                );
            }
            webhooks.ring(&to_ring);
        });
        Ok(id)
    }
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "delivery", why: error.to_string() }
}
