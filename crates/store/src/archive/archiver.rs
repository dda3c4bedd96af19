//! From intake into the archive: the oldest batches become one file, and go with the same commit.

use super::bulk_load::DAY_MICROS;
use super::commits::Commits;
use super::file::{FileLayout, FileWriter, NewFile};
use super::rows::BatchBuilder;
use crate::events::unpack;
use crate::scan::control::ScanControl;
use crate::{Database, Session, StateStore, StoreError};
use ringwall_event::{Event, Source};
use rusqlite::params;
use std::collections::HashMap;

/// How much goes into one file.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// How many events: they are held in memory to be sorted.
    pub events_max: u64,
    /// How many bytes they may have unpacked.
    pub bytes_max: u64,
    /// How many batches: they are deleted in one transaction, for which intake waits.
    pub batches_max: usize,
    /// How many bytes they may have packed, for the same reason.
    pub packed_bytes_max: u64,
    /// How the file is laid out.
    pub layout: FileLayout,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            events_max: 128 << 10,
            bytes_max: 32 << 20,
            // Either takes about 50 ms to delete.
            batches_max: 4000,
            packed_bytes_max: 6 << 20,
            layout: FileLayout::default(),
        }
    }
}

/// What became a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The file's name.
    pub name: String,
    /// How many events it holds.
    pub events: u64,
    /// Its size.
    pub bytes: u64,
    /// Batches that it came from.
    pub batches: usize,
}

/// Batches in intake, unpacked.
#[derive(Default)]
struct Oldest {
    events: Vec<Event>,
    /// The first and the last that was looked at.
    seqs: Option<(i64, i64)>,
    /// Those that cannot be read stay where they are.
    damaged: Vec<i64>,
    batches: usize,
    day: i64,
}

/// What the commit that switches to the file is about.
struct Switch {
    file: Option<NewFile>,
    sources: HashMap<Source, u64>,
    seqs: (i64, i64),
    damaged: Vec<i64>,
    batches: usize,
    events: u64,
}

const ROWS_AT_ONCE: usize = 16 << 10;
const TEXT_AT_ONCE: usize = 16 << 20;

/// Moves the oldest batches that a checkpoint contains, all of one UTC day of receipt, into one file;
/// none where there are none.
///
/// # Errors
/// Where the disk refuses or the commit failed; the batches are then still in intake, and a file that
/// nothing refers to is removed by [`super::examination::remove_orphans`].
pub fn archive_once(
    database: &Database,
    commits: &impl Commits,
    limits: &ArchiveLimits,
    control: &ScanControl,
) -> Result<Option<Archived>, StoreError> {
    let oldest = database.read(|session| session.oldest_batches(limits, control))?;
    let Some(seqs) = oldest.seqs else { return Ok(None) };
    let mut sources: HashMap<Source, u64> = HashMap::new();
    for event in &oldest.events {
        match sources.get_mut(&event.source) {
            Some(count) => *count += 1,
            None => drop(sources.insert(event.source.clone(), 1)),
        }
    }
    let events = oldest.events.len() as u64;
    let file = match oldest.events.is_empty() {
        false => Some(write(database, oldest.day, oldest.events, limits, control)?),
        true => None,
    };
    let archived = file.as_ref().map(|file| Archived {
        name: file.name.clone(),
        events: file.events,
        bytes: file.bytes,
        batches: oldest.batches,
    });
    let switch =
        Switch { file, sources, seqs, damaged: oldest.damaged, batches: oldest.batches, events };
    if commits.commit(move |session| session.switch(&switch))? {
        Ok(archived)
    } else {
        let why = "the batches changed while they were archived".to_owned();
        Err(StoreError::Unreadable { what: "intake", why })
    }
}

fn write(
    database: &Database,
    day: i64,
    mut events: Vec<Event>,
    limits: &ArchiveLimits,
    control: &ScanControl,
) -> Result<NewFile, StoreError> {
    events.sort_unstable_by_key(|event| (event.time, event.id));
    let mut writer = FileWriter::create(database.archive_folder(), day, &limits.layout)?;
    let mut builder = BatchBuilder::default();
    for event in events {
        builder.push(&event)?;
        if builder.len() >= ROWS_AT_ONCE || builder.text_bytes() >= TEXT_AT_ONCE {
            control.check()?;
            writer.write(&builder.finish()?)?;
        }
    }
    if !builder.is_empty() {
        writer.write(&builder.finish()?)?;
    }
    writer.finish()
}

impl Session<'_> {
    fn oldest_batches(
        &self,
        limits: &ArchiveLimits,
        control: &ScanControl,
    ) -> Result<Oldest, StoreError> {
        let mut oldest = Oldest::default();
        let (mut bytes, mut packed_bytes) = (0, 0);
        let mut statement = self.connection.prepare_cached(
            "SELECT b.seq, s.dialect, s.name, b.received, b.base, b.body, b.events
             FROM batch b JOIN source s ON s.id = b.source
             WHERE b.seq > ? AND b.seq <= ? ORDER BY b.seq",
        )?;
        let mut rows = statement.query([self.archived_seq()?, self.checkpoint_seq()?])?;
        while let Some(row) = rows.next()? {
            control.check()?;
            let seq: i64 = row.get(0)?;
            let day = row.get::<_, i64>(3)?.div_euclid(DAY_MICROS);
            let events = row.get::<_, i64>(6)?.unsigned_abs();
            let body = row.get_ref(5)?.as_blob().unwrap_or_default();
            bytes += unpacked_bytes(body);
            packed_bytes += body.len() as u64;
            let count = oldest.events.len() as u64;
            if oldest.batches > 0
                && (day != oldest.day
                    || count.saturating_add(events) > limits.events_max
                    || bytes > limits.bytes_max
                    || packed_bytes > limits.packed_bytes_max)
            {
                break;
            }
            if oldest.batches + oldest.damaged.len() >= limits.batches_max {
                break;
            }
            match unpack(row) {
                Ok(batch) => {
                    oldest.events.extend(batch.events);
                    oldest.day = day;
                    oldest.batches += 1;
                }
                Err(error @ StoreError::Unreadable { .. }) => {
                    // All others must not wait for it for ever. It goes on to be told to whoever
                    // reads there.
                    tracing::error!(seq, %error, "a damaged batch stays in intake");
                    oldest.damaged.push(seq);
                }
                Err(error) => return Err(error),
            }
            oldest.seqs = Some((oldest.seqs.map_or(seq, |(first, _)| first), seq));
        }
        Ok(oldest)
    }

    /// From now on the events are in the file, and not in intake. Returns whether that could be done;
    /// if not, nothing is changed.
    fn switch(&self, switch: &Switch) -> Result<bool, StoreError> {
        let (first, last) = switch.seqs;
        let damaged = serde_json::to_string(&switch.damaged)
            .map_err(|error| StoreError::Unreadable { what: "numbers", why: error.to_string() })?;
        let here: (i64, i64) = self
            .connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(events), 0) FROM batch
                 WHERE seq BETWEEN ? AND ? AND seq NOT IN (SELECT value FROM json_each(?))",
            )?
            .query_row(params![first, last, damaged], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if here.0 != as_i64(switch.batches as u64) || here.1 != as_i64(switch.events) {
            return Ok(false);
        }
        if let Some(file) = &switch.file {
            self.refer_to(file, &switch.sources)?;
        }
        self.connection
            .prepare_cached(
                "DELETE FROM batch
                 WHERE seq BETWEEN ? AND ? AND seq NOT IN (SELECT value FROM json_each(?))",
            )?
            .execute(params![first, last, damaged])?;
        self.set_archived_seq(last)?;
        Ok(true)
    }
}

/// What a batch says of its size; see `batch`.
fn unpacked_bytes(body: &[u8]) -> u64 {
    match body {
        [_, l0, l1, l2, l3, ..] => u32::from_le_bytes([*l0, *l1, *l2, *l3]).into(),
        _ => 0,
    }
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
