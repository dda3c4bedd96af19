//! What rules would have blocked of the requests that guards reported: pure, but for the reading.

use super::observed::{Observed, observed};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use ringwall_dialects::guard::{DynamicRules, EndpointRate};
use ringwall_event::{Event, EventId, Network, Source, Timestamp};
use ringwall_server_api::{GuardPreview, GuardPreviewRule, GuardPreviewSample};
use ringwall_store::{EventFilter, EventStore, Session, StoreError};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a preview reads.
const BUDGET: Duration = Duration::from_secs(4);
/// How long it reads for one page.
const PAGE_BUDGET: Duration = Duration::from_millis(250);
const PAGE_EVENTS: usize = 2000;
/// How many requests it looks at.
const REQUESTS_MAX: u64 = 300_000;
const SAMPLES_MAX: usize = 5;
/// How many entries it tells of: those that block most.
const ENTRIES_TOLD_MAX: usize = 200;
/// No text is looked further into, and none is shown longer: the middleware does so with user agents, and
/// whoever sent an event must not decide how long a preview takes.
const TEXT_CHARS_MAX: usize = 512;
/// How long the code of a country may be; guards send two letters.
const COUNTRY_CHARS_MAX: usize = 16;
/// How many entries are counted at once; a list of addresses has as many at most.
const ENTRIES_MAX: usize = 12_000;
/// How many addresses are told apart, over all entries.
const ADDRESSES_MAX: usize = 500_000;

/// Reads what guards of a project reported since a moment, newest first, and tries the rules on it.
///
/// # Errors
/// Where the store cannot be read.
pub(crate) fn preview(
    session: &Session<'_>,
    project: &str,
    rules: &DynamicRules,
    hours: u32,
    now: Timestamp,
) -> Result<GuardPreview, StoreError> {
    let filter = EventFilter {
        source: Some(Source::new(Source::GUARD, project)),
        since: Some(now.plus_seconds(-i64::from(hours) * 3600)),
        ..EventFilter::default()
    };
    let began = Instant::now();
    let mut trial = Trial::new(rules);
    let mut after = None;
    let partial = loop {
        let page = session.events_within(&filter, after, PAGE_EVENTS, PAGE_BUDGET)?;
        if page.events.iter().any(|event| !trial.look_until(began + BUDGET, event)) {
            break true;
        }
        let last = page
            .events
            .last()
            .map(|event| ringwall_store::PagePosition { time: event.time, id: event.id });
        let is_whole = page.events.len() < PAGE_EVENTS;
        after = match (page.resume, last) {
            (Some(resume), _) => Some(resume),
            (None, Some(last)) if !is_whole => Some(last),
            _ => break false,
        };
        if began.elapsed() >= BUDGET || trial.requests >= REQUESTS_MAX {
            break true;
        }
    };
    Ok(trial.finish(hours, partial))
}

/// Rules that are being tried.
struct Trial<'a> {
    rules: &'a DynamicRules,
    blacklist: Vec<(&'a str, Network)>,
    emergency_whitelist: Vec<Network>,
    user_agents: Vec<(&'a str, Regex)>,
    patterns: Vec<(&'a str, Regex)>,
    requests: u64,
    blocked: u64,
    found: BTreeMap<(&'static str, String), Found>,
    /// How many addresses can still be told apart.
    addresses_left: usize,
    /// Requests under a rate, newest first.
    rated: HashMap<Rated<'a>, Vec<RatedRequest>>,
}

/// The field of a limit, the path that it is about, and whose requests it counts.
type Rated<'a> = (&'static str, &'a str, IpAddr);

/// One request under a rate: there are as many as were looked at, so this is all that is kept.
struct RatedRequest {
    time: Timestamp,
    event: EventId,
    /// Whether something else blocks it anyway.
    is_blocked: bool,
}

#[derive(Default)]
struct Found {
    count: u64,
    addresses: HashSet<IpAddr>,
    samples: Vec<Sample>,
}

/// One request, as it is shown.
#[derive(Clone)]
struct Sample {
    time: Timestamp,
    address: IpAddr,
    method: Option<String>,
    endpoint: Option<String>,
    user_agent: Option<String>,
}

impl<'a> Trial<'a> {
    fn new(rules: &'a DynamicRules) -> Self {
        let networks = |list: &'a [Box<str>]| {
            list.iter().filter_map(|entry| Some((&**entry, entry.parse::<Network>().ok()?)))
        };
        Self {
            blacklist: networks(&rules.ip_blacklist).collect(),
            emergency_whitelist: networks(&rules.emergency_whitelist)
                .map(|(_, network)| network)
                .collect(),
            user_agents: compiled(&rules.blocked_user_agents),
            patterns: compiled(&rules.suspicious_patterns),
            rules,
            requests: 0,
            blocked: 0,
            found: BTreeMap::new(),
            addresses_left: ADDRESSES_MAX,
            rated: HashMap::new(),
        }
    }

    /// Looks at one more, unless it is too late or there were enough; whether it did.
    fn look_until(&mut self, deadline: Instant, event: &Event) -> bool {
        let may = self.requests < REQUESTS_MAX && Instant::now() < deadline;
        if may {
            self.look(event);
        }
        may
    }

    fn look(&mut self, event: &Event) {
        let Some(observed) = observed(event).map(Observed::cut) else { return };
        let Some(address) = observed.address else { return };
        if observed.follows_our_rules() {
            return;
        }
        self.requests += 1;
        let sample = Sample {
            time: event.time,
            address,
            method: observed.method.clone(),
            endpoint: observed.endpoint.clone(),
            user_agent: observed.user_agent.clone(),
        };
        let hits = self.hits(address, &observed);
        let is_blocked = !hits.is_empty();
        self.blocked += u64::from(is_blocked);
        for (field, entry) in hits {
            self.add(field, entry, &sample);
        }
        self.note_rates(event.id, &sample, is_blocked);
    }

    fn add(&mut self, field: &'static str, entry: String, sample: &Sample) {
        let is_full = self.found.len() >= ENTRIES_MAX;
        let found = match self.found.entry((field, entry)) {
            Entry::Occupied(found) => found.into_mut(),
            // Names of countries are the sender's.
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(free) => free.insert(Found::default()),
        };
        let is_new = found.add(sample, self.addresses_left > 0);
        self.addresses_left = self.addresses_left.saturating_sub(usize::from(is_new));
    }

    /// Which entries of which fields block this.
    fn hits(&self, address: IpAddr, observed: &Observed) -> Vec<(&'static str, String)> {
        let mut hits = Vec::new();
        let mut hit = |field, entry: &str| hits.push((field, entry.to_owned()));
        if self.rules.emergency_mode
            && !self.emergency_whitelist.iter().any(|network| network.contains(address))
        {
            hit("emergency_mode", "");
        }
        for (entry, network) in &self.blacklist {
            if network.contains(address) {
                hit("ip_blacklist", entry);
            }
        }
        let country = observed.country.as_deref().unwrap_or_default();
        let is_in = |list: &[Box<str>]| list.iter().any(|code| code.eq_ignore_ascii_case(country));
        if is_in(&self.rules.blocked_countries) {
            hit("blocked_countries", country);
        }
        if !self.rules.whitelist_countries.is_empty() && !is_in(&self.rules.whitelist_countries) {
            hit("whitelist_countries", if country.is_empty() { "unknown" } else { country });
        }
        if let Some(provider) = &observed.cloud_provider
            && self.rules.blocked_cloud_providers.iter().any(|entry| **entry == **provider)
        {
            hit("blocked_cloud_providers", provider);
        }
        if let Some(user_agent) = &observed.user_agent {
            for (entry, regex) in &self.user_agents {
                if regex.is_match(user_agent) {
                    hit("blocked_user_agents", entry);
                }
            }
        }
        let places = [&observed.endpoint, &observed.user_agent, &observed.preview];
        for (entry, regex) in &self.patterns {
            if places.into_iter().flatten().any(|text| regex.is_match(text)) {
                hit("suspicious_patterns", entry);
            }
        }
        hits
    }

    fn note_rates(&mut self, event: EventId, sample: &Sample, is_blocked: bool) {
        let rules = self.rules;
        let request = || RatedRequest { time: sample.time, event, is_blocked };
        if let Some(endpoint) = &sample.endpoint {
            let path = endpoint.split('?').next().unwrap_or_default();
            if let Some((path, _)) = rules.endpoint_rate_limits.get_key_value(path) {
                let key = ("endpoint_rate_limits", &**path, sample.address);
                self.rated.entry(key).or_default().push(request());
            }
        }
        if rules.global_rate_limit.is_some() {
            let key = ("global_rate_limit", "", sample.address);
            self.rated.entry(key).or_default().push(request());
        }
    }

    fn rate(&self, path: &str) -> Option<EndpointRate> {
        if path.is_empty() {
            let requests = self.rules.global_rate_limit?;
            return Some(EndpointRate {
                requests,
                window_seconds: self.rules.global_rate_window.unwrap_or(60),
            });
        }
        self.rules.endpoint_rate_limits.get(path).copied()
    }

    fn judge_rates(&mut self) {
        let mut refused: HashSet<EventId> = HashSet::new();
        for ((field, path, address), mut requests) in std::mem::take(&mut self.rated) {
            let Some(rate) = self.rate(path) else { continue };
            requests.reverse();
            let window = i64::from(rate.window_seconds).saturating_mul(1_000_000);
            let limit = usize::try_from(rate.requests).unwrap_or(usize::MAX);
            let mut first = 0;
            for (place, request) in requests.iter().enumerate() {
                let is_old = |old: &RatedRequest| request.time.micros_since(old.time) >= window;
                while requests.get(first).is_some_and(is_old) {
                    first += 1;
                }
                if place - first < limit {
                    continue;
                }
                let sample = Sample {
                    time: request.time,
                    address,
                    method: None,
                    endpoint: Some(path.to_owned()).filter(|path| !path.is_empty()),
                    user_agent: None,
                };
                self.add(field, path.to_owned(), &sample);
                if !request.is_blocked && refused.insert(request.event) {
                    self.blocked += 1;
                }
            }
        }
    }

    fn finish(mut self, hours: u32, partial: bool) -> GuardPreview {
        self.judge_rates();
        let mut by_rule: Vec<GuardPreviewRule> = std::mem::take(&mut self.found)
            .into_iter()
            .map(|((field, entry), found)| GuardPreviewRule {
                field: field.to_owned(),
                entry,
                count: found.count,
                addresses: u64::try_from(found.addresses.len()).unwrap_or(u64::MAX),
                samples: found.samples.into_iter().map(Sample::shown).collect(),
            })
            .collect();
        by_rule.sort_by_key(|rule| std::cmp::Reverse(rule.count));
        by_rule.truncate(ENTRIES_TOLD_MAX);
        GuardPreview {
            hours,
            requests_seen: self.requests,
            would_block: self.blocked,
            partial,
            by_rule,
            not_tried: self.not_tried(),
        }
    }

    /// What changes how an application judges, and not whom it lets in.
    fn not_tried(&self) -> Vec<String> {
        let set = |is_set: bool, field: &str| is_set.then(|| field.to_owned());
        let rules = self.rules;
        [
            set(rules.enable_penetration_detection.is_some(), "enable_penetration_detection"),
            set(rules.enable_ip_banning.is_some(), "enable_ip_banning"),
            set(rules.enable_rate_limiting.is_some(), "enable_rate_limiting"),
            set(rules.enable_rate_limit_auto_ban.is_some(), "enable_rate_limit_auto_ban"),
            set(rules.auto_ban_threshold.is_some(), "auto_ban_threshold"),
            set(rules.auto_ban_duration.is_some(), "auto_ban_duration"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Found {
    /// Counts one; whether its address was told apart from those before, where it may be.
    fn add(&mut self, sample: &Sample, may_tell_apart: bool) -> bool {
        self.count += 1;
        let is_new = may_tell_apart && self.addresses.insert(sample.address);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample.clone());
        }
        is_new
    }
}

impl Observed {
    /// The same, with texts that are not longer than is looked at.
    fn cut(self) -> Self {
        let short = |text: Option<String>, chars: usize| {
            text.map(|mut text| {
                if let Some((end, _)) = text.char_indices().nth(chars) {
                    text.truncate(end);
                    text.shrink_to_fit();
                }
                text
            })
        };
        Self {
            country: short(self.country, COUNTRY_CHARS_MAX),
            user_agent: short(self.user_agent, TEXT_CHARS_MAX),
            method: short(self.method, TEXT_CHARS_MAX),
            endpoint: short(self.endpoint, TEXT_CHARS_MAX),
            preview: short(self.preview, TEXT_CHARS_MAX),
            ..self
        }
    }
}

impl Sample {
    fn shown(self) -> GuardPreviewSample {
        GuardPreviewSample {
            time: self.time,
            address: self.address.to_string(),
            method: self.method,
            endpoint: self.endpoint,
            user_agent: self.user_agent,
        }
    }
}

/// The patterns were checked before: one that is not a pattern blocks nothing.
fn compiled(patterns: &[Box<str>]) -> Vec<(&str, Regex)> {
    let compile = |pattern: &str| {
        let config = syntax::Config::new().case_insensitive(true);
        Regex::builder().syntax(config).build(pattern).ok()
    };
    patterns.iter().filter_map(|text| Some((&**text, compile(text)?))).collect()
}

#[cfg(test)]
mod tests;
