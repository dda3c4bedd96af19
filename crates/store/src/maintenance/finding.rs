use serde::{Deserialize, Serialize};

/// Something that an examination found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: FindingSeverity,
    /// Of what kind.
    pub kind: FindingKind,
    /// Where: a file in the data directory, or a table of the database.
    pub place: String,
    /// What is wrong, for people.
    pub what: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// Nothing is wrong; it is told so that nobody wonders.
    Note,
    /// Something is not as it should be; no event is affected.
    Warning,
    /// Something is lost, doubled or altered.
    Damage,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// SQLite finds its file damaged.
    Database,
    /// A batch of the intake cannot be unpacked, or is not what its row says.
    Batch,
    /// A file is not there.
    Missing,
    /// A file cannot be read.
    Unreadable,
    /// A file is shorter or longer than it was.
    Size,
    /// A file has other bytes than it had.
    Checksum,
    /// A file has the right bytes, which are not those of an archive file.
    Format,
    /// A count differs from what is counted.
    Count,
    /// Times lie outside the bounds that are noted for them.
    Bounds,
    /// Rows are not in their order.
    Order,
    /// An event is there more than once.
    Duplicate,
    /// A file that nothing refers to.
    Orphan,
    /// A file that was replaced or retired and not removed yet.
    Doomed,
    /// The counts by minute differ from what is counted.
    Rollup,
    /// The master key is missing, or is none.
    MasterKey,
}

impl Finding {
    pub(crate) fn damage(
        kind: FindingKind,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self { severity: FindingSeverity::Damage, kind, place: place.into(), what: what.into() }
    }

    pub(crate) fn warning(
        kind: FindingKind,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self { severity: FindingSeverity::Warning, ..Self::damage(kind, place, what) }
    }

    pub(crate) fn note(
        kind: FindingKind,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self { severity: FindingSeverity::Note, ..Self::damage(kind, place, what) }
    }

    /// Whether something is lost, doubled or altered.
    pub fn is_damage(&self) -> bool {
        self.severity == FindingSeverity::Damage
    }
}

impl FindingSeverity {
    /// The name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Damage => "damage",
        }
    }
}

impl FindingKind {
    /// The name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Batch => "batch",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Size => "size",
            Self::Checksum => "checksum",
            Self::Format => "format",
            Self::Count => "count",
            Self::Bounds => "bounds",
            Self::Order => "order",
            Self::Duplicate => "duplicate",
            Self::Orphan => "orphan",
            Self::Doomed => "doomed",
            Self::Rollup => "rollup",
            Self::MasterKey => "master-key",
        }
    }
}
