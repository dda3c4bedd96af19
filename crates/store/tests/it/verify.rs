//! Every kind of harm is found, and nothing else.

use crate::data_dirs::{Place, append, events, flip, open, parquet_files, retire, sql};
use ringwall_event::{EventId, Severity};
use ringwall_store::data_dir::DataDirError;
use ringwall_store::maintenance::{
    FindingKind, FindingSeverity, Verification, rebuild, stats, verify,
};
use ringwall_store::{RollupCounts, RollupStore};
use std::path::Path;
use std::sync::Arc;

fn examine(data_dir: &Path) -> Verification {
    verify(data_dir, 2, &Arc::default()).unwrap()
}

#[track_caller]
fn check(harm: impl FnOnce(&Path), expected: &[(FindingSeverity, FindingKind)]) {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    harm(&data_dir);
    let verification = examine(&data_dir);
    let mut found: Vec<_> =
        verification.findings.iter().map(|finding| (finding.severity, finding.kind)).collect();
    found.dedup();
    assert_eq!(found, expected, "{:#?}", verification.findings);
    let is_damage = |(severity, _): &(FindingSeverity, _)| *severity == FindingSeverity::Damage;
    assert_eq!(verification.is_sound(), !expected.iter().any(is_damage));
}

const fn damage(kind: FindingKind) -> (FindingSeverity, FindingKind) {
    (FindingSeverity::Damage, kind)
}

fn first_file(data_dir: &Path) -> std::path::PathBuf {
    parquet_files(data_dir).first().unwrap().clone()
}

/// Makes the row of a file say what the file is now.
fn own_up(data_dir: &Path, file: &Path) {
    use sha2::{Digest, Sha256};
    let bytes = std::fs::read(file).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = file.file_name().unwrap().to_str().unwrap();
    let length = bytes.len();
    sql(
        data_dir,
        &format!(
            "UPDATE archive_file SET sha256 = x'{digest}', bytes = {length} WHERE name = '{name}'"
        ),
    );
}

#[test]
fn a_sound_store_is_said_to_be_sound() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let verification = examine(&data_dir);
    assert_eq!(verification.findings, []);
    let checked = verification.checked;
    assert_eq!((checked.intake_batches, checked.intake_events), (20, 20));
    assert_eq!(checked.archive_files, parquet_files(&data_dir).len() as u64);
    assert_eq!(checked.archived_events, 300);
}

#[test]
fn other_bytes_in_an_archive_file() {
    check(|data_dir| flip(&first_file(data_dir)), &[damage(FindingKind::Checksum)]);
}

#[test]
fn a_file_that_was_cut_off() {
    let cut = |data_dir: &Path| {
        let file = std::fs::OpenOptions::new().write(true).open(first_file(data_dir)).unwrap();
        file.set_len(200).unwrap();
    };
    check(cut, &[damage(FindingKind::Size)]);
}

#[test]
fn a_file_that_is_gone() {
    let remove = |data_dir: &Path| std::fs::remove_file(first_file(data_dir)).unwrap();
    check(remove, &[damage(FindingKind::Missing)]);
}

#[test]
fn a_file_that_is_no_archive_file() {
    let replace = |data_dir: &Path| {
        let file = first_file(data_dir);
        std::fs::write(&file, "PAR1 is not enough PAR1").unwrap();
        own_up(data_dir, &file);
    };
    check(replace, &[damage(FindingKind::Format)]);
}

#[test]
fn damage_within_a_file_whose_checksum_was_set_to_fit() {
    let harm = |data_dir: &Path| {
        let file = first_file(data_dir);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.get_mut(4..600).unwrap().fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        own_up(data_dir, &file);
    };
    check(harm, &[damage(FindingKind::Format)]);
}

#[test]
fn a_count_that_is_not_what_is_counted() {
    let count =
        |data_dir: &Path| sql(data_dir, "UPDATE archive_file SET events = events + 1 WHERE id = 1");
    check(count, &[damage(FindingKind::Count)]);
    let sources = |data_dir: &Path| {
        sql(data_dir, "UPDATE archive_file_source SET events = events + 1 WHERE file = 1");
    };
    check(sources, &[damage(FindingKind::Count)]);
    let source = |data_dir: &Path| {
        sql(data_dir, "DELETE FROM archive_file_source WHERE file = 2");
    };
    check(source, &[damage(FindingKind::Count)]);
}

#[test]
fn bounds_that_the_events_do_not_keep() {
    let times = |data_dir: &Path| {
        sql(data_dir, "UPDATE archive_file SET time_max = time_max - 1 WHERE id = 1");
    };
    check(times, &[damage(FindingKind::Bounds)]);
    let received = |data_dir: &Path| {
        sql(data_dir, "UPDATE archive_file SET received_min = received_min - 1 WHERE id = 1");
    };
    check(received, &[damage(FindingKind::Bounds)]);
    let day = |data_dir: &Path| sql(data_dir, "UPDATE archive_file SET day = day + 1 WHERE id = 1");
    check(day, &[damage(FindingKind::Bounds)]);
}

#[test]
fn an_event_that_is_archived_and_waits_all_the_same() {
    let again = |data_dir: &Path| {
        let all = events(data_dir);
        append(&open(data_dir), &all[..2]);
    };
    check(again, &[damage(FindingKind::Duplicate)]);
    let archived = |data_dir: &Path| {
        sql(data_dir, "INSERT INTO meta (name, value) VALUES ('archived_seq', 1)");
    };
    check(archived, &[damage(FindingKind::Duplicate)]);
}

#[test]
fn an_event_that_lies_in_two_files() {
    let copy = |data_dir: &Path| {
        let file = first_file(data_dir);
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let other = name.replace(".parquet", "0.parquet");
        std::fs::copy(&file, file.with_file_name(&other)).unwrap();
        sql(
            data_dir,
            &format!(
                "INSERT INTO archive_file (id, name, day, events, bytes, time_min, time_max,
                     received_min, received_max, sha256, created)
                 SELECT 1000, '{other}', day, events, bytes, time_min, time_max, received_min,
                     received_max, sha256, created FROM archive_file WHERE name = '{name}';
                 INSERT INTO archive_file_source (file, source, events)
                 SELECT 1000, source, events FROM archive_file_source
                     WHERE file = (SELECT id FROM archive_file WHERE name = '{name}');"
            ),
        );
    };
    check(copy, &[damage(FindingKind::Rollup), damage(FindingKind::Duplicate)]);
}

#[test]
fn a_batch_that_is_not_what_its_row_says() {
    let body = |data_dir: &Path| sql(data_dir, "UPDATE batch SET body = x'00' WHERE seq = 3");
    check(body, &[damage(FindingKind::Batch)]);
    let count = |data_dir: &Path| sql(data_dir, "UPDATE batch SET events = 2 WHERE seq = 3");
    check(count, &[damage(FindingKind::Count)]);
    let bounds = |data_dir: &Path| {
        sql(data_dir, "UPDATE batch SET time_max = time_max + 1 WHERE seq = 3");
    };
    check(bounds, &[damage(FindingKind::Bounds)]);
    let source = |data_dir: &Path| {
        sql(data_dir, "PRAGMA foreign_keys = OFF; UPDATE batch SET source = 999 WHERE seq = 3")
    };
    check(source, &[damage(FindingKind::Batch)]);
}

#[test]
fn what_nothing_refers_to() {
    let orphans = |data_dir: &Path| {
        std::fs::write(data_dir.join("archive/20261121-00.parquet"), "x").unwrap();
        std::fs::write(data_dir.join("archive/.20261121-01.parquet.tmp"), "x").unwrap();
    };
    check(orphans, &[(FindingSeverity::Warning, FindingKind::Orphan)]);
    let writing = |data_dir: &Path| {
        std::fs::write(data_dir.join("archive/.20261121-01.parquet.tmp"), "x").unwrap();
        let lock = std::fs::File::create(data_dir.join("lock")).unwrap();
        lock.lock().unwrap();
        std::mem::forget(lock);
    };
    check(writing, &[(FindingSeverity::Note, FindingKind::Orphan)]);
    check(|data_dir| retire(data_dir, 1), &[(FindingSeverity::Note, FindingKind::Doomed)]);
}

/// Counts one event more than there is, at the minute of the first.
fn count_one_more(data_dir: &Path) {
    let all = events(data_dir);
    let first = all.first().unwrap();
    let mut counts = RollupCounts::default();
    counts.add_one(first.received, &first.source, "sign_in", Severity::Low, 1).unwrap();
    open(data_dir).write_now(|session| session.merge_rollups(&counts)).unwrap();
}

#[test]
fn counts_by_minute_that_are_off_by_one() {
    check(count_one_more, &[damage(FindingKind::Rollup)]);
    let lost = |data_dir: &Path| sql(data_dir, "DELETE FROM rollup WHERE level = 1");
    check(lost, &[damage(FindingKind::Rollup)]);
    let damaged = |data_dir: &Path| {
        sql(data_dir, "UPDATE rollup SET body = x'09' WHERE level = 0");
    };
    check(damaged, &[damage(FindingKind::Rollup)]);
    // Of days of which events were given up, the counts may be of what was there before; never less.
    let given_up = |data_dir: &Path| {
        retire(data_dir, 1);
        sql(data_dir, "DELETE FROM rollup WHERE level = 1");
    };
    check(given_up, &[damage(FindingKind::Rollup), (FindingSeverity::Note, FindingKind::Doomed)]);
}

#[test]
fn counts_are_made_anew_where_no_server_runs() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    count_one_more(&data_dir);
    assert!(!examine(&data_dir).is_sound());
    {
        let lock = std::fs::File::create(data_dir.join("lock")).unwrap();
        lock.lock().unwrap();
        let refused = rebuild(&data_dir, &Arc::default());
        assert!(matches!(refused, Err(DataDirError::InUse(_))));
    }
    let rebuilt = rebuild(&data_dir, &Arc::default()).unwrap();
    assert_eq!((rebuilt.events, rebuilt.archive_files > 1), (320, true));
    assert_eq!(examine(&data_dir).findings, []);
    // Where something cannot be read, the old counts stand.
    std::fs::remove_file(first_file(&data_dir)).unwrap();
    assert!(rebuild(&data_dir, &Arc::default()).is_err());
    let nothing = rebuild(&place.path("none"), &Arc::default());
    assert!(matches!(nothing, Err(DataDirError::NoStore(_))));
}

#[test]
fn a_master_key_that_is_not_there() {
    let remove = |data_dir: &Path| std::fs::remove_file(data_dir.join("master.key")).unwrap();
    check(remove, &[(FindingSeverity::Warning, FindingKind::MasterKey)]);
}

#[test]
fn a_database_that_is_damaged() {
    let harm = |data_dir: &Path| {
        let path = data_dir.join("ringwall.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes.get_mut(4096..end).unwrap().iter_mut().step_by(97).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(path, bytes).unwrap();
    };
    check(harm, &[damage(FindingKind::Database)]);
    let replace = |data_dir: &Path| {
        std::fs::write(data_dir.join("ringwall.db"), "no database at all, but text").unwrap();
    };
    check(replace, &[damage(FindingKind::Database)]);
}

/// A power cut tears the last page of the journal: what was committed before is there, and sound.
#[test]
fn a_torn_journal_is_no_damage() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let copy = place.path("copy");
    std::fs::create_dir_all(copy.join("archive")).unwrap();
    {
        let database = open(&data_dir);
        let mut late = events(&data_dir);
        late.truncate(3);
        for (number, event) in late.iter_mut().enumerate() {
            event.id = EventId::from_parts(1, number as u64, 0);
        }
        append(&database, &late);
        // The server is killed here: its journal is as it is.
        for name in ["ringwall.db", "ringwall.db-wal", "master.key"] {
            std::fs::copy(data_dir.join(name), copy.join(name)).unwrap();
        }
    }
    for file in parquet_files(&data_dir) {
        std::fs::copy(&file, copy.join("archive").join(file.file_name().unwrap())).unwrap();
    }
    let journal = copy.join("ringwall.db-wal");
    let length = journal.metadata().unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - 1000).unwrap();
    let verification = examine(&copy);
    assert_eq!(verification.findings, []);
    assert_eq!(verification.checked.intake_events, 22);
    // To look is not to touch.
    assert_eq!(journal.metadata().unwrap().len(), length - 1000);
}

#[test]
fn stats_count_what_is_there() {
    let place = Place::new();
    let data_dir = place.data_dir("data");
    let stats = stats(&data_dir, &Arc::default()).unwrap();
    let summary = &stats.summary;
    assert_eq!((summary.events, summary.intake_events, summary.archived_events), (320, 20, 300));
    assert_eq!(summary.days.iter().map(|day| day.events).sum::<u64>(), 320);
    assert_eq!(summary.days.len(), 3);
    assert!(summary.days.is_sorted_by(|a, b| a.day > b.day));
    let bytes: u64 =
        parquet_files(&data_dir).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(summary.archive_bytes, bytes);
    assert_eq!(stats.packed_bytes + stats.index_bytes, bytes);
    let of = |name: &str| stats.columns.iter().find(|column| column.name == name).unwrap();
    assert!(of("time").encodings.contains("DELTA_BINARY_PACKED"));
    assert!(of("device_hostname").filter_bytes > 0);
    assert!(stats.columns.is_sorted_by_key(|column| std::cmp::Reverse(column.packed_bytes)));
    let (first, last) = (summary.oldest.unwrap(), summary.newest.unwrap());
    let all = events(&data_dir);
    assert_eq!(Some(first), all.iter().map(|event| event.received).min());
    assert_eq!(Some(last), all.iter().map(|event| event.received).max());
    let listed = open(&data_dir).read(|session| session.summary(2)).unwrap();
    assert_eq!((listed.days.len(), listed.days_left_out), (2, 1));
}
