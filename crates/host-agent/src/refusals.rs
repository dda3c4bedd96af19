//! Tells the server of commands that were not believed: somebody may stand between it and this host.

use crate::dialect::ringwall::{RETRY, is_final, wait_after};
use parking_lot::Mutex;
use ringwall_resilience::Backoff;
use ringwall_server_api::{CommandRefusal, CommandRefusals, RefusedBecause};
use ringwall_server_client::AgentClient;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// What is to be told, counted by reason: however many are refused, a report stays small. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    waiting: Arc<Mutex<BTreeMap<RefusedBecause, CommandRefusal>>>,
    noted: Arc<Notify>,
}

/// From one report to the next.
const PAUSE: Duration = Duration::from_secs(1);
const DETAIL_CHARS_MAX: usize = 500;

impl Refusals {
    /// Notes that a command was refused, and who it says it is.
    pub(crate) fn note(&self, reason: RefusedBecause, command: Option<String>, detail: &str) {
        self.add(CommandRefusal {
            reason,
            count: 1,
            command,
            detail: detail.chars().take(DETAIL_CHARS_MAX).collect(),
        });
        self.noted.notify_one();
    }

    fn add(&self, refusal: CommandRefusal) {
        let mut waiting = self.waiting.lock();
        let count = waiting.get(&refusal.reason).map_or(0, |earlier| earlier.count);
        let count = refusal.count.saturating_add(count);
        waiting.insert(refusal.reason, CommandRefusal { count, ..refusal });
    }

    /// Tells the server until the agent is stopped.
    pub(crate) async fn run(self, client: AgentClient, mut shutdown: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(RETRY);
        loop {
            tokio::select! {
                () = self.noted.notified() => {}
                _ = shutdown.wait_for(|asked| *asked) => return,
            }
            while let Some(refusals) = self.take() {
                let wait = match client.refusals(&refusals).await {
                    Ok(()) => {
                        backoff.succeeded();
                        PAUSE
                    }
                    Err(error) if is_final(&error) || error.is_status(404) => {
                        tracing::warn!(%error, "the server does not want to know of refused commands");
                        PAUSE
                    }
                    Err(error) => {
                        refusals.refusals.into_iter().for_each(|refusal| self.add(refusal));
                        wait_after(&error, &mut backoff)
                    }
                };
                tokio::select! {
                    () = sleep(wait) => {}
                    _ = shutdown.wait_for(|asked| *asked) => return,
                }
            }
        }
    }

    pub(crate) fn take(&self) -> Option<CommandRefusals> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let refusals: Vec<CommandRefusal> = waiting.into_values().collect();
        (!refusals.is_empty()).then_some(CommandRefusals { refusals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_reason() {
        let refusals = Refusals::default();
        for number in 0..1000 {
            refusals.note(RefusedBecause::Altered, Some(format!("cmd_{number}")), "signature");
            refusals.note(RefusedBecause::Replayed, None, &"x".repeat(1000));
        }
        let told = refusals.take().unwrap().refusals;
        let facts: Vec<_> = told.iter().map(|told| (told.reason, told.count)).collect();
        assert_eq!(facts, [(RefusedBecause::Altered, 1000), (RefusedBecause::Replayed, 1000)]);
        assert_eq!(told[0].command.as_deref(), Some("cmd_999"));
        assert_eq!(told[1].detail.len(), DETAIL_CHARS_MAX);
        assert_eq!(refusals.take(), None);
    }
}
