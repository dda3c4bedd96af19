//! What a detector is told.

use super::category::CategorySet;

/// Settings of a [`Detector`](super::Detector).
#[derive(Clone, Debug)]
pub struct DetectorSettings {
    /// Categories that are not looked for.
    pub switched_off: CategorySet,
    /// Patterns of the operator's own: regular expressions that are matched in linear time, without regard
    /// to case, each over the decoded views of every value.
    pub custom_patterns: Vec<String>,
    /// From which sum of weights in one value on it is an attack; 1.0.
    pub threshold: f32,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self { switched_off: CategorySet::EMPTY, custom_patterns: Vec::new(), threshold: 1.0 }
    }
}

/// Why a detector could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// More custom patterns than are allowed.
    #[error("{given} custom patterns are given, at most {max} are allowed")]
    TooManyPatterns {
        /// How many there are.
        given: usize,
        /// How many there may be.
        max: usize,
    },
    /// A custom pattern is empty or longer than is allowed.
    #[error("custom pattern `{start}…` has {bytes} bytes, 1 to {max} are allowed")]
    PatternLength {
        /// How it begins.
        start: String,
        /// Its length.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// A custom pattern matches the empty text, so it would match every value.
    #[error("custom pattern `{pattern}` matches every value")]
    PatternMatchesAll {
        /// The pattern.
        pattern: String,
    },
    /// A custom pattern is no regular expression of a kind that can be matched in linear time, or too large.
    #[error("custom pattern `{pattern}` cannot be used: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// The threshold is not a positive number.
    #[error("threshold `{0}` is not a positive number")]
    Threshold(f32),
    /// The built-in tables could not be built.
    #[error("cannot build the prefilter: {0}")]
    Prefilter(String),
}
