//! The batches that wait in the database.

use super::recount::Recount;
use crate::events::unpack;
use crate::maintenance::catalogue::day_of;
use crate::maintenance::{Finding, FindingKind};
use crate::{Progress, RollupCounts, StoreError, StoredBatch};
use ringwall_event::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

/// What the intake holds.
#[derive(Debug, Default)]
pub(super) struct IntakeReport {
    pub(super) batches: Vec<IntakeBatch>,
    /// How many there are, readable or not.
    pub(super) all_batches: u64,
    pub(super) events: u64,
    pub(super) findings: Vec<Finding>,
    /// Whether every batch is what its row says.
    pub(super) is_whole: bool,
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
    recount: &Recount,
    progress: &Progress,
) -> Result<IntakeReport, StoreError> {
    let archived: i64 = connection
        .query_row("SELECT value FROM meta WHERE name = 'archived_seq'", [], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let mut report = IntakeReport { is_whole: true, ..IntakeReport::default() };
    let mut counts = RollupCounts::default();
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
        report.all_batches += 1;
        report.events += batch.events;
        match compare(row, &batch) {
            Ok(StoredBatch { source, received, events, .. }) => {
                report.batches.push(batch);
                // Those that cannot be read are left where they are by the archiver.
                if batch.seq <= archived {
                    report.found(
                        &batch,
                        FindingKind::Duplicate,
                        format!("was archived already: everything up to batch {archived} was"),
                    );
                }
                if batch.seq <= recount.seq {
                    counts.add(received, &source, &events);
                }
                if counts.is_full() {
                    recount.add(&std::mem::take(&mut counts))?;
                }
            }
            Err((kind, what)) => {
                report.is_whole = false;
                report.found(&batch, kind, what);
            }
        }
    }
    recount.add(&counts)?;
    Ok(report)
}

fn compare(row: &Row<'_>, batch: &IntakeBatch) -> Result<StoredBatch, (FindingKind, String)> {
    let unreadable = |error: StoreError| (FindingKind::Batch, error.to_string());
    let stored = unpack(row).map_err(unreadable)?;
    let events = &stored.events;
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
    Ok(stored)
}

impl IntakeReport {
    fn found(&mut self, batch: &IntakeBatch, kind: FindingKind, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding::damage(kind, format!("batch {}", batch.seq), what));
        }
    }
}
