//! A folder under another name until everything in it is on the disk.

use super::BackupError;
use crate::data_dir::io_error;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder that is being built beside the place where it will stand. It is locked as long as its
/// builder lives, and removed unless it is finished.
pub(super) struct Unfinished {
    path: PathBuf,
    lock: File,
    is_finished: bool,
}

impl Unfinished {
    /// Makes `<target>.<work>-<pid>`, and removes what builders of the same target left behind that
    /// were killed.
    pub(super) fn create(target: &Path, work: &str) -> Result<Self, BackupError> {
        let name = target.file_name().unwrap_or_default().to_owned();
        let mut begins = name;
        begins.push(format!(".{work}-"));
        remove_leftovers(target, begins.as_encoded_bytes())?;
        begins.push(std::process::id().to_string());
        let path = target.with_file_name(begins);
        DirBuilder::new().mode(0o700).create(&path).map_err(io_error(&path))?;
        let lock = File::open(&path).map_err(io_error(&path))?;
        lock.lock().map_err(io_error(&path))?;
        Ok(Self { path, lock, is_finished: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, BackupError> {
        let path = self.path.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(io_error(&path))?;
        Ok(path)
    }

    /// Gives it its name, once the names in it are on the disk. The files in it must be already.
    pub(super) fn finish(mut self, target: &Path) -> Result<(), BackupError> {
        for entry in std::fs::read_dir(&self.path).map_err(io_error(&self.path))? {
            let path = entry.map_err(io_error(&self.path))?.path();
            if path.is_dir() {
                sync(&path)?;
            }
        }
        self.lock.sync_all().map_err(io_error(&self.path))?;
        std::fs::rename(&self.path, target).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory => BackupError::TargetExists(target.to_owned()),
            io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
                BackupError::MountPoint(target.to_owned())
            }
            _ => io_error(target)(error).into(),
        })?;
        self.is_finished = true;
        sync(target.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "an unfinished folder stays behind");
        }
    }
}

/// Removes folders beside the target whose names begin so and that nobody holds.
fn remove_leftovers(target: &Path, begins: &[u8]) -> Result<(), BackupError> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    for entry in std::fs::read_dir(parent).map_err(io_error(parent))? {
        let entry = entry.map_err(io_error(parent))?;
        let name = entry.file_name();
        let number = name.as_encoded_bytes().strip_prefix(begins);
        if !number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
            || !entry.file_type().is_ok_and(|kind| kind.is_dir())
        {
            continue;
        }
        let path = entry.path();
        let folder = match File::open(&path) {
            // Finished or removed by another process just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(io_error(&path))?,
        };
        match folder.try_lock() {
            Ok(()) => std::fs::remove_dir_all(&path).map_err(io_error(&path))?,
            Err(TryLockError::WouldBlock) => return Err(BackupError::Underway(target.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io_error(&path)(error).into()),
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(synced.map_err(io_error(folder))?)
}
