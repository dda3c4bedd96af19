//! One segment file, and what is known of it.

use super::record::{Records, SEGMENT_HEADER_BYTES, segment_header};
use crate::item::SpoolId;
use crate::spool::SpoolError;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What is known of a segment without reading it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number of its first item, which is its name too.
    pub(super) first: u64,
    /// The number after its last item.
    pub(super) end: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// The seed of its records' checksums.
    pub(super) seed: u64,
    /// Items in it that wait and are in no batch.
    pub(super) live: u64,
    /// Of those, the ones that give way.
    pub(super) giving_way: u64,
}

const SUFFIX: &str = ".seg";

impl Segment {
    /// The number of a segment, from its file's name.
    pub(super) fn number(path: &Path) -> Option<u64> {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
        if name.len() == 16 { u64::from_str_radix(name, 16).ok() } else { None }
    }

    /// The file of the segment that begins with this item.
    pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
        folder.join(format!("{first:016x}{SUFFIX}"))
    }

    /// Writes a new segment with these records at once; nothing is left of it where that fails.
    pub(super) fn create(
        path: &Path,
        spool: SpoolId,
        records: &[u8],
    ) -> Result<(File, u64), SpoolError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path).map_err(SpoolError::file("cannot make", path))?;
        let mut whole = Vec::with_capacity(SEGMENT_HEADER_BYTES + records.len());
        whole.extend(segment_header(spool));
        whole.extend_from_slice(records);
        match write_whole(&file, &whole, 0) {
            Ok(()) => Ok((file, whole.len() as u64)),
            Err(error) => {
                drop(file);
                if let Err(error) = std::fs::remove_file(path) {
                    tracing::warn!(%error, path = %path.display(), "a torn file stays behind");
                }
                Err(SpoolError::file("cannot write", path)(error))
            }
        }
    }

    /// Its content from this place to its end.
    pub(super) fn read_from(&self, offset: u64) -> Result<Vec<u8>, SpoolError> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let length = self.bytes.saturating_sub(offset);
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(SpoolError::file("cannot read", &self.path))
    }

    /// The records in what [`Segment::read_from`] gave.
    pub(super) fn records<'a>(&self, bytes: &'a [u8]) -> Records<'a> {
        Records::behind_header(bytes, self.seed)
    }
}

/// One `write(2)`: all of it, or an error. What was written of it is cut off again where it was not all.
pub(super) fn write_whole(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let written = loop {
        match file.write_at(bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    let error = match written {
        Ok(length) if length == bytes.len() => return Ok(()),
        // That is how a disk says it that is full before the end.
        Ok(_) => io::Error::from(io::ErrorKind::StorageFull),
        Err(error) => error,
    };
    file.set_len(at)?;
    Err(error)
}
