//! One figure a run, with the machine and the versions it was taken on.
//!
//! `bench ingest [--seconds S] [--connections N]`, `bench react [--runs N]`,
//! `bench agent [--seconds S] [--processes N]`,
//! `bench store [--events N] [--hosts N] [--requests N] [--dir DIRECTORY] [--keep]`,
//! `bench fleet [--agents N] [--seconds S] [--orders N]`,
//! `bench query [--seconds S] [--connections N] [--events N]`,
//! `bench guard [--requests N] [--without-original]`;
//! each but `guard` drives the binary named by `RINGWALL_BIN`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it prints its figure")]

mod agent;
mod fleet;
mod guard;
mod guard_telemetry;
mod ingest;
mod limits;
mod query;
mod react;
mod store;

use anyhow::{Context, Result, bail};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::process_stat;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

#[tokio::main]
async fn main() -> ExitCode {
    match bench().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, options)) = words.split_first() else { bail!("which bench?") };
    println!("machine   {}", process_stat::machine());
    if name == "guard" {
        let with_original = !options.iter().any(|word| word == "--without-original");
        guard::run(option(options, "--requests", 20_000)?, with_original).await?;
        return guard_telemetry::run().await;
    }
    let version = Command::new(environment::ringwall()?).arg("--version").output()?;
    println!("program   {}", String::from_utf8_lossy(&version.stdout).trim());
    match name.as_str() {
        "ingest" => {
            let seconds = option(options, "--seconds", 10)?;
            let connections = option(options, "--connections", 4)?;
            ingest::run(Duration::from_secs(seconds), connections).await
        }
        "react" => react::run(option(options, "--runs", 1000)?).await,
        "agent" => {
            let seconds = option(options, "--seconds", 60)?;
            let processes = option(options, "--processes", 300)?;
            agent::run(Duration::from_secs(seconds), processes).await
        }
        "fleet" => {
            fleet::run(fleet::Load {
                agents: option(options, "--agents", 1000)?,
                duration: Duration::from_secs(option(options, "--seconds", 60)?),
                orders: option(options, "--orders", 300)?,
            })
            .await
        }
        "store" => {
            store::run(store::Load {
                events: option(options, "--events", 100_000_000)?,
                hosts: option(options, "--hosts", 200)?,
                requests: option(options, "--requests", 200)?,
                folder: text_option(options, "--dir").map(PathBuf::from),
                keep: options.iter().any(|word| word == "--keep"),
            })
            .await
        }
        "query" => {
            let seconds = option(options, "--seconds", 15)?;
            let connections = option(options, "--connections", 4)?;
            let events = option(options, "--events", 5_000_000)?;
            query::run(Duration::from_secs(seconds), connections, events).await
        }
        other => {
            bail!("no bench `{other}`; there are ingest, react, agent, fleet, store, query, guard")
        }
    }
}

fn option(options: &[String], name: &str, default: u64) -> Result<u64> {
    match text_option(options, name) {
        Some(value) => value.parse().with_context(|| format!("{name} `{value}`")),
        None if options.iter().any(|word| word == name) => bail!("{name} wants a number"),
        None => Ok(default),
    }
}

/// The word after this one.
fn text_option<'a>(options: &'a [String], name: &str) -> Option<&'a String> {
    let place = options.iter().position(|word| word == name)?;
    options.get(place + 1)
}

/// The value that this share of the sorted values does not exceed.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(index.saturating_sub(1)).copied().unwrap_or_default()
}
