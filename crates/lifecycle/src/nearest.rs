/// The candidate that was probably meant by `word`: at most a third of it differs.
///
/// ```
/// use ringwall_lifecycle::nearest;
/// assert_eq!(nearest("lisen", ["listen", "data_dir"]), Some("listen"));
/// assert_eq!(nearest("colour", ["listen", "data_dir"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LENGTH_MAX).collect();
    let allowed = word.len().div_ceil(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

const LENGTH_MAX: usize = 64;

/// How many letters must be put in, taken out or replaced (Levenshtein).
fn distance(word: &[char], candidate: &str) -> usize {
    let mut above: Vec<usize> = (0..=word.len()).collect();
    for (row, letter) in candidate.chars().take(LENGTH_MAX).enumerate() {
        let mut line = Vec::with_capacity(above.len());
        let mut left = row + 1;
        line.push(left);
        for (other, pair) in word.iter().zip(above.windows(2)) {
            let [diagonal, up] = pair else { continue };
            let replaced = diagonal + usize::from(*other != letter);
            left = replaced.min(up + 1).min(left + 1);
            line.push(left);
        }
        above = line;
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        check("kitten", "sitting", 3);
        check("", "abc", 3);
        check("abc", "", 3);
        check("same", "same", 0);
        check("alert", "alerts", 1);
    }

    #[track_caller]
    fn check(word: &str, candidate: &str, expected: usize) {
        let word: Vec<char> = word.chars().collect();
        assert_eq!(distance(&word, candidate), expected, "{word:?} {candidate:?}");
    }
}
