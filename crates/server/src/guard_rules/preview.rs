//! What rules would have blocked of the requests that guards reported: pure, but for the reading.

use super::observed::{Observed, observed};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use ringwall_dialects::guard::{DynamicRules, EndpointRate};
use ringwall_event::{Event, Network, Source, Timestamp};
use ringwall_server_api::{GuardPreview, GuardPreviewRule, GuardPreviewSample};
use ringwall_store::{EventFilter, EventStore, Session, StoreError};
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
/// The middleware looks no further into a user agent.
const USER_AGENT_CHARS: usize = 512;

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
        for event in &page.events {
            trial.look(event);
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
    /// Requests under a rate, newest first: which limit, whose, and when; and whether something else
    /// blocks them anyway.
    rated: HashMap<Rated, Vec<(Sample, bool)>>,
}

/// The field of a limit, the path that it is about, and whose requests it counts.
type Rated = (&'static str, String, IpAddr);

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
            rated: HashMap::new(),
        }
    }

    fn look(&mut self, event: &Event) {
        let Some(observed) = observed(event) else { return };
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
            self.found.entry((field, entry)).or_default().add(&sample);
        }
        self.note_rates(&sample, is_blocked);
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
            let user_agent: String = user_agent.chars().take(USER_AGENT_CHARS).collect();
            for (entry, regex) in &self.user_agents {
                if regex.is_match(&user_agent) {
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

    fn note_rates(&mut self, sample: &Sample, is_blocked: bool) {
        if let Some(endpoint) = &sample.endpoint {
            let path = endpoint.split('?').next().unwrap_or_default();
            if self.rules.endpoint_rate_limits.contains_key(path) {
                let key = ("endpoint_rate_limits", path.to_owned(), sample.address);
                self.rated.entry(key).or_default().push((sample.clone(), is_blocked));
            }
        }
        if self.rules.global_rate_limit.is_some() {
            let key = ("global_rate_limit", String::new(), sample.address);
            self.rated.entry(key).or_default().push((sample.clone(), is_blocked));
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
        let mut refused: HashSet<(Timestamp, IpAddr, Option<String>)> = HashSet::new();
        for ((field, path, _), mut samples) in std::mem::take(&mut self.rated) {
            let Some(rate) = self.rate(&path) else { continue };
            samples.reverse();
            let window = i64::from(rate.window_seconds).saturating_mul(1_000_000);
            let limit = usize::try_from(rate.requests).unwrap_or(usize::MAX);
            let mut first = 0;
            for (place, (sample, is_blocked)) in samples.iter().enumerate() {
                let is_old =
                    |(old, _): &(Sample, bool)| sample.time.micros_since(old.time) >= window;
                while samples.get(first).is_some_and(is_old) {
                    first += 1;
                }
                if place - first < limit {
                    continue;
                }
                self.found.entry((field, path.clone())).or_default().add(sample);
                let key = (sample.time, sample.address, sample.endpoint.clone());
                if !is_blocked && refused.insert(key) {
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
    fn add(&mut self, sample: &Sample) {
        self.count += 1;
        self.addresses.insert(sample.address);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample.clone());
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
mod tests {
    use super::*;
    use ringwall_event::{Activity, EventId, Severity};

    fn event(seconds: i64, fields: &str) -> Event {
        Event {
            id: EventId::default(),
            time: Timestamp::from_micros(seconds * 1_000_000),
            received: Timestamp::default(),
            source: Source::new(Source::GUARD, "shop"),
            host: "shop".into(),
            severity: Severity::Low,
            activity: Activity::HttpRequest(Box::default()),
            original: Some(format!(r#"{{"event_type":"ip_blocked",{fields}}}"#).into()),
        }
    }

    fn events() -> Vec<Event> {
        vec![
            event(
                100,
                r#""ip_address":"192.0.2.1","country":"NL","endpoint":"/login","user_agent":"sqlmap/1.7""#,
            ),
            event(
                90,
                r#""ip_address":"192.0.2.1","country":"NL","endpoint":"/login","user_agent":"curl""#,
            ),
            event(80, r#""ip_address":"192.0.2.1","endpoint":"/login?x=1","user_agent":"curl""#),
            event(70, r#""ip_address":"198.51.100.7","country":"DE","endpoint":"/.env""#),
            event(60, r#""ip_address":"system""#),
        ]
    }

    #[test]
    fn each_field_blocks_what_it_names() {
        check(r#"{"ip_blacklist":["192.0.2.0/24"]}"#, 3, &[("ip_blacklist", "192.0.2.0/24", 3, 1)]);
        check(r#"{"blocked_countries":["NL"]}"#, 2, &[("blocked_countries", "NL", 2, 1)]);
        check(
            r#"{"whitelist_countries":["NL"]}"#,
            2,
            &[("whitelist_countries", "DE", 1, 1), ("whitelist_countries", "unknown", 1, 1)],
        );
        check(
            r#"{"blocked_user_agents":["SQLMAP"]}"#,
            1,
            &[("blocked_user_agents", "SQLMAP", 1, 1)],
        );
        check(
            r#"{"suspicious_patterns":["/\\.env"]}"#,
            1,
            &[("suspicious_patterns", "/\\.env", 1, 1)],
        );
        check(
            r#"{"emergency_mode":true,"emergency_whitelist":["198.51.100.7"]}"#,
            3,
            &[("emergency_mode", "", 3, 1)],
        );
        check("{}", 0, &[]);
    }

    #[test]
    fn rates_are_judged_in_the_order_of_time_and_nothing_is_blocked_twice() {
        check(
            r#"{"endpoint_rate_limits":{"/login":[2,60]}}"#,
            1,
            &[("endpoint_rate_limits", "/login", 1, 1)],
        );
        check(r#"{"endpoint_rate_limits":{"/login":[2,15]}}"#, 0, &[]);
        check(
            r#"{"global_rate_limit":1,"global_rate_window":60}"#,
            2,
            &[("global_rate_limit", "", 2, 1)],
        );
        check(
            r#"{"global_rate_limit":2,"blocked_user_agents":["sqlmap"]}"#,
            1,
            &[("blocked_user_agents", "sqlmap", 1, 1), ("global_rate_limit", "", 1, 1)],
        );
    }

    #[track_caller]
    fn check(rules: &str, would_block: u64, expected: &[(&str, &str, u64, u64)]) {
        let rules = DynamicRules::read_edited(rules.as_bytes()).unwrap();
        let mut trial = Trial::new(&rules);
        events().iter().for_each(|event| trial.look(event));
        let preview = trial.finish(24, false);
        assert_eq!((preview.requests_seen, preview.would_block), (4, would_block));
        let found: Vec<_> = preview
            .by_rule
            .iter()
            .map(|rule| (rule.field.as_str(), rule.entry.as_str(), rule.count, rule.addresses))
            .collect();
        assert_eq!(found, expected);
        assert!(preview.by_rule.iter().all(|rule| !rule.samples.is_empty()));
    }

    #[test]
    fn what_cannot_be_tried_is_told() {
        let rules = DynamicRules::read_edited(br#"{"auto_ban_threshold":3}"#).unwrap();
        assert_eq!(Trial::new(&rules).finish(1, false).not_tried, ["auto_ban_threshold"]);
    }
}
