//! The guard as an inspector of one exchange, with the state of this process and nobody to ask.

use crate::event::GuardEvent;
use crate::exchange::{BodyFlow, Exchange, Step};
use crate::guard::Guard;
use crate::local_state::LocalState;
use crate::question::{Answer, AnswerFailure, Question};
use ringwall_inspection::{
    InspectionFinding, Inspector, Moment, Phase, Reply, RequestHead, ResponseHead, Verdict,
};
use std::sync::Arc;

/// Carries the guard wherever an [`Inspector`] is taken, such as in a proxy.
///
/// Countries, credentials and checks of an application are questions that nobody answers here: what
/// settings say about failures decides.
///
/// ```
/// use ringwall_app_guard::inspection::{Inspector, Peer, Verdict};
/// use ringwall_app_guard::{Guard, GuardInspector, GuardLimits, GuardSettings, LocalState, Moment, RequestHead};
/// use std::sync::Arc;
///
/// let now = Moment::new(std::time::Instant::now(), 1_700_000_000_000);
/// let settings =
///     GuardSettings { blacklist: vec!["192.0.2.1".to_owned()], ..GuardSettings::default() };
/// let guard = Guard::new(settings)?;
/// let state = Arc::new(LocalState::new(GuardLimits::default(), now));
/// let mut inspector = GuardInspector::new(guard, state);
/// let head = RequestHead {
///     peer: Peer::Address("192.0.2.1:4711".parse().unwrap()),
///     ..RequestHead::get("/")
/// };
/// assert!(matches!(inspector.request_head(&head, now), Verdict::Refuse(_)));
/// # Ok::<(), ringwall_app_guard::SettingsError>(())
/// ```
#[derive(Debug)]
pub struct GuardInspector {
    guard: Guard,
    state: Arc<LocalState>,
    exchange: Option<Exchange>,
    phase: Phase,
    events: Vec<GuardEvent>,
}

impl GuardInspector {
    /// An inspector of one exchange.
    #[must_use]
    pub const fn new(guard: Guard, state: Arc<LocalState>) -> Self {
        Self { guard, state, exchange: None, phase: Phase::RequestHead, events: Vec::new() }
    }

    /// The events of the exchange once it has [ended](Inspector::end).
    #[must_use]
    pub fn events(&self) -> &[GuardEvent] {
        &self.events
    }

    fn verdict(&mut self, now: Moment) -> Verdict {
        let Some(exchange) = &mut self.exchange else { return Verdict::Allow };
        loop {
            match exchange.run(&self.state, now) {
                Step::Ask(question) => exchange.answer(nobody_answers(&question)),
                Step::Reply(reply) => return verdict_of(reply),
                Step::NeedBody | Step::Continue | Step::Done => return Verdict::Allow,
            }
        }
    }
}

/// An unknown country is an answer; everything else only its owner could give.
const fn nobody_answers(question: &Question) -> Answer {
    match question {
        Question::Country { .. } => Answer::Country(None),
        _ => Answer::Failed(AnswerFailure::Failed),
    }
}

fn verdict_of(reply: Reply) -> Verdict {
    if (300..400).contains(&reply.status) {
        Verdict::Redirect(reply)
    } else {
        Verdict::Refuse(reply)
    }
}

impl Inspector for GuardInspector {
    fn request_head(&mut self, head: &RequestHead<'_>, now: Moment) -> Verdict {
        self.exchange = Some(self.guard.exchange(head, None, now));
        self.verdict(now)
    }

    fn request_body(&mut self, chunk: &[u8], now: Moment) -> Verdict {
        self.phase = Phase::RequestBody;
        let flow = self.exchange.as_mut().map(|exchange| exchange.body_chunk(chunk, now));
        match flow {
            Some(BodyFlow::Release | BodyFlow::Stop) => self.verdict(now),
            Some(BodyFlow::More) | None => Verdict::Allow,
        }
    }

    fn request_end(&mut self, now: Moment) -> Verdict {
        self.phase = Phase::RequestEnd;
        if let Some(exchange) = &mut self.exchange {
            // Release or stop, the next step says which.
            let _flow = exchange.body_end(now);
        }
        self.verdict(now)
    }

    fn response_head(&mut self, head: &ResponseHead<'_>, now: Moment) -> Verdict {
        self.phase = Phase::ResponseHead;
        if let Some(exchange) = &mut self.exchange {
            exchange.response_head(head, now);
        }
        Verdict::Allow
    }

    fn response_body(&mut self, chunk: &[u8], _now: Moment) -> Verdict {
        self.phase = Phase::ResponseBody;
        if let Some(exchange) = &mut self.exchange {
            exchange.response_chunk(chunk);
        }
        Verdict::Allow
    }

    fn end(&mut self, now: Moment) -> Vec<InspectionFinding> {
        if let Some(exchange) = &mut self.exchange {
            exchange.response_end();
        }
        // The answer is out; what counting it says is for the next request.
        let _verdict = self.verdict(now);
        let phase = self.phase;
        let Some(mut exchange) = self.exchange.take() else { return Vec::new() };
        self.events = exchange.finish(now).events;
        let finding = |event: &GuardEvent| InspectionFinding {
            phase,
            rule: event.event_type.name().into(),
            place: event.metadata.get("context").map(text).unwrap_or_default(),
            message: event.reason.to_string(),
            weight: f32::from(event.event_type.threat_score()) / 100.0,
        };
        self.events.iter().map(finding).collect()
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
