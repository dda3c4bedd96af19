//! Alerts about commands that host agents did not believe.

use super::{StreamItem, Writing};
use crate::webhooks::News;
use ringwall_event::{Alert, AlertState, Finding, Severity, Source};
use ringwall_server_api::{CommandRefusal, RefusedBecause};
use ringwall_store::{StateStore, StoreError};
use std::sync::Arc;

/// How many reasons a refusal's alert keeps, one for each report that says something new.
const REASONS_KEPT: usize = 20;

impl Writing<'_> {
    /// Raises an alert for each reason, or counts under the one that is open.
    pub(crate) fn commands_refused(
        &mut self,
        source: &Source,
        refusals: &[CommandRefusal],
    ) -> Result<(), StoreError> {
        for refusal in refusals {
            let entity = format!("command_refused/{}/{source}", refusal.reason.name());
            let (mut alert, news) = match self.session.live_alert(&entity)? {
                Some(mut alert) => {
                    alert.count = alert.count.saturating_add(refusal.count);
                    alert.last_seen = self.now;
                    (alert, News::Seen)
                }
                None => {
                    let alert = self.first_refusal(source, refusal);
                    self.derived.count_alerts(self.now, 1);
                    (alert, News::Raised)
                }
            };
            let reason = one_line(refusal);
            if alert.reasons.len() < REASONS_KEPT && !alert.reasons.contains(&reason) {
                alert.reasons.push(reason);
            }
            self.session.put_alert(&alert, &entity)?;
            self.tell_of_alert(&alert, news, None)?;
            self.publish(StreamItem::Alert(Arc::new(alert)));
        }
        Ok(())
    }

    fn first_refusal(&mut self, source: &Source, refusal: &CommandRefusal) -> Alert {
        let host = self.derived.hosts.get(source).map(|host| host.hostname.clone());
        let (severity, title) = words(refusal.reason);
        Alert {
            id: self.derived.next_base(self.now),
            finding: Finding::CommandRefused { reason: refusal.reason.name().to_owned() },
            severity,
            state: AlertState::Open,
            source: source.clone(),
            host: host.unwrap_or_else(|| source.name.clone()),
            process: None,
            title: format!("host agent {} refused {title}", source.name),
            reasons: Vec::new(),
            count: refusal.count.max(1),
            first_seen: self.now,
            last_seen: self.now,
            events: Vec::new(),
            kill_offered: false,
            note: None,
        }
    }
}

/// How bad it is, and in words. What this server never does by itself somebody else did.
const fn words(reason: RefusedBecause) -> (Severity, &'static str) {
    match reason {
        RefusedBecause::Altered => (Severity::High, "a command that is forged or was altered"),
        RefusedBecause::OtherHost => (Severity::High, "a command that is for another host"),
        RefusedBecause::Replayed => (Severity::High, "a command that was carried out before"),
        RefusedBecause::Expired => (Severity::Medium, "a command that had expired"),
        RefusedBecause::Unbound => {
            (Severity::High, "a command that is not bound to one process or to an end")
        }
        RefusedBecause::Unreadable => (Severity::Medium, "a command that it does not understand"),
    }
}

fn one_line(refusal: &CommandRefusal) -> String {
    let plain = |text: &str| text.replace(char::is_control, " ");
    match &refusal.command {
        Some(command) => format!("{}: {}", plain(command), plain(&refusal.detail)),
        None => plain(&refusal.detail),
    }
}
