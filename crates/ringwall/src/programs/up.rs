mod banner;
mod demo;
mod local_agent;

use super::serving::{Serving, runtime, with_hint};
use crate::output::Output;
use anyhow::{Context, Error, Result, bail};
use clap::Args;
use local_agent::LocalAgent;
use ringwall_lifecycle::logging::{self, LogFormat};
use ringwall_lifecycle::{Exit, ReadyFile, Shutdown};
use ringwall_server::Config;
use tokio::sync::oneshot;
use tracing::Level;

/// Start everything on this machine: server, dashboard, host agent
///
/// Prints where to look and the first password, and runs until it is interrupted. Everything is
/// kept in one folder; only this machine can reach it. A dialect whose port is taken is served
/// under the main port instead.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    serving: Serving,
    /// Let two made-up hosts report, so that there is something to see
    ///
    /// demo-web-1 (SysScore) and demo-db-1 (Watcher) exist only in what is sent. Nothing is run and
    /// nothing is killed for them. Where the program guarded-shop lies beside this one, it is run on
    /// a free port of loopback, as the project demo-shop, and attacked now and then.
    #[arg(long)]
    demo: bool,
    /// Do not watch this machine
    #[arg(long)]
    no_host_agent: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringwall up
  ringwall up --demo
  ringwall up --data-dir /tmp/try --ephemeral-ports --ready-file /tmp/try.json
  ringwall up --env-file platform/.env        agents' secrets as SysScore's guide has them";

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let config = arguments.serving.configuration()?.value;
    logging::start(LogFormat::from_environment().map_err(unknown_format)?, Level::WARN)
        .map_err(Error::msg)?;
    runtime()?.block_on(serve(arguments, config))
}

fn unknown_format(format: String) -> Error {
    Error::msg(format!("RINGWALL_LOG_FORMAT: `{format}` is neither text nor json"))
}

async fn serve(arguments: Arguments, config: Config) -> Result<Exit> {
    let asked = Shutdown::on_signals()?;
    // The host agent ends first, so that its last report finds a server.
    let stop = Shutdown::new();
    let options = arguments.serving.options(&stop, false)?;
    let (tell_ready, ready) = oneshot::channel();
    let server = ringwall_server::run(config, options, |ready: &ReadyFile| {
        // The receiver waits below for as long as the server runs.
        drop(tell_ready.send(ready.clone()));
    });
    tokio::pin!(server);
    let ready = tokio::select! {
        ended = &mut server => {
            ended.map_err(with_hint)?;
            bail!("the server ended before it was ready");
        }
        () = asked.asked() => {
            stop.ask();
            server.await.map_err(with_hint)?;
            return Ok(Exit::Yes);
        }
        ready = ready => ready.context("the server did not say that it is ready")?,
    };
    let out = Output::new(false);
    let watched = (!arguments.no_host_agent).then(LocalAgent::name);
    out.text(&banner::text(&ready, watched.as_deref(), arguments.demo, out.paint))?;

    let local_agent = watched.map(|name| LocalAgent::new(&ready, name)).transpose()?;
    let beside = async {
        let agent = async {
            match local_agent {
                Some(agent) => agent.supervise(&asked).await,
                None => asked.asked().await,
            }
        };
        let demo = async {
            if arguments.demo {
                demo::run(&ready).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = agent => {}
            () = demo => {}
        }
    };
    tokio::select! {
        ended = &mut server => {
            ended.map_err(with_hint)?;
            bail!("the server ended by itself");
        }
        () = beside => {}
    }
    stop.ask();
    server.await?;
    Ok(Exit::Yes)
}
