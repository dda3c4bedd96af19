//! The write-ahead journal of SQLite, read from outside, so that a test knows what a torn end may take.
//!
//! A header of 32 bytes, then frames: a header of 24 bytes and a page each (sqlite.org/fileformat2.html,
//! section 4). Numbers are big-endian.

use anyhow::{Result, ensure};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Two numbers that change whenever the journal begins anew: what was in it is in the database then.
    pub salts: [u8; 8],
    /// The size of a page.
    pub page_bytes: u64,
    /// The frames of this journal; whatever lies behind them is of an earlier one.
    pub frames: Vec<Frame>,
}

/// A page that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The number of the page, from 1.
    pub page: u32,
    /// Whether a transaction ends with it.
    pub is_commit: bool,
}

impl Journal {
    /// Reads the headers; none where there is no journal, or nothing in it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.len() < HEADER_BYTES {
            return Ok(None);
        }
        let magic = number(&file, 0)?;
        ensure!(magic & !1 == 0x377f_0682, "{}: no journal but {magic:x}", path.display());
        let mut journal =
            Self { salts: [0; 8], page_bytes: number(&file, 8)?.into(), frames: Vec::new() };
        file.read_exact_at(&mut journal.salts, 16)?;
        let length = file.metadata()?.len();
        loop {
            let start = journal.end_of(journal.frames.len());
            if start + FRAME_HEADER_BYTES + journal.page_bytes > length {
                return Ok(Some(journal));
            }
            let mut salts = [0; 8];
            file.read_exact_at(&mut salts, start + 8)?;
            if salts != journal.salts {
                return Ok(Some(journal));
            }
            let is_commit = number(&file, start + 4)? != 0;
            journal.frames.push(Frame { page: number(&file, start)?, is_commit });
        }
    }

    /// Where the first so many frames end.
    pub fn end_of(&self, frames: usize) -> u64 {
        HEADER_BYTES + frames as u64 * (FRAME_HEADER_BYTES + self.page_bytes)
    }

    /// How many frames there are up to the end of the last whole transaction.
    pub fn committed(&self) -> usize {
        self.frames.iter().rposition(|frame| frame.is_commit).map_or(0, |index| index + 1)
    }
}

fn number(file: &File, at: u64) -> Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u32::from_be_bytes(bytes))
}
