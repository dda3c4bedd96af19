/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and begun anywhere at no cost. Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One number in, one number out, evenly spread.
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Random {
    /// The numbers that belong to these parts, and to no others.
    pub(crate) fn of(parts: &[u64]) -> Self {
        Self(parts.iter().fold(GOLDEN, |state, part| mix(state ^ part).wrapping_add(GOLDEN)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias is that of 64 random bits over the bound: nothing that a test could see.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` up to, not including, `high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.saturating_sub(low).max(0).cast_unsigned()).cast_signed()
    }

    /// True `per_mille` times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A rank below `2^bits`, about as Zipf's law has it: each octave of ranks is as frequent as the
    /// next. Whole numbers only, so that every machine draws the same.
    pub(crate) fn zipf(&mut self, bits: u32) -> u32 {
        let bits = bits.clamp(1, 31);
        let drawn = self.next();
        let octave = ((drawn & 0xffff_ffff) * u64::from(bits)) >> 32;
        let top = 1u64 << octave;
        ((top | ((drawn >> 32) & (top - 1))) - 1) as u32
    }

    /// A number from `low` to `high`, each octave as frequent as the next: durations and sizes.
    pub(crate) fn scale(&mut self, low: u64, high: u64) -> u64 {
        let ratio = (high / low.max(1)).max(1);
        let octave = self.below(u64::from(ratio.ilog2()) + 1);
        let low = low << octave;
        (low + self.below(low.max(1))).min(high)
    }

    /// One of these; the default where there are none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, list: &[T]) -> T {
        let at = self.below(list.len() as u64) as usize;
        list.get(at).copied().unwrap_or_default()
    }

    /// One of these, the first most often.
    pub(crate) fn pick_zipf<T: Copy + Default>(&mut self, list: &[T]) -> T {
        list.get(self.pick_zipf_index(list.len())).copied().unwrap_or_default()
    }

    /// A place in a list of this length, the first most often.
    pub(crate) fn pick_zipf_index(&mut self, len: usize) -> usize {
        let at = self.zipf(usize::BITS - len.leading_zeros()) as usize;
        if at < len { at } else { self.below(len as u64) as usize }
    }

    /// A place in a table of weights.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (at, weight) in weights.enumerate() {
            match left.checked_sub(weight) {
                None => return at,
                Some(rest) => left = rest,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The reference's first outputs for the state 1234567.
        let mut random = Random(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    proptest::proptest! {
        #[test]
        fn every_draw_keeps_its_bounds(seed: u64, low in 1u64..1000, more in 0u64..1 << 40) {
            let mut random = Random::of(&[seed]);
            proptest::prop_assert!(random.below(low) < low);
            proptest::prop_assert!(random.zipf(10) < 1024);
            let high = low + more;
            let drawn = random.scale(low, high);
            proptest::prop_assert!((low..=high).contains(&drawn), "{drawn}");
            let (from, to) = (low.cast_signed(), high.cast_signed() + 1);
            proptest::prop_assert!((from..to).contains(&random.between(from, to)));
        }
    }

    #[test]
    fn small_ranks_are_frequent() {
        let mut random = Random::of(&[1]);
        let first = (0..10_000).filter(|_| random.zipf(14) == 0).count();
        assert!((600..850).contains(&first), "{first}");
    }
}
