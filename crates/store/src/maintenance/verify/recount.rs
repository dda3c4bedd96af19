//! The counts by minute, made anew beside those that are noted.

use crate::archive::open_files::OpenFiles;
use crate::data_dir::DataDirError;
use crate::maintenance::{Finding, FindingKind};
use crate::rollups::compare::{RowDifference, difference};
use crate::{RollupCounts, RollupStore, Session, StoreError, schema};
use parking_lot::Mutex;
use ringwall_event::Timestamp;
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::path::PathBuf;

/// A database for a while, in a file that nobody else sees: the noted counts as of one moment, and
/// those that are counted anew.
pub(super) struct Recount {
    scratch: Mutex<Connection>,
    /// The last batch that the noted counts contain.
    pub(super) seq: i64,
    /// UTC days of receipt of which retention removed files: their counts may stay.
    retired_days: HashSet<i64>,
}

/// Rows that are told one by one.
const TOLD_MAX: usize = 20;

impl Recount {
    /// Takes down the counts that a database has noted.
    pub(super) fn begin(noted: &Connection) -> Result<Self, DataDirError> {
        let mut scratch = Connection::open("")?;
        scratch.pragma_update(None, "synchronous", "OFF")?;
        scratch.pragma_update(None, "cache_size", -32_768)?;
        schema::migrate(&mut scratch)?;
        scratch
            .execute_batch("CREATE TABLE noted (level, start, body, PRIMARY KEY (level, start))")?;
        let transaction = scratch.transaction()?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO source (id, dialect, name) VALUES (?, ?, ?)")?;
            let mut sources = noted.prepare("SELECT id, dialect, name FROM source")?;
            let mut rows = sources.query([])?;
            while let Some(row) = rows.next()? {
                let (id, dialect, name): (i64, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                insert.execute(params![id, dialect, name])?;
            }
            let mut insert =
                transaction.prepare("INSERT INTO noted (level, start, body) VALUES (?, ?, ?)")?;
            let mut counts = noted.prepare("SELECT level, start, body FROM rollup")?;
            let mut rows = counts.query([])?;
            while let Some(row) = rows.next()? {
                let (level, start, body): (i64, i64, Vec<u8>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                insert.execute(params![level, start, body])?;
            }
        }
        transaction.commit()?;
        let archive = OpenFiles::new(PathBuf::new());
        let seq = Session { connection: noted, archive: &archive }.rollup_seq()?;
        Ok(Self { scratch: Mutex::new(scratch), seq, retired_days: retired_days(noted)? })
    }

    /// Adds what was counted.
    pub(super) fn add(&self, counts: &RollupCounts) -> Result<(), StoreError> {
        if counts.is_empty() {
            return Ok(());
        }
        let mut scratch = self.scratch.lock();
        let transaction = scratch.transaction()?;
        let archive = OpenFiles::new(PathBuf::new());
        Session { connection: &transaction, archive: &archive }.merge_rollups(counts)?;
        Ok(transaction.commit()?)
    }

    /// Where the noted counts are not what was counted.
    pub(super) fn findings(self) -> Result<Vec<Finding>, StoreError> {
        let scratch = self.scratch.into_inner();
        let mut statement = scratch.prepare(
            "SELECT level, start, noted.body, rollup.body
             FROM noted FULL OUTER JOIN rollup USING (level, start)
             WHERE noted.body IS NOT rollup.body ORDER BY level, start",
        )?;
        let mut rows = statement.query([])?;
        let mut findings = Vec::new();
        let mut left_out = 0_u64;
        while let Some(row) = rows.next()? {
            let (noted, counted): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
            let found = difference(row.get(0)?, row.get(1)?, noted.as_deref(), counted.as_deref());
            let Some(found) = found.filter(|found| !explained(found, &self.retired_days)) else {
                continue;
            };
            if findings.len() < TOLD_MAX {
                findings.push(told(&found));
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            let what = format!("{left_out} more counts are not what is counted");
            findings.push(Finding::damage(FindingKind::Rollup, "rollup", what));
        }
        Ok(findings)
    }
}

/// Whether a row counts more only because the events were given up since.
fn explained(found: &RowDifference, retired_days: &HashSet<i64>) -> bool {
    let day = |moment: Timestamp| moment.as_seconds().div_euclid(86_400);
    found.noted.is_ok()
        && found.only_exceeds
        && (day(found.since)..=day(found.until.plus_micros(-1)))
            .any(|day| retired_days.contains(&day))
}

fn told(found: &RowDifference) -> Finding {
    const REMEDY: &str = "`ringwall store rebuild` counts anew";
    let counted = found.counted;
    let what = match &found.noted {
        Err(why) => format!("the count cannot be read: {why}; {REMEDY}"),
        Ok(noted) if *noted == counted => {
            format!("counts {counted} events, but not of the sorts that are there; {REMEDY}")
        }
        Ok(noted) => format!("counts {noted} events, {counted} are there; {REMEDY}"),
    };
    Finding::damage(FindingKind::Rollup, format!("rollup: {}", found.name), what)
}

/// The days of files that retention gave up: each left an audit entry with its name, which begins
/// with the day.
fn retired_days(connection: &Connection) -> Result<HashSet<i64>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT substr(subject, 1, 8) FROM audit
         WHERE action = 'retire_events' AND outcome = 'succeeded'",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut days = HashSet::new();
    for name in names {
        days.extend(day_named(&name?));
    }
    Ok(days)
}

/// `20261121` as the number of the day since 1970.
fn day_named(name: &str) -> Option<i64> {
    let (year, month, day) = (name.get(..4)?, name.get(4..6)?, name.get(6..8)?);
    let midnight = Timestamp::parse(&format!("{year}-{month}-{day}T00:00:00Z")).ok()?;
    Some(midnight.as_seconds().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_from_the_names_of_files() {
        assert_eq!(day_named("19700102"), Some(1));
        assert_eq!(day_named("20261121"), Some(20_778));
        assert_eq!(day_named("2026112"), None);
        assert_eq!(day_named("20261341"), None);
    }
}
