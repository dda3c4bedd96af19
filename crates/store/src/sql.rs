//! SQL over everything that is stored: the library side of the worker process.
//!
//! A query runs on a connection of its own in memory. It sees the virtual table `events` over intake and
//! archive, and beside it `alerts`, `commands`, `audit`, `hosts` and `scores`; nothing else of the
//! database, and no way to change anything. What it may use of time, memory and rows is bounded, and
//! it says while it runs how far it is. Whoever answers people runs it in a process of its own, so
//! that memory and time are the system's to bound, and ending it is a matter of ending the process.

mod answer;
mod cells;
mod closed;
mod closed_answer;
mod event_source;
mod events_table;
mod functions;
mod guard;
mod moment;
mod newest;
mod plan;
mod running;
mod tables;

pub use answer::{ColumnHead, Failure, FailureCode};
pub use functions::FUNCTIONS;
pub use guard::SQL_BYTES_MAX;
pub use tables::{ColumnFacts, HostEntry, ScoreEntry, TableFacts, tables};

use crate::StoreError;
use crate::data_dir::DataDirError;
use crate::scan::control::ScanControl;
use answer::{Answers, Done};
use closed::{Closed, Keys};
use event_source::{EventSource, StoredEvents};
use parking_lot::Mutex;
use ringwall_event::Timestamp;
use running::Running;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::Value;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A question, and what may be spent on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// Whose events.
    pub data_dir: PathBuf,
    /// One `SELECT`, of at most [`SQL_BYTES_MAX`] bytes.
    pub sql: String,
    /// The moment that `now` is, in microseconds since 1970.
    pub now: i64,
    /// How many rows at most; what is beyond is left out, and the answer says so.
    pub row_limit: u64,
    /// After how many milliseconds it is given up.
    pub time_limit_ms: u64,
    /// How much memory SQLite may take, in bytes. The process bounds the rest.
    pub memory_bytes_max: u64,
    /// On how many threads events are looked through.
    pub threads: usize,
    /// The tables that the asker may read.
    pub tables: Vec<String>,
    /// Instead of rows, answer how they would be found.
    #[serde(default)]
    pub explain: bool,
    /// The rows of `hosts`.
    #[serde(default)]
    pub hosts: Vec<HostEntry>,
    /// The rows of `scores`.
    #[serde(default)]
    pub scores: Vec<ScoreEntry>,
}

/// What only the process knows.
pub struct Surroundings<'a> {
    /// Called once everything is open: from here on, no file need be written.
    pub opened: &'a dyn Fn() -> io::Result<()>,
    /// How many milliseconds of processor time the process has used.
    pub cpu_ms: &'a (dyn Fn() -> u64 + Sync),
}

/// How often it says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How many steps of SQLite's machine go by between looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;

/// Runs a query and writes its answer to `out`, a JSON object a line: `columns`, then `rows` as they
/// come, `progress` in between, and at the end `done` or `error`.
///
/// # Errors
/// Where `out` takes no more; everything else is told in the answer.
pub fn run_query(
    request: QueryRequest,
    surroundings: &Surroundings<'_>,
    out: impl Write + Send,
) -> io::Result<()> {
    let began = Instant::now();
    let deadline = began + Duration::from_millis(request.time_limit_ms);
    let running = Arc::new(Running::new(Timestamp::from_micros(request.now), deadline));
    let control = Arc::new(ScanControl::until(deadline));
    let answers = Mutex::new(Answers::new(out));
    let ended = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (answers, control) = (&answers, &control);
        scope.spawn(move || {
            while stopped.recv_timeout(PROGRESS_EVERY)
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                // Where nobody listens any more, the next rows tell the one who can end it.
                drop(answers.lock().progress(&control.progress()));
            }
        });
        let ended = answer(request, &running, control, surroundings, answers);
        drop(stop);
        ended
    });
    let mut answers = answers.into_inner();
    match ended {
        Ok(done) => {
            let progress = control.progress();
            answers.done(&Done {
                rows: done.rows,
                truncated: done.truncated,
                elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                cpu_ms: (surroundings.cpu_ms)(),
                events_scanned: progress.events_scanned,
                events_skipped: progress.events_skipped,
            })
        }
        Err(Ended::Failed(failure)) => answers.failure(&failure),
        Err(Ended::NobodyListens(error)) => Err(error),
    }
}

struct Rows {
    rows: u64,
    truncated: bool,
}

/// Why a query ended early.
enum Ended {
    Failed(Failure),
    NobodyListens(io::Error),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn answer<W: Write>(
    request: QueryRequest,
    running: &Arc<Running>,
    control: &Arc<ScanControl>,
    surroundings: &Surroundings<'_>,
    answers: &Mutex<Answers<W>>,
) -> Result<Rows, Ended> {
    if request.sql.len() > SQL_BYTES_MAX {
        let why = format!("the query is longer than {SQL_BYTES_MAX} bytes");
        return Err(Failure::new(FailureCode::InvalidQuery, why).into());
    }
    let failed = |error: &rusqlite::Error| Ended::Failed(failure_of(error, &request.sql, running));
    let threads = request.threads.clamp(1, 64);
    let stored = StoredEvents::open(&request.data_dir, threads, Arc::clone(control))
        .map_err(|error| of_data_dir(&error))?;
    let mut connection =
        open_connection(&stored, &request, running).map_err(|error| failed(&error))?;
    (surroundings.opened)().map_err(|error| {
        Failure::new(FailureCode::Internal, format!("cannot bound the process: {error}"))
    })?;
    let stored = Arc::new(stored);
    let source: Arc<dyn EventSource> = Arc::<StoredEvents>::clone(&stored);
    events_table::add(&connection, &source, running).map_err(|error| failed(&error))?;
    guard::close(&mut connection, &request.tables, running).map_err(|error| failed(&error))?;

    let mut statement = only_statement(&connection, &request.sql).map_err(|error| match error {
        OneStatement::None => Failure::new(FailureCode::InvalidQuery, "the query is empty").into(),
        OneStatement::Many => {
            Failure::new(FailureCode::InvalidQuery, "a query is one statement").into()
        }
        OneStatement::Sqlite(error) => failed(&error),
    })?;
    if !statement.readonly() {
        return Err(Failure::new(FailureCode::Denied, "only SELECT is for queries").into());
    }
    let closed = closed::read(&request.sql, running.started);
    if request.explain && closed.is_none() {
        drop(statement);
        return explain(&connection, &request.sql, answers).map_err(|error| match error {
            Explained::Sqlite(error) => failed(&error),
            Explained::Io(error) => Ended::NobodyListens(error),
        });
    }
    let heads = ColumnHead::of(&statement);
    let count = heads.len();
    if let Some(closed) = closed.filter(|closed| closed.items.len() == count) {
        if request.explain {
            return explain_closed(&closed, answers).map_err(Ended::NobodyListens);
        }
        match closed_answer::rows(&closed, &stored, control) {
            Ok(Some(rows)) => {
                return give(&heads, &rows, request.row_limit, answers)
                    .map_err(Ended::NobodyListens);
            }
            // More groups than the kernel holds: SQLite sorts them.
            Ok(None) => {}
            Err(StoreError::Cancelled) => return Err(over(running).into()),
            Err(error) => {
                return Err(Failure::new(FailureCode::Storage, error.to_string()).into());
            }
        }
    }
    answers.lock().columns(&heads).map_err(Ended::NobodyListens)?;
    let mut rows = statement.raw_query();
    let mut given = 0;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => return Err(failed(&error)),
        };
        if given == request.row_limit {
            answers.lock().flush().map_err(Ended::NobodyListens)?;
            return Ok(Rows { rows: given, truncated: true });
        }
        given += 1;
        answers.lock().row(row, count).map_err(Ended::NobodyListens)?;
        if given.is_multiple_of(64) && running.is_over() {
            break;
        }
    }
    // What SQLite's callbacks complained of without being able to end it.
    if running.is_over() {
        return Err(over(running).into());
    }
    answers.lock().flush().map_err(Ended::NobodyListens)?;
    Ok(Rows { rows: given, truncated: false })
}

/// A connection in memory that sees the store, and what the server told of its own memory.
fn open_connection(
    stored: &StoredEvents,
    request: &QueryRequest,
    running: &Arc<Running>,
) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory_with_flags(
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let heap_max = i64::try_from(request.memory_bytes_max).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "hard_heap_limit", heap_max, |_| Ok(()))?;
    let database = stored.database().to_string_lossy().into_owned();
    let uri = format!("file:{}?mode=ro", percent_encoded(&database));
    connection.execute(&format!("ATTACH ? AS {}", guard::STORE), [uri])?;
    functions::add(&connection, running)?;
    tables::add_views(&connection)?;
    tables::add_in_memory(&connection, request.hosts.clone(), request.scores.clone())?;
    let watched = Arc::clone(running);
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || watched.is_over()))?;
    // One moment for all tables; the store is read first while nothing may be written any more.
    connection.execute_batch("BEGIN; SELECT count(*) FROM store.sqlite_schema;")?;
    Ok(connection)
}

/// A path as the authority-less part of a `file:` URI.
fn percent_encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

enum OneStatement {
    None,
    Many,
    Sqlite(rusqlite::Error),
}

/// The one statement of a query; further ones are not looked at before this is known.
fn only_statement<'c>(
    connection: &'c Connection,
    sql: &str,
) -> Result<Statement<'c>, OneStatement> {
    let mut batch = Batch::new(connection, sql);
    let first = batch.next().map_err(OneStatement::Sqlite)?.ok_or(OneStatement::None)?;
    match batch.next() {
        Ok(None) => Ok(first),
        Ok(Some(_)) | Err(_) => Err(OneStatement::Many),
    }
}

enum Explained {
    Sqlite(rusqlite::Error),
    Io(io::Error),
}

/// How SQLite goes about it, a line a step, and what it leaves to the scans of `events`.
fn explain<W: Write>(
    connection: &Connection,
    sql: &str,
    answers: &Mutex<Answers<W>>,
) -> Result<Rows, Explained> {
    let mut statement =
        connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).map_err(Explained::Sqlite)?;
    let steps: Vec<String> = statement
        .query_map([], |row| row.get(3))
        .and_then(Iterator::collect)
        .map_err(Explained::Sqlite)?;
    let mut answers = answers.lock();
    let head = ColumnHead { name: "step".to_owned(), kind: "text".to_owned() };
    answers.columns(&[head]).map_err(Explained::Io)?;
    let rows = steps.len();
    for step in steps {
        let step = step.replace("VIRTUAL TABLE INDEX 0:", "");
        answers.text_row(&step).map_err(Explained::Io)?;
    }
    answers.flush().map_err(Explained::Io)?;
    Ok(Rows { rows: rows as u64, truncated: false })
}

/// That no row passes through SQLite.
fn explain_closed<W: Write>(closed: &Closed, answers: &Mutex<Answers<W>>) -> io::Result<Rows> {
    let by = match &closed.keys {
        Keys::None => String::new(),
        Keys::Steps(micros) => format!(" by steps of {} s", micros / 1_000_000),
        Keys::Columns(columns) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            format!(" by {}", names.join(", "))
        }
    };
    let mut answers = answers.lock();
    answers.columns(&[ColumnHead { name: "step".to_owned(), kind: "text".to_owned() }])?;
    answers.text_row(&format!("COUNT events{by} in the scan itself"))?;
    answers.flush()?;
    Ok(Rows { rows: 1, truncated: false })
}

/// Gives rows that are all there.
fn give<W: Write>(
    heads: &[ColumnHead],
    rows: &[Vec<Value>],
    row_limit: u64,
    answers: &Mutex<Answers<W>>,
) -> io::Result<Rows> {
    let mut answers = answers.lock();
    answers.columns(heads)?;
    let limit = usize::try_from(row_limit).unwrap_or(usize::MAX);
    for row in rows.iter().take(limit) {
        answers.values(row)?;
    }
    answers.flush()?;
    Ok(Rows { rows: rows.len().min(limit) as u64, truncated: rows.len() > limit })
}

fn over(running: &Running) -> Failure {
    match running.complaint() {
        Some(why) => Failure::new(FailureCode::InvalidQuery, why),
        None => Failure::new(FailureCode::TimeLimit, "the query took longer than it may")
            .hint("ask for less time: WHERE time > ago('1h'), or raise the time limit"),
    }
}

fn of_data_dir(error: &DataDirError) -> Failure {
    match error {
        DataDirError::Store(StoreError::Cancelled) => {
            Failure::new(FailureCode::TimeLimit, "the query took longer than it may")
        }
        error => Failure::new(FailureCode::Storage, error.to_string()),
    }
}

fn failure_of(error: &rusqlite::Error, sql: &str, running: &Running) -> Failure {
    if matches!(error.sqlite_error_code(), Some(ErrorCode::OutOfMemory)) {
        return Failure::new(FailureCode::MemoryLimit, "the query needs more memory than it may")
            .hint("ask for fewer columns, fewer groups or less time, or sort less");
    }
    if matches!(error.sqlite_error_code(), Some(ErrorCode::AuthorizationForStatementDenied)) {
        let why = running.complaint().unwrap_or_else(|| "that is not for queries".to_owned());
        return Failure::new(FailureCode::Denied, why)
            .hint("`ringwall query --columns` lists what can be asked");
    }
    if running.is_over() {
        return over(running);
    }
    answer::failure_of_sql(error, sql)
}

#[cfg(test)]
mod tests;
