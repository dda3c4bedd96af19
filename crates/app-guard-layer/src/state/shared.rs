//! Redis, and what happens while it is away.

use super::redis::{RedisState, RedisStateError};
use crate::sink::EventSink;
use parking_lot::Mutex;
use ringwall_app_guard::{Answer, AnswerFailure, BanOrder, CounterKind, Hit, HitResult, Question};
use ringwall_app_guard::{EventType, GuardEvent, LocalState, Network};
use ringwall_inspection::Moment;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
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

/// So many bans that were made while Redis was away are handed in when it is back: more than a worker has
/// room for unless told otherwise, and ten times what rules may name.
const PENDING_MAX: usize = 120_000;
/// So many of them may be refused by Redis, for whatever is under their keys, before it is left alone for a
/// while: one that is always refused must not keep the others.
const REFUSED_MAX: usize = 16;
/// Redis is told to be back when it has not failed for so long: one that is full answers every other question.
const WELL_FOR: Duration = Duration::from_secs(2);
/// How often it is looked whether it is back, while something waits for that.
pub(crate) const HAND_IN_EVERY: Duration = Duration::from_secs(1);

/// State in Redis, with what this worker knows by itself behind it.
pub struct SharedState {
    redis: RedisState,
    policy: WhenAwayPolicy,
    is_away: AtomicBool,
    failed: Mutex<Option<Instant>>,
    pending: Mutex<Pending>,
}

/// What Redis has not been told yet.
#[derive(Default)]
struct Pending {
    changes: HashMap<Network, Change>,
    /// In the order in which they came, some of them outdated.
    order: VecDeque<(u64, Network)>,
    next_number: u64,
}

struct Change {
    /// Tells it from a later one about the same network.
    number: u64,
    kind: ChangeKind,
}

#[derive(Clone)]
enum ChangeKind {
    Ban {
        order: BanOrder,
        ends_unix_ms: u64,
    },
    /// Of what was banned before it was asked for: a ban made since, by whatever worker, stays.
    Lift {
        asked: Instant,
    },
}

impl Pending {
    fn put(&mut self, network: Network, kind: ChangeKind) {
        while self.changes.len() >= PENDING_MAX && !self.changes.contains_key(&network) {
            // The oldest ends soonest, mostly.
            let Some((number, oldest)) = self.order.pop_front() else { break };
            self.remove(oldest, number);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.changes.insert(network, Change { number, kind });
        self.order.push_back((number, network));
        if self.order.len() > self.changes.len() * 2 + 16 {
            let changes = &self.changes;
            self.order.retain(|(number, network)| {
                changes.get(network).is_some_and(|change| change.number == *number)
            });
        }
    }

    /// The oldest one, which stays until it is said that it was handed in.
    fn first(&mut self) -> Option<(u64, Network, ChangeKind)> {
        loop {
            let (number, network) = *self.order.front()?;
            match self.changes.get(&network).filter(|change| change.number == number) {
                Some(change) => return Some((number, network, change.kind.clone())),
                None => drop(self.order.pop_front()),
            }
        }
    }

    /// Others are first from now on.
    fn put_off(&mut self) {
        if let Some(first) = self.order.pop_front() {
            self.order.push_back(first);
        }
    }

    /// Whether it was still there, and not replaced by a later one.
    fn remove(&mut self, network: Network, number: u64) -> bool {
        let is_same = self.changes.get(&network).is_some_and(|change| change.number == number);
        if is_same {
            self.changes.remove(&network);
        }
        is_same
    }

    /// A ban that was made since counts more.
    fn forget_lift(&mut self, network: Network) {
        let is_lift = |change: &Change| matches!(change.kind, ChangeKind::Lift { .. });
        if self.changes.get(&network).is_some_and(is_lift) {
            self.changes.remove(&network);
        }
    }

    fn has_ban(&self, network: Network) -> bool {
        let change = self.changes.get(&network);
        change.is_some_and(|change| matches!(change.kind, ChangeKind::Ban { .. }))
    }
}

impl SharedState {
    /// State in this Redis.
    pub fn new(redis: RedisState, policy: WhenAwayPolicy) -> Self {
        let (is_away, failed) = (AtomicBool::new(false), Mutex::new(None));
        Self { redis, policy, is_away, failed, pending: Mutex::default() }
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
        // Before Redis is asked: what is handed in meanwhile it may not have known when it answered.
        let is_let_through =
            self.policy.bans == WhenAway::Open && self.is_away.load(Ordering::Relaxed);
        if matches!(question, Question::Banned { .. })
            && !is_let_through
            && let Some(answer) = self.not_handed_in(question, local, now)
        {
            return answer;
        }
        let untold = match question {
            // A client that hangs up while Redis thinks is banned all the same.
            Question::Ban(order) => Some(Untold::ban(self, order, now)),
            _ => None,
        };
        match self.redis.answer(question, now).await {
            Ok(answer) => {
                self.is_back(sink, now);
                if let Some(untold) = untold {
                    untold.taken();
                }
                // What this worker banned it heeds when Redis goes away, too.
                if let Question::Ban(order) = question {
                    self.pending.lock().forget_lift(order.network);
                    local.ban(order, now);
                }
                answer
            }
            Err(error) => {
                // A ban is kept for later with this.
                drop(untold);
                self.is_gone(&error, sink, now);
                self.fallback(question, local, now)
            }
        }
    }

    fn fallback(&self, question: &Question, local: &LocalState, now: Moment) -> Answer {
        let alone =
            || local.answer(question, now).unwrap_or(Answer::Failed(AnswerFailure::StateAway));
        if let Question::Ban(_) = question {
            // A ban is made here whatever the policy: it costs nobody anything but the attacker.
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

    /// The ban of this worker that Redis has not heard of yet: it holds here all the same.
    fn not_handed_in(
        &self,
        question: &Question,
        local: &LocalState,
        now: Moment,
    ) -> Option<Answer> {
        if self.pending.lock().changes.is_empty() {
            return None;
        }
        let answer = local.answer(question, now)?;
        let Answer::Banned(Some(ban)) = &answer else { return None };
        self.pending.lock().has_ban(ban.network).then_some(answer)
    }

    /// Whether this worker bans the address, and Redis has not heard of it yet.
    pub(crate) fn holds_here(&self, address: IpAddr, local: &LocalState, now: Moment) -> bool {
        self.not_handed_in(&Question::Banned { address }, local, now).is_some()
    }

    fn keep_for_later(&self, order: &BanOrder, now: Moment) {
        let ms = u64::try_from(order.time.as_millis()).unwrap_or(u64::MAX);
        let ends_unix_ms = now.unix_ms.saturating_add(ms);
        let mut pending = self.pending.lock();
        if let Some(Change { kind: ChangeKind::Ban { ends_unix_ms: end, .. }, .. }) =
            pending.changes.get(&order.network)
            && *end >= ends_unix_ms
        {
            return;
        }
        pending.put(order.network, ChangeKind::Ban { order: order.clone(), ends_unix_ms });
    }

    /// Hands in the bans that were made while Redis was away. Each stays pending until Redis has taken it, so
    /// that it holds here meanwhile, and so that lifting it in the very moment is not lost.
    pub(crate) async fn hand_in(&self, now: Moment) -> Result<(), RedisStateError> {
        let mut refused = 0;
        loop {
            let Some((number, network, kind)) = self.pending.lock().first() else { return Ok(()) };
            match self.hand_in_one(number, network, kind, now).await {
                Ok(()) => {}
                Err(error @ RedisStateError::Refused(_)) => {
                    let mut pending = self.pending.lock();
                    pending.put_off();
                    refused += 1;
                    if refused >= REFUSED_MAX.min(pending.changes.len()) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn hand_in_one(
        &self,
        number: u64,
        network: Network,
        kind: ChangeKind,
        now: Moment,
    ) -> Result<(), RedisStateError> {
        match kind {
            ChangeKind::Ban { mut order, ends_unix_ms } => {
                let left_ms = ends_unix_ms.saturating_sub(now.unix_ms);
                if left_ms > 0 {
                    order.time = Duration::from_millis(left_ms);
                    self.redis.ban(&order).await?;
                }
                let mut pending = self.pending.lock();
                let is_wanted = pending.remove(network, number);
                if !is_wanted && left_ms > 0 && !pending.changes.contains_key(&network) {
                    // Lifted while it was under way, perhaps before it arrived.
                    pending.put(network, ChangeKind::Lift { asked: Instant::now() });
                }
            }
            ChangeKind::Lift { asked } => {
                self.redis.lift(network, asked.elapsed()).await?;
                self.pending.lock().remove(network, number);
            }
        }
        Ok(())
    }

    /// Bans everywhere; where Redis is away, here at once and everywhere when it is back.
    pub(crate) async fn ban(&self, order: &BanOrder, now: Moment) -> Result<(), RedisStateError> {
        let untold = Untold::ban(self, order, now);
        self.redis.ban(order).await?;
        untold.taken();
        self.pending.lock().forget_lift(order.network);
        Ok(())
    }

    /// Lifts a ban everywhere; where Redis is away, everywhere when it is back.
    pub(crate) async fn unban(&self, network: Network) -> Result<bool, RedisStateError> {
        self.pending.lock().changes.remove(&network);
        let untold = Untold {
            shared: self,
            change: Some(UntoldChange::Lift(network)),
            asked: Instant::now(),
        };
        let lifted = self.redis.unban(network).await?;
        untold.taken();
        Ok(lifted)
    }

    fn is_gone(&self, error: &RedisStateError, sink: &dyn EventSink, now: Moment) {
        *self.failed.lock() = Some(now.instant);
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
        let is_well = || {
            let failed = *self.failed.lock();
            failed.is_none_or(|failed| now.instant.saturating_duration_since(failed) >= WELL_FOR)
        };
        if self.is_away.load(Ordering::Relaxed)
            && is_well()
            && self.is_away.swap(false, Ordering::Relaxed)
        {
            info!("Redis answers again");
            let reason = "shared state is back";
            let action = "connection_established";
            sink.event(GuardEvent::new(EventType::RedisError, action, reason, now).into());
        }
    }
}

/// A change that is on its way to Redis. Dropped before Redis has taken it, because that failed or because
/// nobody waits for it any more, it leaves a note, and is handed in later.
struct Untold<'a> {
    shared: &'a SharedState,
    change: Option<UntoldChange<'a>>,
    asked: Instant,
}

enum UntoldChange<'a> {
    Ban(&'a BanOrder, Moment),
    Lift(Network),
}

impl<'a> Untold<'a> {
    fn ban(shared: &'a SharedState, order: &'a BanOrder, now: Moment) -> Self {
        Self { shared, change: Some(UntoldChange::Ban(order, now)), asked: Instant::now() }
    }

    fn taken(mut self) {
        self.change = None;
    }
}

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        match self.change.take() {
            Some(UntoldChange::Ban(order, now)) => self.shared.keep_for_later(order, now),
            Some(UntoldChange::Lift(network)) => {
                let mut pending = self.shared.pending.lock();
                // A ban that waits there came after this was asked for.
                if !pending.has_ban(network) {
                    pending.put(network, ChangeKind::Lift { asked: self.asked });
                }
            }
            None => {}
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
