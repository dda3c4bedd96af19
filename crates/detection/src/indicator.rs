//! One entry of the list of known bad things.

mod address_range;
mod value;

pub(crate) use address_range::AddressRange;
pub use value::{IndicatorError, IndicatorValue};
pub(crate) use value::{Parsed, address_of_text, normal_path};

use crate::DUAL_USE_NAMES;
use ringwall_event::{Severity, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What an indicator is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorKind {
    /// The name of a program or script, whatever its folder.
    Process,
    /// A program file, or a folder and all below it.
    Path,
    /// The SHA-256 of a program file.
    Hash,
    /// An IP address or a network in CIDR form.
    Address,
    /// A domain and all below it.
    Domain,
}

impl IndicatorKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Process, Self::Path, Self::Hash, Self::Address, Self::Domain];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Path => "path",
            Self::Hash => "hash",
            Self::Address => "address",
            Self::Domain => "domain",
        }
    }

    /// The kind of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for IndicatorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a match leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorAction {
    /// An alert, and the order to end the process.
    Kill,
    /// An alert; ending the process is offered to people.
    Alert,
}

impl IndicatorAction {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Alert => "alert",
        }
    }

    /// The action of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Kill, Self::Alert].into_iter().find(|action| action.name() == name)
    }
}

/// Where an indicator comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorOrigin {
    /// Shipped with the program.
    Default,
    /// Added by a person, one at a time.
    User,
    /// Taken from a list.
    Import,
}

impl IndicatorOrigin {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::User => "user",
            Self::Import => "import",
        }
    }
}

/// A known bad thing, and what a match leads to. JSON:
/// `{"id","kind","value","action","severity","origin","note","created"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Row", into = "Row")]
pub struct Indicator {
    id: Box<str>,
    value: IndicatorValue,
    /// What a match leads to.
    pub action: IndicatorAction,
    /// The severity of the alert.
    pub severity: Severity,
    /// Where it comes from.
    pub origin: IndicatorOrigin,
    /// A remark of whoever added it.
    pub note: Option<Box<str>>,
    /// When it was added.
    pub created: Timestamp,
}

impl Indicator {
    /// How many characters of a note are kept.
    pub const NOTE_CHARS_MAX: usize = 2000;

    /// An indicator with the defaults of its kind: hashes, and process names that are not
    /// [`DUAL_USE_NAMES`], order the kill at high severity; all else alerts at medium.
    pub fn new(value: IndicatorValue, origin: IndicatorOrigin, created: Timestamp) -> Self {
        let action = match value.kind() {
            IndicatorKind::Hash => IndicatorAction::Kill,
            IndicatorKind::Process if !DUAL_USE_NAMES.contains(&value.to_string().as_str()) => {
                IndicatorAction::Kill
            }
            _ => IndicatorAction::Alert,
        };
        let severity = match action {
            IndicatorAction::Kill => Severity::High,
            IndicatorAction::Alert => Severity::Medium,
        };
        Self { id: value.id(), value, action, severity, origin, note: None, created }
    }

    /// With this action, and the severity that goes with it by default.
    #[must_use]
    pub fn with_action(mut self, action: IndicatorAction) -> Self {
        self.action = action;
        self.severity = match action {
            IndicatorAction::Kill => Severity::High,
            IndicatorAction::Alert => Severity::Medium,
        };
        self
    }

    /// With this severity.
    #[must_use]
    pub const fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With this remark, cut to [`Self::NOTE_CHARS_MAX`]; a blank one is none.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        let note: String = note.trim().chars().take(Self::NOTE_CHARS_MAX).collect();
        self.note = (!note.is_empty()).then(|| note.into());
        self
    }

    /// 32 hexadecimal digits that follow from kind and value: the same thing listed twice is one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about.
    pub fn kind(&self) -> IndicatorKind {
        self.value.kind()
    }

    /// What is listed, in normal form.
    pub fn value(&self) -> &IndicatorValue {
        &self.value
    }
}

impl IndicatorValue {
    fn id(&self) -> Box<str> {
        use fmt::Write;
        let digest = Sha256::digest(format!("{}:{self}", self.kind()));
        let mut id = String::with_capacity(32);
        for byte in digest.iter().take(16) {
            // Writing to a `String` cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id.into()
    }
}

/// The JSON face. The id is written for readers and follows from the value when read.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(default)]
    id: Box<str>,
    kind: IndicatorKind,
    value: Box<str>,
    action: IndicatorAction,
    severity: Severity,
    origin: IndicatorOrigin,
    #[serde(default)]
    note: Option<Box<str>>,
    created: Timestamp,
}

impl TryFrom<Row> for Indicator {
    type Error = IndicatorError;

    fn try_from(row: Row) -> Result<Self, IndicatorError> {
        let value = IndicatorValue::parse(row.kind, &row.value)?;
        Ok(Self {
            id: value.id(),
            value,
            action: row.action,
            severity: row.severity,
            origin: row.origin,
            note: row.note,
            created: row.created,
        })
    }
}

impl From<Indicator> for Row {
    fn from(indicator: Indicator) -> Self {
        Self {
            kind: indicator.kind(),
            value: indicator.value.to_string().into(),
            id: indicator.id,
            action: indicator.action,
            severity: indicator.severity,
            origin: indicator.origin,
            note: indicator.note,
            created: indicator.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_from_the_kind() {
        check("process", "Sleep", IndicatorAction::Kill, Severity::High);
        check("process", "netcat", IndicatorAction::Alert, Severity::Medium);
        check("process", "BASH", IndicatorAction::Alert, Severity::Medium);
        check("hash", &"ab".repeat(32), IndicatorAction::Kill, Severity::High);
        check("address", "203.0.113.9", IndicatorAction::Alert, Severity::Medium);
        check("domain", "evil.example", IndicatorAction::Alert, Severity::Medium);
        check("path", "/tmp/x", IndicatorAction::Alert, Severity::Medium);
    }

    #[track_caller]
    fn check(kind: &str, value: &str, action: IndicatorAction, severity: Severity) {
        let indicator = indicator(kind, value);
        assert_eq!((indicator.action, indicator.severity), (action, severity), "{kind} {value}");
    }

    #[test]
    fn the_id_follows_from_kind_and_value() {
        assert_eq!(indicator("process", "Evil.SH").id(), indicator("process", " evil.sh ").id());
        assert_ne!(indicator("process", "a.example").id(), indicator("domain", "a.example").id());
        assert_eq!(indicator("process", "evil.sh").id().len(), 32);
    }

    #[test]
    fn json_is_read_back_and_checked() {
        let indicator = indicator("address", "203.0.113.9/24").with_note("  c2 ");
        let text = serde_json::to_string(&indicator).unwrap();
        assert!(text.contains(r#""kind":"address","value":"203.0.113.0/24","action":"alert""#));
        assert_eq!(serde_json::from_str::<Indicator>(&text).unwrap(), indicator);
        assert!(serde_json::from_str::<Indicator>(&text.replace("203.0", "x")).is_err());
    }

    fn indicator(kind: &str, value: &str) -> Indicator {
        let kind = IndicatorKind::from_name(kind).unwrap();
        let value = IndicatorValue::parse(kind, value).unwrap();
        Indicator::new(value, IndicatorOrigin::User, Timestamp::default())
    }
}
