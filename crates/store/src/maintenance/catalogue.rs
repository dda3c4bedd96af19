//! What the database says of the archive.

use ringwall_event::Timestamp;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};

/// A row of `archive_file`.
#[derive(Clone, Debug)]
pub(super) struct FileRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) day: i64,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) times: (i64, i64),
    pub(super) received: (i64, i64),
    pub(super) sha256: Vec<u8>,
}

/// How many events of which source, by dialect and name.
pub(super) type SourceCounts = HashMap<(String, String), u64>;

/// Live files, in the order of their days.
pub(super) fn live_files(connection: &Connection) -> Result<Vec<FileRow>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT id, name, day, events, bytes, time_min, time_max, received_min, received_max, sha256
         FROM archive_file WHERE state = 0 ORDER BY day, id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(FileRow {
            id: row.get(0)?,
            name: row.get(1)?,
            day: row.get(2)?,
            events: row.get::<_, i64>(3)?.unsigned_abs(),
            bytes: row.get::<_, i64>(4)?.unsigned_abs(),
            times: (row.get(5)?, row.get(6)?),
            received: (row.get(7)?, row.get(8)?),
            sha256: row.get(9)?,
        })
    })?;
    rows.collect()
}

/// Names of files that were replaced or retired.
pub(super) fn doomed_files(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement =
        connection.prepare("SELECT name FROM archive_file WHERE state <> 0 ORDER BY id")?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

/// The names of all files that rows refer to, live and doomed.
pub(super) fn all_names(connection: &Connection) -> Result<HashSet<String>, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT name FROM archive_file")?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Which sources a file is said to hold.
pub(super) fn sources_of(
    connection: &Connection,
    file: i64,
) -> Result<SourceCounts, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT s.dialect, s.name, f.events FROM archive_file_source f
         JOIN source s ON s.id = f.source WHERE f.file = ?",
    )?;
    let rows = statement.query_map([file], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?.unsigned_abs()))
    })?;
    rows.collect()
}

/// The UTC day of a moment, counted from 1970.
pub(super) fn day_of(moment: Timestamp) -> i64 {
    moment.as_seconds().div_euclid(86_400)
}
