//! The public face of the store, on real files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod backup;
mod data_dirs;
mod events;
mod group_commit;
mod life_cycle;
mod pages;
mod rollups;
mod sample;
mod scan;
mod sql;
mod state;
mod verify;

use ringwall_event::{Activity, Event, EventId, ProcessRef, Severity, Source, Timestamp};
use ringwall_store::{Database, EncodedBatch, EventStore};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A database in a folder of its own, which goes with it.
pub(crate) struct Fixture {
    pub(crate) folder: PathBuf,
    pub(crate) database: Arc<Database>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-store-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
        Self { folder, database }
    }

    pub(crate) fn append(&self, source: &Source, number: u64, events: &[Event]) -> i64 {
        let batch = EncodedBatch::encode(events, |_| true).unwrap();
        let received = Timestamp::from_millis(1_800_000_000_000 + i64::try_from(number).unwrap());
        let base = EventId::from_parts(received.as_millis().unsigned_abs(), number, 0);
        self.database
            .write_now(|session| session.append_batch(source, base, received, &batch))
            .unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

pub(crate) fn call(pid: i64, micros: i64) -> Event {
    Event {
        id: EventId::default(),
        time: Timestamp::from_micros(micros),
        received: Timestamp::default(),
        source: Source::new("sysscore", "agent-1"),
        host: "agent-1".into(),
        severity: Severity::Informational,
        activity: Activity::SystemCall {
            process: ProcessRef { pid, start_time: None, name: "".into() },
            name: "open".into(),
            risk_score: Some(1.5),
            anomaly_score: None,
        },
        original: Some("{\"path\": \"/tmp/\\u00e9\"}".into()),
    }
}
