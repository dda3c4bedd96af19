use super::store_directory::StoreDirectory;
use super::store_failure::of_backup;
use super::{store, store_work};
use crate::output::{Fields, Output, Style, bytes, clock, count, duration, now, say};
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_lifecycle::Exit;
use ringwall_store::backup::{BackupCheck, BackupOptions, Manifest, backup, check};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Copy everything to a new folder, while the server runs
///
/// The folder holds the database as of one moment, the archive files that belong to it, the master
/// key, and a manifest with the SHA-256 of each. Every byte is compared with what was written. The
/// folder gets its name when all of it is on the disk: it is whole, or it is not there.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// The folder to make; it must not exist
    #[arg(value_name = "FOLDER", required = true)]
    target: Option<PathBuf>,
    /// An older backup on the same file system: files that it holds are linked from there
    ///
    /// Archive files never change, so a day's backup costs the room of what was archived on that day.
    /// What is linked is read and compared like everything else.
    #[arg(long, value_name = "BACKUP")]
    base: Option<PathBuf>,
    /// Link archive files from the data directory instead of copying them
    ///
    /// Quick and without cost, where both lie on the same file system; what harms the disk then harms
    /// both.
    #[arg(long)]
    link: bool,
    /// Leave the master key out
    ///
    /// Who finds such a backup cannot open the secrets of agents in it, and nor can you restore it
    /// without the key: keep a copy of master.key elsewhere.
    #[arg(long)]
    without_master_key: bool,
    #[command(flatten)]
    directory: StoreDirectory,
}

const EXAMPLES: &str = "\
Examples:
  ringwall backup /backup/ringwall-2026-11-21
  ringwall backup /backup/tuesday --base /backup/monday
  ringwall backup verify /backup/tuesday
  ringwall restore /backup/tuesday --data-dir /var/lib/ringwall";

#[derive(Debug, Subcommand)]
enum Action {
    /// Read every byte of a backup again, and examine its database
    ///
    /// Exit code 0: it can be restored; 1: it is damaged; 2: it is no backup.
    Verify {
        /// The backup
        #[arg(value_name = "FOLDER")]
        backup: PathBuf,
    },
}

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let out = Output::new(arguments.directory.json);
    match (arguments.action, arguments.target) {
        (Some(Action::Verify { backup }), _) => verify(&backup, &out),
        (None, Some(target)) => {
            let data_dir = arguments.directory.path()?;
            let options = BackupOptions {
                now: now(),
                base: arguments.base,
                link: arguments.link,
                without_master_key: arguments.without_master_key,
            };
            make(data_dir, target, options, &out)
        }
        // Clap asks for one of them.
        (None, None) => Ok(Exit::NoAnswer),
    }
}

/// A backup and where it is, for programs.
#[derive(Serialize)]
pub(super) struct Made<'a> {
    pub(super) path: &'a Path,
    #[serde(flatten)]
    pub(super) manifest: &'a Manifest,
}

fn make(data_dir: PathBuf, target: PathBuf, options: BackupOptions, out: &Output) -> Result<Exit> {
    let started = Instant::now();
    let place = target.clone();
    let made = store_work::run(move |progress| backup(&data_dir, &place, &options, progress))?;
    let manifest = made.map_err(of_backup)?;
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap_or(i64::MAX);
    out.one(&Made { path: &target, manifest: &manifest }, |made| {
        facts("backup", made).with("took", duration(seconds)).render(out.paint)
    })?;
    if manifest.has_master_key() {
        say("the master key is in it: guard it like the data directory");
    } else {
        say("the master key is not in it: without master.key from elsewhere it cannot be restored");
    }
    Ok(Exit::Yes)
}

/// What a backup holds, for people.
pub(super) fn facts(name: &'static str, made: &Made<'_>) -> Fields {
    let manifest = made.manifest;
    let mut size = bytes(manifest.bytes);
    if manifest.linked_bytes > 0 {
        size += &format!(", of which {} are shared", bytes(manifest.linked_bytes));
    }
    Fields::default()
        .styled(name, made.path.display().to_string(), Style::Strong)
        .with("made", format!("{} UTC", clock(manifest.created)))
        .with(
            "events",
            format!(
                "{}: {} in the archive, {} in the intake",
                count(manifest.events()),
                count(manifest.archived_events),
                count(manifest.intake_events)
            ),
        )
        .with("files", format!("{}, {size}", count(manifest.files.len() as u64)))
}

fn verify(folder: &Path, out: &Output) -> Result<Exit> {
    let place = folder.to_owned();
    let checked = store_work::run(move |progress| check(&place, progress))?;
    let BackupCheck { manifest, findings } = checked.map_err(of_backup)?;
    let sound = !findings.iter().any(ringwall_store::maintenance::Finding::is_damage);
    if out.json {
        out.json(&serde_json::json!({
            "sound": sound,
            "path": folder,
            "findings": findings,
            "manifest": manifest,
        }))?;
    } else {
        let facts = facts("backup", &Made { path: folder, manifest: &manifest });
        out.text(&facts.render(out.paint))?;
        store::tell_findings(&findings, out)?;
        say(if sound {
            "sound: every byte is what was written"
        } else {
            "damaged: it cannot be restored as it is"
        });
    }
    Ok(if sound { Exit::Yes } else { Exit::No })
}
