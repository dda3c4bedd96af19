//! Data directories with events in the archive and in the intake, and what is done to them.

use crate::sample::{self, Folder};
use arrow_array::RecordBatch;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ringwall_event::{Event, EventId, Timestamp};
use ringwall_store::maintenance::rebuild;
use ringwall_store::{
    BulkLoad, BulkLoadSettings, Database, EncodedBatch, EventStore, FileLayout, Predicate,
    ScanControl, ScanRequest, Sink, StoreError, events_of,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SMALL: BulkLoadSettings = BulkLoadSettings {
    layout: FileLayout { level: 1, row_group_rows: 64, page_rows: 8 },
    file_events_max: 150,
    sorted_at_once: 100,
};

const DAY_MICROS: i64 = 86_400_000_000;
/// The beginning of a day.
const FIRST_DAY: i64 = 20_400 * DAY_MICROS;

/// A folder for data directories and backups; everything goes with it.
pub(crate) struct Place(Folder);

impl Place {
    pub(crate) fn new() -> Self {
        Self(sample::folder())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A data directory of two days in the archive and 20 events in the intake.
    pub(crate) fn data_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        fill(&path, 300, 20);
        std::fs::write(path.join("master.key"), [7; 32]).unwrap();
        path
    }

    /// What lies here.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn fill(data_dir: &Path, archived: usize, waiting: usize) {
    let database = open(data_dir);
    let mut runner = TestRunner::deterministic();
    let mut events: Vec<Event> = (0..archived + waiting)
        .map(|number| {
            let mut event = sample::event().new_tree(&mut runner).unwrap().current();
            let days = number * 2 / archived;
            let micros =
                i64::try_from(days).unwrap() * DAY_MICROS + i64::try_from(number).unwrap() * 1000;
            event.received = Timestamp::from_micros(FIRST_DAY + micros);
            let millis = event.received.as_millis().unsigned_abs();
            event.id = EventId::from_parts(millis, number as u64, 0);
            event
        })
        .collect();
    let intake = events.split_off(archived);
    let mut load = BulkLoad::open(&database, SMALL).unwrap();
    load.add(events).unwrap();
    assert!(load.finish().unwrap().files >= 2);
    append(&database, &intake);
    drop(database);
    let rebuilt = rebuild(data_dir, &Arc::default()).unwrap();
    assert_eq!(rebuilt.events, (archived + waiting) as u64);
}

/// Gives up a file as retention does: nothing is unlinked yet.
pub(crate) fn retire(data_dir: &Path, id: i64) {
    sql(
        data_dir,
        &format!(
            "UPDATE archive_file SET state = 1 WHERE id = {id};
             INSERT INTO audit (time, actor, action, subject, outcome, reason)
             SELECT 0, 'rule:retention', 'retire_events', name, 'succeeded', ''
             FROM archive_file WHERE id = {id}"
        ),
    );
}

/// Adds events to the intake, one a batch.
pub(crate) fn append(database: &Database, events: &[Event]) {
    for event in events {
        let batch = EncodedBatch::encode(std::slice::from_ref(event), |_| true).unwrap();
        database
            .write_now(|session| {
                session.append_batch(&event.source, event.id, event.received, &batch)
            })
            .unwrap();
    }
}

pub(crate) fn open(data_dir: &Path) -> Database {
    Database::open(&data_dir.join("ringwall.db")).unwrap()
}

/// All events, by their ids.
pub(crate) fn events(data_dir: &Path) -> Vec<Event> {
    #[derive(Default)]
    struct Collect(Vec<Event>);
    impl Sink for Collect {
        fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
            self.0.extend(events_of(batch)?);
            Ok(ControlFlow::Continue(()))
        }
    }
    let request = ScanRequest {
        predicate: Predicate::True,
        columns: ringwall_store::Column::ALL.to_vec(),
        threads: 2,
    };
    let control = ScanControl::default();
    let sinks =
        open(data_dir).read(|session| session.scan(&request, &control, Collect::default)).unwrap();
    let mut events: Vec<Event> = sinks.into_iter().flat_map(|sink| sink.0).collect();
    events.sort_by_key(|event| event.id);
    events
}

/// The archive files of a folder, by name.
pub(crate) fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("archive"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .collect();
    files.sort();
    files
}

/// Changes one bit in the middle of a file.
pub(crate) fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Runs SQL on the database behind the back of the store.
pub(crate) fn sql(data_dir: &Path, text: &str) {
    let other = rusqlite::Connection::open(data_dir.join("ringwall.db")).unwrap();
    other.execute_batch(text).unwrap();
}
