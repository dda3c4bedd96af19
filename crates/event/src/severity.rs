use serde::{Deserialize, Serialize};
use std::fmt;

/// OCSF `severity_id`, without its `unknown` and `other`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 1: nothing to do.
    #[default]
    Informational,
    /// 2: look at it when there is time.
    Low,
    /// 3: look at it today.
    Medium,
    /// 4: look at it now.
    High,
    /// 5: damage is being done.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The OCSF number, 1 to 5.
    pub const fn id(self) -> u8 {
        self as u8 + 1
    }

    /// The severity with this OCSF number.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id.checked_sub(1)?)).copied()
    }

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
