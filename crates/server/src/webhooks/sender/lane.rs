//! One webhook's deliveries: which is tried when.

use super::{Bell, RETRY_AFTER_MAX, STORE_AGAIN, Sender};
use crate::engine::now;
use crate::listen::asked_to_stop;
use crate::webhooks::Webhook;
use crate::webhooks::registry::REMOVED;
use ringwall_resilience::{Admission, BreakerSettings, CircuitBreaker, Permit};
use ringwall_store::{Delivery, OutboxStore};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long what is under way may take once the server is asked to stop. What does not end is sent
/// again after the next start, under the same id.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
const BREAKER: BreakerSettings = BreakerSettings {
    failures_max: 5,
    open_for: Duration::from_secs(15),
    open_for_max: Duration::from_secs(600),
    probes_max: 1,
    probes_to_close: 1,
    probe_patience: Duration::from_secs(300),
};
/// Waits longer than this are cut into pieces: a clock that is set shall not make them endless.
const SLEEP_MAX: Duration = Duration::from_secs(300);
/// Nothing is put off for longer: what seems to be is due, and the clock was set back.
const AHEAD_MAX_MICROS: u64 = 25 * 3600 * 1_000_000;

/// One webhook's deliveries, while some wait.
pub(super) struct Lane {
    sender: Arc<Sender>,
    id: String,
    bell: Arc<Bell>,
    breaker: CircuitBreaker,
    tasks: JoinSet<Done>,
    under_way: HashSet<String>,
    /// The receiver wants to be left alone until then.
    patience: Option<Instant>,
}

/// How an attempt ended.
pub(super) struct Done {
    pub(super) delivery: String,
    pub(super) permit: Permit,
    pub(super) has_arrived: bool,
    pub(super) retry_after: Option<Duration>,
}

/// What a lane does next.
enum Next {
    /// Nothing waits, or nothing may be sent.
    End,
    /// Look again when something happens, and then at the latest.
    Wait(Option<Instant>),
}

impl Lane {
    pub(super) fn new(sender: Arc<Sender>, id: String, bell: Arc<Bell>) -> Self {
        let (tasks, under_way) = (JoinSet::new(), HashSet::new());
        Self {
            sender,
            id,
            bell,
            breaker: CircuitBreaker::new(BREAKER),
            tasks,
            under_way,
            patience: None,
        }
    }

    pub(super) async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.bell.rang.store(false, Ordering::SeqCst);
            let wake = match self.look().await {
                Next::End if self.tasks.is_empty() => return,
                Next::End => None,
                Next::Wait(wake) => wake,
            };
            let latest = Instant::now() + SLEEP_MAX;
            let wake = wake.map_or(latest, |wake| wake.min(latest));
            tokio::select! {
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(done),
                () = self.bell.notify.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
                () = asked_to_stop(&mut shutdown) => break,
            }
        }
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::info!(webhook = %self.id, "attempts under way are cut off and made again");
        }
    }

    /// Starts what is due, as far as there is room.
    async fn look(&mut self) -> Next {
        let Some(webhook) = self.sender.webhooks.webhook(&self.id) else {
            return self.give_up_all().await;
        };
        if !webhook.stored.enabled {
            return Next::End;
        }
        let room = self.sender.webhooks.settings().concurrent_max;
        let (id, limit) = (self.id.clone(), room + self.under_way.len());
        let waiting =
            self.sender.server.engine.read(move |session| session.waiting(&id, limit)).await;
        let waiting = match waiting {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::warn!(webhook = %self.id, %error, "what waits cannot be read");
                return Next::Wait(Some(Instant::now() + STORE_AGAIN));
            }
        };
        if waiting.is_empty() {
            return Next::End;
        }
        let moment = now();
        for delivery in waiting {
            if self.under_way.contains(&delivery.id) {
                continue;
            }
            if self.under_way.len() >= room {
                return Next::Wait(None);
            }
            let due = delivery.next_attempt.unwrap_or(moment);
            let wait = u64::try_from(due.micros_since(moment)).unwrap_or(0);
            if wait > 0 && wait < AHEAD_MAX_MICROS {
                return Next::Wait(Some(Instant::now() + Duration::from_micros(wait)));
            }
            let present = Instant::now();
            if let Some(until) = self.patience.filter(|until| *until > present) {
                return Next::Wait(Some(until));
            }
            match self.breaker.admit(present.into_std()) {
                Admission::Refuse { until } => {
                    return Next::Wait(Some(Instant::from_std(until)));
                }
                Admission::Admit(permit) => self.start(&webhook, delivery, permit),
            }
        }
        Next::Wait(None)
    }

    fn start(&mut self, webhook: &Arc<Webhook>, delivery: Delivery, permit: Permit) {
        self.under_way.insert(delivery.id.clone());
        let (sender, webhook) = (Arc::clone(&self.sender), Arc::clone(webhook));
        self.tasks.spawn(async move { sender.attempt(&webhook, delivery, permit).await });
    }

    fn ended(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(webhook = %self.id, %error, "an attempt ended in a panic");
                // Which one is not known; all are looked at again.
                self.under_way.clear();
                return;
            }
        };
        self.under_way.remove(&done.delivery);
        let present = Instant::now();
        if done.has_arrived {
            self.breaker.succeeded(done.permit);
            self.patience = None;
        } else {
            self.breaker.failed(done.permit, present.into_std());
        }
        if let Some(wait) = done.retry_after {
            self.patience = Some(present + wait.min(RETRY_AFTER_MAX));
        }
    }

    /// The webhook is gone; deliveries that were written beside its removal go with it.
    async fn give_up_all(&self) -> Next {
        let id = self.id.clone();
        let given_up = self
            .sender
            .server
            .engine
            .write(move |writing| writing.session.give_up_oldest(&id, 0, REMOVED, writing.now))
            .await;
        match given_up {
            Ok(_) => Next::End,
            Err(_) => Next::Wait(Some(Instant::now() + STORE_AGAIN)),
        }
    }
}
