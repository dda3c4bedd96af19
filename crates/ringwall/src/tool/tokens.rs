use super::Asking;
use crate::discovery::Connect;
use crate::output::{Cell, Column, Style, Table, ago, now, say, visible};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_lifecycle::Exit;
use ringwall_server_api::{Role, TokenRequest, TokenRow};

/// The tokens that programs use
///
/// Without a subcommand, lists them, without their texts.
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
  ringwall tokens create ci --role read_only --expires-in-days 30
  ringwall tokens create pager --role analyst --scope read_alerts --scope handle_alerts
  ringwall tokens delete tok_5f2c9d1e";

#[derive(Debug, Subcommand)]
enum Action {
    /// List tokens; the same as without a subcommand
    List,
    /// Make a token; its text is shown this once
    Create {
        /// What it is for
        #[arg(value_name = "NAME")]
        name: String,
        /// What it may do at most: admin, responder, analyst, read_only
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Narrow it to this permission of the role; may be given several times
        ///
        /// read_hosts, read_events, read_alerts, read_commands, read_scores, read_indicators,
        /// read_guard; from analyst on read_audit, read_holds, handle_alerts, change_indicators; from
        /// responder on order_commands, collect_files, ban_addresses; the rest is for admin: read_keys,
        /// read_tokens, read_users, change_guard, change_keys, change_tokens, change_holds, change_users.
        #[arg(long = "scope", value_name = "PERMISSION", value_delimiter = ',')]
        scopes: Vec<String>,
        /// After how many days it ends; never where it is not given
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
    },
    /// Remove a token: what it opened is closed from now on
    Delete {
        /// Its id
        #[arg(value_name = "TOKEN")]
        id: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "one of admin, responder, analyst, read_only".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.tokens().take(usize::MAX).await?;
            asking.out.list(&rows, |rows| table(rows, now()), "no tokens")?;
        }
        Some(Action::Create { name, role, scopes, expires_in_days }) => {
            let scopes = (!scopes.is_empty()).then_some(scopes);
            let request = TokenRequest { name, role, scopes, expires_in_days };
            let token = asking.client.create_token(&request).await?;
            asking.out.one(&token, |token| format!("{}\n", token.token.expose()))?;
            if !asking.out.json {
                say(&format!(
                    "This is token {}; it is not shown again. To use it:\n  \
                     export RINGWALL_URL={} RINGWALL_TOKEN=…",
                    token.id, asking.server.url
                ));
            }
        }
        Some(Action::Delete { id }) => {
            asking.client.delete_token(&id).await?;
            asking.out.done(&id, &format!("token {} is gone", visible(&id)))?;
        }
    }
    Ok(Exit::Yes)
}

fn table(rows: &[TokenRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("TOKEN"),
        Column::new("NAME").flexible(),
        Column::new("ROLE"),
        Column::new("ONLY").flexible(),
        Column::new("MADE").right(),
        Column::new("USED").right(),
        Column::new("ENDS").right(),
    ];
    Table::of(columns, rows, |row| {
        let when = |moment: Option<Timestamp>| Cell::maybe(moment.map(|moment| ago(now, moment)));
        let ends = match row.expires {
            None => Cell::styled("never", Style::Faint),
            Some(end) if end <= now => Cell::styled("ended", Style::Bad),
            Some(end) => Cell::new(ago(now, end)),
        };
        vec![
            Cell::new(&row.id),
            Cell::new(&row.name),
            Cell::new(row.role.name()),
            match &row.scopes {
                Some(scopes) => Cell::new(scopes.join(", ")),
                None => Cell::styled("all of it", Style::Faint),
            },
            Cell::new(ago(now, row.created)),
            when(row.last_used),
            ends,
        ]
    })
}
