use crate::schemas;
use ringwall_event::{Network, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When addresses are banned without anybody asking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardAutomatic {
    /// The rules, at most 100.
    #[serde(default)]
    pub rules: Vec<GuardAutomaticRule>,
    /// Whether an address that one application bans is banned from all.
    #[serde(default)]
    pub share_app_bans: bool,
    /// Addresses and networks that nobody bans, at most 1000.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["198.51.100.0/24"]))]
    pub never_ban: Vec<Network>,
}

/// A rule by which addresses are banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardAutomaticRule {
    /// What people call it, 1 to 64 of `A-Z a-z 0-9 - _ .`; the audit log names it.
    #[schema(min_length = 1, max_length = 64, example = "probes")]
    pub name: String,
    /// Whether it is in force.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What has to happen.
    pub when: GuardAutomaticWhen,
    /// How long the address is banned, 60 to 31536000.
    #[schema(minimum = 60, maximum = 31_536_000)]
    pub ban_seconds: u32,
    /// Only what these projects report counts, and the ban holds in these only. None: everything
    /// counts, and the ban holds everywhere. Alerts of hosts always count.
    #[serde(default)]
    pub projects: Option<Vec<String>>,
    /// Whether all enrolled hosts shall block the address, too.
    #[serde(default)]
    pub hosts: bool,
}

/// What has to happen before a rule bans an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardAutomaticWhen {
    /// Sightings of alerts of these kinds count.
    #[serde(default)]
    #[schema(example = json!(["indicator_match"]))]
    pub findings: Vec<String>,
    /// Events of these types count.
    #[serde(default)]
    #[schema(example = json!(["penetration_attempt"]))]
    pub event_types: Vec<String>,
    /// Alerts below this do not count; none: all do.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Severity>)]
    pub min_severity: Option<Severity>,
    /// How many it takes from one address, 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    pub threshold: u32,
    /// Within how many seconds, 1 to 86400.
    #[schema(minimum = 1, maximum = 86_400)]
    pub window_seconds: u32,
}

const fn yes() -> bool {
    true
}
