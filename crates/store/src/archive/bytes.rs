//! A file read by position: many threads may read one at once.

use super::blocks::{BLOCK_BYTES, BlockSums};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The bytes of a file, each block checked as it is read. The file of the standard library has a single
/// place of reading, which its clones share; this has none.
#[derive(Clone, Debug)]
pub(crate) struct FileBytes {
    file: Arc<File>,
    length: u64,
    sums: BlockSums,
}

impl FileBytes {
    pub(crate) fn new(file: File, sums: BlockSums) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length, sums })
    }

    /// These bytes, which must be within the file.
    fn checked(&self, start: u64, length: usize) -> std::io::Result<Bytes> {
        let block = BLOCK_BYTES as u64;
        let first = start / block;
        let begin = first * block;
        let end = start.saturating_add(length as u64).div_ceil(block).saturating_mul(block);
        let whole = usize::try_from(end.min(self.length).saturating_sub(begin))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
        let mut bytes = vec![0; whole];
        self.file.read_exact_at(&mut bytes, begin)?;
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        for (place, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            if !self.sums.fits(first.saturating_add(place), block) {
                let at = begin + (place * BLOCK_BYTES) as u64;
                let why = format!("its bytes from {at} on are not those that were written");
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
            }
        }
        let skipped = usize::try_from(start - begin).unwrap_or(0).min(whole);
        Ok(Bytes::from(bytes).slice(skipped..skipped.saturating_add(length).min(whole)))
    }
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FileBytes {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(From { file: self.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // A damaged footer may claim anything; no more is allocated than the file has.
        let end = start.saturating_add(length as u64);
        if end > self.length {
            return Err(ParquetError::EOF(format!("{start} + {length} is beyond the end")));
        }
        Ok(self.checked(start, length)?)
    }
}

/// Reads on from a position.
#[derive(Debug)]
pub(crate) struct From {
    file: FileBytes,
    position: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.length.saturating_sub(self.position);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let bytes = self.file.checked(self.position, wanted)?;
        let (now, _) = buffer.split_at_mut(bytes.len().min(buffer.len()));
        now.copy_from_slice(bytes.get(..now.len()).unwrap_or_default());
        self.position += now.len() as u64;
        Ok(now.len())
    }
}
