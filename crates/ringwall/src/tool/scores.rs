use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Table, ago, now};
use anyhow::Result;
use clap::Args;
use ringwall_event::Timestamp;
use ringwall_lifecycle::Exit;
use ringwall_server_api::{ScoreQuery, ScoreRow};

/// How risky processes are, and why
///
/// One row per process, the riskiest first. Scores are 0 to 100. Of very many processes only the
/// 10,000 whose score changed last are looked at.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only processes of this host: its id, or its name
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only processes with at least this score
    #[arg(long, value_name = "SCORE")]
    min: Option<f64>,
    /// Only processes with at most this score
    #[arg(long, value_name = "SCORE")]
    max: Option<f64>,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall scores --min 50
  ringwall scores --host sysscore:agent-1 --json";

/// How many are looked at to find the riskiest.
const ROWS_MAX: usize = 10_000;

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    let host = match &arguments.host {
        Some(host) => Some(pick::host(asking, host).await?),
        None => None,
    };
    let query = ScoreQuery {
        host,
        risk_min: arguments.min,
        risk_max: arguments.max,
        ..ScoreQuery::default()
    };
    // The server tells what changed last first, so that pages stay stable.
    let mut rows = asking.client.scores(query).take(ROWS_MAX).await?;
    rows.sort_by(|a, b| b.risk_score.total_cmp(&a.risk_score));
    rows.truncate(arguments.limit.limit);
    asking.out.list(&rows, |rows| table(rows, now()), "no scores")?;
    Ok(Exit::Yes)
}

pub(super) fn table(rows: &[ScoreRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("RISK").right(),
        Column::new("HOST").flexible(),
        Column::new("PID").right(),
        Column::new("PROCESS").flexible(),
        Column::new("CHANGED").right(),
        Column::new("BECAUSE").flexible(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::styled(format!("{:.0}", row.risk_score), row.risk_score),
            Cell::new(row.source.to_string()),
            Cell::new(row.pid.to_string()),
            Cell::maybe(Some(&row.name).filter(|name| !name.is_empty())),
            Cell::new(ago(now, row.calculated_at)),
            Cell::new(row.reasons.join("; ")),
        ]
    })
}
