//! A file that is read again when it was replaced or written.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Debug)]
pub(super) struct WatchedFile {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// What changes with a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl WatchedFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is now, where that differs from how it was taken last.
    pub(super) async fn changed(&self) -> io::Result<Option<Stamp>> {
        let metadata = tokio::fs::metadata(&self.path).await?;
        let stamp = Stamp {
            modified: metadata.modified()?,
            bytes: metadata.len(),
            inode: inode(&metadata),
        };
        Ok((self.seen != Some(stamp)).then_some(stamp))
    }

    /// What stood in the file at this stamp was taken, or is no good and need not be read again.
    pub(super) fn seen(&mut self, stamp: Stamp) {
        self.seen = Some(stamp);
    }
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}
