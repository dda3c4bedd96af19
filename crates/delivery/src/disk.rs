//! A spool that outlives its process.
//!
//! The folder holds numbered segment files of items ([`record`]), which are only ever appended to, and
//! one state file ([`state`]) that was given its room when the spool was made. Appending is one
//! `write(2)`; the beginning and the end of a batch, and every loss, are one write in place. So a
//! SIGKILL at any moment changes no count, and a disk that is full cannot keep a loss from being counted.
//!
//! Only what was delivered, refused and is still there is counted by itself; whatever else was accepted
//! was dropped. A damaged file therefore shows up as drops, never as silence.
//!
//! What a power cut may take is what was written since the last [`crate::Spool::sync`]: items that came
//! since then are lost (and counted, as far as the state file reached the disk), and a batch that was
//! begun since then may be delivered twice. [`Durability::Always`] waits for the disk each time instead.

mod dead_letters;
mod eviction;
mod queue;
pub mod record;
mod recovery;
mod segment;
pub mod state;

use crate::item::{Batch, BatchBounds, BatchId, Item};
use crate::spool::{Appended, Settlement, Spool, SpoolError, SpoolStatus};
use parking_lot::Mutex;
use queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a disk spool lies and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// Its folder; made where it is missing, for the owner alone.
    pub folder: PathBuf,
    /// So many bytes in all, dead letters aside. At least [`DiskSettings::BYTES_MIN`].
    pub bytes_max: u64,
    /// Dead letters are kept up to so many bytes, then the oldest go. None are kept with 0.
    pub dead_bytes_max: u64,
    /// When it waits for the disk.
    pub durability: Durability,
    /// What becomes of items that the disk has no room for.
    pub when_disk_full: WhenDiskFull,
}

impl DiskSettings {
    /// No spool is held to less.
    pub const BYTES_MIN: u64 = 64 << 10;

    /// A spool of at most so many bytes, with 8 MiB of dead letters, that waits for the disk only in
    /// [`crate::Spool::sync`].
    pub fn new(folder: impl Into<PathBuf>, bytes_max: u64) -> Self {
        Self {
            folder: folder.into(),
            bytes_max,
            dead_bytes_max: 8 << 20,
            durability: Durability::OnSync,
            when_disk_full: WhenDiskFull::Drop,
        }
    }
}

/// When a spool waits until what it wrote is on the disk. A kill of the process loses nothing either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// In [`crate::Spool::sync`].
    #[default]
    OnSync,
    /// Before each answer: a power cut loses and repeats nothing, and each call takes as long as the disk.
    Always,
}

/// What becomes of items that the disk has no room for, though the spool's own bounds have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDiskFull {
    /// They are dropped, and counted.
    #[default]
    Drop,
    /// [`crate::Spool::append`] fails, and whoever appends keeps them. Of many items, the first may be in.
    Refuse,
}

/// Items on a disk. One process has it at a time.
#[derive(Debug)]
pub struct DiskSpool {
    queue: Arc<Mutex<Queue>>,
}

impl DiskSpool {
    /// Opens the spool in a folder, or makes one there. All of it is read once: what waits is counted,
    /// what is torn or damaged is passed over, counted and told in the log.
    ///
    /// # Errors
    /// Where another process has it, or the folder cannot be used.
    pub fn open(settings: DiskSettings) -> Result<Self, SpoolError> {
        Ok(Self { queue: Arc::new(Mutex::new(Queue::open(settings)?)) })
    }
}

impl Spool for DiskSpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        self.queue.lock().append(items)
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        self.queue.lock().count_lost(count)
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        self.queue.lock().next_batch(bounds, label)
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        self.queue.lock().settle(id, &settlement)
    }

    fn status(&self) -> SpoolStatus {
        self.queue.lock().status()
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        // Nobody waits for the disk while holding the queue.
        let files = self.queue.lock().unsynced();
        if files.is_empty() {
            return Ok(());
        }
        let synced = tokio::task::spawn_blocking(move || {
            files.into_iter().try_for_each(|(path, file)| {
                file.sync_data().map_err(SpoolError::file("cannot sync", path))
            })
        });
        synced.await.unwrap_or_else(|error| Err(SpoolError::Remote(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn settings(name: &str) -> DiskSettings {
        let folder = std::env::temp_dir().join(format!("ringwall-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        DiskSettings::new(folder, 1 << 20)
    }

    #[test]
    fn a_copy_of_the_file_does_not_keep_the_next_one_out() {
        let settings = settings("lock");
        let spool = DiskSpool::open(settings.clone()).unwrap();
        // As a sync that is still under way has it, and a process that was forked and runs nothing yet.
        let copy = spool.queue.lock().state_file.try_clone().unwrap();
        assert!(matches!(DiskSpool::open(settings.clone()), Err(SpoolError::InUse(_))));
        drop(spool);
        drop(DiskSpool::open(settings.clone()).unwrap());
        drop(copy);
        std::fs::remove_dir_all(&settings.folder).unwrap();
    }

    /// The books cannot be written: what they say is under way must still be there at the next start.
    #[tokio::test]
    async fn files_go_only_after_the_books() {
        let settings = settings("books");
        let spool = DiskSpool::open(settings.clone()).unwrap();
        // Each in a segment of its own.
        let items = (0..4u8).map(|number| Item::new(vec![number; 60_000])).collect();
        assert_eq!(spool.append(items).await.unwrap().kept, 4);
        let bounds = BatchBounds { count_max: 2, bytes_max: 1 << 20 };
        let batch = spool.next_batch(&bounds, b"").await.unwrap().unwrap();
        assert_eq!(batch.items.len(), 2);
        let segments = || {
            let files = std::fs::read_dir(&settings.folder).unwrap();
            files.filter(|file| file.as_ref().unwrap().metadata().unwrap().len() > 50_000).count()
        };
        assert_eq!(segments(), 4);
        let unwritable = File::open(settings.folder.join(recovery::STATE_FILE)).unwrap();
        spool.queue.lock().state_file = unwritable;
        assert!(spool.settle(batch.id, Settlement::Delivered).await.is_err());
        assert_eq!(segments(), 4);
        drop(spool);

        let spool = DiskSpool::open(settings.clone()).unwrap();
        let counters = spool.status().counters;
        assert_eq!((counters.waiting, counters.dropped, counters.delivered), (4, 0, 0));
        let again = spool.next_batch(&bounds, b"").await.unwrap().unwrap();
        assert_eq!(again, batch);
        spool.settle(again.id, Settlement::Delivered).await.unwrap();
        assert_eq!(segments(), 2);
        drop(spool);
        std::fs::remove_dir_all(&settings.folder).unwrap();
    }
}
