use super::backup::{Made, facts};
use super::store_directory::StoreDirectory;
use super::store_failure::of_backup;
use super::store_work;
use crate::output::{Output, say};
use anyhow::Result;
use clap::Args;
use ringwall_lifecycle::Exit;
use ringwall_store::backup::{MasterKey, RestoreOptions, restore};
use std::path::PathBuf;

/// Make a data directory from a backup
///
/// The data directory must not exist, or be empty. It is built beside its place and gets its name when
/// every byte of it was compared and is on the disk: it is whole, or it is not there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder that `ringwall backup` made
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Take the master key from this file
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Restore without a master key: put master.key there before a server is started
    #[arg(long, conflicts_with = "master_key")]
    without_master_key: bool,
    #[command(flatten)]
    directory: StoreDirectory,
}

const EXAMPLES: &str = "\
Examples:
  ringwall restore /backup/tuesday --data-dir /var/lib/ringwall
  ringwall restore /backup/tuesday --data-dir /tmp/drill     an exercise, beside the real one
  ringwall restore /backup/tuesday --master-key /safe/master.key";

pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let out = Output::new(arguments.directory.json);
    let data_dir = arguments.directory.path()?;
    let master_key = match (arguments.master_key, arguments.without_master_key) {
        (Some(path), _) => MasterKey::File(path),
        (None, true) => MasterKey::Later,
        (None, false) => MasterKey::InBackup,
    };
    let has_key = master_key != MasterKey::Later;
    let (backup, target) = (arguments.backup, data_dir.clone());
    let options = RestoreOptions { master_key };
    let restored = store_work::run(move |progress| restore(&backup, &target, &options, progress))?;
    let manifest = restored.map_err(of_backup)?;
    let made = Made { path: &data_dir, manifest: &manifest };
    out.one(&made, |made| facts("restored", made).render(out.paint))?;
    if !has_key {
        say("put master.key into it before a server is started: one that finds none makes its own");
    }
    say("what was changed after the backup is as it was before: revoke again what was revoked");
    Ok(Exit::Yes)
}
