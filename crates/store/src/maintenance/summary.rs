//! What a store holds, as far as it is told without opening a file of the archive.

use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

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
    /// The earliest time that a sender claims for an event.
    pub earliest_claimed: Option<Timestamp>,
    /// The latest time that a sender claims for an event.
    pub latest_claimed: Option<Timestamp>,
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
        let connection = self.connection;
        let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let earliest = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let bounds = |query: &str| -> Result<[Option<i64>; 4], StoreError> {
            Ok(connection
                .prepare_cached(query)?
                .query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?)
        };
        // Each in a query of its own: SQLite takes an extreme from an index only alone.
        let intake = bounds(
            "SELECT (SELECT min(received) FROM batch), (SELECT max(received) FROM batch),
                    (SELECT min(time_min) FROM batch), (SELECT max(time_max) FROM batch)",
        )?;
        let archive = bounds(
            "SELECT min(received_min), max(received_max), min(time_min), max(time_max)
             FROM archive_file WHERE state = 0",
        )?;
        let pairs = |query: &str| -> Result<[u64; 3], StoreError> {
            Ok(connection.prepare_cached(query)?.query_row([], |row| {
                let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
                Ok([count(0)?, count(1)?, count(2)?])
            })?)
        };
        let [intake_batches, intake_events, holds] = pairs(
            "SELECT count(*), coalesce(sum(events), 0), (SELECT count(*) FROM legal_hold)
             FROM batch INDEXED BY batch_by_received",
        )?;
        const FILES: &str =
            "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM archive_file";
        let [archive_files, archived_events, archive_bytes] =
            pairs(&format!("{FILES} WHERE state = 0"))?;
        let [doomed_files, _, doomed_bytes] = pairs(&format!("{FILES} WHERE state <> 0"))?;
        let (days, days_left_out) = self.days(days_max)?;
        Ok(Summary {
            events: intake_events.saturating_add(archived_events),
            intake_batches,
            intake_events,
            intake_since: moment(intake[0]),
            archive_files,
            archived_events,
            archive_bytes,
            doomed_files,
            doomed_bytes,
            bytes_per_event: (archived_events > 0)
                .then(|| archive_bytes as f64 / archived_events as f64),
            oldest: moment(earliest(intake[0], archive[0])),
            newest: moment(intake[1].max(archive[1])),
            earliest_claimed: moment(earliest(intake[2], archive[2])),
            latest_claimed: moment(intake[3].max(archive[3])),
            holds,
            days,
            days_left_out,
        })
    }

    fn days(&self, days_max: usize) -> Result<(Vec<DaySummary>, u64), StoreError> {
        const DAYS: &str = "SELECT day, events, 1 AS files, bytes
                 FROM archive_file WHERE state = 0
             UNION ALL
             SELECT received / 86400000000, events, 0, 0
                 FROM batch INDEXED BY batch_by_received";
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT day, sum(events), sum(files), sum(bytes)
             FROM ({DAYS}) GROUP BY 1 ORDER BY 1 DESC LIMIT ?"
        ))?;
        let rows =
            statement.query_map(params![i64::try_from(days_max).unwrap_or(i64::MAX)], |row| {
                let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
                let day = row.get::<_, i64>(0)?.saturating_mul(86_400_000_000);
                Ok(DaySummary {
                    day: Timestamp::from_micros(day),
                    events: count(1)?,
                    files: count(2)?,
                    bytes: count(3)?,
                })
            })?;
        let days: Vec<DaySummary> = rows.collect::<Result<_, _>>()?;
        let all = self
            .connection
            .prepare_cached(&format!("SELECT count(DISTINCT day) FROM ({DAYS})"))?
            .query_row([], |row| row.get::<_, i64>(0))
            .optional()?
            .unwrap_or(0)
            .unsigned_abs();
        let left_out = all.saturating_sub(days.len() as u64);
        Ok((days, left_out))
    }
}
