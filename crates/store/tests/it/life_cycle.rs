//! Events on their way: intake, small files, large files, gone; and nothing lost on it.

use crate::{Fixture, call, sample};
use proptest::prelude::*;
use ringwall_event::{Event, EventId, Source, Timestamp};
use ringwall_store::{
    ArchiveGuard, ArchiveLimits, Archived, Commits, CompactionLimits, Database, EncodedBatch,
    EventFilter, EventStore, FileLayout, HoldAdded, LegalHold, RetentionLimits, RetireReason,
    ScanControl, Session, StateStore, StoreError, Unlinked, Unlinker, archive_once, compact_once,
    missing_files, remove_orphans, retire_once,
};
use std::collections::HashSet;
use std::path::PathBuf;

const LAYOUT: FileLayout = FileLayout { level: 1, row_group_rows: 64, page_rows: 16 };
const DAY_MS: i64 = 86_400_000;
/// The day of the first batch of a fixture.
const FIRST_DAY: i64 = 1_800_000_000_000 / DAY_MS;
const LATER: i64 = FIRST_DAY + 1000;

fn limits() -> ArchiveLimits {
    ArchiveLimits { layout: LAYOUT, ..ArchiveLimits::default() }
}

fn compaction() -> CompactionLimits {
    CompactionLimits { layout: LAYOUT, ..CompactionLimits::default() }
}

fn checkpoint(database: &Database, seq: i64) {
    database.write_now(|session| session.set_checkpoint_seq(seq)).unwrap();
}

fn archive(database: &Database) -> Option<Archived> {
    archive_once(database, database, &limits(), &ScanControl::default()).unwrap()
}

fn compact(database: &Database) -> Option<usize> {
    let control = ScanControl::default();
    let done =
        compact_once(database, database, &compaction(), LATER, &HashSet::new(), &control).unwrap();
    done.map(|done| done.files.len())
}

fn all_events(database: &Database) -> Vec<Event> {
    database.read(|session| session.events(&EventFilter::default(), None, 1_000_000)).unwrap()
}

fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixture.folder.join("archive"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with(".lock"))
        .collect();
    files.sort();
    files
}

fn source() -> Source {
    Source::new("sysscore", "agent-1")
}

/// A fixture with this many files of two events each; file `n` was received `n` times `apart_ms` after
/// the first.
fn with_files(count: u64, apart_ms: u64) -> Fixture {
    let fixture = Fixture::new();
    for number in 0..count {
        let time = i64::try_from(number).unwrap() * 10;
        let seq =
            fixture.append(&source(), number * apart_ms, &[call(1, time), call(2, time + 15)]);
        checkpoint(&fixture.database, seq);
        archive(&fixture.database).unwrap();
    }
    fixture
}

/// Runs the job and then fails, as a disk does that is full at the commit.
struct FullDisk;

impl Commits for FullDisk {
    fn commit<T: Send + 'static>(
        &self,
        _job: impl FnOnce(&Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        Err(StoreError::Full)
    }
}

#[test]
fn what_a_checkpoint_contains_is_archived_and_numbers_never_go_back() {
    let fixture = Fixture::new();
    let first = fixture.append(&source(), 1, &[call(7, 200), call(8, 100)]);
    let second = fixture.append(&source(), 2, &[call(9, 150)]);
    assert_eq!(archive(&fixture.database), None);
    let before = all_events(&fixture.database);
    checkpoint(&fixture.database, first);
    let archived = archive(&fixture.database).unwrap();
    assert_eq!((archived.events, archived.batches), (2, 1));
    assert_eq!(archive(&fixture.database), None);
    checkpoint(&fixture.database, second);
    archive(&fixture.database).unwrap();
    assert_eq!(all_events(&fixture.database), before);

    // Everything is archived and the process starts anew: batches are numbered on.
    let reopened = Database::open(&fixture.folder.join("ringwall.db")).unwrap();
    assert_eq!(all_events(&reopened), before);
    let (count, last, waiting) = reopened
        .read(|session| {
            Ok((session.event_count()?, session.last_received()?, session.intake_waiting()?))
        })
        .unwrap();
    assert_eq!(count, 3);
    assert_eq!(last, Some(Timestamp::from_millis(1_800_000_000_002)));
    assert_eq!((waiting.events, waiting.oldest), (0, None));
    drop(reopened);
    assert_eq!(fixture.append(&source(), 3, &[call(1, 1)]), second + 1);
    let waiting = fixture.database.read(|session| session.intake_waiting()).unwrap();
    assert_eq!(waiting.events, 1);
    assert!(!waiting.is_checkpointed);
}

#[test]
fn a_file_holds_one_day_and_keeps_its_bounds() {
    let fixture = Fixture::new();
    let day = u64::try_from(DAY_MS).unwrap();
    for number in [0, 1, 2, day, day + 1] {
        let seq = fixture.append(&source(), number, &[call(7, 100), call(8, 200)]);
        checkpoint(&fixture.database, seq);
    }
    let limits = ArchiveLimits { events_max: 4, ..limits() };
    let once = || {
        archive_once(&fixture.database, &*fixture.database, &limits, &ScanControl::default())
            .unwrap()
            .map(|archived| archived.events)
    };
    assert_eq!([once(), once(), once(), once()], [Some(4), Some(2), Some(4), None]);
    let files = fixture.database.read(|session| session.archive_files()).unwrap();
    let days: Vec<i64> = files.iter().map(|file| file.day).collect();
    assert_eq!(days, [FIRST_DAY, FIRST_DAY, FIRST_DAY + 1]);
    // A batch larger than the bound goes alone.
    let seq = fixture.append(&source(), day + 2, &vec![call(7, 100); 9]);
    checkpoint(&fixture.database, seq);
    assert_eq!([once(), once()], [Some(9), None]);
}

#[test]
fn a_switch_that_is_not_committed_changes_nothing() {
    let fixture = Fixture::new();
    let seq = fixture.append(&source(), 1, &[call(7, 200), call(8, 100)]);
    checkpoint(&fixture.database, seq);
    let before = all_events(&fixture.database);
    let control = ScanControl::default();
    let failed = archive_once(&fixture.database, &FullDisk, &limits(), &control);
    assert!(matches!(failed, Err(StoreError::Full)), "{failed:?}");
    assert_eq!(all_events(&fixture.database), before);
    // The file was written: nothing refers to it. Beside it, what a killed process was writing.
    assert_eq!(files(&fixture).len(), 1);
    let unfinished = format!(".20260101-{}.parquet.tmp", "0".repeat(32));
    std::fs::write(fixture.folder.join("archive").join(unfinished), b"PAR1").unwrap();
    std::fs::write(fixture.folder.join("archive/notes.txt"), b"not ours").unwrap();
    assert_eq!(remove_orphans(&fixture.database).unwrap().len(), 2);
    assert_eq!(files(&fixture), [fixture.folder.join("archive/notes.txt")]);
    std::fs::remove_file(fixture.folder.join("archive/notes.txt")).unwrap();
    archive(&fixture.database).unwrap();
    assert_eq!(remove_orphans(&fixture.database).unwrap(), [""; 0]);
    assert_eq!(all_events(&fixture.database), before);
}

#[test]
fn an_archiver_that_is_stopped_leaves_no_file() {
    let fixture = Fixture::new();
    let seq = fixture.append(&source(), 1, &[call(7, 200)]);
    checkpoint(&fixture.database, seq);
    let control = ScanControl::default();
    control.cancel();
    let stopped = archive_once(&fixture.database, &*fixture.database, &limits(), &control);
    assert!(matches!(stopped, Err(StoreError::Cancelled)), "{stopped:?}");
    assert_eq!(files(&fixture).len(), 0);
}

#[test]
fn a_damaged_batch_holds_up_no_other() {
    let fixture = Fixture::new();
    for number in 1..4 {
        let seq = fixture.append(&source(), number, &[call(7, 200)]);
        checkpoint(&fixture.database, seq);
    }
    let other = rusqlite::Connection::open(fixture.folder.join("ringwall.db")).unwrap();
    other.execute("UPDATE batch SET body = x'09' WHERE seq <> 2", []).unwrap();
    assert_eq!(archive(&fixture.database).map(|archived| archived.events), Some(1));
    assert_eq!(archive(&fixture.database), None);
    let left: i64 = other.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2);
    let waiting = fixture.database.read(|session| session.intake_waiting()).unwrap();
    assert_eq!(waiting.events, 0);
}

#[test]
fn merged_files_replace_the_small_ones_and_these_go() {
    let fixture = with_files(5, 1);
    let before = all_events(&fixture.database);
    let old = files(&fixture);
    assert_eq!(old.len(), 5);
    assert_eq!(compact(&fixture.database), Some(5));
    assert_eq!(compact(&fixture.database), None);
    assert_eq!(all_events(&fixture.database), before);
    assert_eq!(files(&fixture).len(), 6);
    let mut unlinker = Unlinker::default();
    let done = unlinker.run(&fixture.database, &*fixture.database).unwrap();
    assert_eq!(done, Unlinked { files: 5, postponed: 0 });
    assert_eq!(files(&fixture).len(), 1);
    assert!(old.iter().all(|path| !path.exists()));
    assert_eq!(all_events(&fixture.database), before);
    let count = fixture.database.read(|session| session.event_count()).unwrap();
    assert_eq!(count, 10);
}

/// Killed after the commit and before, or amid, the unlinking: the next start takes it up.
#[test]
fn doomed_files_go_after_a_restart_whether_they_are_there_or_not() {
    let fixture = with_files(4, 1);
    let before = all_events(&fixture.database);
    let gone = files(&fixture).swap_remove(2);
    assert_eq!(compact(&fixture.database), Some(4));
    std::fs::remove_file(gone).unwrap();
    let reopened = Database::open(&fixture.folder.join("ringwall.db")).unwrap();
    assert_eq!(remove_orphans(&reopened).unwrap(), [""; 0], "doomed files are no orphans");
    assert_eq!(missing_files(&reopened).unwrap(), [], "nobody misses a doomed file");
    let done = Unlinker::default().run(&reopened, &reopened).unwrap();
    assert_eq!(done.files, 4);
    assert_eq!(reopened.read(|session| session.doomed_files()).unwrap(), []);
    assert_eq!(files(&fixture).len(), 1);
    assert_eq!(all_events(&reopened), before);
}

#[test]
fn a_merge_that_is_not_committed_changes_nothing() {
    let fixture = with_files(4, 1);
    let before = files(&fixture);
    let control = ScanControl::default();
    let (skip, database) = (HashSet::new(), &fixture.database);
    let failed = compact_once(database, &FullDisk, &compaction(), LATER, &skip, &control);
    assert!(failed.is_err());
    assert_eq!(remove_orphans(database).unwrap().len(), 1);
    assert_eq!(files(&fixture), before);
    assert_eq!(all_events(database).len(), 8);
}

#[test]
fn a_damaged_file_is_not_merged() {
    use std::os::unix::fs::FileExt;
    let fixture = with_files(4, 1);
    let path = files(&fixture).swap_remove(1);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0x5a; 4], 40).unwrap();
    let (control, database) = (ScanControl::default(), &*fixture.database);
    let skip = HashSet::new();
    let failed = compact_once(database, database, &compaction(), LATER, &skip, &control);
    let Err(StoreError::Archive { file, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!(file, name);
    assert_eq!(files(&fixture).len(), 4);
    let skip = HashSet::from([name]);
    let merged = compact_once(database, database, &compaction(), LATER, &skip, &control).unwrap();
    assert_eq!(merged.unwrap().files.len(), 3);
}

#[test]
fn whoever_reads_keeps_the_files_that_it_sees() {
    let fixture = with_files(4, 1);
    let mut unlinker = Unlinker::default();
    let database = &*fixture.database;
    let seen = database
        .read(|session| {
            // The transaction sees its moment from its first look on.
            assert_eq!(session.event_count()?, 8);
            assert_eq!(compact(database), Some(4));
            let postponed = Unlinked { files: 0, postponed: 4 };
            assert_eq!(unlinker.run(database, database)?, postponed);
            assert_eq!(unlinker.run(database, database)?, postponed);
            session.events(&EventFilter::default(), None, 100)
        })
        .unwrap();
    assert_eq!(seen.len(), 8);
    // Who came later does not hold it up.
    database
        .read(|_| {
            assert_eq!(unlinker.run(database, database)?.files, 4);
            Ok(())
        })
        .unwrap();
}

#[test]
fn readers_in_other_processes_hold_the_lock_of_the_folder() {
    let fixture = with_files(4, 1);
    let guard = ArchiveGuard::shared(&fixture.folder.join("archive")).unwrap();
    compact(&fixture.database).unwrap();
    let mut unlinker = Unlinker::default();
    assert_eq!(unlinker.run(&fixture.database, &*fixture.database).unwrap().postponed, 4);
    assert_eq!(files(&fixture).len(), 5);
    drop(guard);
    assert_eq!(unlinker.run(&fixture.database, &*fixture.database).unwrap().files, 4);
    assert_eq!(files(&fixture).len(), 1);
}

#[test]
fn a_missing_or_cut_file_is_told_and_named() {
    let fixture = with_files(3, 1);
    assert_eq!(missing_files(&fixture.database).unwrap(), []);
    let files = files(&fixture);
    let [missing, cut, _] = files.as_slice() else { panic!("{files:?}") };
    std::fs::remove_file(missing).unwrap();
    std::fs::OpenOptions::new().write(true).open(cut).unwrap().set_len(100).unwrap();
    let reopened = Database::open(&fixture.folder.join("ringwall.db")).unwrap();
    let mut told: Vec<String> =
        missing_files(&reopened).unwrap().into_iter().map(|problem| problem.name).collect();
    told.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(told, [name(missing), name(cut)]);
    let error = reopened.read(|s| s.events(&EventFilter::default(), None, 10)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&name(missing)) || text.contains(&name(cut)), "{text}");
    // Intake goes on.
    fixture.append(&source(), 9, &[call(1, 1)]);
}

fn retire(fixture: &Fixture, limits: RetentionLimits, day: i64) -> Vec<RetireReason> {
    let now = Timestamp::from_millis(day * DAY_MS);
    let done = retire_once(&*fixture.database, limits, now).unwrap();
    done.retired.into_iter().map(|retired| retired.reason).collect()
}

#[test]
fn what_is_old_is_given_up_with_an_audit_entry() {
    let fixture = with_files(4, u64::try_from(DAY_MS).unwrap());
    let limits = RetentionLimits { days: 10, bytes_max: 0 };
    assert_eq!(retire(&fixture, limits, FIRST_DAY + 10), []);
    let aged = RetireReason::Age { days: 10 };
    assert_eq!(retire(&fixture, limits, FIRST_DAY + 12), [aged, aged]);
    assert_eq!(retire(&fixture, limits, FIRST_DAY + 12), []);
    assert_eq!(all_events(&fixture.database).len(), 4);
    let audit = fixture.database.read(|session| session.audit(None, 10)).unwrap();
    let reasons: Vec<&str> = audit.iter().map(|(_, entry)| entry.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "2 events received from 2027-01-16T08:00:00Z to 2027-01-16T08:00:00Z: \
             older than 10 days",
            "2 events received from 2027-01-15T08:00:00Z to 2027-01-15T08:00:00Z: \
             older than 10 days",
        ]
    );
    assert_eq!(retire(&fixture, RetentionLimits::default(), LATER), []);
    let oldest = fixture.database.read(|session| session.oldest_received()).unwrap();
    assert_eq!(oldest, Some(Timestamp::from_millis(1_800_000_000_000 + 2 * DAY_MS)));
    let gone = Unlinker::default().run(&fixture.database, &*fixture.database).unwrap();
    assert_eq!(gone.files, 2);
    assert_eq!(files(&fixture).len(), 2);
}

#[test]
fn what_is_too_much_is_given_up_from_the_oldest_on() {
    let fixture = with_files(4, 1);
    let sizes: Vec<u64> = fixture
        .database
        .read(|session| session.archive_files())
        .unwrap()
        .iter()
        .map(|file| file.bytes)
        .collect();
    let [_, _, third, fourth] = sizes.as_slice() else { panic!("{sizes:?}") };
    let limits = RetentionLimits { days: 0, bytes_max: third + fourth };
    let reason = RetireReason::Size { bytes_max: third + fourth };
    assert_eq!(retire(&fixture, limits, LATER), [reason, reason]);
    assert_eq!(retire(&fixture, limits, LATER), []);
    let left = all_events(&fixture.database);
    assert!(left.iter().all(|event| event.received >= Timestamp::from_millis(1_800_000_000_002)));
    assert_eq!(left.len(), 4);
}

fn hold(name: &str, source: Option<Source>, since: Option<i64>, until: Option<i64>) -> LegalHold {
    let moment = |at: Option<i64>| at.map(|at| Timestamp::from_millis(1_800_000_000_000 + at));
    LegalHold {
        name: name.to_owned(),
        source,
        since: moment(since),
        until: moment(until),
        reason: "case 7".to_owned(),
        created_by: "user:admin".to_owned(),
        created: Timestamp::from_millis(1_800_000_000_000),
    }
}

#[test]
fn a_hold_wins_over_age_and_size() {
    let everything = RetentionLimits { days: 1, bytes_max: 1 };
    let left_with = |hold: LegalHold| {
        let fixture = with_files(4, 1000);
        let added = fixture.database.write_now(move |session| session.add_hold(&hold)).unwrap();
        assert_eq!(added, HoldAdded::Added);
        retire(&fixture, everything, LATER);
        let mut left: Vec<i64> = all_events(&fixture.database)
            .iter()
            .map(|event| event.received.as_millis() - 1_800_000_000_000)
            .collect();
        left.sort_unstable();
        left.dedup();
        left
    };
    assert_eq!(left_with(hold("all", None, None, None)), [0, 1000, 2000, 3000]);
    assert_eq!(left_with(hold("from", None, Some(2000), None)), [2000, 3000]);
    assert_eq!(left_with(hold("until", None, None, Some(1000))), [0]);
    assert_eq!(left_with(hold("within", None, Some(1), Some(2001))), [1000, 2000]);
    assert_eq!(left_with(hold("one", Some(source()), Some(3000), None)), [3000]);
    let other = Some(Source::new("sysscore", "agent-2"));
    assert_eq!(left_with(hold("other", other, None, None)), [0; 0]);
}

#[test]
fn a_hold_on_a_source_keeps_the_files_that_it_is_in() {
    let fixture = Fixture::new();
    let (one, two) = (Source::new("host-agent", "web-1"), Source::new("host-agent", "web-2"));
    for (number, sources) in [(0, vec![&one]), (10, vec![&one, &two]), (20, vec![&one])] {
        for (step, source) in (0..).zip(sources) {
            let seq = fixture.append(source, number + step, &[call(1, 1)]);
            checkpoint(&fixture.database, seq);
        }
        archive(&fixture.database).unwrap();
    }
    let held = hold("web-2", Some(two), None, None);
    fixture.database.write_now(|session| session.add_hold(&held)).unwrap();
    let again = fixture.database.write_now(|session| session.add_hold(&held)).unwrap();
    assert_eq!(again, HoldAdded::NameTaken);
    let limits = RetentionLimits { days: 1, bytes_max: 0 };
    assert_eq!(retire(&fixture, limits, LATER).len(), 2);
    assert_eq!(all_events(&fixture.database).len(), 2);
    let holds = fixture.database.read(|session| session.holds()).unwrap();
    assert_eq!(holds, std::slice::from_ref(&held));
    let lifted = fixture.database.write_now(|session| session.remove_hold("web-2")).unwrap();
    assert_eq!(lifted, Some(held));
    assert_eq!(retire(&fixture, limits, LATER).len(), 1);
    assert_eq!(fixture.database.write_now(|s| s.remove_hold("web-2")).unwrap(), None);
}

#[test]
fn what_came_lately_is_found_in_intake_and_archive() {
    let fixture = with_files(3, 1000);
    fixture.append(&source(), 3000, &[call(5, 1)]);
    fixture.append(&Source::new("watcher", "agent-1"), 3500, &[call(6, 1)]);
    let recent = |since: i64, enough: usize| {
        let since = Timestamp::from_millis(1_800_000_000_000 + since);
        let mut found = Vec::new();
        fixture
            .database
            .read(|session| {
                session.recent_events("sysscore", since, enough, &mut |event| {
                    found.push(event.received.as_millis() - 1_800_000_000_000);
                })
            })
            .unwrap();
        found
    };
    assert_eq!(recent(0, 100), [3000, 2000, 2000, 1000, 1000, 0, 0]);
    assert_eq!(recent(1500, 100), [3000, 2000, 2000]);
    assert_eq!(recent(0, 2), [3000, 2000, 2000]);
    assert_eq!(recent(0, 1), [3000]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes in, in whatever order, and however often files are merged: it is all there, as it
    /// was, and once.
    #[test]
    fn archiving_and_merging_lose_and_double_nothing(
        batches in prop::collection::vec(
            (prop::collection::vec(sample::event(), 1..40), 0u64..3, any::<bool>()), 1..14),
        file_events_max in prop::sample::select(vec![16u64, 100, 10_000]),
    ) {
        let fixture = Fixture::new();
        let database = &*fixture.database;
        let control = ScanControl::default();
        let day = u64::try_from(DAY_MS).unwrap();
        let mut number = 0;
        for (events, days, then_archive) in &batches {
            number += days * day + 1;
            let source = &events.first().unwrap().source;
            let encoded = EncodedBatch::encode(events, |_| true).unwrap();
            let received = Timestamp::from_millis(1_800_000_000_000 + i64::try_from(number).unwrap());
            let base = EventId::from_parts(received.as_millis().unsigned_abs(), number, 0);
            let seq = database.write_now(|s| s.append_batch(source, base, received, &encoded)).unwrap();
            if *then_archive {
                checkpoint(database, seq);
                while archive(database).is_some() {}
            }
        }
        let sorted = |mut events: Vec<Event>| {
            events.sort_by_key(|event| (event.time, event.id));
            events
        };
        let before = sorted(all_events(database));
        prop_assert_eq!(before.len(), batches.iter().map(|(events, ..)| events.len()).sum::<usize>());
        checkpoint(database, i64::MAX);
        while archive(database).is_some() {}
        prop_assert_eq!(&sorted(all_events(database)), &before);
        let limits = CompactionLimits { file_events_max, layout: LAYOUT };
        let skip = HashSet::new();
        let mut unlinker = Unlinker::default();
        while let Some(merged) =
            compact_once(database, database, &limits, LATER, &skip, &control).unwrap()
        {
            prop_assert!(merged.events <= file_events_max);
            unlinker.run(database, database).unwrap();
        }
        prop_assert_eq!(&sorted(all_events(database)), &before);
        let records = database.read(|session| session.archive_files()).unwrap();
        let on_disk: Vec<String> = files(&fixture)
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut names: Vec<String> = records.iter().map(|record| record.name.clone()).collect();
        names.sort();
        prop_assert_eq!(on_disk, names);
        let small = records.iter().filter(|record| record.events < file_events_max / 4);
        let mut days: Vec<i64> = small.map(|record| record.day).collect();
        let all = days.len();
        days.dedup();
        prop_assert_eq!(all, days.len(), "at most one file of a day stays that small");
    }
}
