//! What the guards of web applications report: which of it is worth an alert, and what it is counted
//! under.

use super::wording::shown;
use super::{Kill, Proposal};
use ringwall_event::{AppGuardEvent, Event, Finding, Severity};
use std::collections::HashMap;

/// What an event of a guard is raised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raised {
    Attack,
    Ban,
    Abuse,
    Emergency,
}

/// The types of event that are raised, and as what. A guard reports much more: single blocks and its
/// ordinary work are no news, and some types (`pattern_anomaly_*`) come on wholly harmless traffic.
const RAISED: [(&str, Raised); 9] = [
    ("behavioral_violation", Raised::Abuse),
    ("custom_rule_triggered", Raised::Abuse),
    ("emergency_mode_activated", Raised::Emergency),
    ("ip_ban_failed", Raised::Ban),
    ("ip_banned", Raised::Ban),
    ("pattern_detected", Raised::Attack),
    ("penetration_attempt", Raised::Attack),
    ("protocol_violation", Raised::Abuse),
    ("suspicious_request", Raised::Abuse),
];

/// The reason of bans that a guard carries out because our rules told it to.
const BANNED_BY_RULE: &str = "dynamic_rule";
/// Where a guard does not say what kind of attack it was.
const UNKNOWN_CATEGORY: &str = "unknown";
/// An attack that goes on is one alert a day: whoever resolves it hears again of the next.
const WINDOW_SECONDS: i64 = 86_400;

/// What a batch of guards' events is held against, event by event.
#[derive(Default)]
pub(super) struct AppGuardJudge<'a> {
    /// What was last found in requests of an address: the verdict that follows names no category.
    categories: HashMap<&'a str, &'a str>,
}

impl<'a> AppGuardJudge<'a> {
    /// The alert that this event is worth, where it is.
    pub(super) fn judge(&mut self, event: &'a Event, seen: &'a AppGuardEvent) -> Option<Proposal> {
        let raised = RAISED.iter().find(|(name, _)| *name == &*seen.event_type)?.1;
        let address = seen.client_address.as_deref().unwrap_or_default();
        let whom = if address.is_empty() { "unknown clients".to_owned() } else { shown(address) };
        let app = shown(&event.source.name);
        let (finding, title) = match raised {
            Raised::Ban if &*seen.reason == BANNED_BY_RULE => return None,
            Raised::Attack => {
                let category = self.category(address, seen);
                let finding =
                    Finding::AppAttack { address: address.into(), category: category.into() };
                let title = match category {
                    UNKNOWN_CATEGORY => format!("attack on {app} by {whom}"),
                    category => format!("{} attack on {app} by {whom}", shown(category)),
                };
                (finding, title)
            }
            Raised::Ban if &*seen.event_type == "ip_ban_failed" => {
                let finding = Finding::AppBan {
                    address: address.into(),
                    reason: seen.event_type.to_string(),
                };
                (finding, format!("{app} could not ban {whom}"))
            }
            Raised::Ban => {
                let reason: String = seen.reason.chars().take(REASON_CHARS_MAX).collect();
                (
                    Finding::AppBan { address: address.into(), reason },
                    format!("{app} banned {whom}"),
                )
            }
            Raised::Abuse => {
                let kind = seen.event_type.to_string();
                let what = shown(&kind.replace('_', " "));
                let finding = Finding::AppAbuse { address: address.into(), kind };
                (finding, format!("{what} of {whom} at {app}"))
            }
            Raised::Emergency => (Finding::AppEmergency, format!("{app} went into emergency mode")),
        };
        Some(Proposal {
            entity: entity(event, &finding),
            severity: event.severity.max(Severity::Low),
            finding,
            title,
            reasons: reasons(seen),
            process: None,
            kill: Kill::No,
            sightings: 1,
            event: None,
            rise: None,
        })
    }

    fn category(&mut self, address: &'a str, seen: &'a AppGuardEvent) -> &'a str {
        match &seen.category {
            Some(category) => {
                self.categories.insert(address, category);
                category
            }
            None => self.categories.get(address).copied().unwrap_or(UNKNOWN_CATEGORY),
        }
    }
}

const REASON_CHARS_MAX: usize = 200;

/// Project, kind, address, what was found, and the day. The project stands last as its name is free.
fn entity(event: &Event, finding: &Finding) -> String {
    let day = event.received.as_seconds().div_euclid(WINDOW_SECONDS);
    let (address, what) = match finding {
        Finding::AppAttack { address, category } => (address.as_str(), category.as_str()),
        // What a ban was for is no part of it: a client that is banned again is the same client.
        Finding::AppBan { address, .. } => (address.as_str(), ""),
        Finding::AppAbuse { address, kind } => (address.as_str(), kind.as_str()),
        _ => ("", ""),
    };
    let kind = finding.kind();
    // The length keeps a category apart from what looks like the rest of another entity.
    format!("{kind}/{day}/{address}/{}/{what}/{}", what.len(), event.source)
}

fn reasons(seen: &AppGuardEvent) -> Vec<String> {
    let mut reasons = Vec::new();
    if !seen.reason.is_empty() {
        reasons.push(format!("The guard says: {}", shown(&seen.reason)));
    }
    if !seen.action.is_empty() {
        reasons.push(format!("What it did: {}", shown(&seen.action)));
    }
    if let Some(path) = &seen.path {
        let method = seen.method.as_deref().unwrap_or("a request to");
        reasons.push(format!("It was {} {}", shown(method), shown(path)));
    }
    if let Some(pattern) = &seen.pattern {
        reasons.push(format!("The pattern: {}", shown(pattern)));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{Activity, EventId, Source, Timestamp};

    #[test]
    fn attacks_and_bans_are_raised_and_noise_is_not() {
        check("penetration_attempt", "", Some("app_attack"));
        check("pattern_detected", "", Some("app_attack"));
        check("ip_banned", "penetration_attempt:sqli", Some("app_ban"));
        check("ip_banned", "dynamic_rule", None);
        check("ip_ban_failed", "", Some("app_ban"));
        check("behavioral_violation", "", Some("app_abuse"));
        check("suspicious_request", "", Some("app_abuse"));
        check("emergency_mode_activated", "", Some("app_emergency"));
        check("pattern_anomaly_slow_execution", "", None);
        check("pattern_anomaly_statistical_anomaly", "", None);
        check("security_headers_applied", "", None);
        check("ip_blocked", "", None);
        check("a_type_of_tomorrow", "", None);
    }

    #[track_caller]
    fn check(event_type: &str, reason: &str, expected: Option<&str>) {
        let seen = seen(event_type, "203.0.113.9", None);
        let seen = AppGuardEvent { reason: reason.into(), ..seen };
        let event = event(&seen);
        let found = AppGuardJudge::default().judge(&event, &seen);
        assert_eq!(found.as_ref().map(|it| it.finding.kind()), expected, "{event_type}");
    }

    #[test]
    fn a_verdict_without_category_belongs_to_what_was_found_before() {
        let all = [
            seen("pattern_detected", "203.0.113.9", Some("sqli")),
            seen("penetration_attempt", "203.0.113.9", None),
            seen("penetration_attempt", "203.0.113.10", None),
            seen("pattern_detected", "203.0.113.9", Some("xss")),
        ];
        let events: Vec<Event> = all.iter().map(event).collect();
        let mut judge = AppGuardJudge::default();
        let entities: Vec<String> = events
            .iter()
            .zip(&all)
            .map(|(event, seen)| judge.judge(event, seen).unwrap().entity)
            .collect();
        assert_eq!(entities[0], entities[1]);
        assert_ne!(entities[1], entities[2]);
        assert_ne!(entities[0], entities[3]);
    }

    fn seen(event_type: &str, address: &str, category: Option<&str>) -> AppGuardEvent {
        AppGuardEvent {
            event_type: event_type.into(),
            client_address: Some(address.into()),
            category: category.map(Into::into),
            ..AppGuardEvent::default()
        }
    }

    fn event(seen: &AppGuardEvent) -> Event {
        Event {
            id: EventId::default(),
            time: Timestamp::default(),
            received: Timestamp::default(),
            source: Source::new(Source::GUARD, "shop"),
            host: "shop".into(),
            severity: Severity::Medium,
            activity: Activity::AppGuard(Box::new(seen.clone())),
            original: None,
        }
    }
}
