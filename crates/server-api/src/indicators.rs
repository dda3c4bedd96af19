use crate::schemas;
use ringwall_event::{Severity, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A known bad thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Indicator)]
pub struct IndicatorRow {
    /// Names it in paths.
    pub id: String,
    /// What is compared.
    pub kind: IndicatorKind,
    /// With what, in the form that is compared: names and hashes in lower case.
    pub value: String,
    /// What a match does.
    pub action: IndicatorAction,
    /// How bad a match is.
    #[schema(value_type = schemas::Severity)]
    pub severity: Severity,
    /// Where it comes from.
    pub origin: IndicatorOrigin,
    /// Why it is on the list.
    pub note: Option<String>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// How many sightings matched.
    pub hits: u64,
    /// When one last matched.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_hit: Option<Timestamp>,
}

/// What an indicator is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorKind {
    /// The short name of a program, without regard to case.
    Process,
    /// The absolute path of a program file.
    Path,
    /// The SHA-256 of a program file, 64 hexadecimal digits.
    Hash,
    /// An IP address, or a network in CIDR form.
    Address,
    /// A domain name, its subdomains included.
    Domain,
}

impl IndicatorKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Process, Self::Path, Self::Hash, Self::Address, Self::Domain];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Path => "path",
            Self::Hash => "hash",
            Self::Address => "address",
            Self::Domain => "domain",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a match does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorAction {
    /// Raises an alert and orders the kill of the process.
    Kill,
    /// Raises an alert and offers the kill to people.
    Alert,
}

impl IndicatorAction {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Alert => "alert",
        }
    }

    /// The action of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Kill, Self::Alert].into_iter().find(|action| action.name() == name)
    }
}

/// Where an indicator comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorOrigin {
    /// It came with the program.
    Default,
    /// Somebody added it.
    User,
    /// It came in a list.
    Import,
}

/// A known bad thing to be added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorRequest {
    /// What is compared.
    pub kind: IndicatorKind,
    /// With what.
    #[schema(example = "evil.sh", max_length = 4096)]
    pub value: String,
    /// What a match does; `kill` for process names, paths and hashes, else `alert`, where it is
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<IndicatorAction>,
    /// How bad a match is; `high` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Severity>)]
    pub severity: Option<Severity>,
    /// Why it is on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// Many known bad things: give `text` and `kind`, or `json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorImport {
    /// One value a line; a line that begins with `#` is a comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the lines of `text` are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<IndicatorKind>,
    /// An object with lists of texts under `hashes` (or `file_hashes`), `ips` (or `ip_addresses`),
    /// `domains`, `file_paths` and `process_names`: what SysScore agents import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub json: Option<serde_json::Value>,
    /// What a match does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<IndicatorAction>,
    /// How bad a match is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Severity>)]
    pub severity: Option<Severity>,
    /// Why they are on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What became of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndicatorImportAnswer {
    /// How many are new.
    pub added: u64,
    /// How many were there before.
    pub unchanged: u64,
    /// Those that were left out.
    pub refused: Vec<IndicatorRefusal>,
}

/// Why an entry of a list was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndicatorRefusal {
    /// The line of `text`, from 1; for `json` the position in its list, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}
