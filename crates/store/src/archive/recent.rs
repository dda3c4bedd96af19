//! What came in lately, wherever it lies by now.

use super::columns::Column;
use super::events_of::events_of;
use crate::events::unpack;
use crate::scan::control::ScanControl;
use crate::scan::predicate::{Predicate, Test};
use crate::scan::snapshot::{Sink, scan_row_group};
use crate::{Session, StoreError};
use arrow_array::RecordBatch;
use ringwall_event::{Event, Timestamp};
use rusqlite::params;
use std::ops::ControlFlow;

impl Session<'_> {
    /// Calls `each` with the events of a dialect that were received at or after `since`: those in intake
    /// newest batch first, then those of the archive, newest file first. Within a file they are in no
    /// order of receipt. Goes to no further batch or file once `enough` were given.
    ///
    /// # Errors
    /// Where the database or a file cannot be read, or a batch is damaged.
    pub fn recent_events(
        &self,
        dialect: &str,
        since: Timestamp,
        enough: usize,
        each: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<(), StoreError> {
        let mut given = 0;
        let mut statement = self.connection.prepare_cached(
            "SELECT b.seq, s.dialect, s.name, b.received, b.base, b.body
             FROM batch b JOIN source s ON s.id = b.source
             WHERE b.received >= ? AND s.dialect = ? ORDER BY b.seq DESC",
        )?;
        let mut rows = statement.query(params![since.as_micros(), dialect])?;
        while given < enough
            && let Some(row) = rows.next()?
        {
            let events = unpack(row)?.events;
            given += events.len();
            events.iter().for_each(&mut *each);
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT f.name FROM archive_file f
             WHERE f.state = 0 AND f.received_max >= ? AND EXISTS (
                 SELECT 1 FROM archive_file_source fs JOIN source s ON s.id = fs.source
                 WHERE fs.file = f.id AND s.dialect = ?)
             ORDER BY f.received_max DESC",
        )?;
        let names = statement.query_map(params![since.as_micros(), dialect], |row| row.get(0))?;
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let wanted = Predicate::equals(Column::MetadataLogProvider, dialect).and(Predicate::Has(
            Column::MetadataLoggedTime,
            Test::Within { min: since.as_micros(), max: i64::MAX },
        ));
        let mut giving = Giving { each, given };
        for name in names {
            if giving.given >= enough {
                break;
            }
            let file = self.archive_file(&name)?;
            for group in 0..file.row_groups() {
                let control = ScanControl::default();
                scan_row_group(&file, group, &wanted, Column::ALL, &control, &mut giving)
                    .map(drop)?;
            }
        }
        Ok(())
    }
}

struct Giving<'a> {
    each: &'a mut (dyn FnMut(&Event) + Send),
    given: usize,
}

impl Sink for Giving<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        let events = events_of(batch)?;
        self.given += events.len();
        events.iter().for_each(&mut *self.each);
        Ok(ControlFlow::Continue(()))
    }
}
