use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Fields, Style, Table, ago, now, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{
    AbsolutePath, BlockTarget, CommandId, CommandState, FileTarget, Network, Order, ProcessTarget,
    QuarantineTarget, Source, Timestamp, UnblockTarget,
};
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{CommandQuery, CommandRequest, CommandRow};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
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
  ringwall commands collect web-1 /tmp/evil.sh --reason 'to look at it' -o evil.sample
  ringwall commands block web-1 203.0.113.9 --for 3600 --reason 'scans us'
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
    /// Fetch the file that a command collected
    ///
    /// What is in it came from a host that may be in somebody else's hands: it is written for its
    /// owner alone, and not made executable.
    File(File),
    /// End a process on a host, and wait for the result
    ///
    /// The host's agent checks that pid and start time agree, sends SIGTERM, waits, and sends SIGKILL
    /// where that was not enough. Protected processes are refused.
    Kill(Process),
    /// End a process and all that descend from it
    ///
    /// All are halted first, so that none gets away while they are ended, and then sent SIGKILL.
    /// Protected processes among them are spared, and the result names them.
    KillTree(Process),
    /// Halt a process; it keeps its memory, and goes on by `continue`
    Stop(Process),
    /// Let a halted process go on
    Continue(Process),
    /// Bring a copy of a file here
    ///
    /// Links are not followed, and only stored files are brought, up to a bound of the server and of
    /// the host agent. The server keeps the file for a time.
    Collect(Collect),
    /// Put a file where nobody runs or reads it; `restore` puts it back
    Quarantine(OfFile),
    /// Put a quarantined file back, as it was
    Restore(Restore),
    /// Let a host talk to nobody at an address, for a time
    Block(Block),
    /// Let a host talk to an address again
    Unblock(Unblock),
}

/// To whom, why, and how long to wait.
#[derive(Debug, Args)]
struct Ordering {
    /// Why; stands in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Make it void after so many seconds; as configured at the server where it is not given
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    expires: Option<u32>,
    #[command(flatten)]
    wait: Wait,
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
struct Process {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// The process id
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i64).range(2..))]
    pid: i64,
    /// The name of the process; looked up where it is not given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    ordering: Ordering,
}

#[derive(Debug, Args)]
struct OfFile {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// The file, from the root
    #[arg(value_name = "PATH", value_parser = path)]
    path: AbsolutePath,
    #[command(flatten)]
    ordering: Ordering,
}

#[derive(Debug, Args)]
struct Collect {
    #[command(flatten)]
    of: OfFile,
    /// Write the file there once it is collected; `-` for stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct File {
    /// The command's id, or the beginning of it
    #[arg(value_name = "COMMAND")]
    id: String,
    /// Write the file there; `-` for stdout
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct Restore {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// The command that quarantined it: its id, or the beginning of it
    #[arg(value_name = "COMMAND")]
    id: String,
    #[command(flatten)]
    ordering: Ordering,
}

#[derive(Debug, Args)]
struct Block {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// An address, or a network of them
    #[arg(value_name = "ADDRESS")]
    address: Network,
    /// End the block after so many seconds
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 3600,
          value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    #[command(flatten)]
    ordering: Ordering,
}

#[derive(Debug, Args)]
struct Unblock {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
    /// As it was blocked
    #[arg(value_name = "ADDRESS")]
    address: Network,
    #[command(flatten)]
    ordering: Ordering,
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
        Some(Action::File(File { id, output })) => {
            let id = pick::command(asking, &id).await?;
            fetch(asking, &id, &output).await?;
            Ok(Exit::Yes)
        }
        Some(Action::Kill(process)) => to_process(asking, process, Order::KillProcess).await,
        Some(Action::KillTree(process)) => to_process(asking, process, Order::KillTree).await,
        Some(Action::Stop(process)) => to_process(asking, process, Order::StopProcess).await,
        Some(Action::Continue(process)) => {
            to_process(asking, process, Order::ContinueProcess).await
        }
        Some(Action::Collect(collect)) => collect_file(asking, collect).await,
        Some(Action::Quarantine(OfFile { host, path, ordering })) => {
            order(asking, &host, Order::QuarantineFile(FileTarget { path }), ordering).await
        }
        Some(Action::Restore(Restore { host, id, ordering })) => {
            let id = pick::command(asking, &id).await?;
            let quarantine_id =
                CommandId::parse(&id).map_err(|error| Failure::new(error.to_string()))?;
            order(asking, &host, Order::RestoreFile(QuarantineTarget { quarantine_id }), ordering)
                .await
        }
        Some(Action::Block(Block { host, address, seconds, ordering })) => {
            let target = BlockTarget { address, seconds };
            order(asking, &host, Order::BlockAddress(target), ordering).await
        }
        Some(Action::Unblock(Unblock { host, address, ordering })) => {
            order(asking, &host, Order::UnblockAddress(UnblockTarget { address }), ordering).await
        }
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

/// Orders something that is done to a process.
async fn to_process(
    asking: &Asking,
    process: Process,
    make: fn(ProcessTarget) -> Order,
) -> Result<Exit> {
    let host = pick::host(asking, &process.host).await?;
    let processes = asking.client.host_processes(&host).await?;
    let running = processes.iter().find(|running| running.pid == process.pid);
    let name = match (process.name, running) {
        (Some(name), _) => name,
        (None, Some(process)) => process.name.clone(),
        (None, None) => {
            return Err(Failure::no(format!("no process {} is known on {host}", process.pid))
                .hint(format!("`ringwall hosts processes {host}` lists them"))
                .into());
        }
    };
    let target = ProcessTarget {
        pid: process.pid,
        start_time: running.filter(|process| process.name == name).and_then(|p| p.start_time),
        name: name.into(),
    };
    let ordered = send(asking, host, make(target), &process.ordering).await?;
    follow_to_result(asking, ordered, process.ordering.wait).await
}

async fn order(asking: &Asking, host: &str, order: Order, ordering: Ordering) -> Result<Exit> {
    let host = pick::host(asking, host).await?;
    let ordered = send(asking, host, order, &ordering).await?;
    follow_to_result(asking, ordered, ordering.wait).await
}

async fn collect_file(asking: &Asking, collect: Collect) -> Result<Exit> {
    let OfFile { host, path, ordering } = collect.of;
    let host = pick::host(asking, &host).await?;
    let target = Order::CollectFile(FileTarget { path });
    let ordered = send(asking, host, target, &ordering).await?;
    let id = ordered.id.clone();
    let exit = follow_to_result(asking, ordered, ordering.wait).await?;
    match collect.output {
        Some(output) if exit == Exit::Yes && asking.client.command(&id).await?.file.is_some() => {
            fetch(asking, &id, &output).await?;
        }
        Some(_) if exit == Exit::Yes => say(&format!(
            "the file is not there yet; later: ringwall commands file {id} --output FILE"
        )),
        _ => {}
    }
    Ok(exit)
}

async fn send(
    asking: &Asking,
    host: Source,
    order: Order,
    ordering: &Ordering,
) -> Result<CommandRow> {
    let request = CommandRequest {
        host,
        order,
        reason: ordering.reason.clone(),
        expires_in_seconds: ordering.expires,
    };
    Ok(asking.client.create_command(&request).await?)
}

/// Writes a collected file, never over one that is there.
async fn fetch(asking: &Asking, id: &str, output: &Path) -> Result<()> {
    let content = asking.client.collected_file(id).await?;
    if output.as_os_str() == "-" {
        std::io::stdout().lock().write_all(&content)?;
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    // A sample of who knows what: for the owner alone, and not to be run.
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(output).and_then(|mut file| file.write_all(&content));
    written.map_err(|error| Failure::new(format!("{}: {error}", output.display())))?;
    say(&format!("wrote {} bytes to {}", content.len(), output.display()));
    Ok(())
}

fn path(text: &str) -> Result<AbsolutePath, String> {
    AbsolutePath::parse(text).map_err(|error| error.to_string())
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
