//! Patterns of the operator's own, matched in linear time, each for itself.

use super::settings::DetectorError;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// How many custom patterns there may be.
pub const CUSTOM_PATTERNS_MAX: usize = 1000;
/// How long one may be, in bytes.
pub const CUSTOM_PATTERN_BYTES_MAX: usize = 1024;
/// How large one may become when it is compiled, in bytes: `(a{1000}){1000}` would be huge.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiled custom patterns.
#[derive(Debug, Default)]
pub(crate) struct CustomPatterns(Vec<(String, Regex)>);

impl CustomPatterns {
    pub(crate) fn new(patterns: &[String]) -> Result<Self, DetectorError> {
        if patterns.len() > CUSTOM_PATTERNS_MAX {
            return Err(DetectorError::TooManyPatterns {
                given: patterns.len(),
                max: CUSTOM_PATTERNS_MAX,
            });
        }
        patterns.iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each pattern that matches, and where.
    pub(crate) fn matching<'a>(
        &'a self,
        view: &'a [u8],
    ) -> impl Iterator<Item = (&'a str, usize)> + 'a {
        self.0.iter().filter_map(move |(pattern, regex)| {
            regex.find(view).map(|found| (pattern.as_str(), found.start()))
        })
    }
}

/// Whether the detection takes this custom pattern.
///
/// # Errors
/// What is wrong with it.
pub fn check_pattern(pattern: &str) -> Result<(), DetectorError> {
    compile(pattern).map(drop)
}

fn compile(pattern: &str) -> Result<(String, Regex), DetectorError> {
    if pattern.is_empty() || pattern.len() > CUSTOM_PATTERN_BYTES_MAX {
        return Err(DetectorError::PatternLength {
            start: pattern.chars().take(40).collect(),
            bytes: pattern.len(),
            max: CUSTOM_PATTERN_BYTES_MAX,
        });
    }
    let unusable = |reason: String| DetectorError::Pattern { pattern: pattern.to_owned(), reason };
    let regex = Regex::builder()
        .syntax(syntax::Config::new().case_insensitive(true).utf8(false).nest_limit(64))
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(COMPILED_BYTES_MAX))
                .onepass_size_limit(Some(COMPILED_BYTES_MAX))
                .hybrid_cache_capacity(COMPILED_BYTES_MAX)
                .dfa(false),
        )
        .build(pattern)
        .map_err(|error| {
            let reason = match error.syntax_error() {
                // The whole message draws the pattern over several lines.
                Some(syntax) => {
                    let text = syntax.to_string();
                    text.lines().last().unwrap_or("syntax").trim_start_matches("error: ").to_owned()
                }
                None => error.to_string(),
            };
            unusable(reason)
        })?;
    if regex.is_match(b"") {
        return Err(DetectorError::PatternMatchesAll { pattern: pattern.to_owned() });
    }
    Ok((pattern.to_owned(), regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn compiled(pattern: &str) -> Result<CustomPatterns, DetectorError> {
        CustomPatterns::new(&[pattern.to_owned()])
    }

    /// Flaw 25 of the contract: stored joined by commas, `ab{2,3}c` came back as two broken patterns.
    #[test]
    fn a_comma_in_a_pattern_is_part_of_it() {
        let patterns = compiled("ab{2,3}c").unwrap();
        assert_eq!(patterns.matching(b"xABBc").next(), Some(("ab{2,3}c", 1)));
        assert_eq!(patterns.matching(b"abc").next(), None);
    }

    #[test]
    fn what_is_too_long_too_large_or_no_pattern_is_refused() {
        assert!(matches!(compiled(""), Err(DetectorError::PatternLength { .. })));
        let long = "a".repeat(CUSTOM_PATTERN_BYTES_MAX + 1);
        assert!(matches!(compiled(&long), Err(DetectorError::PatternLength { .. })));
        assert!(matches!(compiled("(a{1000}){1000}"), Err(DetectorError::Pattern { .. })));
        assert!(matches!(compiled("(unclosed"), Err(DetectorError::Pattern { .. })));
        assert!(matches!(compiled(r"(a)\1"), Err(DetectorError::Pattern { .. })));
        assert!(matches!(compiled("a*"), Err(DetectorError::PatternMatchesAll { .. })));
        let many = vec!["a".to_owned(); CUSTOM_PATTERNS_MAX + 1];
        assert!(matches!(CustomPatterns::new(&many), Err(DetectorError::TooManyPatterns { .. })));
    }
}
