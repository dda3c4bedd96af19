//! Backups: whole copies of a data directory, made beside a running server, and the way back.
//!
//! A backup is a folder: the database as of one moment, the archive files that it refers to, the
//! master key, and a manifest with the size and SHA-256 of each. It is built under another name and
//! renamed when everything is on the disk, so a folder of its name either is not there or is whole.

mod check;
mod copy;
mod database_copy;
mod manifest;
mod restore;
mod unfinished;

pub use check::{BackupCheck, check};
pub use manifest::{MANIFEST, Manifest, ManifestFile};
pub use restore::{MasterKey, RestoreOptions, restore};

use crate::data_dir::{ARCHIVE, Beside, DATABASE, DataDirError, MASTER_KEY, io_error};
use crate::{Progress, StoreError};
use copy::{Copied, CopyMethod, Copying};
use database_copy::LiveFile;
use ringwall_event::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unfinished::Unfinished;

/// How a backup is made.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// When it is made, for the manifest.
    pub now: Timestamp,
    /// An older backup: archive files that it holds already are linked from there, not copied.
    pub base: Option<PathBuf>,
    /// Links archive files from the data directory itself where the file system can: quick, and no
    /// protection from a disk that fails.
    pub link: bool,
    /// Leaves the master key out: nobody who finds the backup can open what is sealed in it, nor can
    /// anybody restore it without the key.
    pub without_master_key: bool,
}

/// Why a backup was not made, checked or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Something is there already.
    #[error("{}: there is something of that name already", .0.display())]
    TargetExists(PathBuf),
    /// The backup would lie within what it copies.
    #[error("{}: lies in the data directory", .0.display())]
    TargetInside(PathBuf),
    /// The data directory to be restored holds something.
    #[error("{}: is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The data directory to be restored cannot be replaced by a rename.
    #[error("{}: is a mount point", .0.display())]
    MountPoint(PathBuf),
    /// Another process writes under the same name.
    #[error("{}: is being written by another process", .0.display())]
    Underway(PathBuf),
    /// There is no manifest, or it is not one of ours.
    #[error("{}: not a whole backup: {why}", path.display())]
    NotABackup {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file is not what it was when it was written.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The backup has no master key, and none was given.
    #[error("{}: has no master key", .0.display())]
    NoMasterKey(PathBuf),
    /// A file is not a master key.
    #[error("{}: a master key has 32 bytes, this file has {bytes}", path.display())]
    BadMasterKey {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The data directory cannot be worked on.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::DataDir(error.into())
    }
}

impl BackupError {
    /// Whether the work was given up because that was asked for.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::DataDir(DataDirError::Store(StoreError::Cancelled)))
    }
}

const MASTER_KEY_BYTES: u64 = 32;

/// Copies the store of `data_dir` to the new folder `target`. A server may run on it.
///
/// # Errors
/// Where the target exists, something cannot be read or written, or is damaged. Then the target does
/// not exist.
pub fn backup(
    data_dir: &Path,
    target: &Path,
    options: &BackupOptions,
    progress: &Arc<Progress>,
) -> Result<Manifest, BackupError> {
    let target = absolute(target)?;
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::TargetExists(target));
    }
    let data_dir = data_dir.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DataDirError::NoStore(data_dir.to_owned()),
        _ => io_error(data_dir)(error),
    })?;
    if target.starts_with(&data_dir) {
        return Err(BackupError::TargetInside(target));
    }
    let base = options.base.as_deref().map(Base::open).transpose()?;
    // Before the copy of the database: what it refers to must still be there afterwards.
    let beside = Beside::open(&data_dir)?;
    let unfinished = Unfinished::create(&target, "backing-up")?;
    let copy = unfinished.path().join(DATABASE);
    let content = database_copy::make(&beside.database, &copy, progress)?;

    let archive = unfinished.folder(ARCHIVE)?;
    let copied = std::fs::metadata(&copy).map_or(0, |file| file.len());
    let bytes = copied + content.files.iter().map(|file| file.bytes).sum::<u64>();
    progress.begin("archive", bytes, content.files.len() as u64);
    let mut copying = Copying::new(progress);
    let mut files = vec![copying.fingerprint(&copy)?.named(DATABASE)];
    let mut linked_bytes = 0;
    for file in &content.files {
        let copied = copy_archive_file(
            &mut copying,
            &Sources { archive: &beside.archive, base: base.as_ref(), link: options.link },
            file,
            &archive.join(&file.name),
        )?;
        if copied.is_linked {
            linked_bytes += copied.bytes;
        }
        files.push(copied.named(&format!("{ARCHIVE}/{}", file.name)));
        progress.file_done();
    }
    if !options.without_master_key {
        let source = data_dir.join(MASTER_KEY);
        let copied = copying.copy(&source, &unfinished.path().join(MASTER_KEY))?;
        if copied.bytes != MASTER_KEY_BYTES {
            return Err(BackupError::BadMasterKey { path: source, bytes: copied.bytes });
        }
        files.push(copied.named(MASTER_KEY));
    }
    let manifest =
        Manifest::new(options.now, content.intake_events, content.archived_events, files)
            .with_linked_bytes(linked_bytes);
    manifest.write(unfinished.path())?;
    progress.go_on()?;
    unfinished.finish(&target)?;
    Ok(manifest)
}

/// Where archive files may be taken from.
struct Sources<'a> {
    archive: &'a Path,
    base: Option<&'a Base>,
    link: bool,
}

fn copy_archive_file(
    copying: &mut Copying<'_>,
    sources: &Sources<'_>,
    file: &LiveFile,
    target: &Path,
) -> Result<Copied, BackupError> {
    let held = sources.base.filter(|base| base.holds(file));
    if let Some(base) = held {
        let earlier = base.folder.join(ARCHIVE).join(&file.name);
        let copied = copying.link_or_copy(&earlier, target)?;
        if copied.sha256 == file.sha256 {
            return Ok(copied);
        }
        // The older copy has rotted meanwhile; the file itself may be whole.
        tracing::warn!(file = %earlier.display(), "a file of the base backup is damaged");
        std::fs::remove_file(target).map_err(io_error(target))?;
    }
    let source = sources.archive.join(&file.name);
    let method = if sources.link { CopyMethod::Link } else { CopyMethod::Copy };
    let copied = copying.take(&source, target, method)?;
    if copied.sha256 != file.sha256 {
        let why = if copied.bytes == file.bytes {
            "its bytes are not those that were written".to_owned()
        } else {
            format!("has {} bytes, {} were written", copied.bytes, file.bytes)
        };
        return Err(BackupError::Damaged { path: source, why });
    }
    Ok(copied)
}

/// An older backup to link from.
struct Base {
    folder: PathBuf,
    manifest: Manifest,
}

impl Base {
    fn open(folder: &Path) -> Result<Self, BackupError> {
        Ok(Self { folder: folder.to_owned(), manifest: Manifest::read(folder)? })
    }

    fn holds(&self, file: &LiveFile) -> bool {
        let known = self.manifest.file(&format!("{ARCHIVE}/{}", file.name));
        known.is_some_and(|known| known.sha256 == file.sha256)
    }
}

/// The path from the root; its folder must exist.
fn absolute(target: &Path) -> Result<PathBuf, BackupError> {
    let (Some(name), Some(parent)) = (target.file_name(), target.parent()) else {
        return Err(BackupError::TargetExists(target.to_owned()));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    Ok(parent.canonicalize().map_err(io_error(parent))?.join(name))
}
