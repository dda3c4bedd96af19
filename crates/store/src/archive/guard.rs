//! The lock of the archive folder, for processes beside the one that unlinks.

use crate::StoreError;
use crate::archive::file::write_error;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Keeps every file of an archive where it is, as long as this is held.
///
/// Take it before looking into the database: what that refers to is then there until the end.
#[derive(Debug)]
pub struct ArchiveGuard {
    _lock: File,
}

/// The file in the archive folder that is locked. Programs that read a folder of Parquet pass over names
/// that begin with a full stop.
pub(crate) const LOCK: &str = ".lock";

impl ArchiveGuard {
    /// Holds the archive as a reader, beside other readers; waits while files are being unlinked,
    /// which is short.
    ///
    /// # Errors
    /// Where the folder or its lock cannot be made or opened.
    pub fn shared(folder: &Path) -> Result<Self, StoreError> {
        let lock = open(folder)?;
        lock.lock_shared().map_err(|error| write_error(LOCK, &error))?;
        Ok(Self { _lock: lock })
    }

    /// Holds the archive alone; none where somebody reads.
    pub(crate) fn try_alone(folder: &Path) -> Result<Option<Self>, StoreError> {
        let lock = open(folder)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(write_error(LOCK, &error)),
        }
    }
}

/// Makes the folder and its lock where they are missing.
pub(crate) fn prepare(folder: &Path) -> Result<(), StoreError> {
    open(folder).map(drop)
}

fn open(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let named = |error: std::io::Error| write_error(&folder.display().to_string(), &error);
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(named)
        }
        other => other.map_err(|error| write_error(LOCK, &error)),
    }
}
