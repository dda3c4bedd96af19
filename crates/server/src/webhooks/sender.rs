//! Carrying deliveries out: a lane for every webhook for which something waits.

mod lane;

use super::address_rules::AddressRules;
use super::message::headers;
use super::post::{Answer, Poster};
use super::{Webhook, WebhookFormat, Webhooks};
use crate::engine::now;
use crate::listen::asked_to_stop;
use crate::secrets::random_bytes;
use crate::server::Server;
use lane::{Done, Lane};
use ringwall_event::Timestamp;
use ringwall_resilience::{BackoffPolicy, Permit};
use ringwall_store::{Attempt, AttemptEnd, AuditRecord, Delivery, OutboxStore, StateStore};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

/// Sends what is due until the server stops.
pub(crate) async fn run(server: Arc<Server>, mut shutdown: watch::Receiver<bool>) {
    let webhooks = server.webhooks();
    let settings = webhooks.settings();
    let rules = AddressRules::new(settings.allowed.clone());
    let sender = Arc::new(Sender {
        poster: Poster::new(rules, settings.extra_roots.clone()),
        places: Semaphore::new(UNDER_WAY_MAX),
        webhooks: webhooks.clone(),
        server,
    });
    tokio::select! {
        () = sender.ring_for_what_waits() => {}
        () = asked_to_stop(&mut shutdown) => return,
    }
    let mut lanes: HashMap<String, Arc<Bell>> = HashMap::new();
    let mut names: HashMap<Id, String> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut forget_at = Instant::now() + FORGET_FIRST;
    loop {
        let mut to_start = Vec::new();
        tokio::select! {
            rung = sender.webhooks.rung() => {
                for id in rung {
                    match lanes.get(&id) {
                        Some(bell) => bell.ring(),
                        None => to_start.push(id),
                    }
                }
            }
            Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let task = match &ended {
                    Ok((task, ())) => *task,
                    Err(error) => {
                        tracing::error!(%error, "a webhook's lane ended in a panic");
                        error.id()
                    }
                };
                if let Some(id) = names.remove(&task)
                    && let Some(bell) = lanes.remove(&id)
                    && (bell.rang.load(Ordering::SeqCst) || ended.is_err())
                {
                    // Somebody rang while it was ending.
                    to_start.push(id);
                }
            }
            () = tokio::time::sleep_until(forget_at) => {
                forget_at = Instant::now() + sender.forget().await;
            }
            () = asked_to_stop(&mut shutdown) => break,
        }
        for id in to_start {
            let bell = Arc::new(Bell::default());
            lanes.insert(id.clone(), Arc::clone(&bell));
            let lane = Lane::new(Arc::clone(&sender), id.clone(), bell);
            let task = tasks.spawn(lane.run(shutdown.clone()));
            names.insert(task.id(), id);
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a webhook's lane ended in a panic");
        }
    }
}

/// How many attempts are under way at once, to all receivers together.
const UNDER_WAY_MAX: usize = 64;
const FORGET_FIRST: Duration = Duration::from_secs(10);
const FORGET_EVERY: Duration = Duration::from_secs(600);
const FORGET_AGAIN: Duration = Duration::from_millis(500);
const FORGOTTEN_AT_ONCE: u64 = 500;
/// When the database cannot be read or written, it is tried again after this.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// No receiver is believed that asks for more patience than this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);
const GONE: u16 = 410;

struct Sender {
    server: Arc<Server>,
    webhooks: Webhooks,
    poster: Poster,
    places: Semaphore,
}

/// Says to a lane that there is something new.
#[derive(Default)]
struct Bell {
    rang: AtomicBool,
    notify: Notify,
}

impl Bell {
    fn ring(&self) {
        self.rang.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }
}

impl Sender {
    /// What waits since before this start.
    async fn ring_for_what_waits(&self) {
        loop {
            match self.server.engine.read(|session| session.webhooks_with_waiting()).await {
                Ok(waiting) => {
                    for webhook in waiting {
                        self.webhooks.ring(&webhook);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "what waits for receivers cannot be read");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
            }
        }
    }

    /// Forgets deliveries beyond the bounds; says when to look again.
    async fn forget(&self) -> Duration {
        let settings = self.webhooks.settings();
        let before = now().plus_seconds(-settings.history_seconds);
        let keep = settings.history_max;
        // Most of the time there is nothing to forget, and nothing to write for it.
        let counts = self.server.engine.read(|session| session.delivery_counts()).await;
        if counts.is_ok_and(|counts| counts.is_empty()) {
            return FORGET_EVERY;
        }
        let forgotten = self
            .server
            .engine
            .write(move |writing| {
                writing.session.forget_deliveries(before, keep, FORGOTTEN_AT_ONCE)
            })
            .await;
        match forgotten {
            Ok(FORGOTTEN_AT_ONCE..) => FORGET_AGAIN,
            Ok(_) => FORGET_EVERY,
            Err(error) => {
                tracing::warn!(%error, "old deliveries could not be forgotten");
                FORGET_EVERY
            }
        }
    }
}

impl Sender {
    /// Tries once, and writes down how it went.
    async fn attempt(&self, webhook: &Webhook, delivery: Delivery, permit: Permit) -> Done {
        // Never closed: an error cannot be.
        let place = self.places.acquire().await;
        let (at, began) = (now(), Instant::now());
        let outcome = self.post(webhook, &delivery, at).await;
        drop(place);
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (attempt, retry_after) = judge(outcome, at, duration_ms);
        let has_arrived = attempt.error.is_none();
        let end = if has_arrived {
            AttemptEnd::Arrived
        } else {
            self.after_failure(webhook, &delivery, &attempt, retry_after)
        };
        tracing::debug!(
            webhook = %webhook.id,
            delivery = %delivery.id,
            status = attempt.status,
            error = attempt.error.as_deref(),
            "attempt ended"
        );
        self.write_down(&delivery.id, attempt, end, &webhook.id).await;
        Done { delivery: delivery.id, permit, has_arrived, retry_after }
    }

    async fn post(
        &self,
        webhook: &Webhook,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Result<Answer, String> {
        let id = delivery.id.clone();
        let payload = self.server.engine.read(move |session| session.delivery_payload(&id)).await;
        let body = payload
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the delivery is not there any more".to_owned())?;
        let headers = headers(webhook, delivery, &body, at).map_err(|error| error.to_string())?;
        let timeout = self.timeout(webhook.format());
        self.poster
            .post(&webhook.url, headers, body, timeout, at)
            .await
            .map_err(|error| error.to_string())
    }

    fn timeout(&self, format: WebhookFormat) -> Duration {
        let settings = self.webhooks.settings();
        match format {
            WebhookFormat::Standard => settings.timeout,
            WebhookFormat::SysScore => settings.sysscore.timeout,
        }
    }

    /// Whether a delivery whose attempt failed is tried again, and when.
    fn after_failure(
        &self,
        webhook: &Webhook,
        delivery: &Delivery,
        attempt: &Attempt,
        retry_after: Option<Duration>,
    ) -> AttemptEnd {
        let settings = self.webhooks.settings();
        let strikes = delivery.strikes.saturating_add(1);
        let attempts_max = match webhook.format() {
            WebhookFormat::Standard => settings.attempts_max,
            WebhookFormat::SysScore => settings.sysscore.attempts_max,
        };
        if strikes >= attempts_max || attempt.status == Some(GONE) {
            return AttemptEnd::GivenUp;
        }
        // Without randomness all wait for as long as they may: late, but not together with nobody.
        let chance = random_bytes::<4>().map_or(u32::MAX, u32::from_le_bytes);
        let wait = match webhook.format() {
            WebhookFormat::Standard => BackoffPolicy {
                first: settings.retry_first,
                longest: settings.retry_longest,
                retry_after_max: RETRY_AFTER_MAX,
            }
            .wait(strikes, chance, retry_after),
            WebhookFormat::SysScore => {
                sysscore_wait(settings.sysscore.backoff_base, strikes, chance)
                    .max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
            }
        };
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        AttemptEnd::Again(now().plus_micros(micros))
    }

    /// Keeps at it until the attempt is on disk: sent again without that, a receiver that answers every
    /// time would be told for ever.
    async fn write_down(&self, delivery: &str, attempt: Attempt, end: AttemptEnd, webhook: &str) {
        let is_gone = attempt.status == Some(GONE);
        loop {
            let (delivery, attempt, webhook) =
                (delivery.to_owned(), attempt.clone(), webhook.to_owned());
            let secrets = Arc::clone(&self.server);
            let written = self
                .server
                .engine
                .write(move |writing| {
                    writing.session.put_attempt(&delivery, &attempt, end)?;
                    if is_gone {
                        pause_gone(writing, &secrets, &webhook)?;
                    }
                    Ok(())
                })
                .await;
            match written {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "an attempt could not be written down; trying again");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
            }
        }
    }
}

/// The receiver says that it is gone for good (410): it is left alone until somebody resumes it.
fn pause_gone(
    writing: &mut crate::engine::Writing<'_>,
    server: &Server,
    id: &str,
) -> Result<(), ringwall_store::StoreError> {
    const WHY: &str = "the receiver answered 410 Gone";
    let Some(mut stored) = writing.stored_webhook(id)? else { return Ok(()) };
    if !stored.enabled {
        return Ok(());
    }
    stored.enabled = false;
    stored.paused_because = Some(WHY.to_owned());
    let shared = writing.rules.webhooks.settings().sysscore.shared_secret.clone();
    let webhook = stored.open(&server.secrets, id, shared.as_ref()).map_err(|error| {
        ringwall_store::StoreError::Unreadable { what: "webhook", why: error.to_string() }
    })?;
    writing.put_webhook(webhook)?;
    writing.session.append_audit(&AuditRecord {
        time: writing.now,
        actor: "server".to_owned(),
        action: "pause_webhook".to_owned(),
        subject: format!("webhook {id}"),
        outcome: "succeeded".to_owned(),
        reason: WHY.to_owned(),
    })?;
    Ok(())
}

/// What is to be remembered of an attempt, and how long the receiver wants to be left alone.
fn judge(
    outcome: Result<Answer, String>,
    at: Timestamp,
    duration_ms: u64,
) -> (Attempt, Option<Duration>) {
    match outcome {
        Err(error) => {
            let error = Some(error);
            (Attempt { at, duration_ms, status: None, error, answer: String::new() }, None)
        }
        Ok(Answer { status, retry_after, text }) => {
            let (error, retry_after) = match status {
                200..=299 => (None, None),
                300..=399 => {
                    (Some(format!("answered {status}; redirects are not followed")), retry_after)
                }
                _ => (Some(format!("answered {status}")), retry_after),
            };
            let status = Some(status);
            (Attempt { at, duration_ms, status, error, answer: text }, retry_after)
        }
    }
}

/// The base to the power of the attempts made, in seconds (SysScore contract, section 10), and up to a
/// tenth more, so that the receivers of one moment do not get theirs together again.
fn sysscore_wait(base: f64, strikes: u32, chance: u32) -> Duration {
    const LONGEST_SECONDS: f64 = 6.0 * 3600.0;
    let power = base.powi(i32::try_from(strikes).unwrap_or(i32::MAX)).min(LONGEST_SECONDS);
    let spread = 1.0 + 0.1 * f64::from(chance) / f64::from(u32::MAX);
    Duration::from_secs_f64(power * spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_strikes_of_the_contract_are_two_and_four_seconds_apart() {
        for chance in [0, u32::MAX / 2, u32::MAX] {
            for (strikes, seconds) in [(1, 2.0), (2, 4.0), (3, 8.0)] {
                let wait = sysscore_wait(2.0, strikes, chance).as_secs_f64();
                assert!((seconds..=seconds * 1.1 + 1e-9).contains(&wait), "{strikes}: {wait}");
            }
        }
        assert_eq!(sysscore_wait(60.0, u32::MAX, 0), Duration::from_secs(6 * 3600));
    }

    #[test]
    fn only_an_answer_of_success_is_an_arrival() {
        let answer = |status| Answer { status, retry_after: None, text: "said".to_owned() };
        for (status, arrived) in [
            (200, true),
            (204, true),
            (299, true),
            (199, false),
            (301, false),
            (404, false),
            (500, false),
        ] {
            let (attempt, _) = judge(Ok(answer(status)), Timestamp::default(), 1);
            assert_eq!(attempt.error.is_none(), arrived, "{status}");
            assert_eq!((attempt.status, &*attempt.answer), (Some(status), "said"));
        }
        let (attempt, _) = judge(Err("no".to_owned()), Timestamp::default(), 1);
        assert_eq!((attempt.status, attempt.error.as_deref()), (None, Some("no")));
    }
}
