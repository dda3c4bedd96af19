//! What a large store costs: bytes for each event, processor time for a question, the wait for a page.
//!
//! Events are generated straight into the archive; then the questions are asked of the tool, and of
//! DuckDB on the same files; then the server runs on them and answers what the dashboard asks.

mod endpoints;
mod questions;

use crate::limits::Limits;
use anyhow::{Context, Result};
use ringwall_end_to_end::folder;
use ringwall_end_to_end::measured;
use ringwall_end_to_end::server::Setup;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) events: u64,
    pub(crate) hosts: u64,
    /// How often each endpoint is asked.
    pub(crate) requests: u64,
    /// Where the data lies; what is there already is used as it is.
    pub(crate) folder: Option<PathBuf>,
    /// Whether it stays.
    pub(crate) keep: bool,
}

/// The whole data folder, and the Parquet files alone.
const BYTES_PER_EVENT_MAX: f64 = 35.0;
const PARQUET_BYTES_PER_EVENT_AIM: f64 = 20.0;
const SEED: u64 = 7;

pub(crate) async fn run(load: Load) -> Result<()> {
    let data = match &load.folder {
        Some(folder) => folder.clone(),
        None => folder::cache()?.join(format!("bench-store-{}", std::process::id())),
    };
    let removed = Removed { path: &data, keep: load.keep || load.folder.is_some() };
    let mut limits = Limits::default();
    generate(&load, &data)?;
    sizes(&data, load.events, &mut limits)?;
    questions::ask(&data, &mut limits)?;
    endpoints::ask(&data, load.requests, &mut limits).await?;
    if removed.keep {
        println!("data      {}", data.display());
    }
    drop(removed);
    limits.held()
}

/// The tool, on this data folder.
fn tool(data: &Path) -> Result<Command> {
    Ok(Setup::new()?.data_in(data).tool())
}

fn generate(load: &Load, data: &Path) -> Result<()> {
    if data.join("ringwall.db").exists() {
        println!("generate  {} is there already", data.display());
        return Ok(());
    }
    let mut command = tool(data)?;
    command.arg("generate").arg("--data-dir").arg(data);
    command.args(["--events", &load.events.to_string(), "--hosts", &load.hosts.to_string()]);
    command.args(["--seed", &SEED.to_string()]);
    let (_, usage) = measured::run(command)?;
    let seconds = usage.wall.as_secs_f64();
    println!(
        "generate  {} events of {} hosts in {seconds:.1} s: {:.0} events/s; {:.1} CPU s, {:.0} MiB at most",
        load.events,
        load.hosts,
        load.events as f64 / seconds,
        usage.cpu.as_secs_f64(),
        mebibytes(usage.peak_bytes),
    );
    Ok(())
}

fn sizes(data: &Path, events: u64, limits: &mut Limits) -> Result<()> {
    let everything = folder::bytes(data)? as f64 / events as f64;
    let parquet = folder::bytes(&data.join("archive"))? as f64 / events as f64;
    let held = limits.check("bytes per event", everything, BYTES_PER_EVENT_MAX, "bytes");
    println!("size      {everything:.2} bytes per event; {held}");
    println!(
        "Parquet   {parquet:.2} bytes per event (aim {PARQUET_BYTES_PER_EVENT_AIM:.0}), {:.0} MiB",
        mebibytes(folder::bytes(&data.join("archive"))?)
    );
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1048576.0
}

/// The data folder goes when the bench is done with it, also when it failed.
struct Removed<'a> {
    path: &'a Path,
    keep: bool,
}

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = std::fs::remove_dir_all(self.path)
        {
            println!("error: cannot remove {}: {error}", self.path.display());
        }
    }
}

/// The `n` of the first row that `ringwall query --json` printed.
fn first_number(output: &[u8]) -> Result<u64> {
    let answer: serde_json::Value = serde_json::from_slice(output)?;
    let number = answer.pointer("/0/n").and_then(serde_json::Value::as_u64);
    number.with_context(|| format!("no number in {answer}"))
}
