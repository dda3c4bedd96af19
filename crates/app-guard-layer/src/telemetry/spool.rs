//! Where items wait, chosen when telemetry starts.

#[cfg(feature = "redis")]
mod late_redis;

#[cfg(feature = "redis")]
use late_redis::LateRedis;
#[cfg(feature = "redis")]
pub(super) use late_redis::Moving;
#[cfg(feature = "redis")]
use ringwall_delivery::RedisSettings;
use ringwall_delivery::{
    Appended, Batch, BatchBounds, BatchId, Counters, DiskSettings, DiskSpool, Item, LocalSpool,
    MemorySpool, Settlement, Spool, SpoolError, SpoolStatus, WhenDiskFull,
};
use std::path::Path;
use tokio::sync::watch;

/// Processes that share a folder take a part each; more than so many find none.
const PROCESSES_MAX: usize = 256;

/// One of the three.
#[derive(Debug)]
pub(super) enum AnySpool {
    Local {
        spool: Box<LocalSpool>,
        /// As earlier processes left its books.
        found: Counters,
    },
    #[cfg(feature = "redis")]
    Redis(Box<LateRedis>),
}

impl AnySpool {
    pub(super) fn memory(bytes_max: u64) -> Result<Self, SpoolError> {
        MemorySpool::new(bytes_max).map(|spool| Self::local(LocalSpool::Memory(spool)))
    }

    /// Opens the first part of the folder that no other process has. Workers of one application thus
    /// never send each other's items, and what a worker left is sent by the next that starts.
    pub(super) fn disk(folder: &Path, kind: &str, bytes_max: u64) -> Result<Self, SpoolError> {
        let mut last = None;
        for part in 0..PROCESSES_MAX {
            // What the disk has no room for waits in memory: the drain keeps it.
            let settings = DiskSettings {
                when_disk_full: WhenDiskFull::Refuse,
                ..DiskSettings::new(folder.join(format!("{kind}-{part}")), bytes_max)
            };
            match DiskSpool::open(settings) {
                Err(error @ SpoolError::InUse(_)) => last = Some(error),
                opened => return Ok(Self::local(LocalSpool::Disk(opened?))),
            }
        }
        Err(last.unwrap_or_else(|| SpoolError::InUse(folder.to_owned())))
    }

    /// In Redis, as soon as that can be used.
    #[cfg(feature = "redis")]
    pub(super) fn redis(
        url: &str,
        name: &str,
        bytes_max: u64,
        moving: Moving,
    ) -> Result<Self, SpoolError> {
        let spool = LateRedis::new(RedisSettings::new(url, name, bytes_max), moving)?;
        Ok(Self::Redis(Box::new(spool)))
    }

    fn local(spool: LocalSpool) -> Self {
        let found = spool.status().counters;
        Self::Local { spool: Box::new(spool), found }
    }

    /// Opens what could not be opened at once, and again where it is lost, until `stop` turns true. `filled` is
    /// called when something may wait in it that was not put in through an outbox.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, unused_variables, reason = "only Redis is opened late")
    )]
    pub(super) async fn keep_open(
        &self,
        stop: &mut watch::Receiver<bool>,
        tell: impl Fn(&str),
        filled: impl Fn(),
    ) {
        match self {
            Self::Local { .. } => {}
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.keep_open(stop, tell, filled).await,
        }
    }

    /// What keeps it from being opened.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Self::Local { .. } => None,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.trouble(),
        }
    }

    /// The books as earlier processes left them. To be asked for after [`Spool::status`]: they may have been
    /// opened between the two.
    pub(super) fn found(&self) -> Counters {
        match self {
            Self::Local { found, .. } => *found,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.found(),
        }
    }

    /// Gives up what another process could not have before a lease is over.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "only Redis has a lease")
    )]
    pub(super) async fn release(&self) {
        match self {
            Self::Local { .. } => {}
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.release().await,
        }
    }
}

impl Spool for AnySpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        match self {
            Self::Local { spool, .. } => spool.append(items).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.append(items).await,
        }
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        match self {
            Self::Local { spool, .. } => spool.count_lost(count).await,
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
            Self::Local { spool, .. } => spool.next_batch(bounds, label).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.next_batch(bounds, label).await,
        }
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        match self {
            Self::Local { spool, .. } => spool.settle(id, settlement).await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.settle(id, settlement).await,
        }
    }

    fn status(&self) -> SpoolStatus {
        match self {
            Self::Local { spool, .. } => spool.status(),
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.status(),
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        match self {
            Self::Local { spool, .. } => spool.sync().await,
            #[cfg(feature = "redis")]
            Self::Redis(spool) => spool.sync().await,
        }
    }
}
