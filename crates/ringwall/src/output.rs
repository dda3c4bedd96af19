//! The only place that writes to stdout: data for programs, or tables for people.

mod fields;
mod json;
mod measures;
mod paint;
mod sparkline;
mod table;

pub(crate) use fields::Fields;
pub(crate) use measures::{ago, bytes, clock, clock_today, count, duration};
pub(crate) use paint::{Paint, Style};
pub(crate) use sparkline::sparkline;
pub(crate) use table::{Cell, Column, Table};

pub(crate) use ringwall_lifecycle::visible::visible;

use anyhow::Result;
use ringwall_event::Timestamp;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// How answers are printed.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// JSON for programs instead of text for people.
    pub(crate) json: bool,
    /// Colours, or none.
    pub(crate) paint: Paint,
    /// The columns of the terminal; none where lines are not cut.
    pub(crate) width: Option<usize>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::of_stdout(), width: terminal_width() }
    }

    /// A list: a JSON array, or a table; `none` says that there is nothing.
    pub(crate) fn list<T: Serialize>(
        &self,
        rows: &[T],
        table: impl FnOnce(&[T]) -> Table,
        none: &str,
    ) -> Result<()> {
        if self.json {
            return self.json(&rows);
        }
        if rows.is_empty() {
            say(none);
            return Ok(());
        }
        self.text(&table(rows).render(self.paint, self.width))
    }

    /// One thing: a JSON object, or text.
    pub(crate) fn one<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        if self.json { self.json(value) } else { self.text(&text(value)) }
    }

    /// One thing of many, as they come: a line of JSON, or text.
    pub(crate) fn next<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        if self.json { self.text(&(json::compact(value)? + "\n")) } else { self.text(&text(value)) }
    }

    /// That something is done, of which nothing is left to show: a JSON object, or words.
    pub(crate) fn done(&self, id: &str, words: &str) -> Result<()> {
        if self.json {
            return self.json(&serde_json::json!({ "removed": id }));
        }
        say(words);
        Ok(())
    }

    /// JSON on one line, without its line feed.
    pub(crate) fn compact<T: Serialize>(&self, value: &T) -> Result<String> {
        json::compact(value)
    }

    /// JSON over several lines.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<()> {
        self.text(&(json::pretty(value)? + "\n"))
    }

    /// Text as it is: what others wrote in it must have gone through [`visible`].
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// Words for people, on stderr.
pub(crate) fn say(words: &str) {
    // Whoever closed stderr does not want to hear.
    drop(writeln!(io::stderr().lock(), "{words}"));
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let of_shell = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal =
        || rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
    of_shell.or_else(of_terminal).filter(|columns| *columns >= 20)
}
