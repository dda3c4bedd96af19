//! What a store holds, column by column.

use super::{Summary, catalogue};
use crate::archive::file::ArchiveFile;
use crate::archive::open_files::OpenFiles;
use crate::data_dir::{Beside, DataDirError};
use crate::{Progress, Session, StoreError};
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// What a store holds, and what each column of its archive costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// What the database tells.
    pub summary: Summary,
    /// The earliest and the latest time that senders claim for events.
    pub claimed: Option<(Timestamp, Timestamp)>,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of its journal, which are taken up into it from time to time.
    pub journal_bytes: u64,
    /// Bytes of columns as they are packed in the files.
    pub packed_bytes: u64,
    /// Bytes of the same columns encoded but not compressed.
    pub encoded_bytes: u64,
    /// Bytes of the files that are no columns: footers, page indexes and bloom filters.
    pub index_bytes: u64,
    /// The columns, largest first.
    pub columns: Vec<ColumnStats>,
    /// Files that could not be read, and are not counted in.
    pub unreadable_files: u64,
}

/// What a column costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Its name in the files.
    pub name: String,
    /// Its bytes as they are packed in the files.
    pub packed_bytes: u64,
    /// Its bytes encoded but not compressed.
    pub encoded_bytes: u64,
    /// Bytes of its bloom filters, which are not among the packed ones.
    pub filter_bytes: u64,
    /// How its pages are encoded.
    pub encodings: BTreeSet<String>,
}

const DAYS_MAX: usize = 10_000;

/// Reads the footers of all files of a data directory, which a server may be using.
///
/// # Errors
/// Where there is no store, or its database cannot be read.
pub fn stats(data_dir: &Path, progress: &Arc<Progress>) -> Result<Stats, DataDirError> {
    let beside = Beside::open(data_dir)?;
    let connection = beside.connect()?;
    connection.execute_batch("BEGIN")?;
    let archive = OpenFiles::new(beside.archive.clone());
    let session = Session { connection: &connection, archive: &archive };
    let (summary, claimed) = (session.summary(DAYS_MAX)?, session.claimed_times()?);
    let files = catalogue::live_files(&connection)?;
    connection.execute_batch("ROLLBACK")?;

    progress.begin("footers", 0, files.len() as u64);
    let mut counted = Counted::default();
    for file in &files {
        progress.go_on()?;
        match ArchiveFile::open(&beside.archive, &file.name) {
            Ok(opened) => {
                counted.add(&opened);
                counted.file_bytes += file.bytes;
            }
            Err(StoreError::Archive { .. }) => counted.unreadable_files += 1,
            Err(other) => return Err(other.into()),
        }
        progress.file_done();
    }
    let size = |suffix: &str| {
        let mut name = beside.database.clone().into_os_string();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    Ok(Stats { claimed, ..counted.finish(summary, size(""), size("-wal")) })
}

#[derive(Default)]
struct Counted {
    columns: HashMap<String, ColumnStats>,
    file_bytes: u64,
    unreadable_files: u64,
}

impl Counted {
    fn add(&mut self, file: &ArchiveFile) {
        for group in file.metadata.metadata().row_groups() {
            for chunk in group.columns() {
                let name = chunk.column_path().string();
                let column = match self.columns.get_mut(&name) {
                    Some(column) => column,
                    None => self
                        .columns
                        .entry(name.clone())
                        .or_insert_with(|| ColumnStats { name, ..ColumnStats::default() }),
                };
                column.packed_bytes += chunk.compressed_size().unsigned_abs();
                column.encoded_bytes += chunk.uncompressed_size().unsigned_abs();
                let filter = chunk.bloom_filter_length().unwrap_or(0);
                column.filter_bytes += u64::from(filter.unsigned_abs());
                column.encodings.extend(chunk.encodings().map(|encoding| encoding.to_string()));
            }
        }
    }

    fn finish(self, summary: Summary, database_bytes: u64, journal_bytes: u64) -> Stats {
        let mut columns: Vec<ColumnStats> = self.columns.into_values().collect();
        columns.sort_by(|a, b| {
            (b.packed_bytes, b.filter_bytes, &a.name).cmp(&(
                a.packed_bytes,
                a.filter_bytes,
                &b.name,
            ))
        });
        let packed_bytes = columns.iter().map(|column| column.packed_bytes).sum();
        Stats {
            summary,
            claimed: None,
            database_bytes,
            journal_bytes,
            packed_bytes,
            encoded_bytes: columns.iter().map(|column| column.encoded_bytes).sum(),
            index_bytes: self.file_bytes.saturating_sub(packed_bytes),
            columns,
            unreadable_files: self.unreadable_files,
        }
    }
}
