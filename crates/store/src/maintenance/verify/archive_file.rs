//! One file of the archive, from its first byte to its last row.

use super::recount::Recount;
use crate::archive::bulk_load::DAY_MICROS;
use crate::archive::columns::{Column, ColumnKind};
use crate::archive::events_of::Rows;
use crate::archive::file::ArchiveFile;
use crate::data_dir::ARCHIVE;
use crate::maintenance::catalogue::{FileRow, SourceCounts};
use crate::maintenance::tally::{damaged, tally};
use crate::maintenance::{Finding, FindingKind};
use crate::{Progress, RollupCounts, StoreError};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use ringwall_event::EventId;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What was found of a file.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) findings: Vec<Finding>,
    /// Whether its rows can be read again for further questions.
    pub(super) is_readable: bool,
}

const BUFFER_BYTES: usize = 1 << 20;

/// Compares a file with its row, and its rows with what files promise.
pub(super) fn examine(
    archive: &Path,
    row: &FileRow,
    sources: &SourceCounts,
    recount: &Recount,
    progress: &Progress,
) -> Result<FileReport, StoreError> {
    let place = format!("{ARCHIVE}/{}", row.name);
    let damage = |kind, what: String| {
        let findings = vec![Finding::damage(kind, &place, what)];
        Ok(FileReport { findings, is_readable: false })
    };
    let (bytes, sha256) = match fingerprint(&archive.join(&row.name), progress) {
        Ok(read) => read,
        Err(Unread::Stopped(error)) => return Err(error),
        Err(Unread::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return damage(FindingKind::Missing, "is not there".to_owned());
        }
        Err(Unread::Io(error)) => return damage(FindingKind::Unreadable, error.to_string()),
    };
    if bytes != row.bytes {
        return damage(FindingKind::Size, format!("has {bytes} bytes, {} were written", row.bytes));
    }
    if sha256.as_slice() != row.sha256 {
        let what = "its bytes are not those that were written";
        return damage(FindingKind::Checksum, what.to_owned());
    }
    let file = match ArchiveFile::open(archive, &row.name) {
        Ok(file) => file,
        Err(StoreError::Archive { why, .. }) => return damage(FindingKind::Format, why),
        Err(other) => return Err(other),
    };
    if let Some(missing) = Column::ALL.iter().find(|c| !c.is_nullable() && file.leaf(**c).is_none())
    {
        let what = format!("has no column {}", missing.name());
        return damage(FindingKind::Format, what);
    }
    let mut reading = Reading::default();
    let groups = (0..file.row_groups()).collect();
    for batch in file.read(groups, Column::ALL, None)? {
        progress.go_on()?;
        let taken = match batch {
            Ok(batch) => reading.take(&batch).and_then(|()| reading.count(&batch, recount)),
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => {}
            Err(StoreError::Archive { why, .. } | StoreError::Unreadable { why, .. }) => {
                return damage(FindingKind::Format, why);
            }
            Err(other) => return Err(other),
        }
    }
    recount.add(&reading.counts)?;
    let findings = reading
        .differences(row, sources)
        .into_iter()
        .map(|(kind, what)| Finding::damage(kind, &place, what))
        .collect();
    Ok(FileReport { findings, is_readable: true })
}

enum Unread {
    Io(io::Error),
    Stopped(StoreError),
}

fn fingerprint(path: &Path, progress: &Progress) -> Result<(u64, [u8; 32]), Unread> {
    let mut file = File::open(path).map_err(Unread::Io)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let part = match file.read(&mut buffer) {
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Unread::Io(error)),
        };
        if part.is_empty() {
            return Ok((bytes, digest.finalize().into()));
        }
        digest.update(part);
        bytes += part.len() as u64;
        progress.advance(part.len() as u64).map_err(Unread::Stopped)?;
    }
}

/// What the rows of a file have shown so far.
#[derive(Default)]
struct Reading {
    events: u64,
    last: Option<(i64, EventId)>,
    out_of_order: u64,
    times: Option<(i64, i64)>,
    received: Option<(i64, i64)>,
    sources: SourceCounts,
    counts: RollupCounts,
    /// The dictionaries that were looked at last, by column: many batches share one.
    dictionaries: HashMap<Column, ArrayRef>,
}

impl Reading {
    /// Looks at some rows; says what makes them unreadable.
    fn take(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.check_texts(batch)?;
        let rows = Rows::new(batch);
        for row in 0..batch.num_rows() {
            let id = rows.id(row)?;
            let time = needed(&rows, Column::Time, row)?;
            let received = needed(&rows, Column::MetadataLoggedTime, row)?;
            if self.last.is_some_and(|last| last > (time, id)) {
                self.out_of_order += 1;
            }
            self.last = Some((time, id));
            widen(&mut self.times, time);
            widen(&mut self.received, received);
        }
        self.events += batch.num_rows() as u64;
        Ok(())
    }

    fn check_texts(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        for column in Column::ALL.iter().filter(|column| column.kind() == ColumnKind::Text) {
            let Some(array) = batch.column_by_name(column.name()) else { continue };
            let dictionary = array
                .as_dictionary_opt::<Int32Type>()
                .ok_or_else(|| damaged(*column, "not text"))?;
            let values = dictionary.values();
            // The array is kept, so that no other one can come to lie in its place.
            let known = self.dictionaries.get(column);
            if known.is_some_and(|known| known.to_data().ptr_eq(&values.to_data())) {
                continue;
            }
            let texts =
                values.as_string_opt::<i32>().ok_or_else(|| damaged(*column, "not text"))?;
            if !is_utf8(texts) {
                return Err(damaged(*column, "not UTF-8"));
            }
            self.dictionaries.insert(*column, ArrayRef::clone(values));
        }
        Ok(())
    }

    fn count(&mut self, batch: &RecordBatch, recount: &Recount) -> Result<(), StoreError> {
        tally(batch, &mut |told| {
            let key = (told.source.dialect.to_string(), told.source.name.to_string());
            *self.sources.entry(key).or_default() += told.count;
            self.counts.add_one(told.received, told.source, told.kind, told.severity, told.count)
        })?;
        if self.counts.is_full() {
            recount.add(&std::mem::take(&mut self.counts))?;
        }
        Ok(())
    }

    /// What tells the rows from what is noted of the file.
    fn differences(&self, row: &FileRow, sources: &SourceCounts) -> Vec<(FindingKind, String)> {
        let mut found = Vec::new();
        if self.events != row.events {
            let what = format!("holds {} events, its row says {}", self.events, row.events);
            found.push((FindingKind::Count, what));
        }
        if self.out_of_order > 0 {
            let what = format!("{} rows come before those they should follow", self.out_of_order);
            found.push((FindingKind::Order, what));
        }
        if self.times.is_some_and(|times| times != row.times) {
            let what = "its events lie at other times than its row says".to_owned();
            found.push((FindingKind::Bounds, what));
        }
        if self.received.is_some_and(|received| received != row.received) {
            let what = "its events were received at other times than its row says".to_owned();
            found.push((FindingKind::Bounds, what));
        }
        let day = (row.day.saturating_mul(DAY_MICROS), (row.day + 1).saturating_mul(DAY_MICROS));
        if self.received.is_some_and(|(first, last)| first < day.0 || last >= day.1) {
            let what = "its events were not all received on its day".to_owned();
            found.push((FindingKind::Bounds, what));
        }
        if self.sources != *sources {
            let what = format!(
                "holds events of {} sources, other ones or other counts than the {} that are noted",
                self.sources.len(),
                sources.len()
            );
            found.push((FindingKind::Count, what));
        }
        found
    }
}

fn needed(rows: &Rows<'_>, column: Column, row: usize) -> Result<i64, StoreError> {
    rows.integer(column, row).ok_or_else(|| damaged(column, "a value is missing"))
}

fn widen(bounds: &mut Option<(i64, i64)>, value: i64) {
    *bounds = Some(match *bounds {
        Some((min, max)) => (min.min(value), max.max(value)),
        None => (value, value),
    });
}

/// Whether texts are what their type says: readers of columns do not look at every byte.
fn is_utf8(texts: &StringArray) -> bool {
    let (offsets, bytes) = (texts.value_offsets(), texts.value_data());
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return true };
    let place = |offset: i32| usize::try_from(offset).unwrap_or(usize::MAX);
    let Some(Ok(text)) = bytes.get(place(*first)..place(*last)).map(std::str::from_utf8) else {
        return false;
    };
    offsets.iter().all(|offset| text.is_char_boundary(place(*offset - *first)))
}
