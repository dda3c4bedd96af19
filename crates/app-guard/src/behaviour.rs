//! Rules on how an address behaves over time: how often it calls, and what answers it gets.

use crate::patterns::{PatternError, PatternSet};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// How much of an answer's body a rule looks at.
pub const RESPONSE_BYTES_MAX: usize = 262_144;

/// A rule: more than `threshold` such things within `window` seconds lead to the action.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourRule {
    /// What is counted.
    pub counted: Counted,
    /// As many are fine; one more is not.
    pub threshold: u32,
    /// Seconds.
    #[serde(default = "an_hour")]
    pub window: u32,
    /// What happens then.
    #[serde(default)]
    pub action: BehaviourAction,
    /// How long a ban lasts, in seconds.
    #[serde(default = "an_hour")]
    pub ban_duration: u32,
}

const fn an_hour() -> u32 {
    3600
}

/// What a behaviour rule counts, for each address at each endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Counted {
    /// Calls.
    Usage,
    /// Calls, meant as a frequency.
    Frequency,
    /// Answers that match: `status:404`, `json:result.status==win`, `regex:…`, or a text within.
    ReturnPattern(String),
}

impl Counted {
    /// The name in telemetry.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Frequency => "frequency",
            Self::ReturnPattern(_) => "return_pattern",
        }
    }
}

/// What a behaviour rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BehaviourAction {
    /// Says so in the log.
    #[default]
    Log,
    /// Bans the address.
    Ban,
    /// Refuses with 429 what the address asks of this endpoint until the window has passed.
    Throttle,
    /// Says so in an event that wants attention.
    Alert,
}

impl BehaviourAction {
    /// The name in telemetry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Ban => "ban",
            Self::Throttle => "throttle",
            Self::Alert => "alert",
        }
    }
}

/// Why a behaviour rule is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BehaviourError {
    /// A window or duration of nothing.
    #[error("`{0}` is zero")]
    Zero(&'static str),
    /// `status:` is not followed by a status.
    #[error("`{0}` has no status between 100 and 599")]
    Status(String),
    /// `json:` is not followed by a path, `==` and a value.
    #[error("`{0}` is not `json:path==value`")]
    Json(String),
    /// The expression behind `regex:` is not taken.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// No text to look for.
    #[error("the pattern is empty")]
    Empty,
    /// Only answers can be counted everywhere; calls are what rate limits are for.
    #[error("a rule for all routes counts answers (`return_pattern`)")]
    NotGlobal,
}

/// A checked rule.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    pub(crate) rule: BehaviourRule,
    pub(crate) answer: Option<AnswerPattern>,
}

impl CompiledRule {
    pub(crate) fn new(rule: &BehaviourRule) -> Result<Self, BehaviourError> {
        if rule.window == 0 {
            return Err(BehaviourError::Zero("window"));
        }
        if rule.ban_duration == 0 {
            return Err(BehaviourError::Zero("ban_duration"));
        }
        let answer = match &rule.counted {
            Counted::ReturnPattern(pattern) => Some(AnswerPattern::parse(pattern)?),
            Counted::Usage | Counted::Frequency => None,
        };
        Ok(Self { rule: rule.clone(), answer })
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.rule.window))
    }

    /// The pattern as it was written; empty for calls.
    pub(crate) fn pattern(&self) -> &str {
        match &self.rule.counted {
            Counted::ReturnPattern(pattern) => pattern,
            Counted::Usage | Counted::Frequency => "",
        }
    }
}

/// What an answer is compared with.
#[derive(Clone, Debug)]
pub(crate) enum AnswerPattern {
    Status(u16),
    Json { path: Vec<Box<str>>, value: Box<str> },
    Regex(PatternSet),
    Text(Box<str>),
}

impl AnswerPattern {
    fn parse(text: &str) -> Result<Self, BehaviourError> {
        if let Some(status) = text.strip_prefix("status:") {
            let status = status.trim().parse().ok().filter(|status| (100..=599).contains(status));
            return status.map(Self::Status).ok_or_else(|| BehaviourError::Status(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("json:") {
            let parts = rest.split_once("==");
            let parts = parts.filter(|(path, _)| !path.trim().is_empty());
            let (path, value) = parts.ok_or_else(|| BehaviourError::Json(text.to_owned()))?;
            let path = path.trim().split('.').map(Box::from).collect();
            let value = value.trim().trim_matches(['"', '\'']).into();
            return Ok(Self::Json { path, value });
        }
        if let Some(pattern) = text.strip_prefix("regex:") {
            return Ok(Self::Regex(PatternSet::new(&[pattern])?));
        }
        if text.is_empty() {
            return Err(BehaviourError::Empty);
        }
        Ok(Self::Text(text.to_lowercase().into()))
    }

    pub(crate) const fn needs_body(&self) -> bool {
        !matches!(self, Self::Status(_))
    }

    pub(crate) fn matches(&self, status: u16, body: &[u8]) -> bool {
        match self {
            Self::Status(wanted) => *wanted == status,
            Self::Json { path, value } => serde_json::from_slice::<Value>(body)
                .is_ok_and(|json| at_path(&json, path).is_some_and(|found| reads_as(found, value))),
            Self::Regex(patterns) => patterns.find(body).is_some(),
            Self::Text(text) => {
                String::from_utf8_lossy(body).to_lowercase().contains(text.as_ref())
            }
        }
    }
}

fn at_path<'v>(value: &'v Value, path: &[Box<str>]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(&**step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn reads_as(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text.eq_ignore_ascii_case(wanted),
        Value::Object(_) | Value::Array(_) => false,
        plain => plain.to_string().eq_ignore_ascii_case(wanted),
    }
}
