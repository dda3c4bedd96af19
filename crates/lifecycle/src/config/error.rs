use crate::{Failure, nearest};
use std::fmt;

/// Why a configuration was refused: `path:line:column: what`, and a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The place and what is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ConfigError {
    /// With a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn of_toml(place: &str, text: &str, error: &toml::de::Error) -> Self {
        let place = match error.span() {
            Some(span) => {
                let (line, column) = line_and_column(text, span.start);
                format!("{place}:{line}:{column}")
            }
            None => place.to_owned(),
        };
        let (message, hint) = in_plain_words(error.message());
        Self { message: format!("{place}: {message}"), hint }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Self::new(error.message);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Both from 1; the column in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (line, column)
}

/// What the parser says, without the names of Rust's types.
fn in_plain_words(message: &str) -> (String, Option<String>) {
    let message = message.lines().collect::<Vec<_>>().join(", ");
    if let Some((unknown, known)) = message.split_once(", expected ")
        && let Some(word) = unknown.strip_prefix("unknown field ")
    {
        let word = word.trim_matches('`');
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let hint = match nearest(word, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        return (unknown.to_owned(), Some(hint));
    }
    if message.contains("invalid socket address syntax") {
        return (
            "not an address and a port".to_owned(),
            Some("as in \"127.0.0.1:7400\" or \"[::1]:7400\"".to_owned()),
        );
    }
    let Some((before, expected)) = message.rsplit_once(", expected ") else {
        return (message, None);
    };
    let expected = match expected {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "path string" => "a path",
        struct_name if struct_name.starts_with("struct ") => "a table",
        other => other,
    };
    (format!("{before}, expected {expected}"), None)
}
