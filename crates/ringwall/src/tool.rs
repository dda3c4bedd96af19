//! The tool for people: asks a server and prints the answer.

pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod generate;
pub(crate) mod restore;
pub(crate) mod store;

mod alerts;
mod audit;
mod ca;
mod commands;
mod events;
mod follow;
mod guard;
mod holds;
mod hosts;
mod indicators;
mod keys;
mod overview;
mod pick;
mod process_tree;
mod query;
mod scores;
mod store_directory;
mod store_failure;
mod store_work;
mod timeline;
mod tokens;
mod users;
mod webhooks;

use crate::discovery::{self, Connect, Found};
use crate::output::Output;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ringwall_lifecycle::{Exit, logging};
use ringwall_server_client::Client;

/// The subcommands that ask a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    Overview(overview::Arguments),
    Hosts(hosts::Arguments),
    Events(events::Arguments),
    Query(query::Arguments),
    Timeline(timeline::Arguments),
    Alerts(alerts::Arguments),
    Scores(scores::Arguments),
    Commands(commands::Arguments),
    Indicators(indicators::Arguments),
    Keys(keys::Arguments),
    Tokens(tokens::Arguments),
    Users(users::Arguments),
    Holds(holds::Arguments),
    Webhooks(webhooks::Arguments),
    Guard(guard::Arguments),
    Audit(audit::Arguments),
    Ca(ca::Arguments),
}

/// How many rows.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Limit {
    /// Print at most so many rows
    #[arg(long, short = 'n', value_name = "ROWS", default_value_t = 100)]
    limit: usize,
}

/// A server to ask, and a way to print.
pub(crate) struct Asking {
    client: Client,
    out: Output,
    server: Found,
}

impl Asking {
    fn new(connect: &Connect) -> Result<Self> {
        let server = discovery::find(connect.data_dir.as_deref(), connect.ca.as_deref(), |name| {
            std::env::var_os(name)
        })?;
        let client = Client::trusting(&server.url, &server.token, &server.trust()?)?;
        Ok(Self { client, out: Output::new(connect.json), server })
    }
}

/// Runs a subcommand to its end.
pub(crate) fn run(part: Part) -> Result<Exit> {
    if std::env::var_os("RINGWALL_LOG").is_some() {
        logging::start(logging::LogFormat::Text, tracing::Level::WARN)
            .map_err(anyhow::Error::msg)?;
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?
        .block_on(ask(part))
}

async fn ask(part: Part) -> Result<Exit> {
    match part {
        Part::Overview(arguments) => overview::run(&Asking::new(&arguments.connect)?).await,
        Part::Hosts(arguments) => hosts::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Events(arguments) => events::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Query(arguments) => query::run(arguments).await,
        Part::Timeline(arguments) => {
            timeline::run(&Asking::new(&arguments.connect)?, arguments).await
        }
        Part::Alerts(arguments) => alerts::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Scores(arguments) => scores::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Commands(arguments) => {
            commands::run(&Asking::new(&arguments.connect)?, arguments).await
        }
        Part::Indicators(arguments) => {
            indicators::run(&Asking::new(&arguments.connect)?, arguments).await
        }
        Part::Keys(arguments) => keys::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Tokens(arguments) => tokens::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Users(arguments) => users::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Holds(arguments) => holds::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Webhooks(arguments) => {
            webhooks::run(&Asking::new(&arguments.connect)?, arguments).await
        }
        Part::Guard(arguments) => guard::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Audit(arguments) => audit::run(&Asking::new(&arguments.connect)?, arguments).await,
        Part::Ca(arguments) => ca::run(&Asking::new(&arguments.connect)?).await,
    }
}
