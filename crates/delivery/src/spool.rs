//! Where items wait.

use crate::item::{Batch, BatchBounds, BatchId, Counters, Item, SpoolId};
use std::future::Future;
use std::io;
use std::path::PathBuf;

/// Keeps items until they are settled, bounded in bytes.
///
/// At most one batch is under way at a time: [`Spool::next_batch`] gives the same one, with the same id
/// and the same bytes, until [`Spool::settle`] is told what became of it.
///
/// A spool on this machine answers at once: it writes to memory or to the page cache. What waits for a
/// disk is [`Spool::sync`].
pub trait Spool: Send + Sync + 'static {
    /// Takes items in, in their order. Where there is no room, those that give way go first, then the
    /// oldest; all of it is counted.
    ///
    /// # Errors
    /// Where the spool cannot even count any more. What could not be kept is no error but counted.
    fn append(&self, items: Vec<Item>)
    -> impl Future<Output = Result<Appended, SpoolError>> + Send;

    /// Counts items as accepted and dropped that could not even be put in.
    ///
    /// # Errors
    /// Where that cannot be written down.
    fn count_lost(&self, count: u64) -> impl Future<Output = Result<(), SpoolError>> + Send;

    /// The batch under way, or a new one of the oldest items; none where nothing waits. `label` is kept
    /// with a new batch, at most 512 bytes of it.
    ///
    /// # Errors
    /// Where its beginning cannot be written down: it must not be sent then.
    fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> impl Future<Output = Result<Option<Batch>, SpoolError>> + Send;

    /// Says what became of the batch under way.
    ///
    /// # Errors
    /// Where it is not under way, or the end cannot be written down; then the batch may come again, under
    /// its id.
    fn settle(
        &self,
        id: BatchId,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), SpoolError>> + Send;

    /// What the spool holds, as far as is known here.
    fn status(&self) -> SpoolStatus;

    /// Brings to the disk what was written since the last call. May take long.
    ///
    /// # Errors
    /// Where the disk refuses.
    fn sync(&self) -> impl Future<Output = Result<(), SpoolError>> + Send;
}

/// A label is cut off after this many bytes.
pub(crate) const LABEL_BYTES_MAX: usize = 512;

/// What became of items that were appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// They wait now.
    pub kept: u64,
    /// There was no room for them, not even in place of others.
    pub dropped: u64,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The peer has it.
    Delivered,
    /// The peer will never take it: it is a dead letter now.
    Dead {
        /// What the peer said, one line.
        reason: String,
    },
    /// The peer did not take it because it is too large: its first half is under way now, under a new
    /// id. A batch of one item cannot be split.
    Split,
}

/// A look at a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Its name.
    pub id: SpoolId,
    /// What became of all items since it was made.
    pub counters: Counters,
    /// How many bytes it takes at present.
    pub bytes: u64,
    /// How many it may take.
    pub bytes_max: u64,
    /// When the oldest item came that still waits, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// Whether what came last could not be kept, as the disk is full.
    pub is_full: bool,
    /// Whether it outlives the process.
    pub is_durable: bool,
}

/// Why a spool does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was there when it was opened, and is not any more, with all that waited in it.
    #[error("`{0}`: the spool that was opened is gone")]
    Gone(String),
    /// A file cannot be used.
    #[error("{what} {}: {error}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// This batch is not under way.
    #[error("batch {0} is not under way")]
    NotUnderWay(u64),
    /// A batch of one item cannot be split.
    #[error("batch {0} has one item and cannot be split")]
    NotDivisible(u64),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    NoRandomness(String),
    /// A spool elsewhere does not answer as it should.
    #[error("the spool does not answer: {0}")]
    Remote(String),
}

impl SpoolError {
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { what, path, error }
    }
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
