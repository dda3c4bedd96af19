use crate::output::{Cell, Column, Style, Table, ago, duration, now, visible};
use crate::tool::Asking;
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::{Network, Timestamp};
use ringwall_lifecycle::Failure;
use ringwall_server_api::{
    BAN_SECONDS_MAX, BAN_SECONDS_MIN, GuardBanQuery, GuardBanRequest, GuardBanRow, GuardBanState,
    GuardLiftRequest,
};

/// Bans: whom guarded applications do not let in
///
/// Without a subcommand, lists those in force. A ban reaches applications that hold a stream open within
/// a second, others with their next question; lifting it likewise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

const EXAMPLES: &str = "\
Examples:
  ringwall guard bans
  ringwall guard bans add 203.0.113.7 --for 2h --reason probes
  ringwall guard bans add 198.51.100.0/24 --project shop --reason 'scrapers of this week' --for 7d
  ringwall guard bans add 203.0.113.7 --reason intruder --hosts
  ringwall guard bans lift 203.0.113.7 --reason 'a customer'";

#[derive(Debug, Subcommand)]
enum Action {
    /// List bans, newest first
    List {
        /// active, ended, or all
        #[arg(long, value_name = "STATE", default_value = "active", value_parser = state)]
        state: GuardBanState,
        /// Only those that hold in this project
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
        /// Show at most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Ban an address or a network; where it is banned already, for longer
    Add {
        /// As in 203.0.113.7 or 198.51.100.0/24
        #[arg(value_name = "ADDRESS")]
        address: Network,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// For how long: 90s, 10m, 2h, 7d; 1 minute to 365 days
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = lasting)]
        seconds: u32,
        /// Only from this project; from all where it is not given
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
        /// Have every enrolled host block the address, too
        #[arg(long)]
        hosts: bool,
    },
    /// Let a banned address in again
    Lift {
        /// The ban's id, or the address
        #[arg(value_name = "BAN")]
        ban: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<()> {
    match arguments.action {
        None => list(asking, GuardBanState::Active, None, 100).await,
        Some(Action::List { state, project, limit }) => list(asking, state, project, limit).await,
        Some(Action::Add { address, reason, seconds, project, hosts }) => {
            let address = address.to_string();
            let request = GuardBanRequest { address, seconds, project, reason, hosts };
            let row = asking.client.create_guard_ban(&request).await?;
            asking.out.one(&row, |row| consequence(row, now()))
        }
        Some(Action::Lift { ban, reason }) => {
            let id = pick(asking, &ban).await?;
            let row = asking.client.lift_guard_ban(&id, &GuardLiftRequest { reason }).await?;
            asking
                .out
                .one(&row, |row| format!("{} is let in again by {}\n", row.address, place(row)))
        }
    }
}

async fn list(
    asking: &Asking,
    state: GuardBanState,
    project: Option<String>,
    limit: usize,
) -> Result<()> {
    let query = GuardBanQuery { state: Some(state), project, ..GuardBanQuery::default() };
    let rows = asking.client.guard_bans(query).take(limit).await?;
    asking.out.list(&rows, |rows| table(rows, now()), "no bans")
}

/// The id of the ban that is meant.
async fn pick(asking: &Asking, text: &str) -> Result<String> {
    let Ok(address) = text.parse::<Network>() else { return Ok(text.to_owned()) };
    let mut bans = asking.client.guard_bans(GuardBanQuery::default());
    let mut found: Vec<GuardBanRow> = Vec::new();
    while let Some(row) = bans.next().await? {
        if row.address == address {
            found.push(row);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Failure::no(format!("{address} is not banned"))
            .hint("`ringwall guard bans` lists who is: a network is lifted as it was banned")
            .into()),
        several => {
            let ids: Vec<String> =
                several.iter().map(|row| format!("{} ({})", row.id, place(row))).collect();
            Err(Failure::new(format!("{address} is banned {} times", several.len()))
                .hint(format!("give one of the ids: {}", ids.join(", ")))
                .into())
        }
    }
}

fn consequence(row: &GuardBanRow, now: Timestamp) -> String {
    let hosts = if row.hosts { "; hosts were told to block it" } else { "" };
    format!(
        "{} is not let in by {} for {} ({}){hosts}\n",
        row.address,
        place(row),
        left(row, now),
        row.id
    )
}

fn place(row: &GuardBanRow) -> String {
    match &row.project {
        Some(project) => visible(project),
        None => "any guarded application".to_owned(),
    }
}

/// How long it lasts. Rounded, not cut off: two hours that have just begun are two hours.
fn left(row: &GuardBanRow, now: Timestamp) -> String {
    let seconds = (row.expires.micros_since(now).max(0) + 500_000) / 1_000_000;
    let half = match seconds {
        ..60 => 0,
        60..3600 => 30,
        3600..86_400 => 1800,
        _ => 43_200,
    };
    duration(seconds + half)
}

fn table(rows: &[GuardBanRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("ADDRESS"),
        Column::new("PROJECT"),
        Column::new("REASON").flexible(),
        Column::new("BY"),
        Column::new("BEGAN").right(),
        Column::new("ENDS"),
        Column::new("HOSTS"),
        Column::new("ID"),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(row.address.to_string()),
            match &row.project {
                Some(project) => Cell::new(project),
                None => Cell::styled("all", Style::Faint),
            },
            Cell::new(&row.reason),
            Cell::new(&row.created_by),
            Cell::new(ago(now, row.created)),
            match row.ended {
                Some(ended) => Cell::styled(format!("ended {}", ago(now, ended)), Style::Faint),
                None => Cell::new(format!("in {}", left(row, now))),
            },
            Cell::new(if row.hosts { "yes" } else { "" }),
            Cell::new(&row.id),
        ]
    })
}

fn state(text: &str) -> Result<GuardBanState, String> {
    match text {
        "active" => Ok(GuardBanState::Active),
        "ended" => Ok(GuardBanState::Ended),
        "all" => Ok(GuardBanState::All),
        _ => Err("one of active, ended, all".to_owned()),
    }
}

/// A time with its unit, in seconds.
fn lasting(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("s" | "") => 1,
        Some("m" | "min") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => 0,
    };
    let seconds = digits.parse().ok().and_then(|many: u32| many.checked_mul(unit));
    seconds
        .filter(|seconds| (BAN_SECONDS_MIN..=BAN_SECONDS_MAX).contains(seconds))
        .ok_or_else(|| "1 minute to 365 days, as in 90s, 10m, 2h, 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_bounds() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("600", Some(600)),
            ("10m", Some(600)),
            ("2h", Some(7200)),
            ("365d", Some(31_536_000)),
            ("366d", None),
            ("59s", None),
            ("2w", None),
            ("h", None),
            ("", None),
            ("-5m", None),
            ("99999999999d", None),
        ] {
            assert_eq!(lasting(text).ok(), expected, "{text}");
        }
    }
}
