//! What the peer refused for good: kept for people to look at, as far as there is room.
//!
//! One file a batch, in the folder `dead` of the spool: the reason on the first line, then each item on
//! a line of its own.

use super::DiskSettings;
use bytes::Bytes;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

/// Keeps a refused batch. Where that fails, its items are counted all the same, and the log says so.
pub(super) fn keep<'a>(
    settings: &DiskSettings,
    ordinal: u64,
    reason: &str,
    items: impl Iterator<Item = &'a Bytes>,
) {
    if settings.dead_bytes_max == 0 {
        return;
    }
    let mut content = reason.replace(['\n', '\r'], " ").into_bytes();
    content.push(b'\n');
    for item in items {
        content.extend_from_slice(item);
        content.push(b'\n');
    }
    if let Err(error) = write(settings, ordinal, &content) {
        tracing::error!(%error, ordinal, "a refused batch cannot be kept: its content is lost");
    }
}

fn write(settings: &DiskSettings, ordinal: u64, content: &[u8]) -> io::Result<()> {
    let folder = settings.folder.join("dead");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        files.push((entry.path(), entry.metadata()?.len()));
    }
    // Names sort by the number of the batch.
    files.sort();
    let length = content.len() as u64;
    let mut total = length + files.iter().map(|(_, length)| length).sum::<u64>();
    for (path, length) in files {
        if total <= settings.dead_bytes_max {
            break;
        }
        fs::remove_file(path)?;
        total -= length;
    }
    if length > settings.dead_bytes_max {
        return Err(io::Error::other("it is larger than all dead letters may be"));
    }
    let path = folder.join(format!("{ordinal:016x}"));
    let mut options = OpenOptions::new();
    // Refused again after a kill, it is the same file.
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}
