//! A small web shop with Ringwall's guard around it.
//!
//! ```text
//! ringwall guard project add shop --json > shop.json
//! SHOP_GUARD_KEY=… SHOP_SIGNING_SECRET=… SHOP_ENCRYPTION_KEY=… guarded-shop
//! ```

#![forbid(unsafe_code)]

mod catalogue;
mod guarding;
mod pages;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use clap::Parser;
use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

/// When the shop ends, requests that are under way have so long to end, too.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(10);

/// A small web shop with Ringwall's guard around it.
#[derive(Parser)]
#[command(name = "guarded-shop", version)]
struct Arguments {
    /// Where the shop listens. Port 0 takes a free one; the first line of the output says which.
    #[arg(long, env = "SHOP_LISTEN", default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// The server that gets telemetry and gives rules.
    #[arg(
        long,
        env = "SHOP_GUARD_ENDPOINT",
        default_value = "http://127.0.0.1:7400/dialects/guard"
    )]
    guard_endpoint: String,
    /// The project at that server.
    #[arg(long, env = "SHOP_GUARD_PROJECT", default_value = "shop")]
    guard_project: String,
    /// The project's key. Without one the shop is guarded, and nobody is told.
    #[arg(long, env = "SHOP_GUARD_KEY", hide_env_values = true)]
    guard_key: Option<String>,
    /// The project's secret for signatures.
    #[arg(long, env = "SHOP_SIGNING_SECRET", hide_env_values = true)]
    signing_secret: Option<String>,
    /// The project's key for encryption.
    #[arg(long, env = "SHOP_ENCRYPTION_KEY", hide_env_values = true)]
    encryption_key: Option<String>,
    /// The authorities that vouch for the server, in PEM form, instead of those of this machine.
    #[arg(long, env = "SHOP_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Where telemetry waits until the server has it; in memory where nothing is said.
    #[arg(long, env = "SHOP_SPOOL")]
    spool: Option<PathBuf>,
    /// Seconds between two sendings.
    #[arg(long, env = "SHOP_FLUSH_INTERVAL", default_value_t = 5.0)]
    flush_interval: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let telemetry = match telemetry_options(&arguments) {
        Some(options) => Some(Telemetry::start(options).await?),
        None => None,
    };
    let guard = guarding::guard(telemetry.as_ref())?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    let service = pages::router().layer(guard);
    let (ending, mut is_ending) = watch::channel(false);
    let asked = asked_to_end()?;
    let served = axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            asked.await;
            ending.send_replace(true);
        })
        .into_future();
    tokio::select! {
        served = served => served?,
        // Whoever holds a request open must not keep telemetry from being sent.
        () = is_over(&mut is_ending) => tracing::warn!("some requests were cut off"),
    }
    if let Some(telemetry) = telemetry {
        let stopped = telemetry.stop().await;
        tracing::info!(waiting = stopped.waiting, kept = stopped.are_kept, "telemetry ended");
    }
    Ok(())
}

/// Ends when the time is over that requests have for their own end.
async fn is_over(is_ending: &mut watch::Receiver<bool>) {
    if is_ending.wait_for(|is_ending| *is_ending).await.is_err() {
        // Nobody asks any more: the server has ended by itself.
        std::future::pending::<()>().await;
    }
    sleep(REQUESTS_PATIENCE).await;
}

/// None where there is no key.
fn telemetry_options(arguments: &Arguments) -> Option<TelemetryOptions> {
    let key = arguments.guard_key.clone()?;
    Some(TelemetryOptions {
        project_id: Some(arguments.guard_project.clone()),
        payload_signing_secret: arguments.signing_secret.clone(),
        project_encryption_key: arguments.encryption_key.clone(),
        ca_file: arguments.ca_file.clone(),
        spool_folder: arguments.spool.clone(),
        flush_interval: arguments.flush_interval,
        guard_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..TelemetryOptions::new(&arguments.guard_endpoint, key)
    })
}

/// Ends when the process is interrupted or terminated.
fn asked_to_end() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
