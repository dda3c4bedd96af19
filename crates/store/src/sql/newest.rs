//! The events that fit, newest first, without looking at all of them.
//!
//! The archive is gone back through in windows of time, each about as large as a row group and then
//! larger: most queries for the newest end in the first. In a window, first only times and ids are read,
//! to find where the wanted number of rows begins, then the columns of those rows.

use super::event_source::{Batches, Inner};
use crate::archive::columns::Column;
use crate::scan::predicate::Predicate;
use crate::scan::snapshot::{ScanRequest, Sink};
use crate::{Session, StoreError};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_select::interleave::interleave_record_batch;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Rows newest first.
pub(super) struct Newest {
    inner: Arc<Inner>,
    predicate: Predicate,
    columns: Vec<Column>,
    /// Everything later was given.
    before: Option<i64>,
    rows_at_once: usize,
    events_at_once: u64,
    is_done: bool,
}

const ROWS_FIRST: usize = 1000;
const ROWS_MAX: usize = 64_000;
const EVENTS_FIRST: u64 = 128 << 10;
const EVENTS_MAX: u64 = 16 << 20;

impl Newest {
    pub(super) fn new(inner: Arc<Inner>, predicate: Predicate, columns: Vec<Column>) -> Self {
        Self {
            inner,
            predicate,
            columns,
            before: None,
            rows_at_once: ROWS_FIRST,
            events_at_once: EVENTS_FIRST,
            is_done: false,
        }
    }

    /// The rows of the next window, in order.
    fn window(
        &mut self,
        session: &Session<'_>,
        predicate: &Predicate,
    ) -> Result<Option<RecordBatch>, StoreError> {
        let (wanted_min, wanted_max) = predicate.time_bounds();
        let max = self.before.map_or(wanted_max, |before| wanted_max.min(before.saturating_sub(1)));
        if self.before == Some(i64::MIN) || max < wanted_min {
            self.is_done = true;
            return Ok(None);
        }
        let min = match session.window_before(max, self.events_at_once)? {
            Some(start) => start.max(wanted_min),
            None => wanted_min,
        };
        let within = |min, max| Predicate::time_within(min, max).and(predicate.clone());
        let scan =
            |predicate, columns| ScanRequest { predicate, columns, threads: self.inner.threads };
        let control = &self.inner.control;

        let request = scan(within(min, max), vec![Column::Time]);
        let rows_at_once = self.rows_at_once;
        let sinks = session.scan(&request, control, || Latest {
            count: rows_at_once,
            times: BinaryHeap::new(),
            overflowed: false,
        })?;
        let overflowed = sinks.iter().any(|sink| sink.overflowed)
            || sinks.iter().map(|sink| sink.times.len()).sum::<usize>() > rows_at_once;
        let mut times: Vec<i64> =
            sinks.into_iter().flat_map(|sink| sink.times).map(|Reverse(time)| time).collect();
        times.sort_unstable_by_key(|time| Reverse(*time));
        times.truncate(rows_at_once);
        // Rows of the same microsecond as the last stay together.
        let start = if overflowed { times.last().copied().unwrap_or(min) } else { min };
        self.before = Some(start);
        self.is_done = start <= wanted_min;
        self.rows_at_once = (self.rows_at_once * 4).min(ROWS_MAX);
        if !overflowed {
            self.events_at_once = (self.events_at_once * 2).min(EVENTS_MAX);
        }
        if times.is_empty() {
            return Ok(None);
        }
        let request = scan(within(start, max), self.columns.clone());
        let found = session.scan(&request, control, Collected::default)?;
        in_order(&found.into_iter().flat_map(|sink| sink.0).collect::<Vec<_>>())
    }
}

impl Batches for Newest {
    fn next(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        while !self.is_done {
            let reader = self.inner.reader()?;
            let inner = Arc::clone(&self.inner);
            let predicate = inner.at_this_moment(&reader, self.predicate.clone());
            let rows = self.window(&inner.session(&reader), &predicate);
            inner.give_back(reader);
            if let Some(rows) = rows? {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

impl Session<'_> {
    /// The start of a window that ends at `max` and holds about this many events; none where that is
    /// everything before.
    fn window_before(&self, max: i64, events: u64) -> Result<Option<i64>, StoreError> {
        // Each part of the store by its earliest and its latest time.
        let mut parts: Vec<(i64, i64, u64)> = Vec::new();
        for file in self.live_files((i64::MIN, max))? {
            let file = self.archive_file(&file.name)?;
            parts.extend((0..file.row_groups()).filter_map(|group| {
                // Where nothing is known, it may reach anywhere.
                let (first, last) = file.times_of(group).unwrap_or((i64::MIN, i64::MAX));
                (first <= max).then(|| (first, last.min(max), file.rows_of(group)))
            }));
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT time_min, time_max, events FROM batch WHERE time_min <= ?")?;
        let mut rows = statement.query([max])?;
        while let Some(row) = rows.next()? {
            let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            parts.push((first, last.min(max), row.get::<_, i64>(2)?.unsigned_abs()));
        }
        drop(rows);
        parts.sort_unstable_by_key(|(_, last, _)| Reverse(*last));
        let mut sum = 0;
        let mut parts = parts.into_iter().peekable();
        while let Some((_, _, count)) = parts.next() {
            sum += count;
            let Some((_, next, _)) = parts.peek() else { break };
            // Nothing of what is left reaches into a window that begins after it.
            let start = next.saturating_add(1);
            if sum >= events && start <= max {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }
}

/// The latest times.
struct Latest {
    count: usize,
    times: BinaryHeap<Reverse<i64>>,
    overflowed: bool,
}

impl Sink for Latest {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        let Some(times) = batch
            .column_by_name(Column::Time.name())
            .and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>())
        else {
            return Ok(ControlFlow::Continue(()));
        };
        for time in times.values() {
            if self.times.len() < self.count {
                self.times.push(Reverse(*time));
            } else {
                self.overflowed = true;
                if self.times.peek().is_some_and(|Reverse(least)| time > least) {
                    self.times.pop();
                    self.times.push(Reverse(*time));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[derive(Default)]
struct Collected(Vec<RecordBatch>);

impl Sink for Collected {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        self.0.push(batch.clone());
        Ok(ControlFlow::Continue(()))
    }
}

/// All rows of these batches, newest first by (time, id).
fn in_order(batches: &[RecordBatch]) -> Result<Option<RecordBatch>, StoreError> {
    let damaged = |why: String| StoreError::Unreadable { what: "events", why };
    let mut order: Vec<(i64, u128, i64, usize, usize)> = Vec::new();
    for (place, batch) in batches.iter().enumerate() {
        let times = batch
            .column_by_name(Column::Time.name())
            .and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        let uids = batch
            .column_by_name(Column::MetadataBatchUid.name())
            .and_then(|array| array.as_fixed_size_binary_opt());
        let sequences = batch
            .column_by_name(Column::MetadataSequence.name())
            .and_then(|array| array.as_primitive_opt::<Int64Type>());
        let (Some(times), Some(uids), Some(sequences)) = (times, uids, sequences) else {
            return Err(damaged("no time or id".to_owned()));
        };
        for row in 0..batch.num_rows() {
            let uid = uids.value(row).try_into().map_or(0, u128::from_be_bytes);
            order.push((times.value(row), uid, sequences.value(row), place, row));
        }
    }
    if order.is_empty() {
        return Ok(None);
    }
    order.sort_unstable_by(|a, b| b.cmp(a));
    let places: Vec<(usize, usize)> =
        order.iter().map(|(_, _, _, place, row)| (*place, *row)).collect();
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    interleave_record_batch(&batches, &places).map(Some).map_err(|error| damaged(error.to_string()))
}
