//! A spool in Redis that is opened while the application serves already, and again where it is lost.
//!
//! The lease of a process that was killed lasts for half a minute, Redis may come up after the application, and
//! may come back empty: none of it keeps anybody waiting. What comes while there is no spool in Redis waits in
//! memory and is sent from there; what was in no batch yet moves into Redis as soon as that is open.

use crate::telemetry::drain::ITEM_COST;
use parking_lot::Mutex;
use ringwall_delivery::{
    Appended, Batch, BatchBounds, BatchId, Counters, Item, MemorySpool, RedisSettings, RedisSpool,
    Settlement, Spool, SpoolError, SpoolStatus,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

/// How often it is looked whether the lease of another process is over.
const LEASE_POLL: Duration = Duration::from_millis(500);

/// How soon a Redis that cannot be used is tried again.
const FAILURE_POLL: Duration = Duration::from_secs(2);

/// How often it is looked whether something waits in memory that Redis has room for.
const MOVE_POLL: Duration = Duration::from_millis(500);

/// So many items move at once. What they take in Redis beyond what they took in memory has to stay below what
/// the drain leaves free.
const MOVE_COUNT_MAX: usize = 200;

#[derive(Debug)]
pub(in crate::telemetry) struct LateRedis {
    settings: RedisSettings,
    moving: Moving,
    memory: MemorySpool,
    state: Mutex<State>,
    lost: Notify,
    /// Held while items move, so that none moves twice.
    mover: tokio::sync::Mutex<()>,
}

/// What may move from memory into Redis.
#[derive(Clone, Copy, Debug)]
pub(in crate::telemetry) struct Moving {
    /// The oldest in Redis may give way for it.
    pub(in crate::telemetry) may_displace: bool,
    /// The server knows an item again in another batch than the one in which it was offered first.
    pub(in crate::telemetry) are_known_again: bool,
}

#[derive(Debug, Default)]
struct State {
    redis: Option<Arc<RedisSpool>>,
    /// The books of all spools that were opened, as they were found.
    found: Counters,
    /// The books of those that were lost.
    past: Counters,
    trouble: Option<String>,
    /// Nobody wants it any more.
    is_over: bool,
}

impl LateRedis {
    /// Asks nothing of Redis yet.
    pub(super) fn new(settings: RedisSettings, moving: Moving) -> Result<Self, SpoolError> {
        settings.check()?;
        let memory = MemorySpool::new(settings.bytes_max)?;
        let (state, lost, mover) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::new(()));
        Ok(Self { settings, moving, memory, state, lost, mover })
    }

    /// Opens it, however long that takes, moves into it what waits in memory, and opens it again where it is
    /// lost; until `stop` turns true.
    pub(super) async fn keep_open(
        &self,
        stop: &mut watch::Receiver<bool>,
        tell: impl Fn(&str),
        filled: impl Fn(),
    ) {
        while self.open(stop, &tell).await {
            filled();
            while let Some(redis) = self.redis() {
                // Not given up halfway: it would not be known whether Redis has it.
                match self.move_into(&redis).await {
                    Ok(0) => {}
                    Ok(_) => filled(),
                    Err(error) => {
                        tracing::debug!(%error, "what waits in memory is not in Redis yet");
                    }
                }
                tokio::select! {
                    () = sleep(MOVE_POLL) => {}
                    () = self.lost.notified() => {}
                    // An error means that nobody is left who could ask.
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        }
    }

    /// Says whether it is open. What goes wrong is told once, a lease that is not over yet only after its time.
    async fn open(&self, stop: &mut watch::Receiver<bool>, tell: &impl Fn(&str)) -> bool {
        let lease_over = Instant::now() + self.settings.lease + LEASE_POLL * 2;
        let mut told = String::new();
        loop {
            let error = match RedisSpool::open(self.settings.clone()).await {
                Ok(spool) => return self.opened(spool).await,
                Err(error) => error,
            };
            let is_in_use = matches!(error, SpoolError::InUse(_));
            let text = format!("the spool in Redis is not open: {error}");
            self.state.lock().trouble = Some(text.clone());
            let name = &self.settings.name;
            if is_in_use && Instant::now() < lease_over {
                tracing::debug!(name, "another process has the spool in Redis still");
            } else if told != text {
                tracing::error!(name, %error, "the spool in Redis cannot be used: events wait in memory");
                tell(&text);
                told = text;
            }
            tokio::select! {
                () = sleep(if is_in_use { LEASE_POLL } else { FAILURE_POLL }) => {}
                _ = stop.wait_for(|stop| *stop) => return false,
            }
        }
    }

    async fn opened(&self, spool: RedisSpool) -> bool {
        let found = spool.status().counters;
        {
            let mut state = self.state.lock();
            if !state.is_over {
                state.trouble = None;
                state.found = sum(state.found, found);
                state.redis = Some(Arc::new(spool));
                return true;
            }
        }
        close(&spool).await;
        false
    }

    /// Why it is not open.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state.lock().trouble.clone()
    }

    /// As earlier processes left the books.
    pub(super) fn found(&self) -> Counters {
        self.state.lock().found
    }

    /// Gives it up, with what waits in it, so that another process can have it at once.
    pub(super) async fn release(&self) {
        let redis = self.redis();
        self.state.lock().is_over = true;
        let Some(redis) = redis else { return };
        if self.moving.are_known_again {
            // The sender has ended; the server knows what it has of the batch that was under way.
            self.memory.put_off();
        }
        if let Err(error) = self.move_into(&redis).await {
            tracing::error!(%error, "what waits in memory does not go into Redis any more");
        }
        let left = self.memory.status().counters.waiting;
        if left > 0 {
            // What was offered in a batch of this process would be counted twice in another.
            tracing::error!(items = left, "items in memory do not go into Redis, and are lost");
        }
        close(&redis).await;
    }

    /// Moves what was in no batch yet, where nothing may give way only what Redis has room for; says how many.
    async fn move_into(&self, redis: &Arc<RedisSpool>) -> Result<u64, SpoolError> {
        let _alone = self.mover.lock().await;
        let mut moved = 0;
        loop {
            let status = redis.status();
            let room = match self.moving.may_displace {
                true => u64::MAX,
                false => status.bytes_max.saturating_sub(status.bytes),
            };
            let Some(taken) = self.memory.take_out(MOVE_COUNT_MAX, room, ITEM_COST) else {
                return Ok(moved);
            };
            let appended = self.heed(redis, redis.append(taken.items()).await)?;
            taken.moved();
            moved += appended.kept + appended.dropped;
        }
    }

    /// What is used at present.
    fn redis(&self) -> Option<Arc<RedisSpool>> {
        let state = self.state.lock();
        state.redis.clone().filter(|_| !state.is_over)
    }

    /// Goes back to memory where the answer says that the spool is nobody's or another's now.
    fn heed<T>(
        &self,
        redis: &Arc<RedisSpool>,
        answer: Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        let error = match answer {
            Err(error @ (SpoolError::Gone(_) | SpoolError::InUse(_))) => error,
            answer => return answer,
        };
        let mut state = self.state.lock();
        if state.redis.as_ref().is_some_and(|present| Arc::ptr_eq(present, redis)) {
            let known = redis.status().counters;
            let mut past = Counters { waiting: 0, ..known };
            match &error {
                SpoolError::Gone(_) => past.dropped += known.waiting,
                // What waits there is the other's now.
                _ => past.accepted -= known.waiting,
            }
            state.past = sum(state.past, past);
            state.redis = None;
            let items = known.waiting;
            tracing::error!(%error, items, "the spool in Redis is lost: events wait in memory");
            state.trouble = Some(format!("the spool in Redis is not open: {error}"));
            drop(state);
            self.lost.notify_one();
        }
        Err(error)
    }
}

impl Spool for LateRedis {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        let Some(redis) = self.redis() else { return self.memory.append(items).await };
        match self.heed(&redis, redis.append(items.clone()).await) {
            Err(SpoolError::Gone(_) | SpoolError::InUse(_)) => self.memory.append(items).await,
            appended => appended,
        }
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        let Some(redis) = self.redis() else { return self.memory.count_lost(count).await };
        match self.heed(&redis, redis.count_lost(count).await) {
            Err(SpoolError::Gone(_) | SpoolError::InUse(_)) => self.memory.count_lost(count).await,
            counted => counted,
        }
    }

    /// From memory what was begun there, and what does not find its way into Redis.
    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        let redis = self.redis().filter(|_| !self.memory.has_begun());
        let Some(redis) = redis else { return self.memory.next_batch(bounds, label).await };
        let answer = self.heed(&redis, redis.next_batch(bounds, label).await);
        if matches!(answer, Ok(Some(_))) {
            return answer;
        }
        match self.memory.next_batch(bounds, label).await? {
            Some(batch) => Ok(Some(batch)),
            None => answer,
        }
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        match self.redis() {
            Some(redis) if id.spool != self.memory.status().id => {
                self.heed(&redis, redis.settle(id, settlement).await)
            }
            _ => self.memory.settle(id, settlement).await,
        }
    }

    fn status(&self) -> SpoolStatus {
        let state = self.state.lock();
        let memory = self.memory.status();
        let past = sum(memory.counters, state.past);
        let Some(redis) = &state.redis else { return SpoolStatus { counters: past, ..memory } };
        let redis = redis.status();
        let bytes = memory.bytes + redis.bytes;
        // What was offered already moves when the sender has ended, if the server knows it again and there is
        // room for it.
        let costs = bytes.saturating_add(memory.counters.waiting.saturating_mul(ITEM_COST));
        let has_room = self.moving.may_displace || costs <= redis.bytes_max;
        let will_move = self.moving.are_known_again && has_room && !state.is_over;
        SpoolStatus {
            counters: sum(past, redis.counters),
            bytes,
            oldest_ms: [memory.oldest_ms, redis.oldest_ms].into_iter().flatten().min(),
            is_durable: memory.counters.waiting == 0 || will_move,
            ..redis
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        match self.redis() {
            Some(redis) => self.heed(&redis, redis.sync().await),
            None => Ok(()),
        }
    }
}

fn sum(one: Counters, other: Counters) -> Counters {
    Counters {
        accepted: one.accepted + other.accepted,
        delivered: one.delivered + other.delivered,
        dead: one.dead + other.dead,
        dropped: one.dropped + other.dropped,
        waiting: one.waiting + other.waiting,
    }
}

async fn close(spool: &RedisSpool) {
    if let Err(error) = spool.release().await {
        tracing::warn!(%error, "the spool in Redis is free when its lease is over");
    }
}
