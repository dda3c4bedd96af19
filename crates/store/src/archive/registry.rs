//! What the database says of the files of the archive.

use crate::archive::file::NewFile;
use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

/// A file that events are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its number.
    pub id: i64,
    /// Its name in the archive folder.
    pub name: String,
    /// The UTC day of receipt of all its events, counted from 1970.
    pub day: i64,
    /// How many events it holds.
    pub events: u64,
    /// Its size.
    pub bytes: u64,
    /// When its first event was received.
    pub received_min: Timestamp,
    /// When its last event was received.
    pub received_max: Timestamp,
    /// Over all its bytes.
    pub sha256: [u8; 32],
}

/// What lies in the intake and is not archived yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeWaiting {
    /// How many events.
    pub events: u64,
    /// When the first of them was received.
    pub oldest: Option<Timestamp>,
    /// Whether a checkpoint contains that first one: others cannot be archived.
    pub is_checkpointed: bool,
}

const LIVE: i64 = 0;
const DOOMED: i64 = 1;
pub(super) const COLUMNS: &str =
    "f.id, f.name, f.day, f.events, f.bytes, f.received_min, f.received_max, f.sha256";
const ARCHIVED_SEQ: &str = "archived_seq";

impl Session<'_> {
    /// The files that events are read from, in the order of their days.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    pub fn archive_files(&self) -> Result<Vec<FileRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM archive_file f WHERE state = {LIVE} ORDER BY day, id"
        ))?;
        let rows = statement.query_map([], record)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The files that were replaced or retired and are not removed yet: number and name.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn doomed_files(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, name FROM archive_file WHERE state = {DOOMED} ORDER BY id"
        ))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a row refers to a file of this name, live or doomed.
    pub(super) fn refers_to(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM archive_file WHERE name = ?")?
            .exists([name])?)
    }

    /// Says that these files are not read from any more; returns whether all of them were until now.
    /// If not, nothing is changed.
    pub(super) fn doom(&self, files: &[i64]) -> Result<bool, StoreError> {
        let mut is_live = self.connection.prepare_cached(&format!(
            "SELECT 1 FROM archive_file WHERE id = ? AND state = {LIVE}"
        ))?;
        for file in files {
            if !is_live.exists([file])? {
                return Ok(false);
            }
        }
        let mut doom = self
            .connection
            .prepare_cached(&format!("UPDATE archive_file SET state = {DOOMED} WHERE id = ?"))?;
        for file in files {
            doom.execute([file])?;
        }
        Ok(true)
    }

    /// Puts a new file in the place of others: it holds all their events, of the same sources.
    /// Returns whether that was so; if not, nothing is changed.
    pub(super) fn replace(&self, old: &[i64], new: &NewFile) -> Result<bool, StoreError> {
        if !self.doom(old)? {
            return Ok(false);
        }
        let id = self.refer_to(new, &std::collections::HashMap::new())?;
        let mut copy = self.connection.prepare_cached(
            "INSERT INTO archive_file_source (file, source, events)
             SELECT ?1, source, events FROM archive_file_source WHERE file = ?2
             ON CONFLICT DO UPDATE SET events = events + excluded.events",
        )?;
        for file in old {
            copy.execute([id, *file])?;
        }
        Ok(true)
    }

    /// Removes the row of a file that was unlinked.
    pub(super) fn forget_file(&self, file: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM archive_file_source WHERE file = ?")?
            .execute([file])?;
        self.connection
            .prepare_cached(&format!("DELETE FROM archive_file WHERE id = ? AND state = {DOOMED}"))?
            .execute([file])?;
        Ok(())
    }

    /// What waits to be archived.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn intake_waiting(&self) -> Result<IntakeWaiting, StoreError> {
        let archived = self.archived_seq()?;
        // Both are answered from an index: bodies are not touched.
        let events: i64 = self
            .connection
            .prepare_cached("SELECT coalesce(sum(events), 0) FROM batch WHERE seq > ?")?
            .query_row([archived], |row| row.get(0))?;
        let oldest: Option<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT seq, received FROM batch WHERE seq > ? ORDER BY seq LIMIT 1")?
            .query_row([archived], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let checkpointed: i64 = self.number("checkpoint_seq")?;
        Ok(IntakeWaiting {
            events: events.unsigned_abs(),
            oldest: oldest.map(|(_, received)| Timestamp::from_micros(received)),
            is_checkpointed: oldest.is_some_and(|(seq, _)| seq <= checkpointed),
        })
    }

    /// The number of the last batch that was archived; 0 where none was.
    pub(crate) fn archived_seq(&self) -> Result<i64, StoreError> {
        self.number(ARCHIVED_SEQ)
    }

    pub(super) fn set_archived_seq(&self, seq: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET value = max(value, ?2)",
            )?
            .execute(params![ARCHIVED_SEQ, seq])?;
        Ok(())
    }

    fn number(&self, name: &str) -> Result<i64, StoreError> {
        let found = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    }
}

/// Reads a row of [`COLUMNS`].
pub(super) fn record(row: &Row<'_>) -> Result<FileRecord, rusqlite::Error> {
    Ok(FileRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        day: row.get(2)?,
        events: row.get::<_, i64>(3)?.unsigned_abs(),
        bytes: row.get::<_, i64>(4)?.unsigned_abs(),
        received_min: Timestamp::from_micros(row.get(5)?),
        received_max: Timestamp::from_micros(row.get(6)?),
        sha256: row.get(7)?,
    })
}
