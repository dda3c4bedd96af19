//! Redis, and what happens while it is away.

use super::redis::{RedisState, RedisStateError};
use crate::sink::EventSink;
use parking_lot::Mutex;
use ringwall_app_guard::{Answer, AnswerFailure, BanOrder, CounterKind, Hit, HitResult, Question};
use ringwall_app_guard::{EventType, GuardEvent, LocalState, Network};
use ringwall_inspection::Moment;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{info, warn};

/// What a feature does while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAway {
    /// Requests pass without it.
    Open,
    /// Requests are refused with 503 and `Retry-After: 5`.
    Closed,
    /// This worker counts by itself, so a limit holds for each worker instead of for all together.
    #[default]
    Local,
}

/// What each feature does while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WhenAwayPolicy {
    /// Bans.
    pub bans: WhenAway,
    /// Rate limits.
    pub rates: WhenAway,
    /// Behaviour rules, throttles and the counting of attacks.
    pub behaviour: WhenAway,
}

/// So many bans that were made while Redis was away are handed in when it is back.
const PENDING_MAX: usize = 1_000;
/// How often it is looked whether it is back, while something waits for that.
pub(crate) const HAND_IN_EVERY: Duration = Duration::from_secs(1);

/// State in Redis, with what this worker knows by itself behind it.
pub struct SharedState {
    redis: RedisState,
    policy: WhenAwayPolicy,
    is_away: AtomicBool,
    pending: Mutex<VecDeque<PendingBan>>,
}

struct PendingBan {
    order: BanOrder,
    ends_unix_ms: u64,
}

impl SharedState {
    /// State in this Redis.
    pub fn new(redis: RedisState, policy: WhenAwayPolicy) -> Self {
        Self { redis, policy, is_away: AtomicBool::new(false), pending: Mutex::default() }
    }

    /// The state in Redis itself.
    pub fn redis(&self) -> &RedisState {
        &self.redis
    }

    pub(crate) async fn answer(
        &self,
        question: &Question,
        local: &LocalState,
        sink: &dyn EventSink,
        now: Moment,
    ) -> Answer {
        match self.redis.answer(question, now).await {
            Ok(answer) => {
                self.is_back(sink, now);
                // What this worker banned it heeds when Redis goes away, too.
                if let Question::Ban(order) = question {
                    local.ban(order, now);
                }
                answer
            }
            Err(error) => {
                self.is_gone(&error, sink, now);
                self.fallback(question, local, now)
            }
        }
    }

    fn fallback(&self, question: &Question, local: &LocalState, now: Moment) -> Answer {
        let alone =
            || local.answer(question, now).unwrap_or(Answer::Failed(AnswerFailure::StateAway));
        if let Question::Ban(order) = question {
            // A ban is made here whatever the policy: it costs nobody anything but the attacker.
            self.keep_for_later(order, now);
            return alone();
        }
        match self.policy_of(question) {
            WhenAway::Local => alone(),
            WhenAway::Closed => Answer::Failed(AnswerFailure::StateNeverReached),
            WhenAway::Open => match question {
                Question::Banned { .. } => Answer::Banned(None),
                Question::Hit(_) | Question::Count { .. } => {
                    let retry_after = Duration::ZERO;
                    Answer::Hit(HitResult { within: true, count: 0, retry_after })
                }
                Question::Throttled(_) => Answer::Throttled(None),
                Question::Throttle { .. } => Answer::Done,
                _ => Answer::Failed(AnswerFailure::StateAway),
            },
        }
    }

    fn policy_of(&self, question: &Question) -> WhenAway {
        match question {
            Question::Banned { .. } | Question::Ban(_) => self.policy.bans,
            Question::Hit(Hit { key, .. }) | Question::Count { key, .. } => match key.kind {
                CounterKind::Rate | CounterKind::RateWebSocket => self.policy.rates,
                _ => self.policy.behaviour,
            },
            _ => self.policy.behaviour,
        }
    }

    fn keep_for_later(&self, order: &BanOrder, now: Moment) {
        let ms = u64::try_from(order.time.as_millis()).unwrap_or(u64::MAX);
        let ends_unix_ms = now.unix_ms.saturating_add(ms);
        let mut pending = self.pending.lock();
        pending.retain(|kept| kept.order.network != order.network);
        if pending.len() >= PENDING_MAX {
            // The oldest ends soonest, mostly.
            pending.pop_front();
        }
        pending.push_back(PendingBan { order: order.clone(), ends_unix_ms });
    }

    /// Hands in the bans that were made while Redis was away.
    pub(crate) async fn hand_in(&self, now: Moment) -> Result<(), RedisStateError> {
        loop {
            let Some(PendingBan { mut order, ends_unix_ms }) = self.pending.lock().pop_front()
            else {
                return Ok(());
            };
            let left_ms = ends_unix_ms.saturating_sub(now.unix_ms);
            if left_ms == 0 {
                continue;
            }
            order.time = Duration::from_millis(left_ms);
            if let Err(error) = self.redis.ban(&order).await {
                let mut pending = self.pending.lock();
                // Lifted meanwhile, or banned anew: then this one counts no more.
                if !pending.iter().any(|kept| kept.order.network == order.network) {
                    pending.push_front(PendingBan { order, ends_unix_ms });
                }
                return Err(error);
            }
        }
    }

    /// Bans everywhere; where Redis is away, here at once and everywhere when it is back.
    pub(crate) async fn ban(&self, order: &BanOrder, now: Moment) -> Result<(), RedisStateError> {
        let banned = self.redis.ban(order).await.map(drop);
        if banned.is_err() {
            self.keep_for_later(order, now);
        }
        banned
    }

    /// Lifts a ban everywhere.
    pub(crate) async fn unban(&self, network: Network) -> Result<bool, RedisStateError> {
        self.pending.lock().retain(|kept| kept.order.network != network);
        self.redis.unban(network).await
    }

    fn is_gone(&self, error: &RedisStateError, sink: &dyn EventSink, now: Moment) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let policy = self.policy;
            warn!(%error, ?policy, "Redis does not answer; the policy for that is in force");
            let reason = format!("shared state is away: {error}");
            let event = GuardEvent::new(EventType::RedisError, "operation_failed", reason, now);
            sink.event(event.into());
        }
    }

    fn is_back(&self, sink: &dyn EventSink, now: Moment) {
        // Read first: every request comes by here.
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            info!("Redis answers again");
            let reason = "shared state is back";
            let action = "connection_established";
            sink.event(GuardEvent::new(EventType::RedisError, action, reason, now).into());
        }
    }
}

impl std::fmt::Debug for SharedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedState")
            .field("redis", &self.redis)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
