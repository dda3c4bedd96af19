use crate::active::{Active, Additions};
use crate::address::{CloudProvider, Network};
use crate::event::{EventType, GuardEvent};
use crate::patterns::PatternSet;
use crate::payload::CustomPatterns;
use crate::question::{BanOrder, Country};
use crate::rules::{RuleSet, RulesApplied, RulesRefused};
use crate::settings::GuardSettings;
use ringwall_inspection::Moment;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How many entries of one list of rules are taken.
const ENTRIES_MAX: usize = 10_000;

/// How many patterns of rules are taken: each costs with every request.
const PATTERNS_MAX: usize = 200;

/// How many bans and lifted bans are told one by one.
const TOLD_MAX: usize = 100;

/// Rules that hold, and what they led to in the state.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) rules: RuleSet,
    banned: BTreeSet<Network>,
    let_in: BTreeSet<Network>,
    patterns: BTreeSet<String>,
    emergency: bool,
}

impl Applied {
    pub(super) fn new(rules: &RuleSet, active: &Active) -> Self {
        let let_in: BTreeSet<Network> = active.let_in.iter().collect();
        let listed = rules.ip_blacklist.iter().take(ENTRIES_MAX);
        let banned = listed
            .filter_map(|text| text.parse().ok())
            .filter(|network| active.may_ban(*network) && !let_in.contains(network))
            .collect();
        Self {
            rules: rules.clone(),
            banned,
            let_in,
            patterns: active.added_patterns.iter().cloned().collect(),
            emergency: rules.emergency_mode,
        }
    }
}

/// Whether rules are to be applied at all.
pub(super) fn acceptable(
    rules: &RuleSet,
    current: Option<&Applied>,
    now: Moment,
) -> Result<(), RulesRefused> {
    if rules.expires_unix_ms.is_some_and(|expires| expires <= now.unix_ms) {
        let (rule_id, version) = (rules.rule_id.clone(), rules.version);
        return Err(RulesRefused::Expired { rule_id, version });
    }
    match current {
        Some(held) if held.rules.rule_id == rules.rule_id => {
            let current = held.rules.version;
            if rules.version > current {
                return Ok(());
            }
            let (rule_id, version) = (rules.rule_id.clone(), rules.version);
            Err(RulesRefused::NotNewer { rule_id, version, current })
        }
        Some(_) | None => Ok(()),
    }
}

/// The settings with the rules on top, what rules add beyond settings, and the entries that were left out.
pub(super) fn merged(
    base: &GuardSettings,
    rules: &RuleSet,
    knows_countries: bool,
) -> (GuardSettings, Additions, Vec<String>) {
    let mut left_out = Vec::new();
    let mut s = base.clone();
    let networks = |field: &str, texts: &[String], left_out: &mut Vec<String>| {
        kept(field, texts, left_out, |text| {
            text.parse::<Network>().map_err(|error| error.to_string())
        })
    };
    // Looked at here only for what is left out; the bans themselves are made in the state.
    networks("ip_blacklist", &rules.ip_blacklist, &mut left_out);
    let let_in = networks("ip_whitelist", &rules.ip_whitelist, &mut left_out);
    let country = |text: &str| match Country::new(text.trim()) {
        _ if !knows_countries => Err(format!("`{text}`: no source of countries is set")),
        Some(country) => Ok(country.to_string()),
        None => Err(format!("`{text}` is not a country code of two letters")),
    };
    replace(
        &mut s.blocked_countries,
        kept("blocked_countries", &rules.blocked_countries, &mut left_out, country),
    );
    replace(
        &mut s.whitelist_countries,
        kept("whitelist_countries", &rules.whitelist_countries, &mut left_out, country),
    );
    let cloud = |text: &str| {
        let provider = text.split(':').next().unwrap_or(text);
        let known = provider.parse::<CloudProvider>().map_err(|error| error.to_string());
        let whole = crate::address::BlockedClouds::parse([text]).map_err(|error| error.to_string());
        known.and(whole).map(|_| text.to_owned())
    };
    replace(
        &mut s.block_cloud_providers,
        kept("blocked_cloud_providers", &rules.blocked_cloud_providers, &mut left_out, cloud),
    );
    let agent = |text: &str| match PatternSet::new(&[text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    };
    replace(
        &mut s.blocked_user_agents,
        kept("blocked_user_agents", &rules.blocked_user_agents, &mut left_out, agent),
    );
    let first = rules.suspicious_patterns.get(..PATTERNS_MAX);
    if rules.suspicious_patterns.len() > PATTERNS_MAX {
        left_out.push(format!("suspicious_patterns: entries beyond the first {PATTERNS_MAX}"));
    }
    let first = first.unwrap_or(&rules.suspicious_patterns);
    let patterns = kept("suspicious_patterns", first, &mut left_out, |text| {
        if usable(text) {
            Ok(text.to_owned())
        } else {
            Err(format!("pattern `{text}` is not usable"))
        }
    });
    if let Some(limit) = rules.global_rate_limit.filter(|limit| *limit > 0) {
        s.rate_limit = limit;
        s.rate_limit_window =
            rules.global_rate_window.filter(|window| *window > 0).unwrap_or(s.rate_limit_window);
    }
    let rates: std::collections::BTreeMap<_, _> = rules
        .endpoint_rate_limits
        .iter()
        .take(ENTRIES_MAX)
        .filter(|(path, (requests, seconds))| {
            let fine = *requests > 0 && *seconds > 0;
            if !fine {
                left_out.push(format!("endpoint_rate_limits: `{path}` allows nothing in no time"));
            }
            fine
        })
        .map(|(path, limit)| (path.clone(), *limit))
        .collect();
    let endpoint_rates_are_dynamic = !rates.is_empty();
    if endpoint_rates_are_dynamic {
        s.endpoint_rate_limits = rates;
    }
    switches(&mut s, rules);
    if rules.emergency_mode {
        s.emergency_mode = true;
        s.emergency_whitelist.extend(
            networks("emergency_whitelist", &rules.emergency_whitelist, &mut left_out)
                .iter()
                .map(ToString::to_string),
        );
        s.auto_ban_threshold = (s.auto_ban_threshold / 2).max(1);
    }
    let added = Additions {
        let_in,
        patterns,
        endpoint_rates_are_dynamic,
        emergency_whitelist_only: rules.emergency_whitelist_only,
        message: rules.message.clone().filter(|message| !message.trim().is_empty()),
    };
    (s, added, left_out)
}

fn switches(s: &mut GuardSettings, rules: &RuleSet) {
    let set = |setting: &mut bool, rule: Option<bool>| *setting = rule.unwrap_or(*setting);
    set(&mut s.enable_penetration_detection, rules.enable_penetration_detection);
    set(&mut s.enable_ip_banning, rules.enable_ip_banning);
    set(&mut s.enable_rate_limiting, rules.enable_rate_limiting);
    set(&mut s.enable_rate_limit_auto_ban, rules.enable_rate_limit_auto_ban);
    let number = |setting: &mut u32, rule: Option<u32>| {
        *setting = rule.filter(|rule| *rule > 0).unwrap_or(*setting);
    };
    number(&mut s.auto_ban_threshold, rules.auto_ban_threshold);
    number(&mut s.auto_ban_duration, rules.auto_ban_duration);
}

fn replace(setting: &mut Vec<String>, by: Vec<String>) {
    if !by.is_empty() {
        *setting = by;
    }
}

/// What of a list makes sense; the rest goes to `left_out`, in words.
fn kept<T>(
    field: &str,
    texts: &[String],
    left_out: &mut Vec<String>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    if texts.len() > ENTRIES_MAX {
        left_out.push(format!("{field}: entries beyond the first {ENTRIES_MAX}"));
    }
    let mut kept = Vec::new();
    for text in texts.iter().take(ENTRIES_MAX) {
        match read(text) {
            Ok(value) => kept.push(value),
            Err(reason) => left_out.push(format!("{field}: {reason}")),
        }
    }
    kept
}

/// Whether the detection takes this pattern.
fn usable(pattern: &str) -> bool {
    CustomPatterns::new(&[pattern.to_owned()]).is_ok()
}

/// What changes in the state and is told when one set of rules follows another.
pub(super) fn differences(
    before: Option<&Applied>,
    after: Option<&Applied>,
    active: &Active,
    left_out: Vec<String>,
    now: Moment,
) -> RulesApplied {
    let nothing = BTreeSet::new();
    let banned_before = before.map_or(&nothing, |applied| &applied.banned);
    let (banned_after, let_in) =
        after.map_or((&nothing, &nothing), |applied| (&applied.banned, &applied.let_in));
    let mut outcome = RulesApplied { left_out, ..RulesApplied::default() };
    if let Some(applied) = after {
        let reason: Arc<str> = Arc::from("dynamic_rule");
        let time = Duration::from_secs(u64::from(applied.rules.ip_ban_duration.max(1)));
        // Without banning no ban is heeded, so none is made.
        let bans = banned_after.iter().filter(|_| active.banning.is_some());
        outcome.bans.extend(bans.map(|network| BanOrder {
            network: *network,
            address: network.address(),
            time,
            reason: Arc::clone(&reason),
        }));
    }
    outcome.unbans.extend(banned_before.difference(banned_after));
    let let_in_before = before.map_or(&nothing, |applied| &applied.let_in);
    let newly = let_in.difference(let_in_before);
    outcome.unbans.extend(newly.filter(|network| !banned_before.contains(network)));
    tell(&mut outcome, before, after, now);
    outcome
}

fn tell(
    outcome: &mut RulesApplied,
    before: Option<&Applied>,
    after: Option<&Applied>,
    now: Moment,
) {
    let mut events = Vec::new();
    if let Some(Applied { rules, .. }) = after {
        let previous = before.map(|applied| applied.rules.version);
        let reason = format!("received rules {} version {}", rules.rule_id, rules.version);
        events.push(
            GuardEvent::new(EventType::DynamicRuleUpdated, "rules_received", reason, now)
                .with("rule_id", rules.rule_id.as_str())
                .with("version", rules.version)
                .with("previous_version", previous),
        );
    }
    let known = BTreeSet::new();
    let patterns_before = before.map_or(&known, |applied| &applied.patterns);
    let patterns_after = after.map_or(&known, |applied| &applied.patterns);
    let total = patterns_after.len();
    let pattern = |event_type, action, reason: &'static str, pattern: &String| {
        let mut event = GuardEvent::new(event_type, action, reason, now).by("sus_patterns");
        event.pattern_matched = Some(pattern.clone());
        event
            .with("pattern", pattern.as_str())
            .with("pattern_type", "custom")
            .with("total_patterns", total)
    };
    events.extend(patterns_after.difference(patterns_before).map(|added| {
        pattern(EventType::PatternAdded, "pattern_added", "rules add a pattern", added)
    }));
    events.extend(patterns_before.difference(patterns_after).map(|removed| {
        pattern(EventType::PatternRemoved, "pattern_removed", "rules no longer hold it", removed)
    }));
    // A ban that goes on is made anew with each version, but told once.
    let is_new =
        |order: &&BanOrder| !before.is_some_and(|applied| applied.banned.contains(&order.network));
    let bans = outcome.bans.iter().filter(is_new).take(TOLD_MAX);
    events.extend(bans.map(|order| ban_event(order, now)));
    events.extend(outcome.unbans.iter().take(TOLD_MAX).map(|network| {
        let reason = "dynamic_rule_whitelist";
        let mut event =
            GuardEvent::new(EventType::IpUnbanned, "unbanned", reason, now).by("ip_ban");
        event.ip_address = network.to_string().into();
        event.with("action", "unban")
    }));
    if let Some(applied) = after {
        let rules = &applied.rules;
        if applied.emergency && !before.is_some_and(|before| before.emergency) {
            let first: Vec<&str> =
                rules.emergency_whitelist.iter().take(10).map(String::as_str).collect();
            events.push(
                GuardEvent::new(
                    EventType::EmergencyModeActivated,
                    "emergency_lockdown",
                    "rules declare an emergency",
                    now,
                )
                .with("whitelist_count", rules.emergency_whitelist.len())
                .with("whitelist", first),
            );
        }
        let reason = format!("applied rules {} version {}", rules.rule_id, rules.version);
        events.push(
            GuardEvent::new(EventType::DynamicRuleApplied, "rules_updated", reason, now)
                .with("rule_id", rules.rule_id.as_str())
                .with("version", rules.version)
                .with("ip_bans", outcome.bans.len())
                .with("country_blocks", rules.blocked_countries.len())
                .with("emergency_mode", rules.emergency_mode)
                .with("left_out", outcome.left_out.len()),
        );
    } else if let Some(Applied { rules, .. }) = before {
        let reason = format!("rules {} version {} have expired", rules.rule_id, rules.version);
        events.push(
            GuardEvent::new(EventType::DynamicRuleApplied, "rules_expired", reason, now)
                .with("rule_id", rules.rule_id.as_str())
                .with("version", rules.version),
        );
    }
    for event in &mut events {
        event.handler_name.get_or_insert("dynamic_rules");
    }
    outcome.events = events;
}

/// That a ban was made.
pub(crate) fn ban_event(order: &BanOrder, now: Moment) -> GuardEvent {
    let reason = order.reason.to_string();
    let mut event = GuardEvent::new(EventType::IpBanned, "banned", reason, now).by("ip_ban");
    event.ip_address = if order.reason.starts_with("dynamic_rule") {
        order.network.to_string().into()
    } else {
        order.address.to_string().into()
    };
    event.with("duration", order.time.as_secs()).with("network", order.network.to_string())
}
