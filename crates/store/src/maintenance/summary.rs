//! What a store holds, as far as it is told without opening a file of the archive.

use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// All events.
    pub events: u64,
    /// Batches that wait in the intake.
    pub intake_batches: u64,
    /// Events in them.
    pub intake_events: u64,
    /// When the longest-waiting of them was received.
    pub intake_since: Option<Timestamp>,
    /// Files of the archive.
    pub archive_files: u64,
    /// Events in them.
    pub archived_events: u64,
    /// Their bytes.
    pub archive_bytes: u64,
    /// Files that were replaced or retired and are not removed yet.
    pub doomed_files: u64,
    /// Their bytes.
    pub doomed_bytes: u64,
    /// Bytes of the archive for each event in it; none where it is empty.
    pub bytes_per_event: Option<f64>,
    /// When the first event was received that is still there.
    pub oldest: Option<Timestamp>,
    /// When the last event was received.
    pub newest: Option<Timestamp>,
    /// Legal holds.
    pub holds: u64,
    /// By UTC day of receipt, newest first.
    pub days: Vec<DaySummary>,
    /// Days before those that are listed.
    pub days_left_out: u64,
}

/// What was received on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySummary {
    /// Its beginning, UTC.
    pub day: Timestamp,
    /// Events received on it.
    pub events: u64,
    /// Files that hold them.
    pub files: u64,
    /// Bytes of those files. What is in the intake still has no size of its own.
    pub bytes: u64,
}

impl Session<'_> {
    /// What the store holds, with at most `days_max` days. A few indexes are read, no events.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn summary(&self, days_max: usize) -> Result<Summary, StoreError> {
        let intake = self.intake_days()?;
        let archive = self.archive_days()?;
        let sum = |days: &[Day], count: fn(&Day) -> u64| days.iter().map(count).sum::<u64>();
        let (intake_events, archived_events) =
            (sum(&intake, |day| day.events), sum(&archive, |day| day.events));
        let archive_bytes = sum(&archive, |day| day.bytes);
        let (doomed_files, doomed_bytes, holds) = self
            .connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(bytes), 0), (SELECT count(*) FROM legal_hold)
                 FROM archive_file WHERE state <> 0",
            )?
            .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
        let first = |days: &[Day]| days.iter().map(|day| day.received.0).min();
        let all = || intake.iter().chain(&archive);
        let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let (days, days_left_out) = days(all(), days_max);
        Ok(Summary {
            events: intake_events.saturating_add(archived_events),
            intake_batches: sum(&intake, |day| day.pieces),
            intake_events,
            intake_since: moment(first(&intake)),
            archive_files: sum(&archive, |day| day.pieces),
            archived_events,
            archive_bytes,
            doomed_files,
            doomed_bytes,
            bytes_per_event: (archived_events > 0)
                .then(|| archive_bytes as f64 / archived_events as f64),
            oldest: moment(all().map(|day| day.received.0).min()),
            newest: moment(all().map(|day| day.received.1).max()),
            holds,
            days,
            days_left_out,
        })
    }

    /// The earliest and the latest time that senders claim for events. Looks at every batch's bounds.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn claimed_times(&self) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let (min, max): (Option<i64>, Option<i64>) = self.connection.query_row(
            "SELECT min(first), max(last) FROM (
                 SELECT min(time_min) AS first, max(time_max) AS last FROM batch
                 UNION ALL
                 SELECT min(time_min), max(time_max) FROM archive_file WHERE state = 0)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(min.map(Timestamp::from_micros).zip(max.map(Timestamp::from_micros)))
    }

    /// The intake by day, in one pass over an index.
    fn intake_days(&self) -> Result<Vec<Day>, StoreError> {
        self.all_days(
            "SELECT received / 86400000000 AS day, count(*), sum(events), 0, min(received),
                 max(received)
             FROM batch INDEXED BY batch_by_received GROUP BY day",
        )
    }

    fn archive_days(&self) -> Result<Vec<Day>, StoreError> {
        self.all_days(
            "SELECT day, count(*), sum(events), sum(bytes), min(received_min), max(received_max)
             FROM archive_file WHERE state = 0 GROUP BY day",
        )
    }

    fn all_days(&self, query: &str) -> Result<Vec<Day>, StoreError> {
        let mut statement = self.connection.prepare_cached(query)?;
        let days = statement.query_map([], |row| {
            Ok(Day {
                number: row.get(0)?,
                pieces: count(row, 1)?,
                events: count(row, 2)?,
                bytes: count(row, 3)?,
                received: (row.get(4)?, row.get(5)?),
            })
        })?;
        Ok(days.collect::<Result<_, _>>()?)
    }
}

/// What the intake, or the archive, holds of one day.
struct Day {
    /// Counted from 1970.
    number: i64,
    /// Batches or files.
    pieces: u64,
    events: u64,
    bytes: u64,
    received: (i64, i64),
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

/// The last days, and how many there are before them. Only the archive has files and bytes.
fn days<'a>(days: impl Iterator<Item = &'a Day>, days_max: usize) -> (Vec<DaySummary>, u64) {
    let mut sums: BTreeMap<i64, DaySummary> = BTreeMap::new();
    for day in days {
        let micros = day.number.saturating_mul(86_400_000_000);
        let sum = sums.entry(day.number).or_insert(DaySummary {
            day: Timestamp::from_micros(micros),
            events: 0,
            files: 0,
            bytes: 0,
        });
        sum.events += day.events;
        if day.bytes > 0 {
            sum.files += day.pieces;
            sum.bytes += day.bytes;
        }
    }
    let left_out = sums.len().saturating_sub(days_max) as u64;
    (sums.into_values().rev().take(days_max).collect(), left_out)
}
