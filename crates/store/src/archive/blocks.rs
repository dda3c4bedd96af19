//! Check values over the blocks of a file, so that a changed byte is an error and not a wrong answer.
//!
//! Parquet as it is written here has no check values of its own. The file's SHA-256 tells the same, but
//! only to whoever reads all of it.

use std::sync::Arc;
use twox_hash::XxHash64;

/// A reader takes in whole blocks: they are small beside what is read at once.
pub(crate) const BLOCK_BYTES: usize = 16 << 10;
const SUM_BYTES: usize = 4;

/// The check values of a file, four bytes for each block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockSums(Arc<[u8]>);

/// Works them out while a file is written.
#[derive(Default)]
pub(super) struct BlockSummer {
    sums: Vec<u8>,
    open: Vec<u8>,
}

impl BlockSummer {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.open.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open.extend_from_slice(now);
            bytes = later;
            if self.open.len() == BLOCK_BYTES {
                self.close();
            }
        }
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        if !self.open.is_empty() {
            self.close();
        }
        std::mem::take(&mut self.sums)
    }

    fn close(&mut self) {
        self.sums.extend_from_slice(&sum(&self.open));
        self.open.clear();
    }
}

impl BlockSums {
    pub(crate) fn new(sums: Vec<u8>) -> Self {
        Self(sums.into())
    }

    /// Whether these bytes are the block of this number. Files from before there were check values
    /// have none, and all of their blocks pass.
    pub(super) fn fits(&self, number: usize, block: &[u8]) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let begin = number.saturating_mul(SUM_BYTES);
        self.0.get(begin..begin.saturating_add(SUM_BYTES)) == Some(sum(block).as_slice())
    }
}

fn sum(block: &[u8]) -> [u8; SUM_BYTES] {
    let [b0, b1, b2, b3, ..] = XxHash64::oneshot(0, block).to_le_bytes();
    [b0, b1, b2, b3]
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn blocks_pass_and_changed_ones_do_not(
            parts in proptest::collection::vec(0usize..40_000, 0..5), seed: u8, at: usize, bit in 0u8..8,
        ) {
            let mut bytes: Vec<u8> = Vec::new();
            let mut summer = BlockSummer::default();
            for part in parts {
                let part: Vec<u8> = (0..part).map(|n| (n as u8).wrapping_mul(seed)).collect();
                summer.update(&part);
                bytes.extend(part);
            }
            let sums = BlockSums::new(summer.finish());
            for (number, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
                proptest::prop_assert!(sums.fits(number, block));
            }
            if !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                let number = at / BLOCK_BYTES;
                let block = bytes.chunks(BLOCK_BYTES).nth(number).unwrap();
                proptest::prop_assert!(!sums.fits(number, block));
            }
        }
    }
}
