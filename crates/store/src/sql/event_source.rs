//! Where the rows of `events` come from.

use super::newest::Newest;
use crate::archive::columns::Column;
use crate::archive::open_files::OpenFiles;
use crate::data_dir::{Beside, DataDirError};
use crate::scan::control::ScanControl;
use crate::scan::predicate::{Predicate, Test};
use crate::scan::snapshot::{ScanRequest, Sink};
use crate::{Session, StoreError};
use arrow_array::RecordBatch;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// All events at one moment.
pub(super) trait EventSource: Send + Sync {
    /// The events that fit, in no order. Columns that a file lacks are missing from its batches.
    fn all(
        &self,
        predicate: Predicate,
        columns: Vec<Column>,
    ) -> Result<Box<dyn Batches>, StoreError>;

    /// The events that fit, newest first by (time, id). Few are expected to be read.
    fn newest_first(
        &self,
        predicate: Predicate,
        columns: Vec<Column>,
    ) -> Result<Box<dyn Batches>, StoreError>;

    /// About how many events there are.
    fn events_about(&self) -> f64;
}

/// Rows as they come.
pub(super) trait Batches: Send {
    /// The next rows; none at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>, StoreError>;
}

/// The events of a data directory at the moment it was opened.
pub(super) struct StoredEvents {
    inner: Arc<Inner>,
    events: f64,
}

pub(super) struct Inner {
    beside: Beside,
    archive: OpenFiles,
    /// Connections in read transactions that no scan uses now.
    idle: Mutex<Vec<Reader>>,
    opened: Mutex<usize>,
    /// The last receipt that the first transaction sees. Later transactions see more: what is received
    /// later is no part of this moment. Receipts only go up, so nothing else differs.
    received_max: i64,
    pub(super) threads: usize,
    pub(super) control: Arc<ScanControl>,
}

pub(super) struct Reader {
    connection: Connection,
    is_first: bool,
}

/// A query that reads `events` more often at once than this is wrong in the head.
const READERS_MAX: usize = 16;
/// How many batches wait for SQLite.
const BATCHES_WAITING: usize = 4;

impl StoredEvents {
    /// Opens the data directory at this moment.
    pub(super) fn open(
        data_dir: &Path,
        threads: usize,
        control: Arc<ScanControl>,
    ) -> Result<Self, DataDirError> {
        let beside = Beside::open(data_dir)?;
        let connection = beside.connect()?;
        connection.execute_batch("BEGIN")?;
        let (received_max, events): (i64, i64) = connection.query_row(
            "SELECT max(coalesce((SELECT max(received) FROM batch), 0),
                        coalesce((SELECT max(received_max) FROM archive_file WHERE state = 0), 0)),
                    coalesce((SELECT sum(events) FROM batch), 0)
                        + coalesce((SELECT sum(events) FROM archive_file WHERE state = 0), 0)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let archive = OpenFiles::new(beside.archive.clone());
        let first = Reader { connection, is_first: true };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let about = events as f64;
        Ok(Self {
            inner: Arc::new(Inner {
                beside,
                archive,
                idle: Mutex::new(vec![first]),
                opened: Mutex::new(1),
                received_max,
                threads,
                control,
            }),
            events: about,
        })
    }

    /// Runs `job` on this moment.
    pub(super) fn with_session<T>(
        &self,
        job: impl FnOnce(&Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = self.inner.reader()?;
        let answer = job(&self.inner.session(&reader));
        self.inner.give_back(reader);
        answer
    }

    /// On how many threads events are looked through.
    pub(super) fn threads(&self) -> usize {
        self.inner.threads
    }

    /// The file of the database.
    pub(super) fn database(&self) -> &Path {
        &self.inner.beside.database
    }
}

impl EventSource for StoredEvents {
    fn all(
        &self,
        predicate: Predicate,
        columns: Vec<Column>,
    ) -> Result<Box<dyn Batches>, StoreError> {
        Ok(Box::new(Scan::start(&self.inner, predicate, columns)?))
    }

    fn newest_first(
        &self,
        predicate: Predicate,
        columns: Vec<Column>,
    ) -> Result<Box<dyn Batches>, StoreError> {
        Ok(Box::new(Newest::new(Arc::clone(&self.inner), predicate, columns)))
    }

    fn events_about(&self) -> f64 {
        self.events
    }
}

impl Inner {
    pub(super) fn reader(&self) -> Result<Reader, StoreError> {
        {
            let mut idle = self.idle.lock();
            // The first sees this moment without a further condition.
            if let Some(place) = idle.iter().position(|reader| reader.is_first) {
                return Ok(idle.swap_remove(place));
            }
            if let Some(reader) = idle.pop() {
                return Ok(reader);
            }
        }
        let mut opened = self.opened.lock();
        if *opened >= READERS_MAX {
            let why = format!("`events` stands more than {READERS_MAX} times in the query");
            return Err(StoreError::Unreadable { what: "query", why });
        }
        let connection = self.beside.connect().map_err(|error| match error {
            DataDirError::Store(error) => error,
            other => StoreError::Unreadable { what: "database", why: other.to_string() },
        })?;
        connection.execute_batch("BEGIN")?;
        *opened += 1;
        Ok(Reader { connection, is_first: false })
    }

    pub(super) fn give_back(&self, reader: Reader) {
        self.idle.lock().push(reader);
    }

    pub(super) fn session<'r>(&'r self, reader: &'r Reader) -> Session<'r> {
        Session { connection: &reader.connection, archive: &self.archive }
    }

    /// The predicate, for what this reader sees.
    pub(super) fn at_this_moment(&self, reader: &Reader, predicate: Predicate) -> Predicate {
        if reader.is_first {
            return predicate;
        }
        let known = Test::Within { min: i64::MIN, max: self.received_max };
        predicate.and(Predicate::Has(Column::MetadataLoggedTime, known))
    }
}

/// A scan that runs in the background, a few batches ahead.
struct Scan {
    batches: Option<Receiver<RecordBatch>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Scan {
    fn start(
        inner: &Arc<Inner>,
        predicate: Predicate,
        columns: Vec<Column>,
    ) -> Result<Self, StoreError> {
        let reader = inner.reader()?;
        let request = ScanRequest {
            predicate: inner.at_this_moment(&reader, predicate),
            columns,
            threads: inner.threads,
        };
        let inner = Arc::clone(inner);
        let (sender, batches) = sync_channel(BATCHES_WAITING);
        let run = move || {
            let session = inner.session(&reader);
            let ended =
                session.scan(&request, &inner.control, || Forward { batches: sender.clone() });
            let ended = ended.map(drop);
            inner.give_back(reader);
            ended
        };
        let thread = std::thread::Builder::new()
            .name("scan".into())
            .spawn(run)
            .map_err(|error| StoreError::Unreadable { what: "events", why: error.to_string() })?;
        Ok(Self { batches: Some(batches), thread: Some(thread) })
    }

    fn join(&mut self) -> Result<(), StoreError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(_)) => {
                let why = "a scan panicked".to_owned();
                Err(StoreError::Unreadable { what: "events", why })
            }
        }
    }
}

impl Batches for Scan {
    fn next(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        if let Some(batches) = &self.batches
            && let Ok(batch) = batches.recv()
        {
            return Ok(Some(batch));
        }
        self.batches = None;
        self.join().map(|()| None)
    }
}

impl Drop for Scan {
    /// Nobody wants the rest: without a receiver the sinks end the scan.
    fn drop(&mut self) {
        self.batches = None;
        drop(self.join());
    }
}

struct Forward {
    batches: SyncSender<RecordBatch>,
}

impl Sink for Forward {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        Ok(match self.batches.send(batch.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    }
}
