//! The batches that wait in the database.

use crate::events::unpack;
use crate::maintenance::catalogue::day_of;
use crate::maintenance::{Finding, FindingKind};
use crate::{Progress, StoreError};
use ringwall_event::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

/// What the intake holds.
#[derive(Debug, Default)]
pub(super) struct IntakeReport {
    pub(super) batches: Vec<IntakeBatch>,
    pub(super) events: u64,
    pub(super) findings: Vec<Finding>,
}

/// A batch, as far as the archive may hold it too.
#[derive(Clone, Copy, Debug)]
pub(super) struct IntakeBatch {
    pub(super) seq: i64,
    pub(super) day: i64,
    pub(super) base: EventId,
    pub(super) events: u64,
}

/// Findings that one table needs to say that it is damaged.
const FINDINGS_MAX: usize = 100;

/// Unpacks every batch and compares it with its row.
pub(super) fn examine(
    connection: &Connection,
    progress: &Progress,
) -> Result<IntakeReport, StoreError> {
    let archived: i64 = connection
        .query_row("SELECT value FROM meta WHERE name = 'archived_seq'", [], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let mut report = IntakeReport::default();
    let mut statement = connection.prepare(
        "SELECT b.seq, s.dialect, s.name, b.received, b.base, b.body, b.events, b.time_min, b.time_max
         FROM batch b LEFT JOIN source s ON s.id = b.source ORDER BY b.seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        progress.go_on()?;
        let batch = IntakeBatch {
            seq: row.get(0)?,
            day: day_of(Timestamp::from_micros(row.get(3)?)),
            base: EventId::from_u128(u128::from_be_bytes(row.get(4)?)),
            events: row.get::<_, i64>(6)?.unsigned_abs(),
        };
        report.events += batch.events;
        if batch.seq <= archived {
            report.found(
                &batch,
                FindingKind::Duplicate,
                format!("was archived already: everything up to batch {archived} was"),
            );
        }
        match compare(row, &batch) {
            Ok(()) => report.batches.push(batch),
            Err((kind, what)) => report.found(&batch, kind, what),
        }
    }
    Ok(report)
}

fn compare(row: &Row<'_>, batch: &IntakeBatch) -> Result<(), (FindingKind, String)> {
    let unreadable = |error: StoreError| (FindingKind::Batch, error.to_string());
    let events = unpack(row).map_err(unreadable)?.events;
    if events.len() as u64 != batch.events {
        let what = format!("holds {} events, its row says {}", events.len(), batch.events);
        return Err((FindingKind::Count, what));
    }
    let bound = |column| row.get(column).map_err(|error| unreadable(error.into()));
    let (since, until): (i64, i64) = (bound(7)?, bound(8)?);
    let times = || events.iter().map(|event| event.time.as_micros());
    if !events.is_empty() && (times().min(), times().max()) != (Some(since), Some(until)) {
        let what = "its events lie at other times than its row says".to_owned();
        return Err((FindingKind::Bounds, what));
    }
    Ok(())
}

impl IntakeReport {
    fn found(&mut self, batch: &IntakeBatch, kind: FindingKind, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding::damage(kind, format!("batch {}", batch.seq), what));
        }
    }
}
