use super::serving::{Serving, runtime, with_hint};
use crate::output::say;
use anyhow::{Error, Result};
use clap::Args;
use ringwall_lifecycle::logging::{self, LogFormat};
use ringwall_lifecycle::{Exit, Shutdown};
use tracing::Level;

/// The server alone: intake, conclusions, API, dashboard
///
/// For service managers: logs to stderr, stops on SIGTERM once everything is on disk. With a
/// configuration file, a port that is taken is an error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    serving: Serving,
    /// Check the configuration and end
    #[arg(long)]
    check: bool,
    /// Log JSON, one object a line; RINGWALL_LOG chooses what is logged (info, debug, ...)
    #[arg(long)]
    log_json: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringwall server --config /etc/ringwall/ringwall.toml
  ringwall server --config /etc/ringwall/ringwall.toml --check
  RINGWALL_LOG=debug ringwall server --data-dir /tmp/try --ephemeral-ports";

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let config = arguments.serving.configuration()?.value;
    if arguments.check {
        say("the configuration is right");
        return Ok(Exit::Yes);
    }
    let format = if arguments.log_json { LogFormat::Json } else { LogFormat::Text };
    logging::start(format, Level::INFO).map_err(Error::msg)?;
    runtime()?.block_on(async {
        let stop = Shutdown::on_signals()?;
        let options = arguments.serving.options(&stop, arguments.serving.config.is_some())?;
        ringwall_server::run(config, options, |_| {}).await.map_err(with_hint)?;
        Ok(Exit::Yes)
    })
}
