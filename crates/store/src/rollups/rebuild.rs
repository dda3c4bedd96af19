use super::RollupStore;
use super::counts::RollupCounts;
use crate::{Session, StoreError};
use ringwall_event::{Severity, Source, Timestamp};

/// Some events of one sort, as [`rebuild_rollups`] takes them.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// When they were received; the minute counts.
    pub received: Timestamp,
    /// Who sent them.
    pub source: &'a Source,
    /// Their kind (`Activity::kind`).
    pub kind: &'a str,
    /// Their severity.
    pub severity: Severity,
    /// How many they are.
    pub count: u64,
}

/// Makes all counts anew, in the transaction of this session: `each` tells everything that the
/// intake and the archive hold, in any order, and fastest where what was received together comes
/// together. Returns how many events are counted.
///
/// Run it in one `Database::write_now` with no server at work on the store: what `each` reads through
/// the same session is then exactly what the counts stand for.
///
/// # Errors
/// What `each` gives; where a kind is unknown or the database cannot be written. Nothing is changed
/// then, once the transaction is rolled back.
pub fn rebuild_rollups(
    session: &Session<'_>,
    each: impl FnOnce(&mut dyn FnMut(&Counted<'_>) -> Result<(), StoreError>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    session.clear_rollups()?;
    let mut counts = RollupCounts::default();
    let mut events = 0u64;
    each(&mut |told| {
        counts.add_one(told.received, told.source, told.kind, told.severity, told.count)?;
        if counts.is_full() {
            events = events.saturating_add(counts.events());
            session.merge_rollups(&std::mem::take(&mut counts))?;
        }
        Ok(())
    })?;
    session.merge_rollups(&counts)?;
    session.set_rollup_seq(session.last_seq()?)?;
    Ok(events.saturating_add(counts.events()))
}

impl Session<'_> {
    /// The number of the last batch ever appended.
    fn last_seq(&self) -> Result<i64, StoreError> {
        Ok(self.connection.query_row(
            "SELECT max(coalesce((SELECT max(seq) FROM batch), 0),
                        coalesce((SELECT value FROM meta WHERE name = 'archived_seq'), 0))",
            [],
            |row| row.get(0),
        )?)
    }
}
