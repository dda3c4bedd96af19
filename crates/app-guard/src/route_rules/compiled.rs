use super::{ApiKey, Authentication, Bypass, REQUIRED, RouteRules};
use crate::address::{BlockedClouds, NetworkSet};
use crate::behaviour::CompiledRule;
use crate::patterns::PatternSet;
use crate::payload::Category;
use crate::question::Country;
use crate::settings::SettingsError;
use crate::time_window::{TimeWindow, Zone};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The checked rules of one route, ready to be shared by its requests.
#[derive(Debug)]
pub struct Route {
    /// The route's pattern: the endpoint of its counters and figures.
    pub(crate) endpoint: Arc<str>,
    pub(crate) rate_limit: Option<(u32, Duration)>,
    pub(crate) geo_limits: BTreeMap<Country, (u32, Duration)>,
    pub(crate) geo_limit_else: Option<(u32, Duration)>,
    pub(crate) lists: CompiledLists,
    pub(crate) clouds: BlockedClouds,
    pub(crate) bypasses: Bypasses,
    pub(crate) require_https: bool,
    pub(crate) authentication: Option<AuthenticationCheck>,
    pub(crate) api_key: Option<ApiKeyCheck>,
    pub(crate) authorization_present: bool,
    /// The name as it was written and, where one is demanded, the value.
    pub(crate) headers: Vec<(Box<str>, Option<Box<str>>)>,
    pub(crate) referrers: Vec<Box<str>>,
    pub(crate) content_types: Vec<Box<str>>,
    pub(crate) size_max: Option<u64>,
    pub(crate) user_agents: PatternSet,
    pub(crate) time_window: Option<TimeWindow>,
    pub(crate) checks: Vec<Arc<str>>,
    pub(crate) honeypots: Vec<Box<str>>,
    pub(crate) detection: Option<bool>,
    pub(crate) excluded: Exclusion,
    pub(crate) behaviour: Vec<CompiledRule>,
}

/// Address and country lists, of the application or of a route.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompiledLists {
    pub(crate) allow: NetworkSet,
    pub(crate) deny: NetworkSet,
    pub(crate) countries_allowed: Vec<Country>,
    pub(crate) countries_blocked: Vec<Country>,
}

#[derive(Debug)]
pub(crate) struct AuthenticationCheck {
    pub(crate) scheme: Arc<str>,
    pub(crate) verifier: Option<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct ApiKeyCheck {
    pub(crate) header: Box<str>,
    pub(crate) verifier: Option<Arc<str>>,
}

/// What the detection leaves out; names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exclusion {
    pub(crate) headers: Vec<Box<str>>,
    pub(crate) parameters: Vec<Box<str>>,
    pub(crate) fields: Vec<Box<str>>,
    pub(crate) categories: Vec<Category>,
}

/// Which checks are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bypasses(u8);

impl Bypasses {
    pub(crate) fn new(list: &[Bypass]) -> Self {
        Self(list.iter().fold(0, |bits, bypass| bits | 1 << *bypass as u8))
    }

    /// Whether this check is skipped, alone or with all.
    pub(crate) const fn has(self, bypass: Bypass) -> bool {
        self.0 & (1 << bypass as u8 | 1 << Bypass::All as u8) != 0
    }
}

impl RouteRules {
    /// Checks the rules for the route of this pattern.
    ///
    /// # Errors
    /// What is wrong with them; see [`SettingsError`].
    pub fn compile(&self, endpoint: &str) -> Result<Route, SettingsError> {
        let (geo_limits, geo_limit_else) = self.geo_limits()?;
        let time_window = self.time_window.as_ref().map(|rule| {
            let zone = match Zone::parse(&rule.zone) {
                Zone::Named(name, None) => Zone::Named(name, self.zone_rules.clone()),
                plain => plain,
            };
            TimeWindow::new(&rule.start, &rule.end, zone)
        });
        let behaviour: Result<Vec<_>, _> = self.behaviour.iter().map(CompiledRule::new).collect();
        if self.max_request_size == Some(0) {
            return Err(number("max_request_size", 0, 1, u64::MAX));
        }
        Ok(Route {
            endpoint: endpoint.into(),
            rate_limit: self.rate_limit.map(|limit| rate("rate_limit", limit)).transpose()?,
            geo_limits,
            geo_limit_else,
            lists: CompiledLists {
                allow: networks("require_ip.allow", &self.require_ip_allow)?,
                deny: networks("require_ip.deny", &self.require_ip_deny)?,
                countries_allowed: countries("allow_countries", &self.allow_countries)?,
                countries_blocked: countries("block_countries", &self.block_countries)?,
            },
            clouds: BlockedClouds::parse(&self.block_clouds)
                .map_err(|error| SettingsError::Cloud { field: "block_clouds", error })?,
            bypasses: Bypasses::new(&self.bypass),
            require_https: self.require_https,
            authentication: self.require_auth.as_ref().map(authentication).transpose()?,
            api_key: self.api_key_auth.as_ref().map(api_key).transpose()?,
            authorization_present: self.require_authorization_header,
            headers: self.required_headers()?,
            referrers: self.require_referrer.iter().map(|domain| domain_of(domain)).collect(),
            content_types: lower(&self.content_type_filter),
            size_max: self.max_request_size,
            user_agents: patterns("block_user_agents", &self.block_user_agents)?,
            time_window: time_window.transpose()?,
            checks: self.custom_validation.iter().map(|name| name.as_str().into()).collect(),
            honeypots: self.honeypot_detection.iter().map(|name| name.as_str().into()).collect(),
            detection: self.suspicious_detection,
            excluded: Exclusion {
                headers: lower(&self.detection_exclusion.headers),
                parameters: lower(&self.detection_exclusion.parameters),
                fields: lower(&self.detection_exclusion.fields),
                categories: categories(
                    "detection_exclusion.categories",
                    &self.detection_exclusion.categories,
                )?,
            },
            behaviour: behaviour?,
        })
    }

    #[expect(clippy::type_complexity, reason = "a pair of what the caller stores")]
    fn geo_limits(
        &self,
    ) -> Result<(BTreeMap<Country, (u32, Duration)>, Option<(u32, Duration)>), SettingsError> {
        let mut limits = BTreeMap::new();
        let mut otherwise = None;
        for (text, limit) in &self.geo_rate_limit {
            let limit = rate("geo_rate_limit", *limit)?;
            if text == "*" {
                otherwise = Some(limit);
            } else {
                limits.insert(country("geo_rate_limit", text)?, limit);
            }
        }
        Ok((limits, otherwise))
    }

    #[expect(clippy::type_complexity, reason = "a pair of what the caller stores")]
    fn required_headers(&self) -> Result<Vec<(Box<str>, Option<Box<str>>)>, SettingsError> {
        let mut headers = Vec::with_capacity(self.require_headers.len());
        for (name, value) in &self.require_headers {
            crate::settings::check_header(name, value)?;
            let value = (value != REQUIRED).then(|| Box::from(value.as_str()));
            headers.push((name.as_str().into(), value));
        }
        Ok(headers)
    }
}

impl CompiledLists {
    pub(crate) fn asks_country(&self) -> bool {
        !self.countries_allowed.is_empty() || !self.countries_blocked.is_empty()
    }
}

impl Route {
    /// Whether a rule of the route is about countries.
    #[must_use]
    pub fn asks_country(&self) -> bool {
        self.lists.asks_country() || !self.geo_limits.is_empty()
    }

    /// The pattern that the rules were compiled for.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The names of the application's checks and verifiers that the route asks for: whoever builds the
    /// guard makes sure that each exists.
    pub fn names_needed(&self) -> impl Iterator<Item = &str> {
        let authentication =
            self.authentication.iter().filter_map(|check| check.verifier.as_deref());
        let api_key = self.api_key.iter().filter_map(|check| check.verifier.as_deref());
        self.checks.iter().map(|name| &**name).chain(authentication).chain(api_key)
    }
}

fn authentication(rule: &Authentication) -> Result<AuthenticationCheck, SettingsError> {
    if rule.scheme.trim().is_empty() {
        return Err(value("require_auth.scheme", "the scheme is empty"));
    }
    let verifier = rule.verifier.as_deref().map(Arc::from);
    Ok(AuthenticationCheck { scheme: rule.scheme.trim().to_ascii_lowercase().into(), verifier })
}

fn api_key(rule: &ApiKey) -> Result<ApiKeyCheck, SettingsError> {
    crate::settings::check_header(&rule.header, "")?;
    let verifier = rule.verifier.as_deref().map(Arc::from);
    Ok(ApiKeyCheck { header: rule.header.as_str().into(), verifier })
}

/// The host of what was written as a domain or, by mistake, as an address of a page.
fn domain_of(text: &str) -> Box<str> {
    let text = text.trim().to_ascii_lowercase();
    let host = text.split_once("://").map_or(text.as_str(), |(_, host)| host);
    host.split(['/', ':']).next().unwrap_or(host).trim_start_matches("*.").into()
}

pub(crate) fn lower(texts: &[String]) -> Vec<Box<str>> {
    texts.iter().map(|text| text.trim().to_ascii_lowercase().into()).collect()
}

pub(crate) fn networks(field: &'static str, texts: &[String]) -> Result<NetworkSet, SettingsError> {
    NetworkSet::parse(texts).map_err(|error| SettingsError::Address { field, error })
}

pub(crate) fn country(field: &'static str, text: &str) -> Result<Country, SettingsError> {
    Country::new(text.trim()).ok_or_else(|| SettingsError::Country { field, text: text.to_owned() })
}

pub(crate) fn countries(
    field: &'static str,
    texts: &[String],
) -> Result<Vec<Country>, SettingsError> {
    texts.iter().map(|text| country(field, text)).collect()
}

pub(crate) fn patterns(field: &'static str, texts: &[String]) -> Result<PatternSet, SettingsError> {
    PatternSet::new(texts).map_err(|error| SettingsError::Pattern { field, error })
}

pub(crate) fn categories(
    field: &'static str,
    texts: &[String],
) -> Result<Vec<Category>, SettingsError> {
    let category = |text: &String| {
        Category::from_name(text.trim())
            .ok_or_else(|| SettingsError::Category { field, text: text.clone() })
    };
    texts.iter().map(category).collect()
}

/// The most requests that one limit may allow in its window.
const REQUESTS_MAX: u32 = 10_000_000;

/// The longest window, in seconds: thirty days.
const WINDOW_MAX: u32 = 2_592_000;

pub(crate) fn rate(
    field: &'static str,
    (requests, seconds): (u32, u32),
) -> Result<(u32, Duration), SettingsError> {
    let in_range = |given: u32, max: u32| {
        let fine = (1..=max).contains(&given);
        if fine { Ok(()) } else { Err(number(field, given.into(), 1, max.into())) }
    };
    in_range(requests, REQUESTS_MAX)?;
    in_range(seconds, WINDOW_MAX)?;
    Ok((requests, Duration::from_secs(u64::from(seconds))))
}

pub(crate) const fn number(field: &'static str, value: u64, min: u64, max: u64) -> SettingsError {
    SettingsError::Number { field, value, min, max }
}

pub(crate) fn value(field: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError::Value { field, reason: reason.into() }
}
