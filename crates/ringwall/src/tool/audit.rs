use super::{Asking, Limit};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Style, Table, clock};
use anyhow::Result;
use clap::Args;
use ringwall_lifecycle::Exit;
use ringwall_server_api::{AuditOutcome, AuditRow};

/// Who did what, and whether it was permitted
///
/// Every action leaves one entry that cannot be changed. Newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ringwall audit -n 20\n  ringwall audit --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    pub(super) connect: Connect,
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    let rows = asking.client.audit().take(arguments.limit.limit).await?;
    asking.out.list(&rows, table, "no entries")?;
    Ok(Exit::Yes)
}

fn table(rows: &[AuditRow]) -> Table {
    let columns = vec![
        Column::new("TIME (UTC)"),
        Column::new("WHO"),
        Column::new("ACTION"),
        Column::new("SUBJECT").flexible(),
        Column::new("OUTCOME"),
        Column::new("BECAUSE").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let style = match row.outcome {
            AuditOutcome::Permitted => Style::Plain,
            AuditOutcome::Succeeded => Style::Good,
            _ => Style::Bad,
        };
        vec![
            Cell::styled(clock(row.time), Style::Faint),
            Cell::new(&row.actor),
            Cell::new(&row.action),
            Cell::new(&row.subject),
            Cell::styled(row.outcome.name(), style),
            Cell::maybe(row.reason.as_ref()),
        ]
    })
}
