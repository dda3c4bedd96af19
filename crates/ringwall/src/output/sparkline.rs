const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Numbers as a line of bars, each as high as its share of the greatest. What is not nothing is
/// higher than nothing.
pub(crate) fn sparkline(numbers: &[u64]) -> String {
    let most = numbers.iter().copied().max().unwrap_or(0).max(1);
    numbers
        .iter()
        .map(|number| {
            let height = (u128::from(*number) * 7).div_ceil(u128::from(most));
            usize::try_from(height).ok().and_then(|at| BARS.get(at)).copied().unwrap_or('█')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_numbers_are_large() {
        check(&[], "");
        check(&[0, 0], "▁▁");
        check(&[1, 700, 350, 0], "▂█▅▁");
        check(&[u64::MAX, 1], "█▂");
    }

    #[track_caller]
    fn check(numbers: &[u64], expected: &str) {
        assert_eq!(sparkline(numbers), expected);
    }
}
