//! A spool in Redis that is opened while the application serves already.
//!
//! The lease of a process that was killed lasts for half a minute, and Redis may come up after the
//! application: neither keeps anybody waiting. What comes before Redis does waits in memory and is sent from
//! there; what is left of it moves into Redis as soon as that is open and no batch is under way.

use parking_lot::Mutex;
use ringwall_delivery::{
    Appended, Batch, BatchBounds, BatchId, Counters, Item, MemorySpool, RedisSettings, RedisSpool,
    Settlement, Spool, SpoolError, SpoolStatus,
};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How often it is looked whether the lease of another process is over.
const LEASE_POLL: Duration = Duration::from_millis(500);

/// How soon a Redis that cannot be used is tried again.
const FAILURE_POLL: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(in crate::telemetry) struct LateRedis {
    settings: RedisSettings,
    memory: MemorySpool,
    redis: OnceLock<Opened>,
    /// So many items went from the memory into Redis, and are in the books of both.
    moved: AtomicU64,
    opening: Mutex<Opening>,
}

#[derive(Debug)]
struct Opened {
    spool: RedisSpool,
    /// As earlier processes left its books.
    found: Counters,
}

#[derive(Debug, Default)]
struct Opening {
    trouble: Option<String>,
    /// Nobody wants it any more.
    is_over: bool,
}

impl LateRedis {
    /// Asks nothing of Redis yet.
    pub(super) fn new(settings: RedisSettings) -> Result<Self, SpoolError> {
        settings.check()?;
        let memory = MemorySpool::new(settings.bytes_max)?;
        let (redis, moved, opening) = (OnceLock::new(), AtomicU64::new(0), Mutex::default());
        Ok(Self { settings, memory, redis, moved, opening })
    }

    /// Opens it, however long that takes, and says whether it is open; until `stop` turns true. What goes
    /// wrong is told once, a lease that is not over yet only after its time.
    pub(super) async fn open(&self, stop: &mut watch::Receiver<bool>, tell: impl Fn(&str)) -> bool {
        let lease_over = Instant::now() + self.settings.lease + LEASE_POLL * 2;
        let mut told = String::new();
        loop {
            let error = match RedisSpool::open(self.settings.clone()).await {
                Ok(spool) => return self.opened(spool).await,
                Err(error) => error,
            };
            let is_in_use = matches!(error, SpoolError::InUse(_));
            let text = format!("the spool in Redis is not open: {error}");
            self.opening.lock().trouble = Some(text.clone());
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
                // An error means that nobody is left who could ask.
                _ = stop.wait_for(|stop| *stop) => return false,
            }
        }
    }

    async fn opened(&self, spool: RedisSpool) -> bool {
        let found = spool.status().counters;
        {
            let mut opening = self.opening.lock();
            if !opening.is_over {
                opening.trouble = None;
                return self.redis.set(Opened { spool, found }).is_ok();
            }
        }
        close(&spool).await;
        false
    }

    /// Why it is not open.
    pub(super) fn trouble(&self) -> Option<String> {
        self.opening.lock().trouble.clone()
    }

    /// As earlier processes left the books.
    pub(super) fn found(&self) -> Counters {
        self.redis.get().map(|opened| opened.found).unwrap_or_default()
    }

    /// Gives it up, with what waits in it, so that another process can have it at once.
    pub(super) async fn release(&self) {
        self.opening.lock().is_over = true;
        let Some(Opened { spool, .. }) = self.redis.get() else { return };
        if let Err(error) = self.move_into(spool).await {
            tracing::error!(%error, "what waits in memory does not go into Redis any more");
        }
        close(spool).await;
    }

    async fn move_into(&self, redis: &RedisSpool) -> Result<(), SpoolError> {
        while let Some(batch) = self.memory.next_batch(&BatchBounds::default(), b"").await? {
            let count = u64::try_from(batch.items.len()).unwrap_or(u64::MAX);
            redis.append(batch.items.into_iter().map(Item::new).collect()).await?;
            self.moved.fetch_add(count, Ordering::Relaxed);
            self.memory.settle(batch.id, Settlement::Delivered).await?;
        }
        Ok(())
    }

    fn redis(&self) -> Option<&RedisSpool> {
        self.redis.get().map(|opened| &opened.spool)
    }
}

impl Spool for LateRedis {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        match self.redis() {
            Some(redis) => redis.append(items).await,
            None => self.memory.append(items).await,
        }
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        match self.redis() {
            Some(redis) => redis.count_lost(count).await,
            None => self.memory.count_lost(count).await,
        }
    }

    /// Whoever asks has no batch under way: what is left in memory can move.
    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        let Some(redis) = self.redis() else {
            return self.memory.next_batch(bounds, label).await;
        };
        self.move_into(redis).await?;
        redis.next_batch(bounds, label).await
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        match self.redis() {
            Some(redis) if id.spool != self.memory.status().id => {
                redis.settle(id, settlement).await
            }
            _ => self.memory.settle(id, settlement).await,
        }
    }

    fn status(&self) -> SpoolStatus {
        let memory = self.memory.status();
        let Some(redis) = self.redis() else { return memory };
        let redis = redis.status();
        let moved = self.moved.load(Ordering::Relaxed);
        let (here, there) = (memory.counters, redis.counters);
        let is_over = self.opening.lock().is_over;
        SpoolStatus {
            counters: Counters {
                accepted: here.accepted.saturating_sub(moved) + there.accepted,
                delivered: here.delivered.saturating_sub(moved) + there.delivered,
                dead: here.dead + there.dead,
                dropped: here.dropped + there.dropped,
                waiting: here.waiting + there.waiting,
            },
            bytes: memory.bytes + redis.bytes,
            oldest_ms: [memory.oldest_ms, redis.oldest_ms].into_iter().flatten().min(),
            // What is in memory still has its chance to move, until the end.
            is_durable: here.waiting == 0 || !is_over,
            ..redis
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        match self.redis() {
            Some(redis) => redis.sync().await,
            None => Ok(()),
        }
    }
}

async fn close(spool: &RedisSpool) {
    if let Err(error) = spool.release().await {
        tracing::warn!(%error, "the spool in Redis is free when its lease is over");
    }
}
