//! One figure a run, with the machine and the versions it was taken on.
//!
//! `bench ingest [--seconds S] [--connections N]`, `bench react [--runs N]`,
//! `bench agent [--seconds S] [--processes N]`; each drives the binary named by `RINGWALL_BIN`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it prints its figure")]

mod agent;
mod ingest;
mod react;

use anyhow::{Context, Result, bail};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::process_stat;
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
        other => bail!("no bench `{other}`; there are ingest, react, agent"),
    }
}

fn option(options: &[String], name: &str, default: u64) -> Result<u64> {
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} wants a number"))?;
        if word == name {
            return value.parse().with_context(|| format!("{name} `{value}`"));
        }
    }
    Ok(default)
}

/// The value that this share of the sorted values does not exceed.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(index.saturating_sub(1)).copied().unwrap_or_default()
}
