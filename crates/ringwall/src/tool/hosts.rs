mod enrolment;

use super::process_tree::in_tree_order;
use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Fields, Output, Style, Table, ago, bytes, count, now};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{Connection, Timestamp};
use ringwall_lifecycle::Exit;
use ringwall_server_api::{HostHealth, HostProcess, HostRow, IdentityState};

/// Who reports, and what runs there
///
/// Without a subcommand, lists hosts, the one that reported last first.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall hosts
  ringwall hosts show web-1
  ringwall hosts processes web-1
  ringwall hosts connections host-agent:web-1 --json
  ringwall hosts enrol --name web-1
  ringwall hosts revoke web-1 --reason stolen

A host goes by its id (host-agent:web-1) or, where that names one host, by its name (web-1).";

#[derive(Debug, Subcommand)]
enum Action {
    /// List hosts; the same as without a subcommand
    List(Limit),
    /// Everything about one host
    Show(Host),
    /// What runs on a host, as a tree
    Processes(Host),
    /// Whom a host talks to
    Connections(Host),
    /// Give a host leave to enrol: prints what to run there
    Enrol(enrolment::Enrol),
    /// List leave to enrol, or take some back
    Enrolments(enrolment::Enrolments),
    /// List the host agents that enrolled, their keys and what is held against them
    Identities,
    /// Shut a host agent out, at once; it keeps its events
    Revoke(enrolment::Change),
    /// Let a host agent in again that was revoked or suspended, or that looked like a clone
    Reinstate(enrolment::Change),
    /// Forget a host agent: its name is free, its events stay
    Forget(enrolment::Forget),
}

#[derive(Debug, Args)]
struct Host {
    /// The host: its id, or its name
    #[arg(value_name = "HOST")]
    host: String,
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    let out = &asking.out;
    match arguments.action {
        None => list(asking, arguments.limit).await?,
        Some(Action::List(limit)) => list(asking, limit).await?,
        Some(Action::Show(Host { host })) => {
            let row = asking.client.host(&pick::host(asking, &host).await?).await?;
            out.one(&row, |row| in_full(row, out, now()))?;
        }
        Some(Action::Processes(Host { host })) => {
            let id = pick::host(asking, &host).await?;
            out.list(&asking.client.host_processes(&id).await?, processes, "no processes")?;
        }
        Some(Action::Connections(Host { host })) => {
            let id = pick::host(asking, &host).await?;
            out.list(&asking.client.host_connections(&id).await?, connections, "no connections")?;
        }
        Some(Action::Enrol(enrol)) => enrolment::enrol(asking, enrol).await?,
        Some(Action::Enrolments(arguments)) => enrolment::enrolments(asking, arguments).await?,
        Some(Action::Identities) => enrolment::identities(asking).await?,
        Some(Action::Revoke(change)) => enrolment::revoke(asking, change).await?,
        Some(Action::Reinstate(change)) => enrolment::reinstate(asking, change).await?,
        Some(Action::Forget(forget)) => enrolment::forget(asking, forget).await?,
    }
    Ok(Exit::Yes)
}

async fn list(asking: &Asking, limit: Limit) -> Result<()> {
    let rows = asking.client.hosts().take(limit.limit).await?;
    asking.out.list(
        &rows,
        |rows| table(rows, now()),
        "no hosts yet; `ringwall up` watches this machine, and `ringwall hosts enrol` says how to \
         watch another",
    )
}

fn online(row: &HostRow) -> (&'static str, Style) {
    // Whoever was shut out is not just away.
    if let Some(identity) = &row.identity
        && identity.state != IdentityState::Active
    {
        return (identity.state.name(), enrolment::style(identity.state));
    }
    if row.online { ("online", Style::Good) } else { ("offline", Style::Faint) }
}

fn table(rows: &[HostRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("HOST").flexible(),
        Column::new("STATE"),
        Column::new("SEEN").right(),
        Column::new("PROCESSES").right(),
        Column::new("CONNECTIONS").right(),
        Column::new("ALERTS").right(),
        Column::new("RISK").right(),
        Column::new("SYSTEM").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let (state, style) = online(row);
        let alerts = if row.open_alerts == 0 { Style::Plain } else { Style::Bad };
        vec![
            Cell::new(row.id.to_string()),
            Cell::styled(state, style),
            Cell::styled(ago(now, row.last_seen), Style::Faint),
            Cell::new(count(row.processes)),
            Cell::new(count(row.connections)),
            Cell::styled(count(row.open_alerts), alerts),
            row.risk_max.map_or_else(Cell::none, |risk| Cell::styled(format!("{risk:.0}"), risk)),
            Cell::maybe(row.system.os.as_ref().or(row.system.platform.as_ref())),
        ]
    })
}

fn in_full(row: &HostRow, out: &Output, now: Timestamp) -> String {
    let system = &row.system;
    let (state, style) = online(row);
    let memory = system.memory_total.map(|total| match system.memory_available {
        Some(available) => format!("{}, {} available", bytes(total), bytes(available)),
        None => bytes(total),
    });
    let lost = if row.events_lost == 0 { Style::Plain } else { Style::Bad };
    let fields = Fields::default()
        .with("id", row.id.to_string())
        .with("hostname", &row.hostname)
        .styled("state", state, style)
        .maybe("key", row.identity.as_ref().map(|identity| &identity.key_id))
        .maybe("enrolled", row.identity.as_ref().map(|identity| identity.enrolled.to_string()))
        .with("first seen", row.first_seen.to_string())
        .with("last seen", format!("{} ({} ago)", row.last_seen, ago(now, row.last_seen)))
        .with("processes", count(row.processes))
        .with("connections", count(row.connections))
        .with("events", count(row.events))
        .styled("events lost", count(row.events_lost), lost)
        .with("open alerts", count(row.open_alerts))
        .maybe("highest risk", row.risk_max.map(|risk| format!("{risk:.0}")))
        .maybe("system", system.os.as_ref().or(system.platform.as_ref()))
        .maybe("kernel", system.kernel.as_ref())
        .maybe("architecture", system.architecture.as_ref())
        .maybe("processors", system.cpu_count.map(|number| number.to_string()))
        .maybe("memory", memory)
        .maybe("running since", system.boot_time.map(|boot| boot.to_string()))
        .maybe("agent", system.agent_version.as_ref());
    match &row.health {
        Some(health) => with_health(fields, health, now).render(out.paint),
        None => fields.render(out.paint),
    }
}

fn with_health(fields: Fields, told: &HostHealth, now: Timestamp) -> Fields {
    let health = &told.health;
    let ago_of = |moment| format!("{moment} ({} ago)", ago(now, moment));
    let mut load = format!("{:.1} % of a core", health.cpu_percent);
    if let Some(most) = health.cpu_percent_max {
        load.push_str(&format!(", at most {most:.1} %"));
    }
    let (pace, pace_style) = match health.throttled {
        true => ("slowed to stay within its budget", Style::Warning),
        false => ("at full pace", Style::Good),
    };
    let waits = format!(
        "{} events, {} of {}",
        count(health.spool_events),
        bytes(health.spool_bytes),
        bytes(health.spool_bytes_max)
    );
    let dropped = if health.dropped == 0 { Style::Plain } else { Style::Bad };
    fields
        .maybe("agent since", health.started.map(ago_of))
        .with("agent told", ago_of(told.reported))
        .with("agent memory", bytes(health.rss_bytes))
        .with("agent load", load)
        .styled("agent pace", pace, pace_style)
        .with("agent sees", format!("{}, {}", health.process_changes, health.connections))
        .with("agent spool", waits)
        .styled("agent dropped", count(health.dropped), dropped)
}

fn processes(rows: &[HostProcess]) -> Table {
    let columns = vec![
        Column::new("PID").right(),
        Column::new("USER"),
        Column::new("CPU %").right(),
        Column::new("MEM %").right(),
        Column::new("RISK").right(),
        Column::new("CONTAINER"),
        Column::new("PROCESS").flexible(),
    ];
    let share = |share: Option<f64>| Cell::maybe(share.map(|share| format!("{share:.1}")));
    Table::of(columns, &in_tree_order(rows), |(depth, process)| {
        let line = process.command_line.as_ref().filter(|line| !line.is_empty());
        let what = match line {
            Some(line) => format!("{}{line}", "  ".repeat(*depth)),
            // Kernel threads have none.
            None => format!("{}[{}]", "  ".repeat(*depth), process.name),
        };
        vec![
            Cell::new(process.pid.to_string()),
            Cell::maybe(process.user.as_ref()),
            share(process.cpu_percent),
            share(process.memory_percent),
            process
                .risk_score
                .map_or_else(Cell::none, |risk| Cell::styled(format!("{risk:.0}"), risk)),
            Cell::maybe(process.container.as_ref().map(|container| container.label())),
            Cell::new(what),
        ]
    })
}

fn connections(rows: &[Connection]) -> Table {
    let columns = vec![
        Column::new("PROTOCOL"),
        Column::new("LOCAL").flexible(),
        Column::new("REMOTE").flexible(),
        Column::new("STATUS"),
        Column::new("PID").right(),
        Column::new("PROCESS"),
    ];
    Table::of(columns, rows, |row| {
        let remote = row.remote_address.as_ref().map(|address| match row.remote_port {
            Some(port) => end_point(address, port),
            None => address.to_string(),
        });
        vec![
            Cell::new(&row.protocol),
            Cell::new(end_point(&row.local_address, row.local_port)),
            Cell::maybe(remote),
            Cell::new(&row.status),
            Cell::maybe(row.pid.map(|pid| pid.to_string())),
            Cell::maybe(row.process_name.as_ref()),
        ]
    })
}

fn end_point(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
