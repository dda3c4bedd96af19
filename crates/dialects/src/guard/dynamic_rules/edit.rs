//! The editor's side: every field is looked at, and every fault is told with its place.

use super::pattern;
use super::{CLOUD_PROVIDERS, DynamicRules, EndpointRate};
use crate::guard::parse_network;
use crate::guard::text::cut;
use crate::validation::{Integer, Json};
use ringwall_event::{Network, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

/// How many addresses and networks a list may have.
const NETWORKS_MAX: usize = 10_000;

/// How many countries there may be in a list; there are fewer than 250.
const COUNTRIES_MAX: usize = 300;

/// How many patterns a list may have.
const PATTERNS_MAX: usize = 200;

/// How many paths may have a rate of their own.
const ENDPOINTS_MAX: usize = 1000;

/// The longest path in bytes.
const PATH_BYTES_MAX: usize = 2048;

/// The longest message in bytes.
const MESSAGE_BYTES_MAX: usize = 500;

/// How many providers, with regions to leave out, there may be.
const PROVIDERS_MAX: usize = 200;

/// The longest duration and window in seconds: a year.
const SECONDS_MAX: u32 = 31_536_000;

/// The largest number of requests or detections.
const COUNT_MAX: u32 = 1_000_000_000;

/// How many faults are told.
const FAULTS_MAX: usize = 100;

/// What is wrong with one field of rules that somebody edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault {
    /// Where, as in `ip_blacklist[3]` or `endpoint_rate_limits["/login"]`; empty for the whole.
    pub field: String,
    /// What is wrong, in words.
    pub problem: String,
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "`{}`: {}", self.field, self.problem)
        }
    }
}

impl DynamicRules {
    /// Reads what somebody edited, strictly: the flat object without `rule_id`, `version` and
    /// `timestamp`, which are the server's. An absent field, or a null one, has its default.
    ///
    /// # Errors
    /// Every fault, at most 100.
    pub fn read_edited(bytes: &[u8]) -> Result<Self, Vec<RuleFault>> {
        let whole = |problem: String| vec![RuleFault { field: String::new(), problem }];
        let json = Json::read(bytes).map_err(|error| whole(error.to_string()))?;
        let members =
            json.model().map_err(|_| whole("rules are an object, field by field".to_owned()))?;
        let mut rules = Self::default();
        let mut faults = Faults(Vec::new());
        let mut seen = BTreeSet::new();
        for (name, json) in members.iter() {
            if !seen.insert(name.to_owned()) {
                faults.add(name, "is there twice");
            } else if !read_field(&mut rules, name, json, &mut faults) {
                let problem = match name {
                    "rule_id" | "version" | "timestamp" => "is given by the server",
                    _ => "is no field of rules",
                };
                faults.add(&cut(name, 64), problem);
            }
        }
        check_together(&rules, &mut faults);
        if faults.0.is_empty() { Ok(rules) } else { Err(faults.0) }
    }

    /// Every fault of these rules, however they were made: what [`DynamicRules::read_edited`] says of
    /// their editable fields.
    ///
    /// # Errors
    /// Every fault, at most 100.
    pub fn check(&self) -> Result<(), Vec<RuleFault>> {
        Self::read_edited(self.write_editable().as_bytes()).map(drop)
    }
}

/// Whether the field is known.
fn read_field(rules: &mut DynamicRules, name: &str, json: Json<'_>, faults: &mut Faults) -> bool {
    let field = Field { name, json, faults };
    if json.is_null() {
        // Null means the default, which the rules have; only the name is checked.
        return rules.write_editable().contains(&format!("\"{name}\":"));
    }
    match name {
        "expires_at" => rules.expires_at = field.moment(),
        "ttl" => field.number(1, 86_400, |ttl| rules.ttl = ttl),
        "ip_blacklist" => rules.ip_blacklist = field.networks(),
        "ip_whitelist" => rules.ip_whitelist = field.networks(),
        "ip_ban_duration" => field.number(1, SECONDS_MAX, |value| rules.ip_ban_duration = value),
        "blocked_countries" => rules.blocked_countries = field.countries(),
        "whitelist_countries" => rules.whitelist_countries = field.countries(),
        "global_rate_limit" => {
            field.number(1, COUNT_MAX, |value| rules.global_rate_limit = Some(value));
        }
        "global_rate_window" => {
            field.number(1, SECONDS_MAX, |value| rules.global_rate_window = Some(value));
        }
        "endpoint_rate_limits" => read_rates(rules, field),
        "blocked_cloud_providers" => {
            rules.blocked_cloud_providers =
                field.texts(PROVIDERS_MAX, cloud_provider_fault).into_iter().collect();
        }
        "blocked_user_agents" => {
            rules.blocked_user_agents = field.texts(PATTERNS_MAX, pattern::fault);
        }
        "suspicious_patterns" => {
            rules.suspicious_patterns = field.texts(PATTERNS_MAX, pattern::fault);
        }
        "enable_penetration_detection" => rules.enable_penetration_detection = field.flag(),
        "enable_ip_banning" => rules.enable_ip_banning = field.flag(),
        "enable_rate_limiting" => rules.enable_rate_limiting = field.flag(),
        "enable_rate_limit_auto_ban" => rules.enable_rate_limit_auto_ban = field.flag(),
        "auto_ban_threshold" => {
            field.number(1, COUNT_MAX, |value| rules.auto_ban_threshold = Some(value));
        }
        "auto_ban_duration" => {
            field.number(1, SECONDS_MAX, |value| rules.auto_ban_duration = Some(value));
        }
        "emergency_mode" => rules.emergency_mode = field.flag().unwrap_or(false),
        "emergency_whitelist" => rules.emergency_whitelist = field.networks(),
        "emergency_whitelist_only" => {
            rules.emergency_whitelist_only = field.flag().unwrap_or(false);
        }
        "message" => match json.text() {
            Ok(text) if text.len() <= MESSAGE_BYTES_MAX => rules.message = Some(text.into()),
            Ok(_) => field.fault(format!("is longer than {MESSAGE_BYTES_MAX} bytes")),
            Err(_) => field.fault("is not a text"),
        },
        _ => return false,
    }
    true
}

fn check_together(rules: &DynamicRules, faults: &mut Faults) {
    if rules.global_rate_window.is_some() && rules.global_rate_limit.is_none() {
        faults.add("global_rate_window", "counts together with `global_rate_limit` only");
    }
    for (place, country) in rules.blocked_countries.iter().enumerate() {
        if rules.whitelist_countries.contains(country) {
            faults.add(&format!("blocked_countries[{place}]"), "is in `whitelist_countries`, too");
        }
    }
    // Compared as networks: one address has many spellings.
    let read = |text: &str| text.parse::<Network>().ok();
    let unbanned: BTreeSet<Network> =
        rules.ip_whitelist.iter().filter_map(|text| read(text)).collect();
    for (place, network) in rules.ip_blacklist.iter().enumerate() {
        if read(network).is_some_and(|network| unbanned.contains(&network)) {
            faults.add(&format!("ip_blacklist[{place}]"), "is in `ip_whitelist`, too");
        }
    }
}

fn read_rates(rules: &mut DynamicRules, field: Field<'_, '_>) {
    let Field { name, json, faults } = field;
    let Ok(members) = json.dictionary() else {
        return faults.add(name, "is not an object of `[requests, seconds]` by path");
    };
    if members.len() > ENDPOINTS_MAX {
        return faults.add(name, &format!("has more than {ENDPOINTS_MAX} paths"));
    }
    for (path, json) in members.iter() {
        let place = format!("{name}[{}]", Json::quote(&cut(path, 100)));
        if !path.starts_with('/') || path.len() > PATH_BYTES_MAX {
            faults.add(
                &place,
                &format!("a path starts with `/` and has at most {PATH_BYTES_MAX} bytes"),
            );
        }
        match read_rate(json) {
            Some(rate) => {
                if rules.endpoint_rate_limits.insert(path.into(), rate).is_some() {
                    faults.add(&place, "is there twice");
                }
            }
            None => faults.add(&place, "is not `[requests, seconds]`, both at least 1"),
        }
    }
}

fn read_rate(json: Json<'_>) -> Option<EndpointRate> {
    let [requests, seconds] = json.list().ok()?.try_into().ok()?;
    Some(EndpointRate {
        requests: number(requests).filter(|value| (1..=COUNT_MAX).contains(value))?,
        window_seconds: number(seconds).filter(|value| (1..=SECONDS_MAX).contains(value))?,
    })
}

/// Strict: a number, not a text or a flag that could be read as one.
fn number(json: Json<'_>) -> Option<u32> {
    if !json.as_text().starts_with(|digit: char| digit.is_ascii_digit()) {
        return None;
    }
    match json.integer() {
        Ok(Integer::Fits(value)) => value.try_into().ok(),
        _ => None,
    }
}

fn cloud_provider_fault(text: &str) -> Option<String> {
    let (name, region) = match text.split_once(':') {
        Some((name, region)) => (name, Some(region)),
        None => (text, None),
    };
    if !CLOUD_PROVIDERS.contains(&name) {
        return Some(format!("not one of {}", CLOUD_PROVIDERS.join(", ")));
    }
    let is_region = |region: &str| {
        let name = region.strip_prefix('!').unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain)
    };
    let is_bad = region.is_some_and(|region| !is_region(region));
    is_bad.then(|| format!("a region is left out by `{name}:!region`"))
}

fn network_fault(text: &str) -> Option<String> {
    if let Err(error) = parse_network(text) {
        return Some(error.to_string());
    }
    // As it is meant: `::ffff:0.0.0.0/96` is every address of IPv4.
    match text.parse().map(Network::prefix) {
        Ok(0) => Some("means every address: for that there is `emergency_mode`".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn country_fault(text: &str) -> Option<String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    (!is_code).then(|| "a country is two capital letters (ISO 3166)".to_owned())
}

struct Faults(Vec<RuleFault>);

impl Faults {
    fn add(&mut self, field: &str, problem: &str) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(RuleFault { field: field.to_owned(), problem: problem.to_owned() });
        }
    }
}

struct Field<'a, 'b> {
    name: &'b str,
    json: Json<'a>,
    faults: &'b mut Faults,
}

impl Field<'_, '_> {
    fn fault(self, problem: impl AsRef<str>) {
        self.faults.add(self.name, problem.as_ref());
    }

    fn number(self, min: u32, max: u32, set: impl FnOnce(u32)) {
        match number(self.json).filter(|value| (min..=max).contains(value)) {
            Some(value) => set(value),
            None => self.fault(format!("is not a whole number from {min} to {max}")),
        }
    }

    fn flag(self) -> Option<bool> {
        match self.json.as_text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.fault("is not true or false");
                None
            }
        }
    }

    fn moment(self) -> Option<Timestamp> {
        match self.json.text().map(|text| Timestamp::parse(&text)) {
            Ok(Ok(moment)) => Some(moment),
            _ => {
                self.fault("is not a date and time as in `2026-11-20T20:00:00Z`");
                None
            }
        }
    }

    fn networks(self) -> Vec<Box<str>> {
        self.texts(NETWORKS_MAX, network_fault)
    }

    fn countries(self) -> Vec<Box<str>> {
        self.texts(COUNTRIES_MAX, country_fault)
    }

    /// A list of different texts.
    fn texts(self, entries_max: usize, fault: impl Fn(&str) -> Option<String>) -> Vec<Box<str>> {
        let Self { name, json, faults } = self;
        let Ok(items) = json.list() else {
            faults.add(name, "is not a list of texts");
            return Vec::new();
        };
        if items.len() > entries_max {
            faults.add(name, &format!("has more than {entries_max} entries"));
            return Vec::new();
        }
        let mut texts: Vec<Box<str>> = Vec::with_capacity(items.len());
        let mut seen = BTreeSet::new();
        for (place, item) in items.into_iter().enumerate() {
            let problem = match item.text() {
                Err(_) => Some("is not a text".to_owned()),
                Ok(text) if !seen.insert(Box::<str>::from(text.as_ref())) => {
                    Some("is there twice".to_owned())
                }
                Ok(text) => {
                    let problem = fault(&text);
                    texts.push(text.into());
                    problem
                }
            };
            if let Some(problem) = problem {
                faults.add(&format!("{name}[{place}]"), &problem);
            }
        }
        texts
    }
}
