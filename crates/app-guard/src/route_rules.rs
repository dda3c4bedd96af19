//! What applies to one route: typed builders, one for each decorator of the original middleware.

mod compiled;

pub use compiled::Route;
pub(crate) use compiled::{
    CompiledLists, Exclusion, categories, countries, lower, networks, number, patterns, rate, value,
};

use crate::behaviour::{BehaviourAction, BehaviourRule, Counted};
use crate::payload::Category;
use crate::time_window::Zone;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The rules of one route. Checked when they are compiled to a [`Route`].
///
/// ```
/// use ringwall_app_guard::{Bypass, RouteRules};
///
/// let rules = RouteRules::new()
///     .rate_limit(5, 60)
///     .require_https()
///     .block_countries(["KP"])
///     .bypass([Bypass::Clouds]);
/// rules.compile("/orders/{id}").unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteRules {
    pub(crate) rate_limit: Option<(u32, u32)>,
    pub(crate) geo_rate_limit: BTreeMap<String, (u32, u32)>,
    pub(crate) require_ip_allow: Vec<String>,
    pub(crate) require_ip_deny: Vec<String>,
    pub(crate) allow_countries: Vec<String>,
    pub(crate) block_countries: Vec<String>,
    pub(crate) block_clouds: Vec<String>,
    pub(crate) bypass: Vec<Bypass>,
    pub(crate) require_https: bool,
    pub(crate) require_auth: Option<Authentication>,
    pub(crate) api_key_auth: Option<ApiKey>,
    pub(crate) require_authorization_header: bool,
    pub(crate) require_headers: BTreeMap<String, String>,
    pub(crate) require_referrer: Vec<String>,
    pub(crate) content_type_filter: Vec<String>,
    pub(crate) max_request_size: Option<u64>,
    pub(crate) block_user_agents: Vec<String>,
    pub(crate) time_window: Option<TimeWindowRule>,
    pub(crate) custom_validation: Vec<String>,
    pub(crate) honeypot_detection: Vec<String>,
    pub(crate) suspicious_detection: Option<bool>,
    pub(crate) detection_exclusion: DetectionExclusion,
    pub(crate) behaviour: Vec<BehaviourRule>,
    #[serde(skip)]
    pub(crate) zone_rules: Option<TimeZone>,
}

/// A check that a route skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bypass {
    /// Every check.
    All,
    /// Bans.
    IpBan,
    /// Address lists and countries.
    Ip,
    /// Clouds.
    Clouds,
    /// Rate limits.
    RateLimit,
    /// The search for attacks.
    Penetration,
}

impl Bypass {
    /// The name in telemetry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::IpBan => "ip_ban",
            Self::Ip => "ip",
            Self::Clouds => "clouds",
            Self::RateLimit => "rate_limit",
            Self::Penetration => "penetration",
        }
    }
}

/// How `Authorization` has to look, and who verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authentication {
    pub(crate) scheme: String,
    #[serde(default)]
    pub(crate) verifier: Option<String>,
}

/// Which header carries the key, and who verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) verifier: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeWindowRule {
    pub(crate) start: String,
    pub(crate) end: String,
    #[serde(default)]
    pub(crate) zone: String,
}

/// What the search for attacks leaves out at a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionExclusion {
    /// Headers.
    pub headers: Vec<String>,
    /// Query parameters.
    pub parameters: Vec<String>,
    /// Fields of bodies.
    pub fields: Vec<String>,
    /// Categories of attacks, by name.
    pub categories: Vec<String>,
}

impl RouteRules {
    /// No rules: what is set for the application applies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// So many requests of an address within so many seconds.
    #[must_use]
    pub const fn rate_limit(mut self, requests: u32, seconds: u32) -> Self {
        self.rate_limit = Some((requests, seconds));
        self
    }

    /// So many requests within so many seconds for addresses of a country; `*` for all others.
    #[must_use]
    pub fn geo_rate_limit<C: Into<String>>(
        mut self,
        limits: impl IntoIterator<Item = (C, (u32, u32))>,
    ) -> Self {
        self.geo_rate_limit
            .extend(limits.into_iter().map(|(country, limit)| (country.into(), limit)));
        self
    }

    /// Only these addresses and networks.
    #[must_use]
    pub fn allow_ips<S: Into<String>>(mut self, networks: impl IntoIterator<Item = S>) -> Self {
        self.require_ip_allow.extend(networks.into_iter().map(Into::into));
        self
    }

    /// Not these addresses and networks.
    #[must_use]
    pub fn deny_ips<S: Into<String>>(mut self, networks: impl IntoIterator<Item = S>) -> Self {
        self.require_ip_deny.extend(networks.into_iter().map(Into::into));
        self
    }

    /// Only these countries.
    #[must_use]
    pub fn allow_countries<S: Into<String>>(
        mut self,
        countries: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allow_countries.extend(countries.into_iter().map(Into::into));
        self
    }

    /// Not these countries.
    #[must_use]
    pub fn block_countries<S: Into<String>>(
        mut self,
        countries: impl IntoIterator<Item = S>,
    ) -> Self {
        self.block_countries.extend(countries.into_iter().map(Into::into));
        self
    }

    /// Not these clouds: `AWS`, or `GCP:!us-central1` for all but a region.
    #[must_use]
    pub fn block_clouds<S: Into<String>>(mut self, clouds: impl IntoIterator<Item = S>) -> Self {
        self.block_clouds.extend(clouds.into_iter().map(Into::into));
        self
    }

    /// Skips these checks.
    #[must_use]
    pub fn bypass(mut self, checks: impl IntoIterator<Item = Bypass>) -> Self {
        self.bypass.extend(checks);
        self
    }

    /// Only over TLS; plain HTTP is redirected.
    #[must_use]
    pub const fn require_https(mut self) -> Self {
        self.require_https = true;
        self
    }

    /// Only with `Authorization` of this scheme (`bearer`, `basic`, …) that the verifier of this name takes.
    #[must_use]
    pub fn require_auth(mut self, scheme: impl Into<String>, verifier: impl Into<String>) -> Self {
        let verifier = Some(verifier.into());
        self.require_auth = Some(Authentication { scheme: scheme.into(), verifier });
        self
    }

    /// Only with a key in this header that the verifier of this name takes.
    #[must_use]
    pub fn api_key_auth(mut self, header: impl Into<String>, verifier: impl Into<String>) -> Self {
        let verifier = Some(verifier.into());
        self.api_key_auth = Some(ApiKey { header: header.into(), verifier });
        self
    }

    /// Only with some `Authorization`; the application itself looks at what it says.
    #[must_use]
    pub const fn require_authorization_header(mut self) -> Self {
        self.require_authorization_header = true;
        self
    }

    /// Only with this header; whatever value.
    #[must_use]
    pub fn require_header(mut self, name: impl Into<String>) -> Self {
        self.require_headers.insert(name.into(), REQUIRED.to_owned());
        self
    }

    /// Only with this header and value.
    #[must_use]
    pub fn require_header_value(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.require_headers.insert(name.into(), value.into());
        self
    }

    /// Only from pages of these domains and their subdomains.
    #[must_use]
    pub fn require_referrer<S: Into<String>>(
        mut self,
        domains: impl IntoIterator<Item = S>,
    ) -> Self {
        self.require_referrer.extend(domains.into_iter().map(Into::into));
        self
    }

    /// Only bodies of these media types.
    #[must_use]
    pub fn content_type_filter<S: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = S>,
    ) -> Self {
        self.content_type_filter.extend(types.into_iter().map(Into::into));
        self
    }

    /// Only bodies of at most so many bytes, chunked ones included.
    #[must_use]
    pub const fn max_request_size(mut self, bytes: u64) -> Self {
        self.max_request_size = Some(bytes);
        self
    }

    /// Not these user agents (expressions).
    #[must_use]
    pub fn block_user_agents<S: Into<String>>(
        mut self,
        patterns: impl IntoIterator<Item = S>,
    ) -> Self {
        self.block_user_agents.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Only between two times of day written `HH:MM`, perhaps over midnight, in this zone: `UTC`, an offset
    /// such as `+02:00`, or an IANA name.
    #[must_use]
    pub fn time_window(
        mut self,
        start: impl Into<String>,
        end: impl Into<String>,
        zone: impl Into<String>,
    ) -> Self {
        let (start, end, zone) = (start.into(), end.into(), zone.into());
        self.time_window = Some(TimeWindowRule { start, end, zone });
        self
    }

    /// Only what the application's check of this name takes. More than one: in this order.
    #[must_use]
    pub fn custom_validation(mut self, name: impl Into<String>) -> Self {
        self.custom_validation.push(name.into());
        self
    }

    /// Refuses whoever fills one of these fields, which people do not see.
    #[must_use]
    pub fn honeypot_detection<S: Into<String>>(
        mut self,
        fields: impl IntoIterator<Item = S>,
    ) -> Self {
        self.honeypot_detection.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Whether this route's requests are searched for attacks, whatever is set for the application.
    #[must_use]
    pub const fn suspicious_detection(mut self, enabled: bool) -> Self {
        self.suspicious_detection = Some(enabled);
        self
    }

    /// Leaves parts out of the search for attacks.
    #[must_use]
    pub fn detection_exclusion(mut self, exclusion: DetectionExclusion) -> Self {
        self.detection_exclusion = exclusion;
        self
    }

    /// Leaves a category out of the search for attacks.
    #[must_use]
    pub fn exclude_category(mut self, category: Category) -> Self {
        self.detection_exclusion.categories.push(category.name().to_owned());
        self
    }

    /// Counts calls of an address; more than `max_calls` within the window lead to the action.
    #[must_use]
    pub fn usage_monitor(self, max_calls: u32, window: u32, action: BehaviourAction) -> Self {
        self.behaviour_rule(rule(Counted::Usage, max_calls, window, action))
    }

    /// Counts calls of an address; more than so many a second, seen over the window, lead to the action.
    #[must_use]
    pub fn suspicious_frequency(
        self,
        max_per_second: f64,
        window: u32,
        action: BehaviourAction,
    ) -> Self {
        // A frequency below one in the window still means one call.
        let threshold = (max_per_second * f64::from(window)).clamp(1.0, f64::from(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let threshold = threshold as u32;
        self.behaviour_rule(rule(Counted::Frequency, threshold, window, action))
    }

    /// Counts answers that match; more than `max_occurrences` within the window lead to the action.
    #[must_use]
    pub fn return_monitor(
        self,
        pattern: impl Into<String>,
        max_occurrences: u32,
        window: u32,
        action: BehaviourAction,
    ) -> Self {
        let counted = Counted::ReturnPattern(pattern.into());
        self.behaviour_rule(rule(counted, max_occurrences, window, action))
    }

    /// A behaviour rule as it is.
    #[must_use]
    pub fn behaviour_rule(mut self, rule: BehaviourRule) -> Self {
        self.behaviour.push(rule);
        self
    }

    /// Gives the zone of the time window its rules, where it is named: engines open no files.
    pub fn resolve_zone(&mut self, look_up: impl FnOnce(&str) -> Option<TimeZone>) {
        let named = self.time_window.as_ref().map(|window| Zone::parse(&window.zone));
        if let Some(Zone::Named(name, _)) = named {
            self.zone_rules = look_up(&name);
        }
    }
}

/// The value of a required header that stands for any.
pub(crate) const REQUIRED: &str = "required";

const fn rule(
    counted: Counted,
    threshold: u32,
    window: u32,
    action: BehaviourAction,
) -> BehaviourRule {
    BehaviourRule { counted, threshold, window, action, ban_duration: 3600 }
}
