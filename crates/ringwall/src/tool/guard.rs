mod automatic;
mod bans;
mod fields;
mod projects;
mod rules;
mod telemetry;

use super::Asking;
use crate::discovery::Connect;
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_lifecycle::Exit;

/// Guarded applications: their projects, rules and bans
///
/// Without a subcommand, lists projects. Guards of web applications (the Python guard agents, and our
/// own layer for Rust) report to a project with its key.
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
  ringwall guard project add shop
  (umask 077; ringwall guard project add shop --json > shop.json)
  ringwall guard project rotate shop --grace-seconds 3600
  ringwall guard project set shop --require-signature on
  ringwall guard rules set shop 'blocked_user_agents=[\"sqlmap\"]'
  ringwall guard bans add 203.0.113.7 --for 2h --reason probes
  ringwall guard events shop --type penetration_attempt --since 1h
  ringwall guard agents shop";

#[derive(Debug, Subcommand)]
enum Action {
    Project(projects::Arguments),
    Rules(rules::Arguments),
    Bans(bans::Arguments),
    Automatic(automatic::Arguments),
    Events(telemetry::Events),
    Agents(telemetry::Agents),
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None => projects::list(asking).await?,
        Some(Action::Project(arguments)) => projects::run(asking, arguments).await?,
        Some(Action::Rules(arguments)) => rules::run(asking, arguments).await?,
        Some(Action::Bans(arguments)) => bans::run(asking, arguments).await?,
        Some(Action::Automatic(arguments)) => automatic::run(asking, arguments).await?,
        Some(Action::Events(arguments)) => telemetry::events(asking, arguments).await?,
        Some(Action::Agents(arguments)) => telemetry::agents(asking, arguments).await?,
    }
    Ok(Exit::Yes)
}
