use super::{Asking, pick};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Style, Table, ago, now, visible};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_lifecycle::Exit;
use ringwall_server_api::{HoldRequest, HoldRow};

/// Legal holds: what must be kept
///
/// Without a subcommand, lists them. What a hold covers is not given up, whatever its age and however
/// large the archive is, until the hold is removed. The bounds are about when events were received.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall holds add case-7 --reason 'court order' --host web-1 --since 2026-01-01T00:00:00Z
  ringwall holds add freeze --reason 'incident of Tuesday'
  ringwall holds remove case-7";

#[derive(Debug, Subcommand)]
enum Action {
    /// List holds; the same as without a subcommand
    List,
    /// Put a hold into force
    Add {
        /// What people call it
        #[arg(value_name = "NAME")]
        name: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Only what this host sent: its id or name
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// Received at or after: 10m, 2h, 7d ago, or a time
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Received before
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Lift a hold: what it covered may be given up from now on
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.holds().await?;
            asking.out.list(&rows, |rows| table(rows, now()), "no holds")?;
        }
        Some(Action::Add { name, reason, host, since, until }) => {
            let source = match &host {
                Some(host) => Some(pick::host(asking, host).await?),
                None => None,
            };
            let moment = |text: Option<String>| {
                text.as_deref().map(|text| pick::moment(text, now())).transpose()
            };
            let request =
                HoldRequest { name, source, since: moment(since)?, until: moment(until)?, reason };
            let row = asking.client.create_hold(&request).await?;
            asking.out.one(&row, consequence)?;
        }
        Some(Action::Remove { name }) => {
            asking.client.delete_hold(&name).await?;
            let words = format!(
                "hold {} is lifted; what it covered may be given up from now on",
                visible(&name)
            );
            asking.out.done(&name, &words)?;
        }
    }
    Ok(Exit::Yes)
}

/// In plain words, what is kept.
fn consequence(row: &HoldRow) -> String {
    let what = match &row.source {
        Some(source) => format!("what {} sent", visible(&source.to_string())),
        None => "everything".to_owned(),
    };
    let when = match (row.since, row.until) {
        (Some(since), Some(until)) => format!(" received from {since} to {until}"),
        (Some(since), None) => format!(" received from {since} on"),
        (None, Some(until)) => format!(" received before {until}"),
        (None, None) => String::new(),
    };
    format!("Until hold {} is removed, {what}{when} is kept.\n", visible(&row.name))
}

fn table(rows: &[HoldRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("HOLD"),
        Column::new("HOST").flexible(),
        Column::new("SINCE"),
        Column::new("UNTIL"),
        Column::new("REASON").flexible(),
        Column::new("BY"),
        Column::new("MADE").right(),
    ];
    Table::of(columns, rows, |row| {
        let open = |moment: Option<Timestamp>| match moment {
            Some(moment) => Cell::new(moment.to_string()),
            None => Cell::styled("open", Style::Faint),
        };
        vec![
            Cell::new(&row.name),
            match &row.source {
                Some(source) => Cell::new(source.to_string()),
                None => Cell::styled("all", Style::Faint),
            },
            open(row.since),
            open(row.until),
            Cell::new(&row.reason),
            Cell::new(&row.created_by),
            Cell::new(ago(now, row.created)),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::Source;

    #[test]
    fn what_is_kept_is_said_in_words() {
        let row = HoldRow {
            name: "case-7".to_owned(),
            source: None,
            since: None,
            until: None,
            reason: String::new(),
            created_by: String::new(),
            created: Timestamp::default(),
        };
        assert_eq!(consequence(&row), "Until hold case-7 is removed, everything is kept.\n");
        let since = Timestamp::parse("2026-01-01T00:00:00Z").ok();
        let source = Some(Source::new("host-agent", "web-1"));
        assert_eq!(
            consequence(&HoldRow { source, since, ..row }),
            "Until hold case-7 is removed, what host-agent:web-1 sent received from \
             2026-01-01T00:00:00Z on is kept.\n"
        );
    }
}
