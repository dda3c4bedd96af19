//! Where items wait, chosen when telemetry starts.

use ringwall_delivery::{
    Appended, Batch, BatchBounds, BatchId, DiskSettings, DiskSpool, Item, LocalSpool, MemorySpool,
    Settlement, Spool, SpoolError, SpoolStatus,
};
#[cfg(feature = "redis")]
use ringwall_delivery::{RedisSettings, RedisSpool};
use std::path::Path;
#[cfg(feature = "redis")]
use std::time::Duration;
#[cfg(feature = "redis")]
use tokio::time::{Instant, sleep};

/// Processes that share a folder take a part each; more than so many find none.
const PROCESSES_MAX: usize = 256;

/// How often it is looked whether the lease of another process is over.
#[cfg(feature = "redis")]
const LEASE_POLL: Duration = Duration::from_millis(500);

/// One of the three.
#[derive(Debug)]
pub(super) enum AnySpool {
    Local(Box<LocalSpool>),
    #[cfg(feature = "redis")]
    Redis(Box<RedisSpool>),
}

impl AnySpool {
    pub(super) fn memory(bytes_max: u64) -> Result<Self, SpoolError> {
        MemorySpool::new(bytes_max).map(|spool| Self::Local(Box::new(LocalSpool::Memory(spool))))
    }

    /// Opens the first part of the folder that no other process has. Workers of one application thus
    /// never send each other's items, and what a worker left is sent by the next that starts.
    pub(super) fn disk(folder: &Path, kind: &str, bytes_max: u64) -> Result<Self, SpoolError> {
        let mut last = None;
        for part in 0..PROCESSES_MAX {
            let settings = DiskSettings::new(folder.join(format!("{kind}-{part}")), bytes_max);
            match DiskSpool::open(settings) {
                Err(error @ SpoolError::InUse(_)) => last = Some(error),
                opened => return Ok(Self::Local(Box::new(LocalSpool::Disk(opened?)))),
            }
        }
        Err(last.unwrap_or_else(|| SpoolError::InUse(folder.to_owned())))
    }

    #[cfg(feature = "redis")]
    pub(super) async fn redis(url: &str, name: &str, bytes_max: u64) -> Result<Self, SpoolError> {
        let settings = RedisSettings::new(url, name, bytes_max);
        // A process that was killed has it until its lease is over.
        let deadline = Instant::now() + settings.lease + LEASE_POLL * 2;
        let mut is_told = false;
        loop {
            match RedisSpool::open(settings.clone()).await {
                Err(SpoolError::InUse(_)) if Instant::now() < deadline => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(
                            name,
                            "another process has the spool in Redis: waiting for its lease"
                        );
                    }
                    sleep(LEASE_POLL).await;
                }
                opened => return Ok(Self::Redis(Box::new(opened?))),
            }
        }
    }
}

impl AnySpool {
    /// Gives up what another process could not have before a lease is over.
    pub(super) async fn release(&self) {
        #[cfg(feature = "redis")]
        if let Self::Redis(spool) = self
            && let Err(error) = spool.release().await
        {
            tracing::warn!(%error, "the spool in Redis is free when its lease is over");
        }
    }
}

impl Spool for AnySpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        match self {
            Self::Local(spool) => spool.append(items).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.append(items).await,
        }
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        match self {
            Self::Local(spool) => spool.count_lost(count).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.count_lost(count).await,
        }
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        match self {
            Self::Local(spool) => spool.next_batch(bounds, label).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.next_batch(bounds, label).await,
        }
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        match self {
            Self::Local(spool) => spool.settle(id, settlement).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.settle(id, settlement).await,
        }
    }

    fn status(&self) -> SpoolStatus {
        match self {
            Self::Local(spool) => spool.status(),
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.status(),
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        match self {
            Self::Local(spool) => spool.sync().await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.sync().await,
        }
    }
}
