mod edit;
mod pattern;
mod read;
mod write;

pub use edit::RuleFault;
pub use read::{RulesAnswer, RulesError};

use ringwall_event::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The cloud providers whose ranges the guards know.
pub const CLOUD_PROVIDERS: [&str; 6] = ["AWS", "GCP", "Azure", "DigitalOcean", "Linode", "Vultr"];

/// What a server tells a guard to do, beyond and instead of its own settings.
///
/// On the wire it is one flat object. A guard takes it where it has none, where `rule_id` differs,
/// or where `version` is larger than that of the one it has. It starts from the guard's own settings
/// each time, so to withdraw something, the next version is sent without it.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicRules {
    /// Whose rules these are.
    pub rule_id: Box<str>,
    /// Grows with every change.
    pub version: i64,
    /// When they were made; informative.
    pub timestamp: Option<Timestamp>,
    /// When they end, and the guard's own settings hold again.
    pub expires_at: Option<Timestamp>,
    /// How many seconds a guard may go without asking again.
    pub ttl: u32,
    /// Addresses and networks, each banned for `ip_ban_duration` seconds.
    pub ip_blacklist: Vec<Box<str>>,
    /// Addresses and networks, each unbanned, once. The original adds them to no list of allowed ones.
    pub ip_whitelist: Vec<Box<str>>,
    /// Seconds.
    pub ip_ban_duration: u32,
    /// ISO 3166 codes; where there are any, they replace the guard's own.
    pub blocked_countries: Vec<Box<str>>,
    /// As `blocked_countries`: only these are let in.
    pub whitelist_countries: Vec<Box<str>>,
    /// Requests in `global_rate_window`; replaces the guard's own.
    pub global_rate_limit: Option<u32>,
    /// Seconds; counts together with `global_rate_limit` only.
    pub global_rate_window: Option<u32>,
    /// By exact path; where there are any, they replace the guard's own.
    pub endpoint_rate_limits: BTreeMap<Box<str>, EndpointRate>,
    /// Of [`CLOUD_PROVIDERS`], or `NAME:!region` to leave out one region.
    pub blocked_cloud_providers: BTreeSet<Box<str>>,
    /// Regular expressions, searched for without regard to case; where there are any, they replace
    /// the guard's own.
    pub blocked_user_agents: Vec<Box<str>>,
    /// Regular expressions, added to the guard's detection.
    pub suspicious_patterns: Vec<Box<str>>,
    /// Replaces the guard's own setting.
    pub enable_penetration_detection: Option<bool>,
    /// Replaces the guard's own setting.
    pub enable_ip_banning: Option<bool>,
    /// Replaces the guard's own setting.
    pub enable_rate_limiting: Option<bool>,
    /// Replaces the guard's own setting.
    pub enable_rate_limit_auto_ban: Option<bool>,
    /// Detections before an address is banned; replaces the guard's own.
    pub auto_ban_threshold: Option<u32>,
    /// Seconds; replaces the guard's own.
    pub auto_ban_duration: Option<u32>,
    /// Everybody but `emergency_whitelist` is answered 503.
    pub emergency_mode: bool,
    /// Addresses, with newer guards networks too.
    pub emergency_whitelist: Vec<Box<str>>,
    /// Known to the original, without effect there.
    pub emergency_whitelist_only: bool,
    /// Known to the original, without effect there.
    pub message: Option<Box<str>>,
}

/// How often one path may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointRate {
    /// Requests of one address.
    pub requests: u32,
    /// In this many seconds.
    pub window_seconds: u32,
}

impl Default for DynamicRules {
    /// What an absent field means: nothing is asked of the guard.
    fn default() -> Self {
        Self {
            rule_id: "default-rule".into(),
            version: 1,
            timestamp: None,
            expires_at: None,
            ttl: 300,
            ip_blacklist: Vec::new(),
            ip_whitelist: Vec::new(),
            ip_ban_duration: 3600,
            blocked_countries: Vec::new(),
            whitelist_countries: Vec::new(),
            global_rate_limit: None,
            global_rate_window: None,
            endpoint_rate_limits: BTreeMap::new(),
            blocked_cloud_providers: BTreeSet::new(),
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

impl DynamicRules {
    /// Whether a guard that has `current` takes these.
    pub fn follows(&self, current: Option<&Self>) -> bool {
        current
            .is_none_or(|current| self.rule_id != current.rule_id || self.version > current.version)
    }

    /// Whether they have ended by `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests;
