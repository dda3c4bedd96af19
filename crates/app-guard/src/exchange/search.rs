//! The search for attacks in what a request brings.

use super::{Exchange, Flow};
use crate::event::{EventType, GuardEvent};
use crate::exchange::offence::Offence;
use crate::path::percent_decoded;
use crate::payload::{Category, Finding, Place};
use crate::route_rules::{Bypass, Exclusion};
use ringwall_inspection::Moment;
use std::sync::Arc;

/// Of so many categories a request's findings are told one by one.
const TOLD_MAX: usize = 4;

impl Exchange {
    /// Searches query, path and headers.
    pub(super) fn search_head(&mut self, now: Moment) -> Flow {
        if !self.searches() {
            self.tell_detection_off(now);
            return Flow::Next;
        }
        let mut found = Vec::new();
        let detector = &self.active.detector;
        let excluded = self.exclusions();
        for pair in self.head.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if excluded.iter().any(|excluded| lists(&excluded.parameters, name)) {
                continue;
            }
            detector.scan(Place::QueryName, name.as_bytes(), &mut found);
            if !value.is_empty() {
                detector.scan(Place::QueryParameter(name), value.as_bytes(), &mut found);
            }
        }
        detector.scan(Place::Path, self.head.path().as_bytes(), &mut found);
        for (name, value) in self.head.headers() {
            if !excluded.iter().any(|excluded| lists(&excluded.headers, name)) {
                detector.scan(Place::Header(name), value, &mut found);
            }
        }
        self.keep_relevant(&mut found);
        if found.is_empty() { Flow::Next } else { self.attack(found, now) }
    }

    /// Whether this request is searched at all.
    pub(super) fn searches(&self) -> bool {
        let of_route = self.route.as_ref().and_then(|route| route.detection);
        of_route.unwrap_or(self.active.detection)
            && !self.excluded
            && !self.trusts_client()
            && !self.bypasses(Bypass::Penetration)
    }

    /// Takes out what the application or the route does not want searched.
    pub(super) fn keep_relevant(&self, found: &mut Vec<Finding>) {
        if found.is_empty() {
            return;
        }
        let excluded = self.exclusions();
        found.retain(|finding| {
            let field = finding.place.strip_prefix("request_body:");
            let field = field.or_else(|| finding.place.strip_prefix("file_name:"));
            let field = field.or_else(|| finding.place.strip_prefix("file_content:"));
            !excluded.iter().any(|excluded| {
                excluded.categories.contains(&finding.category)
                    || field.is_some_and(|field| lists_field(&excluded.fields, field))
            })
        });
    }

    /// An attack: it is told, counted, and refused.
    pub(super) fn attack(&mut self, found: Vec<Finding>, now: Moment) -> Flow {
        self.threat = 1.0;
        let mut categories: Vec<Category> = Vec::new();
        for finding in &found {
            if !categories.contains(&finding.category) {
                categories.push(finding.category);
            }
        }
        for category in categories.iter().take(TOLD_MAX) {
            let of_category = found.iter().find(|finding| finding.category == *category);
            if let Some(finding) = of_category {
                let event = self.pattern_event(finding, &found, now);
                self.tell(event);
            }
        }
        let Some(first) = found.first() else { return Flow::Next };
        let names: Vec<&str> = categories.iter().map(|category| category.name()).collect();
        let reason = format!("{} in {}: {}", first.category, first.place, first.explanation);
        let mut event =
            self.event(EventType::PenetrationAttempt, "request_blocked", reason.clone(), now);
        event.pattern_matched = Some(first.pattern.to_string());
        let event = event
            .with("trigger_info", reason)
            .with("violation_category", first.category.name())
            .with("threat_categories", names)
            .with("passive_mode", self.active.passive);
        self.offence = Some(Offence::attack(categories, event));
        Flow::Go(self.stage)
    }

    fn pattern_event(&self, finding: &Finding, all: &[Finding], now: Moment) -> GuardEvent {
        let reason = finding.explanation.to_string();
        let mut event = self.event(EventType::PatternDetected, "threat_detected", reason, now);
        event.pattern_matched = Some(finding.pattern.to_string());
        let category = finding.category;
        let score: f32 = all.iter().filter(|f| f.category == category).map(|f| f.weight).sum();
        event
            .by("sus_patterns")
            .with("pattern", finding.pattern.as_ref())
            .with("context", finding.place.as_str())
            .with("content_preview", finding.excerpt.as_str())
            .with("threat_score", f64::from(score.min(1.0)))
            .with("category", category.name())
            .with("detection_method", "structure")
    }

    fn tell_detection_off(&mut self, now: Moment) {
        let off = self.route.as_ref().is_some_and(|route| route.detection == Some(false));
        if !off || !self.active.detection || self.excluded {
            return;
        }
        let endpoint = Arc::clone(&self.endpoint);
        if self.guard.tells(EventType::DecoratorViolation, &endpoint, now) {
            let event = self.route_event(
                EventType::DecoratorViolation,
                "detection_disabled",
                "the route is not searched for attacks",
                ("advanced", "suspicious_detection"),
                now,
            );
            self.tell(event);
        }
    }

    fn exclusions(&self) -> [&Exclusion; 2] {
        let of_settings = &self.active.excluded;
        [of_settings, self.route.as_ref().map_or(of_settings, |route| &route.excluded)]
    }
}

/// Whether a list of lower-case names holds this one, which may be percent-encoded.
fn lists(names: &[Box<str>], name: &str) -> bool {
    if names.is_empty() {
        return false;
    }
    let decoded = percent_decoded(name);
    let name = decoded.as_deref().unwrap_or(name);
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a list holds this field, or the object that it lies in.
fn lists_field(names: &[Box<str>], field: &str) -> bool {
    names.iter().any(|own| {
        let start = field.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own));
        start
            && field
                .get(own.len()..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}
