//! Random choices that can be repeated: the seed is printed, and taken from `RINGWALL_SEED`.

use anyhow::{Context, Result};
use std::ops::Range;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose moments.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From `RINGWALL_SEED`, else from the system.
    ///
    /// # Errors
    ///
    /// When the variable is not a number, or the system gives no randomness.
    pub fn from_environment() -> Result<(Self, u64)> {
        let seed = match std::env::var("RINGWALL_SEED") {
            Ok(seed) => seed.parse().with_context(|| format!("RINGWALL_SEED `{seed}`"))?,
            Err(_) => getrandom::u64()?,
        };
        Ok((Self(seed), seed))
    }

    /// A second sequence that has nothing to do with the first.
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.within(0..times) == 0
    }

    /// 32 hexadecimal digits.
    pub fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.number(), self.number())
    }
}
