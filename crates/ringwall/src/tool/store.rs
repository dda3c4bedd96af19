mod stats;

use super::store_directory::StoreDirectory;
use super::store_failure::of_data_dir;
use super::store_work;
use crate::output::{Cell, Column, Fields, Output, Style, Table, bytes, count, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_lifecycle::Exit;
use ringwall_store::maintenance::{Finding, FindingSeverity, Verification, rebuild, verify};
use std::path::PathBuf;

/// The store itself: is it sound, and what is in it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    directory: StoreDirectory,
}

const EXAMPLES: &str = "\
Examples:
  ringwall store verify
  ringwall store verify --json | jq '.findings[]'
  ringwall store stats --days 30
  ringwall store rebuild                       with the server stopped";

#[derive(Debug, Subcommand)]
enum Action {
    /// Read every byte again and count everything again, while the server runs
    ///
    /// The database is examined, every archive file is compared with the SHA-256 that was noted when it
    /// was written, and its rows with what is noted of them. Nothing is changed. Exit code 0: sound; 1:
    /// something is lost, doubled or altered; 2: no answer could be had.
    Verify {
        /// How many files are read at once; default: as many as there are processors
        #[arg(long, value_name = "NUMBER")]
        threads: Option<usize>,
    },
    /// Events, files and bytes, by day and by column
    Stats {
        /// List so many days
        #[arg(long, value_name = "NUMBER", default_value_t = 14)]
        days: usize,
    },
    /// Count the events by minute anew, while no server runs
    ///
    /// The dashboard's timelines are drawn from counts that are kept at intake. Where `ringwall store
    /// verify` finds them wrong, this makes them anew from the events themselves.
    Rebuild,
}

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let out = Output::new(arguments.directory.json);
    let data_dir = arguments.directory.path()?;
    match arguments.action {
        Action::Verify { threads } => examine(data_dir, threads, &out),
        Action::Stats { days } => stats::run(data_dir, days, &out),
        Action::Rebuild => count_anew(data_dir, &out),
    }
}

fn examine(data_dir: PathBuf, threads: Option<usize>, out: &Output) -> Result<Exit> {
    let threads = threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let place = data_dir.clone();
    let verified = store_work::run(move |progress| verify(&place, threads, progress))?;
    let verification: Verification = verified.map_err(of_data_dir)?;
    let sound = verification.is_sound();
    if out.json {
        out.json(&serde_json::json!({
            "sound": sound,
            "path": data_dir,
            "checked": verification.checked,
            "findings": verification.findings,
            "findings_left_out": verification.findings_left_out,
        }))?;
    } else {
        let checked = verification.checked;
        let fields = Fields::default()
            .styled("store", data_dir.display().to_string(), Style::Strong)
            .with(
                "intake",
                format!(
                    "{} events in {} batches",
                    count(checked.intake_events),
                    count(checked.intake_batches)
                ),
            )
            .with(
                "archive",
                format!(
                    "{} events in {} files, {}",
                    count(checked.archived_events),
                    count(checked.archive_files),
                    bytes(checked.archive_bytes)
                ),
            );
        out.text(&fields.render(out.paint))?;
        tell_findings(&verification.findings, out)?;
        if verification.findings_left_out > 0 {
            say(&format!("and {} more findings", count(verification.findings_left_out)));
        }
        say(if sound {
            "sound: nothing is lost, doubled or altered"
        } else {
            "not sound: restore a backup, or keep what can still be read"
        });
    }
    Ok(if sound { Exit::Yes } else { Exit::No })
}

fn count_anew(data_dir: PathBuf, out: &Output) -> Result<Exit> {
    let rebuilt = store_work::run(move |progress| rebuild(&data_dir, progress))?;
    let rebuilt = rebuilt.map_err(of_data_dir)?;
    out.one(&rebuilt, |rebuilt| {
        Fields::default()
            .with("counted", format!("{} events", count(rebuilt.events)))
            .with("read", format!("{} archive files and the intake", count(rebuilt.archive_files)))
            .render(out.paint)
    })?;
    Ok(Exit::Yes)
}

/// A table of findings; nothing where there are none.
pub(super) fn tell_findings(findings: &[Finding], out: &Output) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::new("SEVERITY"),
        Column::new("KIND"),
        Column::new("PLACE").flexible(),
        Column::new("WHAT").flexible(),
    ];
    let table = Table::of(columns, findings, |finding| {
        let style = match finding.severity {
            FindingSeverity::Damage => Style::Bad,
            FindingSeverity::Warning => Style::Warning,
            FindingSeverity::Note => Style::Faint,
        };
        vec![
            Cell::styled(finding.severity.name(), style),
            Cell::new(finding.kind.name()),
            Cell::new(&finding.place),
            Cell::new(&finding.what),
        ]
    });
    out.text(&format!("\n{}\n", table.render(out.paint, out.width)))
}
