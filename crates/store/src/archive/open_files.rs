//! Files that are open: their footers are read once.

use super::blocks::BlockSums;
use super::file::ArchiveFile;
use crate::{Session, StoreError};
use parking_lot::Mutex;
use rusqlite::OptionalExtension;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The archive folder, and the files of it that were read lately.
pub(crate) struct OpenFiles {
    folder: PathBuf,
    open: Mutex<Kept>,
}

impl Session<'_> {
    /// The file of the archive with this name.
    pub(crate) fn archive_file(&self, name: &str) -> Result<ArchiveFile, StoreError> {
        self.archive.get(name, || {
            let sums: Option<Option<Vec<u8>>> = self
                .connection
                .prepare_cached("SELECT block_sums FROM archive_file WHERE name = ?")?
                .query_row([name], |row| row.get(0))
                .optional()?;
            Ok(BlockSums::new(sums.flatten().unwrap_or_default()))
        })
    }
}

#[derive(Default)]
struct Kept {
    files: HashMap<String, (ArchiveFile, u64)>,
    clock: u64,
    bytes: usize,
}

/// What the kept footers may take together; a file of four million events has about 250 KiB.
const BYTES_MAX: usize = 128 << 20;
const FILES_MAX: usize = 512;

impl OpenFiles {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, open: Mutex::default() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of this name; `sums` gives the check values of its blocks where it is not open yet.
    pub(crate) fn get(
        &self,
        name: &str,
        sums: impl FnOnce() -> Result<BlockSums, StoreError>,
    ) -> Result<ArchiveFile, StoreError> {
        {
            let mut kept = self.open.lock();
            kept.clock += 1;
            let clock = kept.clock;
            if let Some((file, used)) = kept.files.get_mut(name) {
                *used = clock;
                return Ok(file.clone());
            }
        }
        // Two that open the same file at once both may: the later one is kept.
        let file = ArchiveFile::open_checked(&self.folder, name, sums()?)?;
        let mut kept = self.open.lock();
        kept.clock += 1;
        let clock = kept.clock;
        kept.bytes += file.memory_bytes();
        if let Some((before, _)) = kept.files.insert(name.to_owned(), (file.clone(), clock)) {
            kept.bytes = kept.bytes.saturating_sub(before.memory_bytes());
        }
        while kept.bytes > BYTES_MAX || kept.files.len() > FILES_MAX {
            let Some(oldest) =
                kept.files.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone())
            else {
                break;
            };
            kept.forget(&oldest);
        }
        Ok(file)
    }

    /// Lets go of a file that is not wanted any more.
    pub(crate) fn forget(&self, name: &str) {
        self.open.lock().forget(name);
    }
}

impl Kept {
    fn forget(&mut self, name: &str) {
        if let Some((file, _)) = self.files.remove(name) {
            self.bytes = self.bytes.saturating_sub(file.memory_bytes());
        }
    }
}
