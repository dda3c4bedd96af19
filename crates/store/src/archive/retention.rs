//! What is given up, because it is old or because there is no room; never what is held.

use super::bulk_load::DAY_MICROS;
use super::commits::Commits;
use super::registry::{COLUMNS, FileRecord, record};
use crate::{AuditRecord, Session, StateStore, StoreError};
use ringwall_event::Timestamp;

/// How long, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Days after its receipt that an event is kept at least; 0 for ever.
    pub days: u32,
    /// How many bytes the archive may have; 0 for any number.
    pub bytes_max: u64,
}

/// A file that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// The file.
    pub file: FileRecord,
    /// Why.
    pub reason: RetireReason,
}

/// Why a file was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireReason {
    /// All its events were received more than this many days ago.
    Age {
        /// How long events are kept.
        days: u32,
    },
    /// The archive is larger than it may be, and these were the oldest.
    Size {
        /// How many bytes the archive may have.
        bytes_max: u64,
    },
}

/// What retention did and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Files that were given up: not more than 64 at once.
    pub retired: Vec<Retired>,
    /// Bytes above the bound that are held and so stay.
    pub held_bytes_above: u64,
}

/// Who gives up, in audit entries.
const ACTOR: &str = "rule:retention";
const ACTION: &str = "retire_events";
const FILES_AT_ONCE: usize = 64;

/// Gives up what is beyond the limits, with an audit entry each; by the time of receipt, so that no
/// sender can have events removed by what it claims.
///
/// # Errors
/// Where the commit failed; then nothing is given up.
pub fn retire_once(
    commits: &impl Commits,
    limits: RetentionLimits,
    now: Timestamp,
) -> Result<Retention, StoreError> {
    // Chosen and given up in one transaction: a hold of just before wins.
    commits.commit(move |session| session.retire(limits, now))
}

impl Session<'_> {
    /// Whether [`retire_once`] would give something up.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn beyond_retention(
        &self,
        limits: RetentionLimits,
        now: Timestamp,
    ) -> Result<Retention, StoreError> {
        let mut found = Retention::default();
        if limits.days == 0 && limits.bytes_max == 0 {
            return Ok(found);
        }
        let files = self.files_not_held()?;
        let mut bytes = self.archive_bytes()?;
        let cutoff = now.as_micros().saturating_sub(i64::from(limits.days) * DAY_MICROS);
        for file in files {
            if found.retired.len() >= FILES_AT_ONCE {
                return Ok(found);
            }
            let reason = if limits.days > 0 && file.received_max.as_micros() < cutoff {
                RetireReason::Age { days: limits.days }
            } else if limits.bytes_max > 0 && bytes > limits.bytes_max {
                RetireReason::Size { bytes_max: limits.bytes_max }
            } else {
                break;
            };
            bytes = bytes.saturating_sub(file.bytes);
            found.retired.push(Retired { file, reason });
        }
        if limits.bytes_max > 0 {
            found.held_bytes_above = bytes.saturating_sub(limits.bytes_max);
        }
        Ok(found)
    }

    fn retire(&self, limits: RetentionLimits, now: Timestamp) -> Result<Retention, StoreError> {
        let found = self.beyond_retention(limits, now)?;
        let files: Vec<i64> = found.retired.iter().map(|retired| retired.file.id).collect();
        // They were live in this same transaction.
        self.doom(&files)?;
        for Retired { file, reason } in &found.retired {
            let why = match reason {
                RetireReason::Age { days } => format!("older than {days} days"),
                RetireReason::Size { bytes_max } => {
                    format!("the archive is larger than {bytes_max} bytes")
                }
            };
            self.append_audit(&AuditRecord {
                time: now,
                actor: ACTOR.to_owned(),
                action: ACTION.to_owned(),
                subject: file.name.clone(),
                outcome: "succeeded".to_owned(),
                reason: format!(
                    "{} events received from {} to {}: {why}",
                    file.events, file.received_min, file.received_max
                ),
            })?;
        }
        Ok(found)
    }

    /// Live files that no hold protects, those first whose last event came longest ago.
    fn files_not_held(&self) -> Result<Vec<FileRecord>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM archive_file f
             WHERE f.state = 0 AND NOT EXISTS (
                 SELECT 1 FROM legal_hold h
                 WHERE (h.since IS NULL OR f.received_max >= h.since)
                     AND (h.until IS NULL OR f.received_min < h.until)
                     AND (h.source IS NULL OR EXISTS (
                         SELECT 1 FROM archive_file_source fs JOIN source s ON s.id = fs.source
                         WHERE fs.file = f.id AND s.dialect || ':' || s.name = h.source)))
             ORDER BY f.received_max, f.id"
        ))?;
        let rows = statement.query_map([], record)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn archive_bytes(&self) -> Result<u64, StoreError> {
        let bytes: i64 = self
            .connection
            .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM archive_file WHERE state = 0")?
            .query_row([], |row| row.get(0))?;
        Ok(bytes.unsigned_abs())
    }

    /// When the first event was received that is still there.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn oldest_received(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.connection.query_row(
            "SELECT min(received) FROM (
                 SELECT min(received_min) AS received FROM archive_file WHERE state = 0
                 UNION ALL SELECT min(received) FROM batch)",
            [],
            |row| row.get(0),
        )?;
        Ok(micros.map(Timestamp::from_micros))
    }
}
