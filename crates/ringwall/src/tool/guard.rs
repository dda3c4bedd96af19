mod projects;

use super::Asking;
use crate::discovery::Connect;
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_lifecycle::Exit;

/// Guarded applications: the projects whose guards report
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
  ringwall guard project rotate shop --grace-seconds 3600";

#[derive(Debug, Subcommand)]
enum Action {
    Project(projects::Arguments),
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None => projects::list(asking).await?,
        Some(Action::Project(arguments)) => projects::run(asking, arguments).await?,
    }
    Ok(Exit::Yes)
}
