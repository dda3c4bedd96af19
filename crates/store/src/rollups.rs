//! Counts of events by the minute, hour and day of their receipt, so that no page has to scan.
//!
//! Whoever takes events counts them into [`RollupCounts`] and merges these into the table from time
//! to time; a question is answered from the table and whatever is not merged yet. By receipt, since
//! that only ever goes forward: what is counted once is never touched by a late claim.

pub(crate) mod compare;
pub(crate) mod counts;
mod kinds;
mod level;
mod packed;
mod plan;
mod rebuild;
mod table;
mod timeline;

use crate::StoreError;
use counts::RollupCounts;
use ringwall_event::{Severity, Source, Timestamp};

pub use rebuild::{Counted, rebuild_rollups};

/// How many buckets a timeline has at most.
pub const BUCKETS_MAX: usize = 2000;

/// The counts of received events.
pub trait RollupStore {
    /// Adds these counts to those that are there. A row that is damaged stays as it is, and goes on
    /// saying so to whoever reads it, until the counts are made anew: nothing new is kept out for its
    /// sake.
    ///
    /// # Errors
    /// Where the database cannot be written; so for every verb that changes something.
    fn merge_rollups(&self, counts: &RollupCounts) -> Result<(), StoreError>;

    /// The number of the last batch of the intake that is counted in the table; 0 where none is.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn rollup_seq(&self) -> Result<i64, StoreError>;

    /// Says that every batch of the intake up to this one is counted in the table.
    fn set_rollup_seq(&self, seq: i64) -> Result<(), StoreError>;

    /// How many events there were, bucket by bucket: those of the table and those of `pending`.
    ///
    /// # Errors
    /// Where the database cannot be read, or a row that is needed is damaged; the error names it.
    fn receipt_timeline(
        &self,
        query: &TimelineQuery,
        pending: &[&RollupCounts],
    ) -> Result<Timeline, StoreError>;

    /// Who sent most, the busiest first: at most `limit` of them. The bounds are widened to whole
    /// minutes, over more than six hours to whole hours, over more than a month to whole days.
    ///
    /// # Errors
    /// As [`RollupStore::receipt_timeline`].
    fn top_sources(
        &self,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
        pending: &[&RollupCounts],
    ) -> Result<Vec<(Source, u64)>, StoreError>;

    /// Removes up to `limit` rows of which nothing was received at or after `before`; returns how
    /// many.
    fn forget_rollups(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Removes all counts.
    fn clear_rollups(&self) -> Result<(), StoreError>;
}

/// Which counts are wanted; every filter that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineQuery {
    /// Received at or after; rounded down to a whole bucket.
    pub since: Timestamp,
    /// Received before; rounded up to a whole bucket.
    pub until: Timestamp,
    /// How wide a bucket is, in minutes; widened to what divides an hour or a day, and to what the
    /// bounds on work ask for. None: about a hundred buckets.
    pub step_minutes: Option<u32>,
    /// What gets a series of its own.
    pub by: TimelineBy,
    /// Only this kind (`Activity::kind`).
    pub kind: Option<String>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only from this source.
    pub source: Option<Source>,
    /// How many series there are at most, the largest; the rest is in [`Timeline::other`].
    pub series_max: usize,
}

/// What gets a series of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimelineBy {
    /// Nothing: all events are one series.
    #[default]
    Nothing,
    /// Each kind.
    Kind,
    /// Each severity.
    Severity,
    /// Each source.
    Source,
}

/// Counts in buckets of one width, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The beginning of the first bucket.
    pub since: Timestamp,
    /// The end of the last.
    pub until: Timestamp,
    /// How wide a bucket is, in minutes.
    pub step_minutes: u32,
    /// The largest series, largest first; one that counts nothing is left out unless it is the
    /// only one there is.
    pub series: Vec<Series>,
    /// What is in none of them, bucket by bucket; empty where there is nothing.
    pub other: Vec<u64>,
    /// All that is counted.
    pub total: u64,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// What it counts.
    pub key: SeriesKey,
    /// How many there were in each bucket.
    pub counts: Vec<u64>,
    /// Their sum.
    pub total: u64,
}

/// What a series counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesKey {
    /// Everything that was asked for.
    All,
    /// Events of one kind.
    Kind(&'static str),
    /// Events of one severity.
    Severity(Severity),
    /// Events of one source.
    Source(Source),
}
