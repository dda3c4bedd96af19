use super::Json;
use std::borrow::Cow;

/// What is wrong with one value, without its place: the framework's `type`, `msg` and `ctx`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The framework's name of the fault: `int_parsing`.
    pub kind: &'static str,
    /// One sentence in the framework's words.
    pub message: Cow<'static, str>,
    /// The value in question, for messages that repeat it: a name, and JSON text.
    pub context: Option<(&'static str, String)>,
}

impl Fault {
    /// A fault without context.
    pub const fn new(kind: &'static str, message: &'static str) -> Self {
        Self { kind, message: Cow::Borrowed(message), context: None }
    }

    /// A required field or header is absent.
    pub const MISSING: Self = Self::new("missing", "Field required");

    /// Something else where an object with named fields is expected.
    pub const NOT_AN_OBJECT: Self = Self::new(
        "model_attributes_type",
        "Input should be a valid dictionary or object to extract fields from",
    );

    /// A number below the lowest allowed.
    pub fn below(minimum: f64) -> Self {
        Self {
            kind: "greater_than_equal",
            message: format!("Input should be greater than or equal to {minimum}").into(),
            context: Some(("ge", minimum.to_string())),
        }
    }

    /// A number above the highest allowed.
    pub fn above(maximum: f64) -> Self {
        Self {
            kind: "less_than_equal",
            message: format!("Input should be less than or equal to {maximum}").into(),
            context: Some(("le", maximum.to_string())),
        }
    }

    /// A list with more items than are taken at once.
    pub fn too_many(maximum: usize, actual: usize) -> Self {
        Self {
            kind: "too_long",
            message: format!(
                "List should have at most {maximum} items after validation, not {actual}"
            )
            .into(),
            context: Some(("max_length", maximum.to_string())),
        }
    }

    /// A text longer than what is taken.
    pub fn too_long(maximum: usize) -> Self {
        Self {
            kind: "string_too_long",
            message: format!("String should have at most {maximum} characters").into(),
            context: Some(("max_length", maximum.to_string())),
        }
    }

    /// A fault whose message ends in a reason that the context repeats.
    pub fn with_reason(kind: &'static str, message: &str, reason: &str) -> Self {
        Self {
            kind,
            message: format!("{message}, {reason}").into(),
            context: Some(("error", Json::quote(reason))),
        }
    }
}
