//! Several files into one, row by row in the order of time and id, a few batches in memory.

use super::columns::{Column, schema};
use super::events_of::Rows;
use super::file::{ArchiveFile, FileWriter};
use crate::StoreError;
use crate::scan::control::ScanControl;
use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;
use ringwall_event::{EventId, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

type Key = (Timestamp, EventId);

/// Rows written at once, where they come from several files.
const ROWS_AT_ONCE: usize = 8 << 10;
/// A run of so many rows of one file is written as it is.
const LONG_RUN: usize = 1 << 10;

/// Writes all rows of these files, each of which is sorted.
///
/// # Errors
/// Where a file cannot be read or is not sorted, or the disk refuses.
pub(super) fn merge(
    files: &[ArchiveFile],
    writer: &mut FileWriter,
    control: &ScanControl,
) -> Result<(), StoreError> {
    let mut cursors = Vec::with_capacity(files.len());
    let mut order: BinaryHeap<Reverse<(Key, usize)>> = BinaryHeap::new();
    for file in files {
        let mut cursor = Cursor::open(file)?;
        if cursor.next_batch()? {
            order.extend(cursor.key().map(|key| Reverse((key, cursors.len()))));
        }
        cursors.push(cursor);
    }
    let mut pending = Pending::new(files.len());
    while let Some(Reverse((_, least))) = order.pop() {
        let Some(cursor) = cursors.get_mut(least) else { break };
        let until = order.peek().map(|Reverse((key, _))| *key);
        let (begin, end) = cursor.advance(until);
        pending.take(least, cursor, begin, end, writer)?;
        if cursor.key().is_none() {
            control.check()?;
            pending.leave(least);
            cursor.next_batch()?;
        }
        order.extend(cursor.key().map(|key| Reverse((key, least))));
    }
    pending.flush(writer)
}

/// A file, read from its beginning.
struct Cursor {
    name: std::sync::Arc<str>,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, StoreError>>>,
    batch: RecordBatch,
    keys: Vec<Key>,
    at: usize,
}

impl Cursor {
    fn open(file: &ArchiveFile) -> Result<Self, StoreError> {
        let groups = (0..file.row_groups()).collect();
        Ok(Self {
            name: file.name.clone(),
            batches: Box::new(file.read(groups, Column::ALL, None)?),
            batch: RecordBatch::new_empty(schema()),
            keys: Vec::new(),
            at: 0,
        })
    }

    fn key(&self) -> Option<Key> {
        self.keys.get(self.at).copied()
    }

    /// Goes on to the next batch with rows; false at the end.
    fn next_batch(&mut self) -> Result<bool, StoreError> {
        let last = self.keys.last().copied();
        self.keys.clear();
        self.at = 0;
        while self.keys.is_empty() {
            let Some(batch) = self.batches.next() else { return Ok(false) };
            let batch = batch?;
            let rows = Rows::new(&batch);
            for row in 0..batch.num_rows() {
                let time = rows.integer(Column::Time, row).unwrap_or_default();
                self.keys.push((Timestamp::from_micros(time), rows.id(row)?));
            }
            self.batch = whole(&batch).map_err(failed(&self.name))?;
        }
        let is_sorted = self.keys.is_sorted()
            && last.is_none_or(|last| self.keys.first().is_none_or(|first| *first >= last));
        if is_sorted {
            Ok(true)
        } else {
            let why = "its rows are not in the order of time and id".to_owned();
            Err(StoreError::Archive { file: self.name.to_string(), why })
        }
    }

    /// The rows from here that are not after `until`, and goes past them.
    fn advance(&mut self, until: Option<Key>) -> (usize, usize) {
        let begin = self.at;
        let rest = self.keys.get(begin..).unwrap_or_default();
        let rows = match until {
            Some(until) => rest.partition_point(|key| *key <= until),
            None => rest.len(),
        };
        // The least of all is never after another; one row is progress in any case.
        self.at = begin + rows.max(1);
        (begin, self.at)
    }
}

/// Rows that were chosen and are not written yet.
struct Pending {
    batches: Vec<RecordBatch>,
    /// Which of them is the present batch of a file.
    present: Vec<Option<usize>>,
    rows: Vec<(usize, usize)>,
}

impl Pending {
    fn new(files: usize) -> Self {
        Self { batches: Vec::new(), present: vec![None; files], rows: Vec::new() }
    }

    fn take(
        &mut self,
        file: usize,
        cursor: &Cursor,
        begin: usize,
        end: usize,
        writer: &mut FileWriter,
    ) -> Result<(), StoreError> {
        if end - begin >= LONG_RUN {
            self.flush(writer)?;
            return writer.write(&cursor.batch.slice(begin, end - begin));
        }
        let place = match self.present.get(file).copied().flatten() {
            Some(place) => place,
            None => {
                self.batches.push(cursor.batch.clone());
                let place = self.batches.len() - 1;
                if let Some(present) = self.present.get_mut(file) {
                    *present = Some(place);
                }
                place
            }
        };
        self.rows.extend((begin..end).map(|row| (place, row)));
        // Batches that are read to their end are held as long as rows of them wait.
        if self.rows.len() >= ROWS_AT_ONCE || self.batches.len() > 2 * self.present.len() {
            self.flush(writer)?;
        }
        Ok(())
    }

    /// The present batch of this file is read to its end.
    fn leave(&mut self, file: usize) {
        if let Some(present) = self.present.get_mut(file) {
            *present = None;
        }
    }

    fn flush(&mut self, writer: &mut FileWriter) -> Result<(), StoreError> {
        if !self.rows.is_empty() {
            let batches: Vec<&RecordBatch> = self.batches.iter().collect();
            let merged =
                interleave_record_batch(&batches, &self.rows).map_err(failed("in memory"))?;
            writer.write(&merged)?;
        }
        self.batches.clear();
        self.present.fill(None);
        self.rows.clear();
        Ok(())
    }
}

/// With all columns in their order; those that an older file does not have are empty.
fn whole(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let arrays = Column::ALL
        .iter()
        .map(|column| match batch.column_by_name(column.name()) {
            Some(array) => array.clone(),
            None => new_null_array(&column.data_type(), batch.num_rows()),
        })
        .collect();
    RecordBatch::try_new(schema(), arrays)
}

fn failed(name: &str) -> impl Fn(ArrowError) -> StoreError {
    move |error| StoreError::Archive { file: name.to_owned(), why: error.to_string() }
}
