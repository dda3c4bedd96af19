use super::fields::read_json;
use crate::output::{Cell, Column, Style, Table, duration};
use crate::tool::Asking;
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::Network;
use ringwall_lifecycle::Failure;
use ringwall_server_api::{GuardAutomatic, GuardAutomaticRule};
use std::path::PathBuf;

/// When addresses are banned without anybody asking
///
/// A rule counts sightings of alerts and events of applications' guards, address by address, and bans
/// whoever reaches its threshold: everywhere, written down in the audit log.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  ringwall guard automatic show
  ringwall guard automatic show --json > automatic.json
  ringwall guard automatic set automatic.json
  ringwall guard automatic set --share-app-bans on --never-ban 198.51.100.0/24

A file with one rule:
  {\"rules\": [{\"name\": \"probes\", \"ban_seconds\": 3600, \"hosts\": false,
    \"when\": {\"event_types\": [\"penetration_attempt\"], \"threshold\": 5, \"window_seconds\": 300}}],
   \"share_app_bans\": false, \"never_ban\": [\"198.51.100.0/24\"]}";

#[derive(Debug, Subcommand)]
enum Action {
    /// The rules in force
    Show,
    /// Replace the rules by those of a file, or change what stands beside them
    Set {
        /// A JSON file as `show --json` prints it; - for stdin
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Whether an address that one application bans is banned from all: on or off
        #[arg(long, value_name = "ON|OFF", value_parser = on_or_off)]
        share_app_bans: Option<bool>,
        /// Addresses and networks that nobody bans, in place of those before; may be given several times
        #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
        never_ban: Vec<Network>,
    },
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<()> {
    let settings = match arguments.action {
        Action::Show => asking.client.guard_automatic().await?,
        Action::Set { file, share_app_bans, never_ban } => {
            if file.is_none() && share_app_bans.is_none() && never_ban.is_empty() {
                return Err(Failure::new("nothing to set")
                    .hint("give a file, --share-app-bans or --never-ban")
                    .into());
            }
            let mut settings: GuardAutomatic = match file {
                Some(path) => read_json(&path)?,
                None => asking.client.guard_automatic().await?,
            };
            if let Some(share) = share_app_bans {
                settings.share_app_bans = share;
            }
            if !never_ban.is_empty() {
                settings.never_ban = never_ban;
            }
            asking.client.replace_guard_automatic(&settings).await?
        }
    };
    asking.out.one(&settings, |settings| {
        let mut text = match settings.rules.as_slice() {
            [] => "no rules\n".to_owned(),
            rules => table(rules).render(asking.out.paint, asking.out.width),
        };
        let shared = if settings.share_app_bans { "yes" } else { "no" };
        text += &format!("bans of one application hold everywhere: {shared}\n");
        let networks: Vec<String> = settings.never_ban.iter().map(Network::to_string).collect();
        let never = if networks.is_empty() { "nobody".to_owned() } else { networks.join(", ") };
        text + &format!("never banned, besides the server itself and protected networks: {never}\n")
    })
}

fn table(rules: &[GuardAutomaticRule]) -> Table {
    let columns = vec![
        Column::new("RULE"),
        Column::new("COUNTS").flexible(),
        Column::new("TIMES").right(),
        Column::new("WITHIN").right(),
        Column::new("BAN").right(),
        Column::new("WHERE"),
        Column::new("HOSTS"),
    ];
    Table::of(columns, rules, |rule| {
        let when = &rule.when;
        let counts: Vec<&str> =
            when.findings.iter().chain(&when.event_types).map(String::as_str).collect();
        vec![
            if rule.enabled {
                Cell::new(&rule.name)
            } else {
                Cell::styled(format!("{} (off)", rule.name), Style::Faint)
            },
            Cell::new(counts.join(", ")),
            Cell::new(when.threshold.to_string()),
            Cell::new(duration(i64::from(when.window_seconds))),
            Cell::new(duration(i64::from(rule.ban_seconds))),
            match &rule.projects {
                Some(projects) => Cell::new(projects.join(", ")),
                None => Cell::styled("everywhere", Style::Faint),
            },
            Cell::new(if rule.hosts { "yes" } else { "" }),
        ]
    })
}

pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}
