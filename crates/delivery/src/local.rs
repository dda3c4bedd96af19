//! A spool on this machine, on its disk or in memory.

use crate::item::{Batch, BatchBounds, BatchId, Item};
use crate::spool::{Appended, Settlement, Spool, SpoolError, SpoolStatus};
use crate::{DiskSpool, MemorySpool};

/// One of the two, chosen when the program starts.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one of them, behind an `Arc`")]
pub enum LocalSpool {
    /// Lives as long as the process.
    Memory(MemorySpool),
    /// Outlives it.
    Disk(DiskSpool),
}

impl Spool for LocalSpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        match self {
            Self::Memory(spool) => spool.append(items).await,
            Self::Disk(spool) => spool.append(items).await,
        }
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        match self {
            Self::Memory(spool) => spool.count_lost(count).await,
            Self::Disk(spool) => spool.count_lost(count).await,
        }
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        match self {
            Self::Memory(spool) => spool.next_batch(bounds, label).await,
            Self::Disk(spool) => spool.next_batch(bounds, label).await,
        }
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        match self {
            Self::Memory(spool) => spool.settle(id, settlement).await,
            Self::Disk(spool) => spool.settle(id, settlement).await,
        }
    }

    fn status(&self) -> SpoolStatus {
        match self {
            Self::Memory(spool) => spool.status(),
            Self::Disk(spool) => spool.status(),
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        match self {
            Self::Memory(spool) => spool.sync().await,
            Self::Disk(spool) => spool.sync().await,
        }
    }
}
