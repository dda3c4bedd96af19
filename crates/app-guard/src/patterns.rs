//! Regular expressions from settings and rules, on an engine whose time is linear in its input.

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;

/// How long one expression may be.
pub const PATTERN_CHARS_MAX: usize = 1_000;

/// How many expressions one list may have.
pub const PATTERNS_MAX: usize = 1_000;

/// How large the program of one list may become; counted repetitions multiply.
const PROGRAM_BYTES_MAX: usize = 8 << 20;

/// Several expressions searched for at once, whatever their case.
#[derive(Clone, Debug, Default)]
pub struct PatternSet {
    regex: Option<Regex>,
    texts: Vec<Box<str>>,
}

/// Why a list of expressions was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// One is empty, or longer than [`PATTERN_CHARS_MAX`].
    #[error("a pattern has {0} characters, allowed are 1 to {PATTERN_CHARS_MAX}")]
    Length(usize),
    /// There are more than [`PATTERNS_MAX`].
    #[error("{0} patterns, allowed are {PATTERNS_MAX}")]
    TooMany(usize),
    /// One does not compile, or needs what no linear-time engine has (look-around, back-references).
    #[error("pattern `{pattern}`: {reason}")]
    Syntax {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Together they are too large.
    #[error("the patterns are too large together: {0}")]
    Size(String),
}

impl PatternSet {
    /// Compiles a list.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(PatternError::TooMany(patterns.len()));
        }
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        for pattern in patterns {
            let chars = pattern.as_ref().chars().count();
            if chars == 0 || chars > PATTERN_CHARS_MAX {
                return Err(PatternError::Length(chars));
            }
        }
        let texts: Vec<Box<str>> = patterns.iter().map(|pattern| pattern.as_ref().into()).collect();
        let regex = build(&texts)?;
        Ok(Self { regex: Some(regex), texts })
    }

    /// The first expression that is found in the text.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<&str> {
        let found = self.regex.as_ref()?.find(text)?;
        self.texts.get(found.pattern().as_usize()).map(|text| &**text)
    }

    /// Whether there are no expressions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The expressions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}

fn build(texts: &[Box<str>]) -> Result<Regex, PatternError> {
    Regex::builder()
        .syntax(syntax::Config::new().case_insensitive(true).utf8(false))
        .configure(Regex::config().nfa_size_limit(Some(PROGRAM_BYTES_MAX)).utf8_empty(false))
        .build_many(texts)
        .map_err(|error| explained(&error, texts))
}

fn explained(error: &BuildError, texts: &[Box<str>]) -> PatternError {
    let at = error.pattern().and_then(|pattern| texts.get(pattern.as_usize()));
    match (at, error.syntax_error()) {
        (Some(pattern), reason) => PatternError::Syntax {
            pattern: pattern.to_string(),
            reason: one_line(&reason.map_or_else(|| error.to_string(), ToString::to_string)),
        },
        (None, _) => PatternError::Size(one_line(&error.to_string())),
    }
}

/// The parser draws its messages over several lines; the last one says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
