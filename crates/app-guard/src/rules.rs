//! Rules from outside that change a guard while it runs.

use crate::address::Network;
use crate::event::GuardEvent;
use crate::question::BanOrder;
use std::collections::BTreeMap;

/// Rules as a server hands them out: what they name replaces the settings, what they leave out falls back
/// to them.
///
/// Whoever reads them from the wire has checked the types; what is in them is judged entry by entry when
/// they are applied, and an entry that makes no sense is left out and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    /// Identity; rules of another id are taken whatever their version.
    pub rule_id: String,
    /// Rules of the same id are taken only with a larger version.
    pub version: i64,
    /// When they are over and the settings hold again, in milliseconds since 1970.
    pub expires_unix_ms: Option<u64>,
    /// Addresses and networks to ban.
    pub ip_blacklist: Vec<String>,
    /// Addresses and networks that are let in: a ban on them is lifted, and lists, countries, clouds,
    /// rates and detection leave them alone. Others are not shut out by it.
    pub ip_whitelist: Vec<String>,
    /// How long these bans last, in seconds.
    pub ip_ban_duration: u32,
    /// Replaces the setting unless empty.
    pub blocked_countries: Vec<String>,
    /// Replaces the setting unless empty.
    pub whitelist_countries: Vec<String>,
    /// Replaces the setting unless absent or zero.
    pub global_rate_limit: Option<u32>,
    /// Replaces the setting, together with the limit only.
    pub global_rate_window: Option<u32>,
    /// Replaces the setting unless empty.
    pub endpoint_rate_limits: BTreeMap<String, (u32, u32)>,
    /// Replaces the setting unless empty.
    pub blocked_cloud_providers: Vec<String>,
    /// Replaces the setting unless empty.
    pub blocked_user_agents: Vec<String>,
    /// Added to what detection looks for, as long as these rules hold.
    pub suspicious_patterns: Vec<String>,
    /// Replaces the setting unless absent.
    pub enable_penetration_detection: Option<bool>,
    /// Replaces the setting unless absent.
    pub enable_ip_banning: Option<bool>,
    /// Replaces the setting unless absent.
    pub enable_rate_limiting: Option<bool>,
    /// Replaces the setting unless absent.
    pub enable_rate_limit_auto_ban: Option<bool>,
    /// Replaces the setting unless absent.
    pub auto_ban_threshold: Option<u32>,
    /// Replaces the setting unless absent.
    pub auto_ban_duration: Option<u32>,
    /// Everybody but the emergency whitelist gets 503, and half as many attacks ban.
    pub emergency_mode: bool,
    /// Who is served in an emergency.
    pub emergency_whitelist: Vec<String>,
    /// In an emergency, not even excluded paths and routes that bypass all checks are served to others.
    pub emergency_whitelist_only: bool,
    /// What the others read in an emergency.
    pub message: Option<String>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            rule_id: "default-rule".to_owned(),
            version: 1,
            expires_unix_ms: None,
            ip_blacklist: Vec::new(),
            ip_whitelist: Vec::new(),
            ip_ban_duration: 3600,
            blocked_countries: Vec::new(),
            whitelist_countries: Vec::new(),
            global_rate_limit: None,
            global_rate_window: None,
            endpoint_rate_limits: BTreeMap::new(),
            blocked_cloud_providers: Vec::new(),
            blocked_user_agents: Vec::new(),
            suspicious_patterns: Vec::new(),
            enable_penetration_detection: None,
            enable_ip_banning: None,
            enable_rate_limiting: None,
            enable_rate_limit_auto_ban: None,
            auto_ban_threshold: None,
            auto_ban_duration: None,
            emergency_mode: false,
            emergency_whitelist: Vec::new(),
            emergency_whitelist_only: false,
            message: None,
        }
    }
}

/// What rules changed, and what is to be done about it in the state: the guard itself only decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RulesApplied {
    /// What there is to tell.
    pub events: Vec<GuardEvent>,
    /// Bans to make.
    pub bans: Vec<BanOrder>,
    /// Bans to lift: of addresses that were taken off the list, or are on the list of those let in.
    pub unbans: Vec<Network>,
    /// Entries that make no sense and were left out, in words, such as
    /// ``ip_blacklist: `x` is not an IP address``.
    pub left_out: Vec<String>,
}

/// Why rules were not taken; what held before still holds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesRefused {
    /// The same rules, or older ones, hold already.
    #[error("version {version} of `{rule_id}` is not newer than {current}")]
    NotNewer {
        /// Their identity.
        rule_id: String,
        /// Their version.
        version: i64,
        /// The version that holds.
        current: i64,
    },
    /// They were over before they came.
    #[error("version {version} of `{rule_id}` has expired")]
    Expired {
        /// Their identity.
        rule_id: String,
        /// Their version.
        version: i64,
    },
    /// Settings and rules together are not valid.
    #[error("cannot apply version {version} of `{rule_id}`: {reason}")]
    Invalid {
        /// Their identity.
        rule_id: String,
        /// Their version.
        version: i64,
        /// What is wrong.
        reason: String,
    },
}
