use super::follow::{Came, Following};
use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Fields, Output, Style, Table, clock_today, now, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{Activity, Severity, Timestamp};
use ringwall_lifecycle::{Exit, Failure, nearest};
use ringwall_server_api::{EventQuery, EventRow, StreamEvent, StreamQuery};

/// What was observed
///
/// Prints the newest events, newest first; with --follow the newest few and then whatever comes,
/// as it comes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall events --host web-1 --since 10m
  ringwall events --contains /etc/shadow --since 30d
  ringwall events --follow --kind process_started
  ringwall events --json -n 1000 | jq '.[].summary'";

#[derive(Debug, Subcommand)]
enum Action {
    /// Everything about one event
    Show {
        /// Its id
        #[arg(value_name = "EVENT")]
        id: String,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only events of this host: its id, or its name
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only events about this process
    #[arg(long, value_name = "PID")]
    pid: Option<i64>,
    /// Only events of this kind, such as process_started, http_request, sign_in or
    /// app_guard
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<String>,
    /// Only events with these words in any of their texts, whatever the case of the letters
    #[arg(long, value_name = "WORDS", conflicts_with = "follow")]
    contains: Option<String>,
    /// Only what happened since: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT", conflicts_with = "follow")]
    since: Option<String>,
    /// Only what happened before: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT", conflicts_with = "follow")]
    until: Option<String>,
    /// Print what happens from now on, too, until it is interrupted
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    limit: Limit,
}

pub(super) fn kind(text: &str) -> Result<String, String> {
    if Activity::KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    let known = Activity::KINDS.join(", ");
    Err(match nearest(text, Activity::KINDS) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("one of {known}"),
    })
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    if let Some(Action::Show { id }) = arguments.action {
        return show(asking, &id).await;
    }
    let list = arguments.list;
    let host = match &list.host {
        Some(host) => Some(pick::host(asking, host).await?),
        None => None,
    };
    let moment =
        |text: &Option<String>| text.as_deref().map(|text| pick::moment(text, now())).transpose();
    let query = EventQuery {
        host,
        pid: list.pid,
        kind: list.kind.clone(),
        contains: list.contains.clone(),
        since: moment(&list.since)?,
        until: moment(&list.until)?,
        ..EventQuery::default()
    };
    if list.follow {
        return follow(asking, query, list.limit.limit.min(FOLLOW_ROWS_MAX)).await;
    }
    let rows = asking.client.events(query).take(list.limit.limit).await?;
    asking.out.list(&rows, |rows| table(rows, now()), "no events")?;
    Ok(Exit::Yes)
}

/// What is shown before what comes.
const FOLLOW_ROWS_MAX: usize = 10;
/// How many are fetched to close a gap.
const GAP_ROWS_MAX: usize = 1000;

async fn follow(asking: &Asking, query: EventQuery, first: usize) -> Result<Exit> {
    let topics = StreamQuery { topics: Some("events".to_owned()), host: query.host.clone() };
    let mut following = Following::open(asking, topics).await?;
    // The stream is open before the list is read, so nothing falls between; ids tell what came
    // both ways.
    let mut last = None;
    let mut rows = asking.client.events(query.clone()).take(first).await?;
    loop {
        rows.reverse();
        for row in rows.iter().filter(|row| last.is_none_or(|last| row.id > last)) {
            if query.pid.is_none_or(|pid| row.pid == Some(pid))
                && query.kind.as_ref().is_none_or(|kind| row.kind == *kind)
            {
                asking.out.next(row, |row| line(row, &asking.out))?;
            }
        }
        last = rows.iter().map(|row| row.id).chain(last).max();
        rows = match following.next().await? {
            Came::Event(StreamEvent::Events(batch)) => {
                let mut events = batch.events;
                events.reverse();
                events
            }
            Came::Event(_) => Vec::new(),
            Came::Gap => {
                let missed = asking.client.events(query.clone()).take(GAP_ROWS_MAX).await?;
                if missed.len() == GAP_ROWS_MAX && missed.last().map(|row| row.id) > last {
                    say("more was missed than is shown; `ringwall events` has all of it");
                }
                missed
            }
        };
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("TIME (UTC)"),
        Column::new("HOST").at_least(18),
        Column::new("WHAT").flexible(),
    ]
}

fn cells(row: &EventRow, now: Timestamp) -> Vec<Cell> {
    let style = if row.severity >= Severity::Medium { row.severity.into() } else { Style::Plain };
    vec![
        Cell::styled(clock_today(now, row.time), Style::Faint),
        Cell::new(row.source.to_string()),
        Cell::styled(&row.summary, style),
    ]
}

fn table(rows: &[EventRow], now: Timestamp) -> Table {
    Table::of(columns(), rows, |row| cells(row, now))
}

fn line(row: &EventRow, out: &Output) -> String {
    let mut table = Table::new(columns()).bare();
    table.row(cells(row, now()));
    table.render(out.paint, out.width)
}

async fn show(asking: &Asking, id: &str) -> Result<Exit> {
    let id = id.parse().map_err(|error| Failure::new(format!("`{id}`: {error}")))?;
    let event = asking.client.event(id).await?;
    let ocsf = serde_json::to_string_pretty(&event.ocsf)?;
    asking.out.one(&event, |event| {
        let mut fields = Fields::default()
            .with("id", event.id.to_string())
            .with("happened", event.time.to_string())
            .with("received", event.received.to_string())
            .with("source", event.source.to_string())
            .with("host", &event.host)
            .styled("severity", event.severity.name(), event.severity)
            .with("kind", &event.kind)
            .maybe("pid", event.pid.map(|pid| pid.to_string()))
            .with("summary", &event.summary);
        for line in ocsf.lines() {
            fields = fields.with("ocsf", line);
        }
        fields.render(asking.out.paint)
    })?;
    Ok(Exit::Yes)
}
