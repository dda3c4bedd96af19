//! Rates, throttles and how often a route is used.

use super::{Exchange, Flow, Stage};
use crate::behaviour::{BehaviourAction, CompiledRule, Counted};
use crate::event::EventType;
use crate::exchange::offence::Offence;
use crate::path::plain_path;
use crate::question::{Answer, CounterKey, CounterKind, Hit, Question};
use crate::route_rules::Bypass;
use ringwall_inspection::{Moment, Reply};
use std::sync::Arc;
use std::time::Duration;

/// The limits of a request, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Of the path, by settings or rules.
    Endpoint,
    /// Of the route.
    Route,
    /// Of the client's country at the route.
    Country,
    /// Of the application.
    Global,
}

impl Limit {
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Endpoint => Some(Self::Route),
            Self::Route => Some(Self::Country),
            Self::Country => Some(Self::Global),
            Self::Global => None,
        }
    }

    const fn rule_type(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint_rate_limit",
            Self::Route => "route_rate_limit",
            Self::Country => "geo_rate_limit",
            Self::Global => "global_rate_limit",
        }
    }
}

impl Exchange {
    pub(super) fn rate(&mut self, limit: Limit, answer: Option<Answer>, now: Moment) -> Flow {
        if self.active.rate.is_none()
            || self.trusts_client()
            || self.standing.exempt
            || self.bypasses(Bypass::RateLimit)
            || (self.excluded && limit != Limit::Global)
        {
            return Flow::Next;
        }
        if limit == Limit::Country && self.needs_country_for_rate() {
            if let Err(flow) = self.known_country(answer, now) {
                return flow;
            }
            // The answer to the question after this one is another.
            return self.rate_hit(limit, None, now);
        }
        self.rate_hit(limit, answer, now)
    }

    fn needs_country_for_rate(&self) -> bool {
        self.country.is_none()
            && self.route.as_ref().is_some_and(|route| !route.geo_limits.is_empty())
    }

    fn rate_hit(&mut self, limit: Limit, answer: Option<Answer>, now: Moment) -> Flow {
        let Some((requests, window, endpoint, detail)) = self.rate_of(limit) else {
            return Flow::Next;
        };
        match answer {
            None => {
                let kind =
                    if self.is_websocket { CounterKind::RateWebSocket } else { CounterKind::Rate };
                let (client, window_seconds) = (self.group, None);
                let key = CounterKey { kind, client, endpoint, detail, window_seconds };
                Flow::Ask(Question::Hit(Hit { key, limit: requests, window }))
            }
            Some(Answer::Hit(hit)) if hit.within => Flow::Next,
            Some(Answer::Hit(hit)) => {
                let event_type =
                    if limit == Limit::Endpoint && self.active.endpoint_rates_are_dynamic {
                        EventType::DynamicRuleViolation
                    } else {
                        EventType::RateLimited
                    };
                let seconds = window.as_secs();
                let reason = format!("more than {requests} requests in {seconds} s");
                let mut event = self.event(event_type, "request_blocked", reason, now);
                event.rule_type = Some(limit.rule_type());
                event.decorator_type =
                    matches!(limit, Limit::Route | Limit::Country).then_some("rate_limiting");
                let place = self.endpoint.to_string();
                let event = event
                    .by("rate_limit")
                    .with("rule_type", limit.rule_type())
                    .with("endpoint", place)
                    .with("request_count", hit.count)
                    .with("rate_limit", requests)
                    .with("window", seconds);
                let reply = too_many(hit.retry_after);
                let flow = self.refuse(reply, event);
                if self.active.refusals_ban
                    && let Flow::Reply(reply) = flow
                {
                    self.offence = Some(Offence::refused_rate(reply));
                    return Flow::Go(self.stage);
                }
                flow
            }
            other => self.misfit(other, "rate limit", now),
        }
    }

    /// Requests, window and place of a limit.
    #[expect(clippy::type_complexity, reason = "the parts of one question")]
    fn rate_of(&self, limit: Limit) -> Option<(u32, Duration, Option<Arc<str>>, Option<Arc<str>>)> {
        let route = self.route.as_ref();
        let of_path = || {
            if self.active.endpoint_rates.is_empty() {
                return None;
            }
            let path = self.head.path();
            let plain = plain_path(path).unwrap_or(path.into());
            let found = self.active.endpoint_rates.get_key_value(path);
            found.or_else(|| self.active.endpoint_rates.get_key_value(&*plain))
        };
        match limit {
            Limit::Endpoint => {
                let (path, (requests, window)) = of_path()?;
                Some((*requests, *window, Some(Arc::from(&**path)), None))
            }
            Limit::Route => {
                // A limit of the path replaces the route's: both would count the same requests twice.
                let (requests, window) = route?.rate_limit.filter(|_| of_path().is_none())?;
                Some((requests, window, Some(Arc::clone(&route?.endpoint)), None))
            }
            Limit::Country => {
                let route = route?;
                let own = self.country.flatten().and_then(|own| route.geo_limits.get(&own));
                let (requests, window) = own.copied().or(route.geo_limit_else)?;
                Some((requests, window, Some(Arc::clone(&route.endpoint)), Some(Arc::from("geo"))))
            }
            Limit::Global => {
                let (requests, window) = self.active.rate?;
                Some((requests, window, None, None))
            }
        }
    }

    /// Whether a behaviour rule throttles the client here.
    pub(super) fn throttled(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        let of_route = self.route.as_ref().map(|route| &route.behaviour);
        let mut rules = of_route.into_iter().flatten().chain(&self.active.behaviour);
        let throttles = rules.any(|rule| rule.rule.action == BehaviourAction::Throttle);
        if self.excluded || !throttles || self.trusts_client() {
            return Flow::Next;
        }
        match answer {
            None => Flow::Ask(Question::Throttled(self.throttle_key())),
            Some(Answer::Throttled(None)) => Flow::Next,
            Some(Answer::Throttled(Some(left))) => {
                let reason = "throttled by a behaviour rule";
                let mut event = self.event(EventType::BehavioralViolation, "throttle", reason, now);
                event.rule_type = Some("throttle");
                let place = self.endpoint.to_string();
                let event = event.by("behavior").with("endpoint", place);
                self.refuse(too_many(left), event)
            }
            other => self.misfit(other, "throttle", now),
        }
    }

    /// Counts the call for the route's rules on use and frequency: once for each window, however many rules
    /// have it, and each rule is judged by that count.
    pub(super) fn usage(&mut self, number: usize, answer: Option<Answer>, now: Moment) -> Flow {
        let Some(route) = self.route.clone().filter(|_| !self.excluded) else { return Flow::Next };
        if self.trusts_client() {
            return Flow::Next;
        }
        let Some(rule) = route.behaviour.get(number) else { return Flow::Next };
        let next = Flow::Go(Stage::Usage(number + 1));
        if !counts_calls(rule) {
            return next;
        }
        let window = rule.window();
        match answer {
            None => {}
            Some(Answer::Hit(hit)) => {
                let calls = hit.count.saturating_add(u32::from(!hit.within));
                self.usage.push(Usage { window, calls, retry_after: hit.retry_after });
            }
            other => {
                return match self.misfit(other, "behaviour", now) {
                    Flow::Next => next,
                    flow => flow,
                };
            }
        }
        let Some(usage) = self.usage.iter().find(|usage| usage.window == window) else {
            let counting = || route.behaviour.iter().filter(|rule| counts_calls(rule));
            let longest = counting().map(CompiledRule::window).max();
            let of_window = counting().filter(|rule| rule.window() == window);
            let limit = of_window.map(|rule| rule.rule.threshold).max().unwrap_or(1);
            let is_longest = longest == Some(window);
            return Flow::Ask(Question::Hit(Hit {
                key: CounterKey {
                    kind: CounterKind::BehaviourUsage,
                    client: self.group,
                    endpoint: Some(Arc::clone(&self.endpoint)),
                    detail: None,
                    window_seconds: (!is_longest).then_some(rule.rule.window),
                },
                limit: limit.max(1),
                window,
            }));
        };
        if usage.calls <= rule.rule.threshold {
            return next;
        }
        let retry_after = if usage.retry_after.is_zero() { window } else { usage.retry_after };
        self.usage_exceeded(rule, retry_after, next, now)
    }

    fn usage_exceeded(
        &mut self,
        rule: &CompiledRule,
        retry_after: Duration,
        next: Flow,
        now: Moment,
    ) -> Flow {
        let passive = self.active.passive;
        let event = self.behaviour_event(rule, rule.rule.threshold, now);
        let flow = match rule.rule.action {
            BehaviourAction::Ban if !passive => {
                self.offence = Some(Offence::behaviour(rule, event, true));
                return Flow::Go(self.stage);
            }
            BehaviourAction::Throttle => self.refuse(too_many(retry_after), event),
            BehaviourAction::Ban => self.refuse(Reply::new(403, super::offence::BANNED), event),
            BehaviourAction::Log | BehaviourAction::Alert => {
                self.tell(event);
                Flow::Next
            }
        };
        match flow {
            Flow::Next => next,
            flow => flow,
        }
    }

    /// That a behaviour rule was tripped.
    pub(super) fn behaviour_event(
        &self,
        rule: &CompiledRule,
        threshold: u32,
        now: Moment,
    ) -> crate::event::GuardEvent {
        let (counted, seconds) = (rule.rule.counted.name(), rule.rule.window);
        let reason = format!("more than {threshold} in {seconds} s: {counted}");
        let action = rule.rule.action.name();
        let mut event = self.event(EventType::BehavioralViolation, action, reason, now);
        event.rule_type = Some(counted);
        event.pattern_matched = (!rule.pattern().is_empty()).then(|| rule.pattern().to_owned());
        let place = self.endpoint.to_string();
        event
            .by("behavior")
            .with("endpoint", place)
            .with("rule_type", counted)
            .with("threshold", threshold)
            .with("window", seconds)
            .with("action", action)
    }

    pub(super) fn throttle_key(&self) -> CounterKey {
        CounterKey {
            kind: CounterKind::Throttle,
            client: self.group,
            endpoint: Some(Arc::clone(&self.endpoint)),
            detail: None,
            window_seconds: None,
        }
    }
}

/// How often the client called within a window that rules of the route have, this call among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    window: Duration,
    calls: u32,
    retry_after: Duration,
}

/// Whether the rule is about calls, not about their answers.
fn counts_calls(rule: &CompiledRule) -> bool {
    !matches!(rule.rule.counted, Counted::ReturnPattern(_))
}

/// 429, with whole seconds to wait, at least one.
fn too_many(retry_after: Duration) -> Reply {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    Reply::new(429, "Too many requests").header("retry-after", seconds.max(1).to_string())
}
