//! The answer of the application: what it says about the client, and the end of the exchange.

use super::{Exchange, Finished, Flow, Stage};
use crate::behaviour::{BehaviourAction, CompiledRule, RESPONSE_BYTES_MAX};
use crate::event::{EventType, GuardEvent};
use crate::exchange::offence::Offence;
use crate::metrics::{ExchangeFigures, OTHER_ENDPOINTS};
use crate::question::{Answer, CounterKey, CounterKind, Hit, Question};
use ringwall_inspection::{Moment, ResponseHead};
use std::sync::Arc;
use std::time::Duration;

/// What is known of the application's answer.
#[derive(Debug, Default)]
pub(super) struct Response {
    status: Option<u16>,
    bytes: u64,
    /// The beginning of the body, where a rule looks at it.
    kept: Vec<u8>,
    keeps: bool,
    /// Whether the client attacked lately, where that matters.
    attacker: Option<bool>,
    /// How far the rule is that is looked at.
    judging: Judging,
    /// What was counted for rules before it.
    counts: Vec<AnswerCount>,
}

/// How often the client got such an answer within a window, this one among them.
#[derive(Debug)]
struct AnswerCount {
    pattern: Box<str>,
    window: Duration,
    answers: u32,
}

/// What was asked about a rule last.
#[derive(Debug, Default)]
enum Judging {
    #[default]
    Fresh,
    /// Whether the client attacked lately.
    Correlating,
    /// How often it got such answers.
    Counting,
    /// That its action be carried out.
    Acting,
}

impl Exchange {
    /// Status and headers of the application's answer.
    pub fn response_head(&mut self, head: &ResponseHead<'_>, now: Moment) {
        self.response.status = Some(head.status);
        self.response.keeps = self.wants_response_body();
        self.tell_headers(now);
    }

    /// Whether a rule looks at the body of the answer. It is counted in any case, so chunks may be fed
    /// without it.
    #[must_use]
    pub fn wants_response_body(&self) -> bool {
        self.active.inspect_answers
            && !self.excluded
            && !self.trusts_client()
            && self.return_rules().any(|rule| rule.answer.as_ref().is_some_and(|a| a.needs_body()))
    }

    /// The next chunk of the answer's body.
    pub fn response_chunk(&mut self, chunk: &[u8]) {
        self.response_bytes(chunk.len() as u64);
        if self.response.keeps {
            let room = RESPONSE_BYTES_MAX.saturating_sub(self.response.kept.len());
            let part = chunk.get(..room.min(chunk.len())).unwrap_or_default();
            self.response.kept.extend_from_slice(part);
        }
    }

    /// Counts bytes of the answer's body that nobody looks at.
    pub const fn response_bytes(&mut self, bytes: u64) {
        self.response.bytes = self.response.bytes.saturating_add(bytes);
    }

    /// The answer is complete: what it says about the client is counted by the steps that follow, until
    /// [`Step::Done`](super::Step::Done).
    pub fn response_end(&mut self) {
        if self.stage == Stage::Application && self.reply.is_none() && !self.body.stopped() {
            self.stage = Stage::Returned(0);
        }
    }

    /// Ends the exchange, however far it came: what there is to tell of it. The guard counts its figures
    /// once.
    pub fn finish(&mut self, now: Moment) -> Finished {
        let replied = self.reply.as_ref().map(|reply| reply.status);
        if replied.is_some() && !self.finished {
            self.tell_headers(now);
        }
        let figures = ExchangeFigures {
            endpoint: self.told_endpoint(),
            method: self.head.method().into(),
            status: replied.or(self.response.status).unwrap_or(0),
            time: now.instant.saturating_duration_since(self.began.instant),
            request_bytes: self.body.bytes,
            response_bytes: self.response.bytes,
            refused: self.refused,
            threat: self.threat,
            lookups: self.lookups,
            lookups_found: self.lookups_found,
        };
        if !std::mem::replace(&mut self.finished, true) {
            self.guard.add_figures(&figures);
        }
        Finished { events: std::mem::take(&mut self.events), figures }
    }

    /// Judges the answer by the rule of this number. An answer counts once for each pattern and window,
    /// however many rules have them.
    pub(super) fn returned(&mut self, number: usize, answer: Option<Answer>, now: Moment) -> Flow {
        if self.excluded || self.trusts_client() {
            return Flow::Next;
        }
        let next = Flow::Go(Stage::Returned(number + 1));
        let Some(rule) = self.return_rules().nth(number).cloned() else { return Flow::Next };
        match std::mem::take(&mut self.response.judging) {
            Judging::Fresh => {
                if !self.response_matches(&rule) {
                    return next;
                }
            }
            Judging::Correlating => {
                let attacks = matches!(answer, Some(Answer::Hit(hit)) if hit.count > 0);
                self.response.attacker = Some(attacks);
            }
            Judging::Counting => {
                let Some(Answer::Hit(hit)) = answer else {
                    // The answer is under way; there is nothing left to refuse.
                    let event = self.failure_event(true, "behaviour", true, now);
                    self.tell(event);
                    return next;
                };
                self.response.counts.push(AnswerCount {
                    pattern: rule.pattern().into(),
                    window: rule.window(),
                    answers: hit.count.saturating_add(u32::from(!hit.within)),
                });
            }
            Judging::Acting => return next,
        }
        if self.active.correlate && self.response.attacker.is_none() {
            self.response.judging = Judging::Correlating;
            let window = self.offence_window();
            let (kind, client) = (CounterKind::Detection, self.group);
            let key =
                CounterKey { kind, client, endpoint: None, detail: None, window_seconds: None };
            return Flow::Ask(Question::Count { key, window });
        }
        let threshold = self.return_threshold(&rule);
        let is_counted = |count: &&AnswerCount| {
            *count.pattern == *rule.pattern() && count.window == rule.window()
        };
        if let Some(count) = self.response.counts.iter().find(is_counted) {
            return match count.answers <= threshold {
                true => next,
                false => self.return_exceeded(&rule, threshold, next, now),
            };
        }
        let same = || self.return_rules().filter(|other| other.pattern() == rule.pattern());
        let longest = same().map(CompiledRule::window).max();
        let of_window = same().filter(|other| other.window() == rule.window());
        let limit = of_window.map(|other| self.return_threshold(other)).max().unwrap_or(1);
        let is_longest = longest == Some(rule.window());
        self.response.judging = Judging::Counting;
        Flow::Ask(Question::Hit(Hit {
            key: CounterKey {
                kind: CounterKind::BehaviourReturn,
                client: self.group,
                endpoint: Some(Arc::clone(&self.endpoint)),
                detail: Some(Arc::from(rule.pattern())),
                window_seconds: (!is_longest).then_some(rule.rule.window),
            },
            limit: limit.max(1),
            window: rule.window(),
        }))
    }

    /// After an offence that has no answer of its own.
    pub(super) const fn after_offence(&self) -> Flow {
        match self.stage {
            Stage::Returned(number) => Flow::Go(Stage::Returned(number + 1)),
            Stage::Usage(number) => Flow::Go(Stage::Usage(number + 1)),
            _ => Flow::Next,
        }
    }

    /// How many such answers are fine: half as many for a client that attacked lately.
    fn return_threshold(&self, rule: &CompiledRule) -> u32 {
        let is_halved = self.response.attacker == Some(true);
        if is_halved { rule.rule.threshold / 2 } else { rule.rule.threshold }
    }

    fn return_exceeded(
        &mut self,
        rule: &CompiledRule,
        threshold: u32,
        next: Flow,
        now: Moment,
    ) -> Flow {
        let mut event = self.behaviour_event(rule, threshold, now);
        if self.active.passive {
            event.action_taken = "logged_only";
            self.tell(event);
            return next;
        }
        match rule.rule.action {
            BehaviourAction::Ban => {
                self.offence = Some(Offence::behaviour(rule, event, false));
                Flow::Go(self.stage)
            }
            BehaviourAction::Throttle => {
                self.tell(event);
                self.response.judging = Judging::Acting;
                Flow::Ask(Question::Throttle { key: self.throttle_key(), time: rule.window() })
            }
            BehaviourAction::Log | BehaviourAction::Alert => {
                self.tell(event);
                next
            }
        }
    }

    fn response_matches(&self, rule: &CompiledRule) -> bool {
        let (Some(status), Some(pattern)) = (self.response.status, &rule.answer) else {
            return false;
        };
        let readable = !pattern.needs_body() || self.response.keeps;
        readable && pattern.matches(status, &self.response.kept)
    }

    /// The rules on answers: of the route, then of the application.
    fn return_rules(&self) -> impl Iterator<Item = &CompiledRule> {
        let of_route = self.route.iter().flat_map(|route| &route.behaviour);
        of_route.chain(&self.active.behaviour).filter(|rule| rule.answer.is_some())
    }

    /// The endpoint for figures: a path that the application does not serve is none.
    fn told_endpoint(&self) -> Arc<str> {
        let answered = self.response.status.filter(|_| self.reply.is_none());
        if self.route.is_some() || self.guard.knows_endpoint(&self.endpoint, answered) {
            Arc::clone(&self.endpoint)
        } else {
            Arc::from(OTHER_ENDPOINTS)
        }
    }

    fn tell_headers(&mut self, now: Moment) {
        let headers = &self.active.headers;
        if headers.is_empty() {
            return;
        }
        let endpoint = self.told_endpoint();
        if !self.guard.tells(EventType::SecurityHeadersApplied, &endpoint, now) {
            return;
        }
        let reason = "security headers are on the answers";
        let event =
            GuardEvent::new(EventType::SecurityHeadersApplied, "headers_added", reason, now)
                .by("security_headers")
                .with("path", &*endpoint)
                .with("headers_count", headers.iter().len())
                .with("has_csp", headers.has("content-security-policy"))
                .with("has_hsts", headers.has("strict-transport-security"));
        let mut event = event;
        event.ip_address = "".into();
        self.tell(event);
    }
}
