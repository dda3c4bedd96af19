//! The answer to a query: JSON, one object a line.

use super::functions;
use super::plan::Shown;
use super::tables::tables;
use crate::scan::control::ScanProgress;
use ringwall_lifecycle::nearest;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Error, Row, Statement};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnHead {
    /// Its name, as the query gives it.
    pub name: String,
    /// `time`, `text`, `integer`, `float`, `uid`, or `any` for what is computed.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of reason.
    pub code: FailureCode,
    /// The reason, for people; where it is about a place of the query, that stands first:
    /// `line:column: …`.
    pub message: String,
    /// A way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCode {
    /// The query is wrong.
    InvalidQuery,
    /// The query asks for what it may not.
    Denied,
    /// Its time was over.
    TimeLimit,
    /// It needs more memory than it may.
    MemoryLimit,
    /// The store cannot be read.
    Storage,
    /// Something else went wrong here.
    Internal,
}

impl Failure {
    /// A reason without a way out.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// With a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How a query ended well.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) rows: u64,
    pub(super) truncated: bool,
    pub(super) elapsed_ms: u64,
    pub(super) cpu_ms: u64,
    pub(super) events_scanned: u64,
    pub(super) events_skipped: u64,
}

/// Rows wait until they are this many bytes, or for the next word on progress.
const ROWS_BYTES: usize = 48 << 10;

/// Writes an answer.
pub(super) struct Answers<W> {
    out: W,
    rows: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Columns(&'a [ColumnHead]),
    Progress(Progress),
    Done(&'a Done),
    Error(&'a Failure),
}

#[derive(Serialize)]
struct Progress {
    /// Parts of files, and intake.
    files: u64,
    files_done: u64,
    events_scanned: u64,
    events_skipped: u64,
}

impl<W: Write> Answers<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, rows: Vec::new() }
    }

    pub(super) fn columns(&mut self, heads: &[ColumnHead]) -> io::Result<()> {
        self.line(&Line::Columns(heads))
    }

    /// Puts a row into the answer.
    pub(super) fn row(&mut self, row: &Row<'_>, columns: usize) -> io::Result<()> {
        self.begin_row()?;
        for index in 0..columns {
            if index > 0 {
                self.rows.push(b',');
            }
            let value = row.get_ref(index).unwrap_or(ValueRef::Null);
            write_value(&mut self.rows, value)?;
        }
        self.end_row()
    }

    /// Puts a row of these values into the answer.
    pub(super) fn values(&mut self, values: &[Value]) -> io::Result<()> {
        self.begin_row()?;
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.rows.push(b',');
            }
            write_value(&mut self.rows, value.into())?;
        }
        self.end_row()
    }

    /// Puts a row of one text into the answer.
    pub(super) fn text_row(&mut self, text: &str) -> io::Result<()> {
        self.begin_row()?;
        serde_json::to_writer(&mut self.rows, text)?;
        self.end_row()
    }

    fn begin_row(&mut self) -> io::Result<()> {
        self.rows.write_all(if self.rows.is_empty() { b"{\"rows\":[[" } else { b",[" })
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.rows.push(b']');
        if self.rows.len() >= ROWS_BYTES { self.flush() } else { Ok(()) }
    }

    /// Sends the rows that wait.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.extend_from_slice(b"]}\n");
        self.out.write_all(&self.rows)?;
        self.rows.clear();
        self.out.flush()
    }

    /// Sends the rows that wait, and how far the query is.
    pub(super) fn progress(&mut self, progress: &ScanProgress) -> io::Result<()> {
        self.flush()?;
        self.line(&Line::Progress(Progress {
            files: progress.parts,
            files_done: progress.parts_done,
            events_scanned: progress.events_scanned,
            events_skipped: progress.events_skipped,
        }))
    }

    pub(super) fn done(&mut self, done: &Done) -> io::Result<()> {
        self.flush()?;
        self.line(&Line::Done(done))
    }

    pub(super) fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        self.flush()?;
        self.line(&Line::Error(failure))
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.out.write_all(&bytes)?;
        self.out.flush()
    }
}

fn write_value(out: &mut Vec<u8>, value: ValueRef<'_>) -> io::Result<()> {
    match value {
        ValueRef::Null => out.write_all(b"null"),
        ValueRef::Integer(number) => write!(out, "{number}"),
        // JSON has no infinite numbers.
        ValueRef::Real(number) if number.is_finite() => Ok(serde_json::to_writer(out, &number)?),
        ValueRef::Real(number) => {
            out.write_all(if number > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
        }
        ValueRef::Text(bytes) => Ok(serde_json::to_writer(out, &String::from_utf8_lossy(bytes))?),
        ValueRef::Blob(bytes) => {
            out.push(b'"');
            for byte in bytes {
                write!(out, "{byte:02x}")?;
            }
            out.write_all(b"\"")
        }
    }
}

impl ColumnHead {
    pub(super) fn of(statement: &Statement<'_>) -> Vec<Self> {
        statement
            .columns()
            .map(|column| {
                let declared = column.decl_type().unwrap_or_default().to_ascii_uppercase();
                let kind = match declared.as_str() {
                    text if text.starts_with("TIME") => "time",
                    text if text.starts_with("UID") => "uid",
                    text if text.contains("INT") => "integer",
                    "REAL" => "float",
                    "TEXT" => "text",
                    _ => "any",
                };
                Self { name: column.name().to_owned(), kind: kind.to_owned() }
            })
            .collect()
    }
}

/// What SQLite says of a query, with the place, and what was probably meant.
pub(super) fn failure_of_sql(error: &Error, sql: &str) -> Failure {
    let (message, place) = match error {
        Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
        Error::SqliteFailure(_, Some(message)) => (message.clone(), None),
        other => (other.to_string(), None),
    };
    let message = message.replace(['\n', '\r'], " ");
    let code = match error.sqlite_error_code() {
        Some(
            rusqlite::ErrorCode::SystemIoFailure
            | rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::NotADatabase
            | rusqlite::ErrorCode::DatabaseBusy,
        ) => FailureCode::Storage,
        _ => FailureCode::InvalidQuery,
    };
    let hint = hint(&message);
    let message = match place.and_then(|offset| sql.get(..offset)) {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("{line}:{column}: {message}")
        }
        None => message,
    };
    Failure { code, message, hint }
}

fn hint(message: &str) -> Option<String> {
    let after = |what: &str| message.strip_prefix(what).map(str::trim);
    let all = tables();
    let meant = if let Some(name) = after("no such column:") {
        // As in `e.proces_name`, and `"word" - should this be a string literal in single-quotes?`
        if message.contains("single-quotes") {
            return Some("texts stand in single quotes: 'word'".to_owned());
        }
        let name = name.rsplit('.').next().unwrap_or(name);
        let columns = all.iter().flat_map(|table| table.columns.iter().map(|column| column.name));
        if name == "rowid" {
            return Some(format!("the id of an event is `{}`", Shown::METADATA_UID));
        }
        nearest(name, columns)
    } else if let Some(name) = after("no such table:") {
        let name = name.rsplit('.').next().unwrap_or(name);
        nearest(name, all.iter().map(|table| table.name))
    } else if let Some(name) = after("no such function:") {
        nearest(name, functions::OF_SQLITE.iter().chain(functions::OURS).copied())
    } else {
        return None;
    };
    Some(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`ringwall query --columns` lists the tables, columns and functions".to_owned(),
    })
}
