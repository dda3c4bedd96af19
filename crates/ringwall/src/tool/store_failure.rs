//! What goes wrong with a data directory or a backup, and what to do about it.

use ringwall_lifecycle::Failure;
use ringwall_store::StoreError;
use ringwall_store::backup::BackupError;
use ringwall_store::data_dir::DataDirError;
use std::io::ErrorKind;

pub(super) fn of_data_dir(error: DataDirError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        DataDirError::NoStore(_) => {
            failure.hint("name the data directory of the server by --data-dir")
        }
        DataDirError::Older { .. } => {
            failure.hint("start the server of this version once: it brings the database up to date")
        }
        DataDirError::InUse(_) => failure.hint("stop the server first"),
        DataDirError::Io { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
            failure.hint("run this as the user that the server runs as")
        }
        DataDirError::Store(StoreError::Cancelled) => {
            Failure::new("stopped before the end; nothing was changed")
        }
        DataDirError::Store(StoreError::TooNew { .. }) => {
            failure.hint("use the version of this program that the server has")
        }
        DataDirError::Store(StoreError::Full) => {
            Failure::new("no space left; nothing was changed").hint("make room, and try again")
        }
        _ => failure,
    }
}

pub(super) fn of_backup(error: BackupError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        BackupError::DataDir(error) => of_data_dir(error),
        BackupError::TargetExists(_) => {
            failure.hint("every backup has a folder of its own; name one that does not exist")
        }
        BackupError::TargetInside(_) => {
            failure.hint("choose a place on another disk, or beside the data directory")
        }
        BackupError::NotEmpty(path) => failure.hint(format!(
            "restore to another place, or move this one away first: mv {0} {0}.before",
            path.display()
        )),
        BackupError::MountPoint(path) => failure.hint(format!(
            "restore into a folder within it: --data-dir {}",
            path.join("ringwall").display()
        )),
        BackupError::Underway(_) => failure.hint("wait until it is done"),
        BackupError::NotABackup { .. } => {
            failure.hint("name the folder that `ringwall backup` made: the one with manifest.json")
        }
        BackupError::Damaged { .. } => Failure { hint: None, ..Failure::no(failure.message) }
            .hint("`ringwall store verify` and `ringwall backup verify` tell what else is damaged"),
        BackupError::NoMasterKey(_) => {
            failure.hint("give the key of that server by --master-key FILE")
        }
        _ => failure,
    }
}
