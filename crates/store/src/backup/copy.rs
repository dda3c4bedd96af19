//! Copies of files, hashed as they are read and on the disk when they are done.

use super::{BackupError, ManifestFile};
use crate::Progress;
use crate::data_dir::io_error;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Copies one file after the other.
pub(super) struct Copying<'a> {
    progress: &'a Progress,
    buffer: Vec<u8>,
}

/// How a file comes to its new place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopyMethod {
    /// As bytes of its own.
    Copy,
    /// As another name of the same bytes, where the file system can.
    Link,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
    pub(super) is_linked: bool,
}

impl Copied {
    pub(super) fn named(self, path: &str) -> ManifestFile {
        ManifestFile { path: path.to_owned(), bytes: self.bytes, sha256: self.sha256 }
    }
}

const BUFFER_BYTES: usize = 1 << 20;

impl<'a> Copying<'a> {
    pub(super) fn new(progress: &'a Progress) -> Self {
        Self { progress, buffer: vec![0; BUFFER_BYTES] }
    }

    /// Copies with mode 0600 to a name that is not taken.
    pub(super) fn copy(&mut self, source: &Path, target: &Path) -> Result<Copied, BackupError> {
        self.take(source, target, CopyMethod::Copy)
    }

    /// Links, or copies where the file system cannot link.
    pub(super) fn link_or_copy(
        &mut self,
        source: &Path,
        target: &Path,
    ) -> Result<Copied, BackupError> {
        self.take(source, target, CopyMethod::Link)
    }

    /// Brings a file to a name that is not taken. Linked or not, all its bytes are read.
    pub(super) fn take(
        &mut self,
        source: &Path,
        target: &Path,
        method: CopyMethod,
    ) -> Result<Copied, BackupError> {
        if method == CopyMethod::Link && link(source, target)? {
            return Ok(Copied { is_linked: true, ..self.fingerprint(target)? });
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(target)
            .map_err(io_error(target))?;
        let copied =
            self.read(source, |bytes| Ok(file.write_all(bytes).map_err(io_error(target))?))?;
        file.sync_all().map_err(io_error(target))?;
        Ok(copied)
    }

    /// Reads a file to its end.
    pub(super) fn fingerprint(&mut self, path: &Path) -> Result<Copied, BackupError> {
        self.read(path, |_| Ok(()))
    }

    fn read(
        &mut self,
        source: &Path,
        mut each: impl FnMut(&[u8]) -> Result<(), BackupError>,
    ) -> Result<Copied, BackupError> {
        let mut file = File::open(source).map_err(io_error(source))?;
        let mut digest = Sha256::new();
        let mut bytes = 0;
        loop {
            let length = match file.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error(source)(error).into()),
            };
            let part = self.buffer.get(..length).unwrap_or_default();
            digest.update(part);
            each(part)?;
            bytes += part.len() as u64;
            self.progress.advance(part.len() as u64)?;
        }
        Ok(Copied { bytes, sha256: digest.finalize().into(), is_linked: false })
    }
}

/// Links; false where the file system cannot.
fn link(source: &Path, target: &Path) -> Result<bool, BackupError> {
    match std::fs::hard_link(source, target) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::CrossesDevices
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::TooManyLinks
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(io_error(source)(error).into()),
    }
}
