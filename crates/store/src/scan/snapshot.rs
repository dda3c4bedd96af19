//! All events at one moment: what lies in intake, and the files of the archive.

use super::control::ScanControl;
use super::evaluate::Evaluator;
use super::predicate::Predicate;
use super::prune::prune;
use crate::archive::columns::Column;
use crate::archive::file::{ArchiveFile, parquet_error};
use crate::archive::read::ROWS_AT_ONCE;
use crate::archive::rows::BatchBuilder;
use crate::events::{StoredBatch, unpack};
use crate::{Session, StoreError};
use arrow_array::{BooleanArray, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter};
use ringwall_event::Timestamp;
use rusqlite::params;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Takes the rows that a scan finds.
pub trait Sink: Send {
    /// Rows that fit, with the columns that were asked for (those that the file has, in the order of
    /// the files). Breaking ends the scan.
    ///
    /// # Errors
    /// Whatever shall end the scan as a failure.
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError>;
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Which events.
    pub predicate: Predicate,
    /// Which of their columns; none for counting.
    pub columns: Vec<Column>,
    /// On how many threads.
    pub threads: usize,
}

/// A file that rows refer to.
#[derive(Clone, Debug)]
pub(crate) struct LiveFile {
    pub(crate) name: String,
    pub(crate) time_max: Timestamp,
}

const COLUMNS: &str = "b.seq, s.dialect, s.name, b.received, b.base, b.body
    FROM batch b JOIN source s ON s.id = b.source";

impl Session<'_> {
    /// Looks at all events that may fit and gives the rows that do to sinks, one a thread, in no
    /// particular order; returns the sinks.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`]; where the database or a file cannot be read; what a sink gives.
    pub fn scan<S: Sink>(
        &self,
        request: &ScanRequest,
        control: &ScanControl,
        sink: impl Fn() -> S,
    ) -> Result<Vec<S>, StoreError> {
        let bounds = request.predicate.time_bounds();
        let files = self.live_files(bounds)?;
        let tasks: Vec<(ArchiveFile, usize)> = {
            let mut tasks = Vec::new();
            for file in files.iter().rev() {
                control.check()?;
                let file = self.archive_file(&file.name)?;
                tasks.extend((0..file.row_groups()).rev().map(|group| (file.clone(), group)));
            }
            tasks
        };
        control.add_parts(tasks.len() + 1);
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let threads = request.threads.clamp(1, 64).min(tasks.len().max(1));
        let mut own = sink();
        let mut sinks: Vec<S> = (0..threads).map(|_| sink()).collect();
        std::thread::scope(|scope| {
            let workers: Vec<_> = sinks
                .iter_mut()
                .map(|sink| {
                    let (tasks, next, stop) = (&tasks, &next, &stop);
                    scope.spawn(move || {
                        while !stop.load(Ordering::Relaxed)
                            && let Some((file, group)) =
                                tasks.get(next.fetch_add(1, Ordering::Relaxed))
                        {
                            let ScanRequest { predicate, columns, .. } = request;
                            let ended =
                                scan_row_group(file, *group, predicate, columns, control, sink);
                            if !matches!(ended, Ok(ControlFlow::Continue(()))) {
                                stop.store(true, Ordering::Relaxed);
                            }
                            ended.map(drop)?;
                        }
                        Ok(())
                    })
                })
                .collect();
            let intake = self.scan_intake(request, bounds, control, &mut own);
            if !matches!(intake, Ok(ControlFlow::Continue(()))) {
                stop.store(true, Ordering::Relaxed);
            }
            let ended: Vec<Result<(), StoreError>> = workers
                .into_iter()
                .map(|worker| {
                    worker.join().unwrap_or_else(|_| {
                        let why = "a scan panicked".to_owned();
                        Err(StoreError::Unreadable { what: "archive", why })
                    })
                })
                .collect();
            intake.map(drop)?;
            ended.into_iter().collect::<Result<(), StoreError>>()
        })?;
        sinks.push(own);
        Ok(sinks)
    }

    pub(crate) fn live_files(&self, bounds: (i64, i64)) -> Result<Vec<LiveFile>, StoreError> {
        self.live_files_of(bounds, None)
    }

    /// The files whose times reach into these bounds, the latest last; of one source only, if it is
    /// named.
    pub(crate) fn live_files_of(
        &self,
        bounds: (i64, i64),
        source: Option<i64>,
    ) -> Result<Vec<LiveFile>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, time_max FROM archive_file f
             WHERE state = 0 AND time_max >= ?1 AND time_min <= ?2
                 AND (?3 IS NULL OR EXISTS (
                     SELECT 1 FROM archive_file_source s WHERE s.file = f.id AND s.source = ?3))
             ORDER BY time_max, id",
        )?;
        let rows = statement.query_map(params![bounds.0, bounds.1, source], |row| {
            Ok(LiveFile { name: row.get(0)?, time_max: Timestamp::from_micros(row.get(1)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Gives the batches in intake whose times reach into these bounds, newest first.
    pub(crate) fn intake_batches(
        &self,
        bounds: (i64, i64),
        each: &mut dyn FnMut(StoredBatch) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE b.time_max >= ? AND b.time_min <= ? ORDER BY b.seq DESC"
        ))?;
        let mut rows = statement.query(params![bounds.0, bounds.1])?;
        while let Some(row) = rows.next()? {
            if each(unpack(row)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_intake<S: Sink>(
        &self,
        request: &ScanRequest,
        bounds: (i64, i64),
        control: &ScanControl,
        sink: &mut S,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut evaluator = Evaluator::new(&request.predicate);
        let mut builder = BatchBuilder::default();
        let (mut scanned, mut flow) = (0, ControlFlow::Continue(()));
        let mut flush = |builder: &mut BatchBuilder, sink: &mut S| {
            control.check()?;
            let batch = builder.finish()?;
            let fits = evaluator.rows(&batch);
            give(&batch, fits, &request.columns, sink)
        };
        self.intake_batches(bounds, &mut |stored| {
            for event in &stored.events {
                builder.push(event)?;
            }
            scanned += stored.events.len() as u64;
            if builder.len() >= ROWS_AT_ONCE {
                flow = flush(&mut builder, sink)?;
            }
            Ok(flow)
        })?;
        if flow.is_continue() && !builder.is_empty() {
            flow = flush(&mut builder, sink)?;
        }
        control.part_done(scanned, 0);
        Ok(flow)
    }
}

/// Gives the rows of a row group that fit to the sink.
pub(crate) fn scan_row_group<S: Sink + ?Sized>(
    file: &ArchiveFile,
    group: usize,
    predicate: &Predicate,
    columns: &[Column],
    control: &ScanControl,
    sink: &mut S,
) -> Result<ControlFlow<()>, StoreError> {
    control.check()?;
    let rows = file.rows_of(group);
    let left = prune(file, group, predicate)?;
    if left == Predicate::False {
        control.part_done(0, rows);
        return Ok(ControlFlow::Continue(()));
    }
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
        file.bytes.clone(),
        file.metadata.clone(),
    )
    .with_row_groups(vec![group])
    .with_projection(file.projection(columns))
    .with_batch_size(file.rows_at_once(&[group], columns));
    if left != Predicate::True {
        let looked_at: Vec<Column> = left.columns().into_iter().collect();
        let mut evaluator = Evaluator::new(&left);
        let fits = ArrowPredicateFn::new(file.projection(&looked_at), move |batch| {
            Ok(BooleanArray::new(evaluator.rows(&batch), None))
        });
        builder = builder.with_row_filter(RowFilter::new(vec![Box::new(fits)]));
    }
    let reader = builder.build().map_err(|error| parquet_error(&file.name, error))?;
    for batch in reader {
        control.check()?;
        let batch = batch.map_err(|error| StoreError::Archive {
            file: file.name.to_string(),
            why: error.to_string(),
        })?;
        if sink.take(&batch)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    control.part_done(rows, 0);
    Ok(ControlFlow::Continue(()))
}

/// Gives the rows that fit of a batch of all columns.
fn give<S: Sink>(
    batch: &RecordBatch,
    fits: arrow_buffer::BooleanBuffer,
    columns: &[Column],
    sink: &mut S,
) -> Result<ControlFlow<()>, StoreError> {
    let found = fits.count_set_bits();
    if found == 0 {
        return Ok(ControlFlow::Continue(()));
    }
    let failed = |error: arrow_schema::ArrowError| StoreError::Archive {
        file: "intake".into(),
        why: error.to_string(),
    };
    let wanted: BTreeSet<usize> = columns.iter().map(|column| column.position()).collect();
    let wanted: Vec<usize> = wanted.into_iter().collect();
    let chosen = batch.project(&wanted).map_err(failed)?;
    let chosen = if found == batch.num_rows() {
        chosen
    } else {
        arrow_select::filter::filter_record_batch(&chosen, &BooleanArray::new(fits, None))
            .map_err(failed)?
    };
    sink.take(&chosen)
}

impl ArchiveFile {
    /// How many rows a row group has.
    pub(crate) fn rows_of(&self, group: usize) -> u64 {
        let groups = self.metadata.metadata().row_groups();
        groups.get(group).map_or(0, |group| group.num_rows().unsigned_abs())
    }

    /// The parts of the file that hold these columns.
    pub(crate) fn projection(&self, columns: &[Column]) -> ProjectionMask {
        let leaves = columns.iter().filter_map(|column| self.leaf(*column));
        ProjectionMask::leaves(self.metadata.parquet_schema(), leaves)
    }
}
