use super::{DIGEST_BYTES_MAX, QuarantineError, of_errno, system};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, openat};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

const CHUNK_BYTES: usize = 128 << 10;

/// The SHA-256 of the file, in lower-case hexadecimal digits: of its first [`DIGEST_BYTES_MAX`] bytes where it
/// has more.
pub(super) fn digest(file: &File) -> Result<String, QuarantineError> {
    let mut hasher = Sha256::new();
    read_through(file, DIGEST_BYTES_MAX, |chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// Copies a file into a new one of this folder, for its owner alone; the copy and its SHA-256.
pub(super) fn copy_within(
    file: &File,
    folder: &OwnedFd,
    name: &str,
    bytes_max: u64,
) -> Result<(File, String), QuarantineError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copy = openat(folder, name, flags, Mode::RUSR | Mode::WUSR);
    let mut copy = File::from(copy.map_err(of_errno("make a copy"))?);
    let mut hasher = Sha256::new();
    read_through(file, bytes_max, |chunk| {
        hasher.update(chunk);
        copy.write_all(chunk).map_err(|error| system("write a copy", error))
    })?;
    Ok((copy, hexadecimal(&hasher.finalize())))
}

fn read_through(
    mut file: &File,
    bytes_max: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), QuarantineError>,
) -> Result<(), QuarantineError> {
    let failed = |error| system("read the file", error);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut from = file.take(bytes_max);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => take(chunk.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
