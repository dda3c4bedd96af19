use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Fields, Style, Table, ago, now, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{CommandState, Order, ProcessTarget, Timestamp};
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{CommandQuery, CommandRequest, CommandRow};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What was ordered, and what became of it
///
/// Without a subcommand, lists commands, newest first.
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
  ringwall commands --state queued
  ringwall commands kill web-1 4711 --reason 'runs away'
  ringwall commands withdraw cmd_01a158530c00

The beginning of an id will do.";

#[derive(Debug, Subcommand)]
enum Action {
    /// List commands; the same as without a subcommand
    List(List),
    /// Everything about one command
    Show(Id),
    /// Take a command back that was not carried out yet
    Withdraw(Id),
    /// End a process on a host, and wait for the result
    ///
    /// The host's agent checks that pid, start time and name agree, sends SIGTERM, waits, and
    /// sends SIGKILL where that was not enough. Protected names are refused.
    Kill(Kill),
}

#[derive(Debug, Args)]
struct List {
    /// Only commands in this state: queued, delivered, succeeded, failed, expired, withdrawn
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<CommandState>,
    /// Only commands to this host: its id, or its name
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
struct Id {
    /// Its id, or the beginning of it
    #[arg(value_name = "COMMAND")]
    id: String,
}

#[derive(Debug, Args)]
struct Kill {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// The process id
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i64).range(2..))]
    pid: i64,
    /// The name of the process; looked up where it is not given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Why; stands in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

/// Whether to wait for the result of a command.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Wait {
    /// Wait at most so many seconds for the result; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

fn state(text: &str) -> Result<CommandState, String> {
    CommandState::from_name(text)
        .ok_or_else(|| "one of queued, delivered, succeeded, failed, expired, withdrawn".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None => list(asking, arguments.list).await,
        Some(Action::List(arguments)) => list(asking, arguments).await,
        Some(Action::Show(Id { id })) => {
            let row = asking.client.command(&pick::command(asking, &id).await?).await?;
            print(asking, &row)?;
            Ok(Exit::Yes)
        }
        Some(Action::Withdraw(Id { id })) => {
            let id = pick::command(asking, &id).await?;
            print(asking, &asking.client.withdraw_command(&id).await?)?;
            Ok(Exit::Yes)
        }
        Some(Action::Kill(kill)) => order_kill(asking, kill).await,
    }
}

async fn list(asking: &Asking, list: List) -> Result<Exit> {
    let host = match &list.host {
        Some(host) => Some(pick::host(asking, host).await?),
        None => None,
    };
    let query = CommandQuery { state: list.state, host, ..CommandQuery::default() };
    let rows = asking.client.commands(query).take(list.limit.limit).await?;
    asking.out.list(&rows, |rows| table(rows, now()), "no commands")?;
    Ok(Exit::Yes)
}

async fn order_kill(asking: &Asking, kill: Kill) -> Result<Exit> {
    let host = pick::host(asking, &kill.host).await?;
    let processes = asking.client.host_processes(&host).await?;
    let running = processes.iter().find(|process| process.pid == kill.pid);
    let name = match (kill.name, running) {
        (Some(name), _) => name,
        (None, Some(process)) => process.name.clone(),
        (None, None) => {
            return Err(Failure::no(format!("no process {} is known on {host}", kill.pid))
                .hint(format!("`ringwall hosts processes {host}` lists them"))
                .into());
        }
    };
    let request = CommandRequest {
        host,
        order: Order::KillProcess(ProcessTarget {
            pid: kill.pid,
            start_time: running.filter(|process| process.name == name).and_then(|p| p.start_time),
            name: name.into(),
        }),
        reason: kill.reason,
        expires_in_seconds: None,
    };
    let ordered = asking.client.create_command(&request).await?;
    follow_to_result(asking, ordered, kill.wait).await
}

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until a command came to its end, and tells how.
pub(super) async fn follow_to_result(
    asking: &Asking,
    ordered: CommandRow,
    wait: Wait,
) -> Result<Exit> {
    let mut row = ordered;
    let deadline = Instant::now() + Duration::from_secs(wait.wait);
    if row.state.is_open() && wait.wait > 0 && !asking.out.json {
        say(&format!("ordered {}; waiting for {}", row.id, row.source));
    }
    while row.state.is_open() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        row = asking.client.command(&row.id).await?;
    }
    print(asking, &row)?;
    Ok(match row.state {
        CommandState::Succeeded => Exit::Yes,
        CommandState::Failed | CommandState::Expired | CommandState::Withdrawn => Exit::No,
        CommandState::Queued | CommandState::Delivered if wait.wait == 0 => Exit::Yes,
        CommandState::Queued | CommandState::Delivered => {
            return Err(Failure::new(format!("no result of {} within {} s", row.id, wait.wait))
                .hint(format!(
                    "it stays ordered until {}; to take it back: ringwall commands withdraw {}",
                    row.expires, row.id
                ))
                .into());
        }
    })
}

fn print(asking: &Asking, row: &CommandRow) -> Result<()> {
    asking.out.one(row, |row| {
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        Fields::default()
            .with("id", &row.id)
            .styled("state", row.state.name(), row.state)
            .maybe("result", row.result.as_ref())
            .with("action", row.order.action().name())
            .with("host", row.source.to_string())
            .with(target_label(&row.order), target_text(&row.order))
            .maybe("started", moment(row.order.process().and_then(|process| process.start_time)))
            .maybe("sha256", row.file.as_ref().map(|file| file.sha256.to_string()))
            .maybe("bytes", row.file.as_ref().map(|file| file.bytes.to_string()))
            .with("because", &row.reason)
            .with("ordered by", &row.ordered_by)
            .maybe("alert", row.alert.map(|alert| alert.to_string()))
            .with("ordered", row.created.to_string())
            .maybe("delivered", moment(row.delivered))
            .maybe("finished", moment(row.finished))
            .with("void after", row.expires.to_string())
            .render(asking.out.paint)
    })
}

/// What the field of the target is called.
const fn target_label(order: &Order) -> &'static str {
    match order {
        Order::KillProcess(_)
        | Order::KillTree(_)
        | Order::StopProcess(_)
        | Order::ContinueProcess(_) => "process",
        Order::CollectFile(_) | Order::QuarantineFile(_) => "file",
        Order::RestoreFile(_) => "quarantined by",
        Order::BlockAddress(_) | Order::UnblockAddress(_) => "address",
    }
}

fn target_text(order: &Order) -> String {
    match order.process() {
        Some(process) => process.to_string(),
        None => order.done_to(),
    }
}

pub(super) fn table(rows: &[CommandRow], now: Timestamp) -> Table {
    let ids: Vec<String> =
        rows.iter().map(|row| row.id.strip_prefix("cmd_").unwrap_or(&row.id).to_owned()).collect();
    let shown = pick::short_ids(&ids) + "cmd_".len();
    let columns = vec![
        Column::new("COMMAND"),
        Column::new("ORDERED").right(),
        Column::new("HOST").flexible(),
        Column::new("WHAT").flexible(),
        Column::new("STATE"),
        Column::new("RESULT").flexible(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(row.id.get(..shown).unwrap_or(&row.id)),
            Cell::styled(ago(now, row.created), Style::Faint),
            Cell::new(row.source.to_string()),
            Cell::new(row.order.to_string()),
            Cell::styled(row.state.name(), row.state),
            Cell::maybe(row.result.as_ref()),
        ]
    })
}
