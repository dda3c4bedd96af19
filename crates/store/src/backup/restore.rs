//! A data directory from a backup.

use super::check::compare;
use super::copy::Copying;
use super::unfinished::Unfinished;
use super::{BackupError, MASTER_KEY_BYTES, Manifest, database_copy};
use crate::Progress;
use crate::data_dir::{ARCHIVE, DATABASE, DataDirError, MASTER_KEY, io_error, is_in_use};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a backup is restored.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// Where the master key comes from.
    pub master_key: MasterKey,
}

/// Where a restored data directory has its master key from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MasterKey {
    /// From the backup, which must hold it.
    #[default]
    InBackup,
    /// From this file.
    File(PathBuf),
    /// From nowhere: somebody will put it there before a server is started.
    Later,
}

/// Builds the data directory `data_dir` from a backup: it is there whole, or not at all.
///
/// # Errors
/// Where the backup is damaged or has no master key, or `data_dir` holds something. Then `data_dir`
/// is as it was.
pub fn restore(
    backup: &Path,
    data_dir: &Path,
    options: &RestoreOptions,
    progress: &Arc<Progress>,
) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(backup)?;
    if options.master_key == MasterKey::InBackup && !manifest.has_master_key() {
        return Err(BackupError::NoMasterKey(backup.to_owned()));
    }
    let target = target(data_dir)?;
    let unfinished = Unfinished::create(&target, "restoring")?;
    unfinished.folder(ARCHIVE)?;
    progress.begin("files", manifest.bytes, manifest.files.len() as u64);
    let mut copying = Copying::new(progress);
    for file in &manifest.files {
        progress.file_done();
        if file.path == MASTER_KEY && options.master_key != MasterKey::InBackup {
            continue;
        }
        let source = backup.join(&file.path);
        let copied = copying.copy(&source, &unfinished.path().join(&file.path))?;
        if let Some(finding) = file.difference(copied.bytes, &copied.sha256) {
            return Err(BackupError::Damaged { path: source, why: finding.what });
        }
    }
    if let MasterKey::File(source) = &options.master_key {
        let copied = copying.copy(source, &unfinished.path().join(MASTER_KEY))?;
        if copied.bytes != MASTER_KEY_BYTES {
            return Err(BackupError::BadMasterKey { path: source.clone(), bytes: copied.bytes });
        }
    }
    let content = database_copy::examine(&unfinished.path().join(DATABASE), progress)?;
    let findings = compare(&manifest, &content);
    if let Some(damage) = findings.into_iter().find(|finding| finding.is_damage()) {
        return Err(BackupError::Damaged { path: backup.join(damage.place), why: damage.what });
    }
    progress.go_on()?;
    unfinished.finish(&target).map_err(|error| match error {
        // Somebody put something there meanwhile.
        BackupError::TargetExists(path) => BackupError::NotEmpty(path),
        other => other,
    })?;
    Ok(manifest)
}

/// The place of the data directory, which must be free.
fn target(data_dir: &Path) -> Result<PathBuf, BackupError> {
    match std::fs::read_dir(data_dir) {
        Ok(mut entries) => {
            if is_in_use(data_dir) {
                return Err(DataDirError::InUse(data_dir.to_owned()).into());
            }
            if entries.next().is_some() {
                return Err(BackupError::NotEmpty(data_dir.to_owned()));
            }
            let path = data_dir.canonicalize().map_err(io_error(data_dir))?;
            let device = |path: &Path| path.metadata().map(|metadata| metadata.dev());
            let parent = path.parent().ok_or_else(|| BackupError::MountPoint(path.clone()))?;
            let here = device(&path).map_err(io_error(&path))?;
            if here != device(parent).map_err(io_error(parent))? {
                return Err(BackupError::MountPoint(path));
            }
            Ok(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(name), Some(parent)) = (data_dir.file_name(), data_dir.parent()) else {
                return Err(BackupError::NotEmpty(data_dir.to_owned()));
            };
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(io_error(parent))?;
            Ok(parent.canonicalize().map_err(io_error(parent))?.join(name))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(BackupError::NotEmpty(data_dir.to_owned()))
        }
        Err(error) => Err(io_error(data_dir)(error).into()),
    }
}
