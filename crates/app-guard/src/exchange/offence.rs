//! What follows on an attack or on too many refusals: it is counted, and at the threshold it bans.

use super::{Exchange, Flow};
use crate::behaviour::CompiledRule;
use crate::event::{EventType, GuardEvent};
use crate::guard::ban_event;
use crate::payload::Category;
use crate::question::{Answer, BanOrder, CounterKey, CounterKind, Hit, Question};
use crate::route_rules::Bypass;
use ringwall_inspection::{Moment, Reply};
use std::sync::Arc;
use std::time::Duration;

/// The body of the refusal that a ban begins with.
pub(super) const BANNED: &str = "IP has been banned";

/// Something a client did that counts against it.
#[derive(Debug)]
pub(super) struct Offence {
    /// What is to be counted still, last one first.
    counts: Vec<Count>,
    /// Set once a ban is due.
    ban: Option<(Duration, Arc<str>)>,
    /// The answer, unless a ban comes of it.
    reply: Option<Reply>,
    /// What is told, completed with what was done.
    event: Option<GuardEvent>,
    /// Whether the counts were put together.
    prepared: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Attack(Vec<Category>),
    RefusedRate,
    Behaviour,
}

#[derive(Debug)]
struct Count {
    kind: CounterKind,
    detail: Option<Arc<str>>,
    threshold: u32,
    ban: Duration,
    reason: Arc<str>,
}

impl Offence {
    /// A request that is an attack of these categories.
    pub(super) fn attack(categories: Vec<Category>, event: GuardEvent) -> Self {
        let reply = Some(Reply::new(400, "Suspicious activity detected"));
        Self::new(Kind::Attack(categories), reply, Some(event))
    }

    /// A request that a rate limit refused with this reply, which was told already.
    pub(super) fn refused_rate(reply: Reply) -> Self {
        Self::new(Kind::RefusedRate, Some(reply), None)
    }

    /// A behaviour rule that bans. The tripping request is refused unless its answer is under way.
    pub(super) fn behaviour(rule: &CompiledRule, event: GuardEvent, refuses: bool) -> Self {
        let time = Duration::from_secs(u64::from(rule.rule.ban_duration));
        let reply = refuses.then(|| Reply::new(403, "Forbidden"));
        let mut offence = Self::new(Kind::Behaviour, reply, Some(event));
        offence.ban = Some((time, Arc::from("behavioral_violation")));
        offence
    }

    /// A rule that bans did not; its event says so.
    fn not_banned(&mut self) {
        if let (Kind::Behaviour, Some(event)) = (&self.kind, &mut self.event) {
            event.action_taken = "ban_not_applied";
        }
    }

    const fn new(kind: Kind, reply: Option<Reply>, event: Option<GuardEvent>) -> Self {
        Self { counts: Vec::new(), ban: None, reply, event, prepared: false, kind }
    }
}

impl Exchange {
    /// Goes on with the offence: counts, bans, answers.
    pub(super) fn punish(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        let Some(mut offence) = self.offence.take() else { return Flow::Next };
        if !offence.prepared {
            offence.prepared = true;
            offence.counts = self.counts(&offence.kind);
            if !self.may_be_banned() {
                offence.counts.clear();
                if offence.ban.take().is_some() {
                    let event = self.ban_failed("the address is never banned", now);
                    self.tell(event);
                    // Whoever is never banned, such as a health check, is not shut out by the rule either.
                    offence.not_banned();
                    offence.reply = None;
                }
            }
        }
        let mut answer = answer;
        loop {
            if let Some((time, reason)) = offence.ban.clone() {
                let order = BanOrder { network: self.group, address: self.address, time, reason };
                return match answer {
                    None => {
                        self.offence = Some(offence);
                        Flow::Ask(Question::Ban(order))
                    }
                    Some(Answer::Done) => self.banned(offence, &order, now),
                    Some(_) => {
                        let event = self.ban_failed("the ban could not be stored", now);
                        self.tell(event);
                        offence.not_banned();
                        self.conclude(offence)
                    }
                };
            }
            let Some(count) = offence.counts.last() else { return self.conclude(offence) };
            match answer.take() {
                None => {
                    let window = self.offence_window();
                    let key = CounterKey {
                        kind: count.kind,
                        client: self.group,
                        endpoint: None,
                        detail: count.detail.clone(),
                        window_seconds: None,
                    };
                    let question = Question::Hit(Hit { key, limit: count.threshold, window });
                    self.offence = Some(offence);
                    return Flow::Ask(question);
                }
                Some(Answer::Hit(hit)) => {
                    if hit.count >= count.threshold || !hit.within {
                        offence.ban = Some((count.ban, Arc::clone(&count.reason)));
                    }
                    if let Some(event) = &mut offence.event {
                        event.metadata.insert("request_count".to_owned(), hit.count.into());
                    }
                    offence.counts.pop();
                }
                // The refusal stands, whether or not it could be counted.
                Some(_) => {
                    let event = self.ban_failed("the offence could not be counted", now);
                    self.tell(event);
                    offence.counts.clear();
                }
            }
        }
    }

    fn banned(&mut self, offence: Offence, order: &BanOrder, now: Moment) -> Flow {
        let mut ban = ban_event(order, now);
        let request = self.event(EventType::IpBanned, "banned", "", now);
        ban.user_agent = request.user_agent;
        ban.country = request.country;
        ban.endpoint = request.endpoint;
        ban.method = request.method;
        ban.metadata.extend(request.metadata);
        self.tell(ban);
        let mut offence = offence;
        if let Some(event) = &mut offence.event
            && matches!(offence.kind, Kind::Attack(_))
        {
            event.action_taken = "banned";
        }
        if offence.reply.is_some() {
            offence.reply = Some(Reply::new(403, BANNED));
        }
        self.conclude(offence)
    }

    /// In passive mode an offence that shows while the body streams is told at once.
    pub(super) fn conclude_in_passing(&mut self) {
        if let Some(event) = self.offence.take().and_then(|offence| offence.event) {
            // Passive: the reply is only what would have been answered.
            match self.refuse(Reply::new(400, "Suspicious activity detected"), event) {
                Flow::Reply(reply) => self.reply = Some(reply),
                Flow::Next | Flow::Go(_) | Flow::Ask(_) | Flow::NeedBody => {}
            }
        }
    }

    fn conclude(&mut self, offence: Offence) -> Flow {
        let Some(reply) = offence.reply else {
            // The answer is under way; there is only something to tell.
            if let Some(event) = offence.event {
                self.tell(event);
            }
            return self.after_offence();
        };
        match offence.event {
            Some(event) => self.refuse(reply, event),
            None => {
                self.refused = true;
                let reply = self.worded(reply);
                Flow::Reply(reply)
            }
        }
    }

    fn counts(&self, kind: &Kind) -> Vec<Count> {
        let Some(banning) = &self.active.banning else { return Vec::new() };
        match kind {
            Kind::Behaviour => Vec::new(),
            Kind::RefusedRate => vec![Count {
                kind: CounterKind::RateRefusal,
                detail: None,
                threshold: banning.threshold,
                ban: banning.time,
                reason: Arc::from("rate_limit_exceeded"),
            }],
            Kind::Attack(found) => {
                let mut counts = vec![Count {
                    kind: CounterKind::Detection,
                    detail: None,
                    threshold: banning.threshold,
                    ban: banning.time,
                    reason: Arc::from("penetration_attempt"),
                }];
                let own = banning.categories.iter().filter(|(own, ..)| found.contains(own));
                counts.extend(own.map(|(category, threshold, ban)| Count {
                    kind: CounterKind::Detection,
                    detail: Some(Arc::from(category.name())),
                    threshold: *threshold,
                    ban: *ban,
                    reason: format!("penetration_attempt:{category}").into(),
                }));
                counts
            }
        }
    }

    pub(super) fn offence_window(&self) -> Duration {
        self.active.banning.as_ref().map_or(Duration::from_secs(3600), |banning| banning.window)
    }

    fn may_be_banned(&self) -> bool {
        self.active.banning.is_some()
            && !self.active.passive
            && !self.bypasses(Bypass::IpBan)
            && self.client.address.is_some()
            && self.active.may_ban(self.group)
    }
}
