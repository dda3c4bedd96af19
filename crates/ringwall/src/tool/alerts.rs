use super::follow::{Came, Following};
use super::{Asking, Limit, commands, pick};
use crate::discovery::Connect;
use crate::output::{
    Cell, Column, Fields, Output, Style, Table, ago, clock_today, count, now, say,
};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{AlertState, CommandState, Severity, Timestamp};
use ringwall_lifecycle::Exit;
use ringwall_server_api::{
    AlertQuery, AlertRow, CommandRow, KillRequest, NoteRequest, StreamEvent, StreamQuery,
};

/// What was concluded, and what is done about it
///
/// Without a subcommand, lists alerts, newest first; with --follow the newest few and then each
/// that is raised or changes.
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
  ringwall alerts --follow
  ringwall alerts --state open --severity high
  ringwall alerts show 01a158530c00
  ringwall alerts kill 01a158530c00 --reason 'not one of ours'
  ringwall alerts resolve 01a158530c00 --note 'reinstalled'

The beginning of an id will do.";

#[derive(Debug, Subcommand)]
enum Action {
    /// List alerts; the same as without a subcommand
    List(List),
    /// Everything about one alert, with its reasons and commands
    Show(Id),
    /// Say that you have it
    Acknowledge(Noted),
    /// Say that it is dealt with; a new sighting opens a new alert
    Resolve(Noted),
    /// End the process that the alert is about, and wait for the result
    Kill(Kill),
}

#[derive(Debug, Args)]
struct List {
    /// Only alerts in this state: open, acknowledged, resolved
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<AlertState>,
    /// Only alerts of this severity: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// Only alerts of this host: its id, or its name
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Print what is raised or changes from now on, too, until it is interrupted
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
struct Id {
    /// Its id, or the beginning of it
    #[arg(value_name = "ALERT")]
    id: String,
}

#[derive(Debug, Args)]
struct Noted {
    #[command(flatten)]
    alert: Id,
    /// Leave this note on it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Debug, Args)]
struct Kill {
    #[command(flatten)]
    alert: Id,
    /// Why; stands in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    wait: commands::Wait,
}

fn state(text: &str) -> Result<AlertState, String> {
    AlertState::from_name(text).ok_or_else(|| "one of open, acknowledged, resolved".to_owned())
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text)
        .ok_or_else(|| "one of informational, low, medium, high, critical".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None => list(asking, arguments.list).await,
        Some(Action::List(arguments)) => list(asking, arguments).await,
        Some(Action::Show(alert)) => {
            let id = pick::alert(asking, &alert.id).await?;
            let row = asking.client.alert(id).await?;
            asking.out.one(&row, |row| in_full(row, &asking.out, now()))?;
            Ok(Exit::Yes)
        }
        Some(Action::Acknowledge(noted)) => change(asking, noted, AlertState::Acknowledged).await,
        Some(Action::Resolve(noted)) => change(asking, noted, AlertState::Resolved).await,
        Some(Action::Kill(kill)) => {
            let id = pick::alert(asking, &kill.alert.id).await?;
            let request = KillRequest { reason: kill.reason };
            let ordered = asking.client.kill_alert_process(id, &request).await?;
            commands::follow_to_result(asking, ordered, kill.wait).await
        }
    }
}

async fn change(asking: &Asking, noted: Noted, to: AlertState) -> Result<Exit> {
    let id = pick::alert(asking, &noted.alert.id).await?;
    let request = NoteRequest { note: noted.note };
    let row = match to {
        AlertState::Resolved => asking.client.resolve_alert(id, &request).await?,
        AlertState::Open | AlertState::Acknowledged => {
            asking.client.acknowledge_alert(id, &request).await?
        }
    };
    asking.out.one(&row, |row| {
        let title = Cell::new(&row.title);
        let mut table = Table::new(vec![Column::new(""), Column::new(""), Column::new("")]).bare();
        table.row([
            Cell::styled(row.state.name(), row.state),
            Cell::new(row.id.to_string()),
            title,
        ]);
        table.render(asking.out.paint, asking.out.width)
    })?;
    Ok(Exit::Yes)
}

async fn list(asking: &Asking, list: List) -> Result<Exit> {
    let host = match &list.host {
        Some(host) => Some(pick::host(asking, host).await?),
        None => None,
    };
    let query =
        AlertQuery { state: list.state, severity: list.severity, host, ..AlertQuery::default() };
    if list.follow {
        return follow(asking, query, list.limit.limit.min(FOLLOW_ROWS_MAX)).await;
    }
    let rows = asking.client.alerts(query).take(list.limit.limit).await?;
    asking.out.list(&rows, |rows| table(rows, now()), "no alerts")?;
    Ok(Exit::Yes)
}

/// What is shown before what comes.
const FOLLOW_ROWS_MAX: usize = 10;
/// How many are looked at to close a gap.
const GAP_ROWS_MAX: usize = 1000;

async fn follow(asking: &Asking, query: AlertQuery, first: usize) -> Result<Exit> {
    let topics =
        StreamQuery { topics: Some("alerts,commands".to_owned()), host: query.host.clone() };
    let mut following = Following::open(asking, topics).await?;
    let mut rows = asking.client.alerts(query.clone()).take(first).await?;
    if rows.is_empty() && !asking.out.json {
        say("no alerts yet; what comes is printed here");
    }
    let mut newest: Option<Timestamp> = None;
    loop {
        rows.sort_by_key(|row| row.last_seen);
        for row in &rows {
            if query.state.is_none_or(|state| row.state == state)
                && query.severity.is_none_or(|severity| row.severity == severity)
            {
                asking.out.next(row, |row| line(row, &asking.out))?;
            }
        }
        newest = rows.iter().map(|row| row.last_seen).chain(newest).max();
        rows = match following.next().await? {
            Came::Event(StreamEvent::Alert(row)) => vec![*row],
            // For people the end of the story; programs follow the stream themselves.
            Came::Event(StreamEvent::Command(command)) if !asking.out.json => {
                if command.alert.is_some() && !command.state.is_open() {
                    asking.out.text(&end_line(&command, &asking.out))?;
                }
                Vec::new()
            }
            Came::Event(_) => Vec::new(),
            Came::Gap => {
                let mut rows = asking.client.alerts(query.clone()).take(GAP_ROWS_MAX).await?;
                rows.retain(|row| newest.is_none_or(|newest| row.last_seen > newest));
                rows
            }
        };
    }
}

fn table(rows: &[AlertRow], now: Timestamp) -> Table {
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let shown = pick::short_ids(&ids);
    let columns = vec![
        Column::new("ALERT"),
        Column::new("SEEN").right(),
        Column::new("SEVERITY"),
        Column::new("STATE"),
        Column::new("HOST").flexible(),
        Column::new("WHAT").flexible(),
        Column::new("ACTION"),
    ];
    Table::of(columns, rows, |row| {
        let id = row.id.to_string();
        vec![
            Cell::new(id.get(..shown).unwrap_or(&id)),
            Cell::styled(ago(now, row.last_seen), Style::Faint),
            Cell::styled(row.severity.name(), row.severity),
            Cell::styled(row.state.name(), row.state),
            Cell::new(row.source.to_string()),
            Cell::new(title(row)),
            action(row),
        ]
    })
}

/// A table of one line, of which many stand below each other.
fn one_line() -> Table {
    let columns = vec![
        Column::new(""),
        Column::new("").at_least(8),
        Column::new("").at_least(9),
        Column::new("").at_least(18),
        Column::new("").flexible(),
        Column::new(""),
    ];
    Table::new(columns).bare()
}

fn line(row: &AlertRow, out: &Output) -> String {
    let mut table = one_line();
    table.row([
        Cell::styled(clock_today(now(), row.last_seen), Style::Faint),
        Cell::styled(row.severity.name(), row.severity),
        Cell::styled(row.state.name(), row.state),
        Cell::new(row.source.to_string()),
        Cell::new(title(row)),
        action(row),
    ]);
    table.render(out.paint, out.width)
}

/// What became of a command that answers an alert.
fn end_line(command: &CommandRow, out: &Output) -> String {
    let result = command.result.as_deref().unwrap_or("no word");
    let mut table = one_line();
    table.row([
        Cell::styled(clock_today(now(), command.finished.unwrap_or(command.created)), Style::Faint),
        Cell::new(""),
        Cell::styled(command.state.name(), command.state),
        Cell::new(command.source.to_string()),
        Cell::new(format!("{}: {result}", command.order)),
        Cell::new(""),
    ]);
    table.render(out.paint, out.width)
}

fn title(row: &AlertRow) -> String {
    let mut title = row.title.clone();
    if let Some(process) = &row.process
        && !title.contains("pid ")
    {
        title += &format!(" (pid {})", process.pid);
    }
    if row.count > 1 {
        title += &format!(", {} times", count(row.count));
    }
    title
}

/// What is done about it: the newest command, or what is offered.
fn action(row: &AlertRow) -> Cell {
    match row.commands.first() {
        Some(command) if command.state == CommandState::Succeeded => {
            Cell::styled("killed", command.state)
        }
        Some(command) => Cell::styled(format!("kill {}", command.state.name()), command.state),
        None if row.kill_offered && row.state != AlertState::Resolved => {
            Cell::styled("kill offered", Style::Accent)
        }
        None => Cell::none(),
    }
}

fn in_full(row: &AlertRow, out: &Output, now: Timestamp) -> String {
    let seen = |moment: Timestamp| format!("{moment} ({} ago)", ago(now, moment));
    let mut fields = Fields::default()
        .with("id", row.id.to_string())
        .styled("what", &row.title, Style::Strong)
        .styled("severity", row.severity.name(), row.severity)
        .styled("state", row.state.name(), row.state)
        .with("host", row.source.to_string());
    if let Some(process) = &row.process {
        fields = fields.with("process", format!("{} (pid {})", process.name, process.pid));
        fields = fields.maybe("started", process.start_time.map(|start| start.to_string()));
    }
    for reason in &row.reasons {
        fields = fields.with("because", reason);
    }
    fields = fields
        .with("sightings", row.count.to_string())
        .with("first seen", seen(row.first_seen))
        .with("last seen", seen(row.last_seen))
        .maybe("note", row.note.as_ref());
    for event in &row.events {
        fields = fields.with("events", event.to_string());
    }
    let mut text = fields.render(out.paint);
    if !row.commands.is_empty() {
        text.push('\n');
        text += &commands::table(&row.commands, now).render(out.paint, out.width);
    } else if row.kill_offered {
        text += &format!("\nto end the process: ringwall alerts kill {}\n", row.id);
    }
    text
}
