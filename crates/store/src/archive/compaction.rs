//! Small files of a day become a large one.

use super::commits::Commits;
use super::file::{FileLayout, FileWriter};
use super::merge::merge;
use super::registry::FileRecord;
use crate::scan::control::ScanControl;
use crate::{Database, StoreError};
use std::collections::{BTreeMap, HashSet};

/// Which files are merged.
#[derive(Clone, Copy, Debug)]
pub struct CompactionLimits {
    /// How many events a file shall have at most; those with less than half of it are small.
    pub file_events_max: u64,
    /// How the new file is laid out.
    pub layout: FileLayout,
}

impl Default for CompactionLimits {
    fn default() -> Self {
        Self { file_events_max: 4 << 20, layout: FileLayout::default() }
    }
}

/// What became one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The new file's name.
    pub name: String,
    /// How many events it holds.
    pub events: u64,
    /// Its size.
    pub bytes: u64,
    /// The files that it came from.
    pub files: Vec<String>,
}

/// So many small files of one size are merged while more may come.
const FILES_MIN: usize = 4;
/// And so many once the day is over.
const FILES_MIN_LATER: usize = 2;
/// Each of them has a row group and a few batches in memory.
const FILES_AT_ONCE: usize = 8;
/// Files are of one size if their events are within a factor of this: so each event is written anew
/// only a few times on its way into a large file.
const TIER: u64 = 4;

/// Merges small files of one day, if there are any to be merged; `today` is the present UTC day, and
/// files in `skip` are left alone.
///
/// The old files are doomed with the commit that refers to the new one.
///
/// # Errors
/// [`StoreError::Archive`] with the name of a file that is damaged; where the disk refuses or the commit
/// failed. All is then as before, and a file that nothing refers to is removed by
/// [`super::examination::remove_orphans`].
pub fn compact_once(
    database: &Database,
    commits: &impl Commits,
    limits: &CompactionLimits,
    today: i64,
    skip: &HashSet<String>,
    control: &ScanControl,
) -> Result<Option<Compacted>, StoreError> {
    let mut files = database.read(|session| session.archive_files())?;
    files.retain(|file| !skip.contains(&file.name));
    let Some(chosen) = choose(files, limits.file_events_max, today) else { return Ok(None) };
    let Some(day) = chosen.first().map(|file| file.day) else { return Ok(None) };
    let folder = database.archive_folder();
    // Their blocks are checked as they are read: harm is not written anew under a checksum that is right.
    let opened = database.read(|session| {
        chosen.iter().map(|file| session.archive_file(&file.name)).collect::<Result<Vec<_>, _>>()
    })?;
    let mut writer = FileWriter::create(folder, day, &limits.layout)?;
    merge(&opened, &mut writer, control)?;
    let events: u64 = chosen.iter().map(|file| file.events).sum();
    if writer.events() != events {
        let why = format!("the {} files hold {events} events, not so many", chosen.len());
        return Err(StoreError::Archive { file: "merged".into(), why });
    }
    let new = writer.finish()?;
    let received = (
        chosen.iter().map(|file| file.received_min).min(),
        chosen.iter().map(|file| file.received_max).max(),
    );
    if received != (Some(new.received_min), Some(new.received_max)) {
        let why = "its events are not those that it was merged from".to_owned();
        return Err(StoreError::Archive { file: new.name, why });
    }
    let compacted = Compacted {
        name: new.name.clone(),
        events: new.events,
        bytes: new.bytes,
        files: chosen.iter().map(|file| file.name.clone()).collect(),
    };
    let old: Vec<i64> = chosen.iter().map(|file| file.id).collect();
    if commits.commit(move |session| session.replace(&old, &new))? {
        Ok(Some(compacted))
    } else {
        let why = "a file was given up while it was merged".to_owned();
        Err(StoreError::Archive { file: compacted.name, why })
    }
}

/// Which files to merge: of the earliest day that has enough of them.
fn choose(files: Vec<FileRecord>, file_events_max: u64, today: i64) -> Option<Vec<FileRecord>> {
    let mut days: BTreeMap<i64, Vec<FileRecord>> = BTreeMap::new();
    for file in files {
        if file.events < file_events_max / 2 {
            days.entry(file.day).or_default().push(file);
        }
    }
    days.into_iter().find_map(|(day, mut small)| {
        let chosen = if day < today {
            small.sort_by_key(|file| (file.events, file.id));
            fitting(small, file_events_max)
        } else {
            small.sort_by_key(|file| (file.received_min, file.id));
            let mut tiers: BTreeMap<u32, Vec<FileRecord>> = BTreeMap::new();
            for file in small {
                tiers.entry(file.events.max(1).ilog(TIER)).or_default().push(file);
            }
            let full = tiers.into_values().find(|files| files.len() >= FILES_MIN)?;
            fitting(full, file_events_max)
        };
        (chosen.len() >= FILES_MIN_LATER).then_some(chosen)
    })
}

/// As many of the first as fit into one file.
fn fitting(files: Vec<FileRecord>, file_events_max: u64) -> Vec<FileRecord> {
    let mut events = 0;
    files
        .into_iter()
        .take(FILES_AT_ONCE)
        .take_while(|file| {
            events += file.events;
            events <= file_events_max
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::Timestamp;

    const TODAY: i64 = 20_000;

    #[test]
    fn files_of_one_size_are_merged_while_the_day_lasts() {
        check(&[(TODAY, 10), (TODAY, 11), (TODAY, 12)], None);
        check(&[(TODAY, 10), (TODAY, 11), (TODAY, 12), (TODAY, 13)], Some(&[0, 1, 2, 3]));
        check(&[(TODAY, 300), (TODAY, 11), (TODAY, 12), (TODAY, 13)], None);
        check(
            &[(TODAY, 300), (TODAY, 11), (TODAY, 12), (TODAY, 13), (TODAY, 14)],
            Some(&[1, 2, 3, 4]),
        );
    }

    #[test]
    fn once_the_day_is_over_two_are_enough() {
        check(&[(TODAY - 1, 300), (TODAY - 1, 11)], Some(&[1, 0]));
        check(&[(TODAY - 1, 300), (TODAY, 11), (TODAY - 2, 5)], None);
    }

    #[test]
    fn files_stay_within_their_bound() {
        check(&[(1, 500), (1, 500)], None);
        check(&[(1, 400), (1, 400), (1, 400)], Some(&[0, 1]));
        check(&[(1, 1); 20], Some(&[0, 1, 2, 3, 4, 5, 6, 7]));
    }

    #[track_caller]
    fn check(files: &[(i64, u64)], expected: Option<&[i64]>) {
        let records = (0..).zip(files).map(|(id, (day, events))| FileRecord {
            id,
            name: id.to_string(),
            day: *day,
            events: *events,
            bytes: 0,
            received_min: Timestamp::from_micros(id),
            received_max: Timestamp::from_micros(id),
            sha256: [0; 32],
        });
        let chosen = choose(records.collect(), 1000, TODAY)
            .map(|files| files.iter().map(|file| file.id).collect::<Vec<_>>());
        assert_eq!(chosen.as_deref(), expected, "files {files:?}");
    }
}
