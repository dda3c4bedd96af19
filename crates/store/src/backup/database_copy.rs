//! A copy of the database as of one moment, and what it says of the archive.

use super::BackupError;
use super::manifest::is_archive_name;
use crate::data_dir::{self, io_error};
use crate::{Progress, StoreError, integrity};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What a copy of the database refers to.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) intake_events: u64,
    pub(super) archived_events: u64,
    pub(super) files: Vec<LiveFile>,
}

/// An archive file that belongs to a copy.
#[derive(Debug)]
pub(super) struct LiveFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

/// Steps of SQLite's machine between two looks at the size of the copy.
const STEPS: i32 = 20_000;

/// Copies a database that others may be using to a new file, without what is doomed in it.
pub(super) fn make(
    database: &Path,
    copy: &Path,
    progress: &Arc<Progress>,
) -> Result<Content, BackupError> {
    progress.begin("database", std::fs::metadata(database).map_or(0, |file| file.len()), 0);
    // Empty and private before SQLite fills it.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(copy)
        .map_err(io_error(copy))?;
    let name = copy.to_str().ok_or_else(|| StoreError::Unreadable {
        what: "name of the backup",
        why: format!("{} is not UTF-8", copy.display()),
    })?;
    let mut source = data_dir::connect(database)?;
    let (watch, growing) = (Arc::clone(progress), copy.to_owned());
    let each = move || {
        watch.reach(std::fs::metadata(&growing).map_or(0, |file| file.len()));
        watch.is_cancelled()
    };
    source.progress_handler(STEPS, Some(each)).map_err(StoreError::from)?;
    let copied = source.execute("VACUUM INTO ?", [name]);
    drop(source);
    progress.go_on()?;
    copied.map_err(StoreError::from)?;

    drop_doomed(copy)?;
    let content = examine(copy, progress)?;
    let synced = File::open(copy).and_then(|file| file.sync_all());
    synced.map_err(io_error(copy))?;
    Ok(content)
}

fn drop_doomed(copy: &Path) -> Result<(), StoreError> {
    let connection = Connection::open_with_flags(
        copy,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // The copy has no name yet: what is cut short here is removed with it.
    connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    connection.execute_batch(
        "BEGIN;
         DELETE FROM archive_file_source
             WHERE file IN (SELECT id FROM archive_file WHERE state <> 0);
         DELETE FROM archive_file WHERE state <> 0;
         COMMIT;",
    )?;
    Ok(())
}

/// Whether a copy is whole, and what it refers to.
pub(super) fn examine(copy: &Path, progress: &Arc<Progress>) -> Result<Content, BackupError> {
    progress.begin("examine", 0, 0);
    let damaged = |why: String| BackupError::Damaged { path: copy.to_owned(), why };
    let mut connection = Connection::open_with_flags(
        copy,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(StoreError::from)?;
    let found = integrity::check(&mut connection, progress)?;
    if let Some(first) = found.first() {
        return Err(damaged(first.clone()));
    }
    data_dir::check_version(&connection, copy)?;
    let content = read(&connection).map_err(StoreError::from)?;
    if let Some(file) = content.files.iter().find(|file| !is_archive_name(&file.name)) {
        return Err(damaged(format!("refers to the archive file `{}`", file.name)));
    }
    Ok(content)
}

fn read(connection: &Connection) -> Result<Content, rusqlite::Error> {
    let count = |query: &str| -> Result<u64, rusqlite::Error> {
        connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let mut statement = connection
        .prepare("SELECT name, bytes, sha256 FROM archive_file WHERE state = 0 ORDER BY day, id")?;
    let rows = statement.query_map([], |row| {
        Ok(LiveFile {
            name: row.get(0)?,
            bytes: row.get::<_, i64>(1)?.unsigned_abs(),
            sha256: row.get(2)?,
        })
    })?;
    Ok(Content {
        intake_events: count("SELECT coalesce(sum(events), 0) FROM batch")?,
        archived_events: count(
            "SELECT coalesce(sum(events), 0) FROM archive_file WHERE state = 0",
        )?,
        files: rows.collect::<Result<_, _>>()?,
    })
}
