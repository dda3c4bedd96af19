use crate::output::{Cell, Column, Style, Table, ago, clock_today, count, duration, now};
use crate::tool::{Asking, Limit, pick};
use anyhow::Result;
use clap::Args;
use ringwall_event::Timestamp;
use ringwall_server_api::{GuardAgentRow, GuardEventQuery, GuardEventRow};

/// What guards saw and did, newest first
#[derive(Debug, Args)]
pub(super) struct Events {
    /// Only of this project
    #[arg(value_name = "PROJECT")]
    project: Option<String>,
    /// Only of this kind, such as penetration_attempt or ip_banned
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only about the client with this address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Only what happened since: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Only what happened before: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// The guards that report for a project, the one that was seen last first
#[derive(Debug, Args)]
pub(super) struct Agents {
    /// The project
    #[arg(value_name = "PROJECT")]
    project: String,
}

pub(super) async fn events(asking: &Asking, arguments: Events) -> Result<()> {
    let moment =
        |text: &Option<String>| text.as_deref().map(|text| pick::moment(text, now())).transpose();
    let query = GuardEventQuery {
        project: arguments.project,
        event_type: arguments.event_type,
        address: arguments.address,
        since: moment(&arguments.since)?,
        until: moment(&arguments.until)?,
        ..GuardEventQuery::default()
    };
    let rows = asking.client.guard_events(query).take(arguments.limit.limit).await?;
    asking.out.list(&rows, |rows| event_table(rows, now()), "no events")
}

pub(super) async fn agents(asking: &Asking, arguments: Agents) -> Result<()> {
    let rows = asking.client.guard_agents(&arguments.project).await?;
    asking.out.list(&rows, |rows| agent_table(rows, now()), "no guards")
}

fn event_table(rows: &[GuardEventRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("TIME"),
        Column::new("PROJECT"),
        Column::new("TYPE"),
        Column::new("ADDRESS"),
        Column::new("ACTION"),
        Column::new("REQUEST").flexible(),
        Column::new("CATEGORY"),
    ];
    Table::of(columns, rows, |row| {
        let request = match (&row.method, &row.endpoint) {
            (Some(method), Some(path)) => Some(format!("{method} {path}")),
            (None, path) => path.clone(),
            (method, None) => method.clone(),
        };
        vec![
            Cell::new(clock_today(now, row.time)),
            Cell::new(&row.project),
            Cell::new(&row.event_type),
            Cell::maybe(row.address.as_ref()),
            Cell::maybe(row.action.as_ref()),
            Cell::maybe(request.or_else(|| row.reason.clone())),
            Cell::maybe(row.category.as_ref()),
        ]
    })
}

fn agent_table(rows: &[GuardAgentRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("INSTALLATION"),
        Column::new("ADDRESS"),
        Column::new("AGENT"),
        Column::new("GUARD"),
        Column::new("STATUS"),
        Column::new("UP").right(),
        Column::new("SENT").right(),
        Column::new("SEEN").right(),
        Column::new("WARNING").flexible(),
    ];
    Table::of(columns, rows, |row| {
        // A number of seconds that no clock counts to is cut.
        let up = row.uptime_seconds.map(|seconds| duration(seconds as i64));
        vec![
            Cell::maybe(row.install_id.as_ref()),
            Cell::new(&row.address),
            Cell::maybe(row.agent_version.as_ref()),
            Cell::maybe(row.guard_version.as_ref()),
            Cell::maybe(row.status.as_ref()),
            Cell::maybe(up),
            Cell::maybe(row.events_sent.map(count)),
            Cell::new(ago(now, row.last_seen)),
            match &row.warning {
                Some(warning) => Cell::styled(warning, Style::Bad),
                None => Cell::new(""),
            },
        ]
    })
}
