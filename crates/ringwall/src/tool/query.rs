//! `ringwall query`: SQL over everything that is stored.

mod answering;
mod columns;
mod printing;
mod progress;

use super::Asking;
use crate::discovery::{self, Connect};
use crate::output::{Output, count, say};
use answering::Answering;
use anyhow::{Context, Result, bail};
use clap::Args;
use printing::{Form, Printing};
use progress::ProgressBar;
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{QueryDone, QueryLine, QueryRequest};
use std::io::{self, IsTerminal, Read};

/// Ask anything in SQL
///
/// One SELECT over events, alerts, commands, deliveries, scores, hosts and audit. It runs in a
/// process of its own with bounds of time, memory and rows, and changes nothing. With --data-dir and
/// no server running there, the store is read directly, without hosts and scores.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The query; - reads it from stdin
    #[arg(required_unless_present = "columns")]
    sql: Option<String>,
    /// List what can be asked: tables, columns and functions
    #[arg(long, conflicts_with_all = ["sql", "csv", "explain", "limit", "timeout"])]
    columns: bool,
    /// Print CSV as in RFC 4180
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Answer how the rows would be found, and what is left to the scan
    #[arg(long)]
    explain: bool,
    /// Answer at most so many rows; the server's default is 10,000
    #[arg(long, short = 'n', value_name = "ROWS")]
    limit: Option<u64>,
    /// Give up after this time: 10s, 5m; the server's default is 30 s
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    timeout: Option<u64>,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall query \"SELECT time, device_hostname, process_cmd_line FROM events
                  WHERE process_cmd_line LIKE '%/tmp/%' ORDER BY time DESC LIMIT 20\"
  ringwall query \"SELECT process_name, count(*) FROM events WHERE time > ago('24h')
                  GROUP BY 1 ORDER BY 2 DESC LIMIT 10\" --csv > top.csv
  ringwall query --columns
  ringwall query - < question.sql";

/// No query is longer; what is longer is not read to its end.
const SQL_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn run(arguments: Arguments) -> Result<Exit> {
    let out = Output::new(arguments.connect.json);
    let sql = match arguments.sql.as_deref() {
        None => return columns::print(&out),
        Some("-") => from_stdin()?,
        Some(sql) => sql.to_owned(),
    };
    let request = QueryRequest {
        sql,
        row_limit: arguments.limit,
        time_limit_ms: arguments.timeout,
        format: None,
        explain: arguments.explain,
    };
    let mut answering = begin(&arguments.connect, &request).await?;
    let form = match (arguments.csv, arguments.connect.json) {
        (true, _) => Form::Csv,
        (_, true) => Form::Json,
        _ => Form::Table,
    };
    let mut printing = Printing::new(form, out);
    let mut bar = ProgressBar::new();
    let done = loop {
        let line = tokio::select! {
            line = answering.next() => line?,
            pressed = tokio::signal::ctrl_c() => {
                pressed.context("cannot wait for Ctrl-C")?;
                bar.clear();
                bail!(Failure::new("cancelled"));
            }
        };
        match line {
            None => bail!("the answer broke off"),
            Some(QueryLine::Columns(columns)) => printing.begin(columns)?,
            Some(QueryLine::Rows(rows)) => {
                if printing.prints_at_once() {
                    bar.clear();
                }
                printing.rows(rows)?;
            }
            Some(QueryLine::Progress(progress)) => bar.show(&progress),
            Some(QueryLine::Done(done)) => break done,
            Some(QueryLine::Error(failure)) => {
                bar.clear();
                let told = Failure::new(failure.message);
                bail!(match failure.hint {
                    Some(hint) => told.hint(hint),
                    None => told,
                });
            }
        }
    };
    bar.clear();
    printing.end()?;
    tell(&done, form, arguments.limit);
    Ok(Exit::Yes)
}

/// What people want to know beside the rows.
fn tell(done: &QueryDone, form: Form, limit: Option<u64>) {
    if done.truncated {
        let raise = if limit.is_some() { "a larger --limit" } else { "--limit" };
        say(&format!("there are more than {} rows; {raise} shows more", count(done.rows)));
    }
    if form == Form::Table && io::stderr().is_terminal() {
        let rows = if done.rows == 1 { "row" } else { "rows" };
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let seconds = done.elapsed_ms as f64 / 1000.0;
        say(&format!(
            "{} {rows} in {seconds:.2} s; {} events looked at, {} skipped",
            count(done.rows),
            count(done.events_scanned),
            count(done.events_skipped),
        ));
    } else if form == Form::Table && done.rows == 0 {
        say("no rows");
    }
}

/// Asks the server that is meant, or where none runs on the data directory, the store itself.
async fn begin(connect: &Connect, request: &QueryRequest) -> Result<Answering> {
    match Asking::new(connect) {
        Ok(asking) => Ok(Answering::Server(asking.client.query(request).await?)),
        Err(error) => match &connect.data_dir {
            Some(data_dir) if data_dir.is_dir() && !discovery::is_running(data_dir) => {
                answering::locally(data_dir, request)
            }
            _ => Err(error),
        },
    }
}

fn from_stdin() -> Result<String> {
    let mut sql = String::new();
    io::stdin()
        .lock()
        .take(SQL_BYTES_MAX)
        .read_to_string(&mut sql)
        .context("cannot read the query from stdin")?;
    Ok(sql)
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let wrong = || "write it as 500ms, 10s or 5m".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|number| *number > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("10s", Some(10_000)),
            ("10", Some(10_000)),
            ("5m", Some(300_000)),
            ("250ms", Some(250)),
            ("0s", None),
            ("1h", None),
            ("s", None),
        ] {
            assert_eq!(milliseconds(text).ok(), expected, "{text}");
        }
    }
}
