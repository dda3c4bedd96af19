//! Whether an event lies in two places, or twice in one.
//!
//! An event has one moment of receipt, so only what was received on the same day is compared; a day
//! with more events than fit is gone through in several rounds, each with its share of the ids.

use super::intake::IntakeBatch;
use crate::archive::columns::Column;
use crate::archive::events_of::Rows;
use crate::archive::file::ArchiveFile;
use crate::data_dir::ARCHIVE;
use crate::maintenance::catalogue::FileRow;
use crate::maintenance::{Finding, FindingKind};
use crate::{Progress, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Events that are compared at once; 20 bytes each.
const EVENTS_AT_ONCE: u64 = 4 << 20;
const DISTINCT_MAX: usize = 100;

/// An event's id and the number of its place: its bytes are in the order of the pair.
type Entry = [u8; 20];

#[derive(Default)]
struct Day<'a> {
    files: Vec<&'a FileRow>,
    batches: Vec<IntakeBatch>,
}

impl Day<'_> {
    fn events(&self) -> u64 {
        let files: u64 = self.files.iter().map(|file| file.events).sum();
        files + self.batches.iter().map(|batch| batch.events).sum::<u64>()
    }

    fn place(&self, number: usize) -> String {
        match self.files.get(number) {
            Some(file) => format!("{ARCHIVE}/{}", file.name),
            None => "intake".to_owned(),
        }
    }
}

/// Events that are there more than once, counted by their places.
pub(super) fn find(
    archive: &Path,
    files: &[&FileRow],
    batches: &[IntakeBatch],
    progress: &Progress,
) -> Result<Vec<Finding>, StoreError> {
    let mut days: BTreeMap<i64, Day<'_>> = BTreeMap::new();
    for file in files {
        days.entry(file.day).or_default().files.push(file);
    }
    for batch in batches {
        days.entry(batch.day).or_default().batches.push(*batch);
    }
    let mut findings = Vec::new();
    for day in days.values() {
        let mut pairs: HashMap<(usize, usize), u64> = HashMap::new();
        let rounds = day.events().div_ceil(EVENTS_AT_ONCE).max(1);
        for round in 0..rounds {
            let mut entries = entries(archive, day, (round, rounds), progress)?;
            entries.sort_unstable();
            let mut neighbours = entries.iter().map(split);
            let Some(mut before) = neighbours.next() else { continue };
            for entry in neighbours {
                if entry.0 == before.0 {
                    *pairs.entry((before.1, entry.1)).or_default() += 1;
                }
                before = entry;
            }
        }
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_unstable();
        findings.extend(pairs.into_iter().map(|((one, other), count)| {
            let what = if one == other {
                format!("{count} events are in it twice")
            } else {
                format!("{count} of its events are in {} as well", day.place(one))
            };
            Finding::damage(FindingKind::Duplicate, day.place(other), what)
        }));
        findings.truncate(DISTINCT_MAX);
    }
    Ok(findings)
}

/// The ids of one round of a day.
fn entries(
    archive: &Path,
    day: &Day<'_>,
    (round, rounds): (u64, u64),
    progress: &Progress,
) -> Result<Vec<Entry>, StoreError> {
    // Shares are about equal.
    let share = usize::try_from(day.events() / rounds).unwrap_or(0);
    let mut entries = Vec::with_capacity(share + share / 16);
    let mut take = |id: u128, place: usize| {
        if share_of(id, rounds) == round {
            entries.push(join(id, place));
        }
    };
    for (place, row) in day.files.iter().enumerate() {
        progress.go_on()?;
        let file = ArchiveFile::open(archive, &row.name)?;
        let columns = [Column::MetadataBatchUid, Column::MetadataSequence];
        for batch in file.read((0..file.row_groups()).collect(), &columns, None)? {
            let batch = batch?;
            let rows = Rows::new(&batch);
            for row in 0..batch.num_rows() {
                take(rows.id(row)?.as_u128(), place);
            }
        }
    }
    for batch in &day.batches {
        for position in 0..batch.events {
            let position = u16::try_from(position).unwrap_or(u16::MAX);
            take(batch.base.at(position).as_u128(), day.files.len());
        }
    }
    Ok(entries)
}

/// The round in which an id is looked at.
fn share_of(id: u128, rounds: u64) -> u64 {
    let [high, low] = [(id >> 64) as u64, id as u64];
    (high ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) % rounds
}

fn join(id: u128, place: usize) -> Entry {
    let mut entry = [0; 20];
    let (of_id, of_place) = entry.split_at_mut(16);
    of_id.copy_from_slice(&id.to_be_bytes());
    of_place.copy_from_slice(&u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes());
    entry
}

fn split(entry: &Entry) -> (&[u8], usize) {
    let (id, place) = entry.split_at(16);
    let place = place.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte));
    (id, place)
}
