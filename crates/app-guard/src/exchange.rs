//! One request and its answer, judged step by step.

mod access;
mod addresses;
mod answered;
mod body;
mod head;
mod offence;
mod rates;
mod search;
mod telling;

pub use body::BodyFlow;

use crate::active::Active;
use crate::address::{ClientAddress, Network};
use crate::event::{GuardEvent, kept};
use crate::guard::Guard;
use crate::local_state::LocalState;
use crate::metrics::ExchangeFigures;
use crate::question::{Answer, AnswerFailure, Country, Question};
use crate::route_rules::{Bypass, Route};
use body::BodyWatch;
use head::Head;
use offence::Offence;
use ringwall_inspection::{Moment, Reply, RequestHead};
use std::net::IpAddr;
use std::sync::Arc;

/// One exchange, from the request's head to the end of its answer.
///
/// Whoever drives it calls [`step`](Self::step) and does what it says: answers a question and steps again,
/// feeds the body, calls the application, or sends a reply. Nothing here waits.
///
/// ```
/// use ringwall_app_guard::{Guard, GuardLimits, GuardSettings, LocalState, Moment, RequestHead, Step};
/// use ringwall_app_guard::inspection::Peer;
///
/// let now = Moment::new(std::time::Instant::now(), 1_700_000_000_000);
/// let settings = GuardSettings { rate_limit: 1, ..GuardSettings::default() };
/// let guard = Guard::new(settings).unwrap();
/// let state = LocalState::new(GuardLimits::default(), now);
/// let peer = Peer::Address("192.0.2.1:4711".parse().unwrap());
/// let head = RequestHead { peer, ..RequestHead::get("/") };
///
/// assert_eq!(guard.exchange(&head, None, now).run(&state, now), Step::Continue);
/// let Step::Reply(reply) = guard.exchange(&head, None, now).run(&state, now) else { panic!() };
/// assert_eq!(reply.status, 429);
/// ```
#[derive(Debug)]
pub struct Exchange {
    guard: Guard,
    active: Arc<Active>,
    route: Option<Arc<Route>>,
    /// The name under which the request is counted: the route's pattern, else its path.
    endpoint: Arc<str>,
    head: Head,
    client: ClientAddress,
    /// The client's address; of no meaning where there is none and requests pass all the same.
    address: IpAddr,
    /// Whom counters are about.
    group: Network,
    /// What lists say about the client.
    standing: Standing,
    /// The excluded subtree that the path lies in.
    excluded: bool,
    is_websocket: bool,
    began: Moment,

    stage: Stage,
    pending: Option<Question>,
    answer: Option<Answer>,
    reply: Option<Reply>,
    offence: Option<Offence>,
    country: Option<Option<Country>>,
    body: BodyWatch,
    response: answered::Response,
    /// What was counted for rules on use.
    usage: Vec<rates::Usage>,

    events: Vec<GuardEvent>,
    /// Whether it was refused, or would have been but for passive mode.
    refused: bool,
    threat: f32,
    lookups: u32,
    lookups_found: u32,
    finished: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Step {
    /// Find this out, give it to [`answer`](Exchange::answer), and step again.
    Ask(Question),
    /// Feed the body to [`body_chunk`](Exchange::body_chunk) and hold it back until that says otherwise.
    NeedBody,
    /// Call the application. Where [`watches_body`](Exchange::watches_body), feed what streams to it.
    Continue,
    /// Send this in place of the application's answer: a refusal, a redirect, or the answer to a preflight.
    Reply(Reply),
    /// There is nothing more to do but [`finish`](Exchange::finish).
    Done,
}

/// What is left of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// What there is to tell.
    pub events: Vec<GuardEvent>,
    /// Its figures; the guard has counted them already.
    pub figures: ExchangeFigures,
}

/// The order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Address,
    Bypass,
    Emergency,
    Https,
    Size,
    ContentType,
    RequiredHeaders,
    Authentication,
    ApiKey,
    Referrer,
    RouteCheck(usize),
    TimeWindow,
    Ban,
    Lists,
    Countries,
    Clouds,
    RouteClouds,
    UserAgent,
    Rate(rates::Limit),
    Throttle,
    SearchHead,
    Body,
    Check,
    Usage(usize),
    Preflight,
    Application,
    Returned(usize),
    Done,
}

/// What a stage comes to.
enum Flow {
    /// The next stage.
    Next,
    /// This stage.
    Go(Stage),
    /// Something has to be known first; the stage is called again with the answer.
    Ask(Question),
    /// The body is needed first.
    NeedBody,
    /// This is the answer.
    Reply(Reply),
}

/// What lists say about a client.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// On the list of those let in.
    whitelisted: bool,
    /// Exempt from rates, user agents and clouds.
    exempt: bool,
}

impl Exchange {
    pub(crate) fn new(
        guard: Guard,
        active: Arc<Active>,
        head: &RequestHead<'_>,
        route: Option<Arc<Route>>,
        now: Moment,
    ) -> Self {
        let client = active.proxies.client(head.peer, head.headers);
        let address = client.address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let group = Network::group(address, active.ipv6_prefix);
        let standing = Standing {
            whitelisted: active.lists.allow.contains(address) || active.let_in.contains(address),
            exempt: active.exempt.contains(address),
        };
        let excluded = active.excluded_paths.find(head.path).is_some();
        let endpoint = match &route {
            Some(route) => Arc::clone(&route.endpoint),
            None => Arc::from(kept(head.path)),
        };
        let is_websocket = head::opens_websocket(head);
        Self {
            head: Head::copy(head),
            guard,
            active,
            route,
            endpoint,
            client,
            address,
            group,
            standing,
            excluded,
            is_websocket,
            began: now,
            stage: Stage::Address,
            pending: None,
            answer: None,
            reply: None,
            offence: None,
            country: None,
            body: BodyWatch::default(),
            response: answered::Response::default(),
            usage: Vec::new(),
            events: Vec::new(),
            refused: false,
            threat: 0.0,
            lookups: 0,
            lookups_found: 0,
            finished: false,
        }
    }

    /// What to do next. Called again without having done it, it says the same again.
    pub fn step(&mut self, now: Moment) -> Step {
        loop {
            if let Some(reply) = &self.reply {
                return Step::Reply(reply.clone());
            }
            if let (Some(question), None) = (&self.pending, &self.answer) {
                return Step::Ask(question.clone());
            }
            self.pending = None;
            let answer = self.answer.take();
            if self.stage == Stage::Application && !self.body.stopped() && self.offence.is_none() {
                return Step::Continue;
            }
            if self.stage == Stage::Done && !self.body.stopped() && self.offence.is_none() {
                return Step::Done;
            }
            match self.advance(answer, now) {
                Flow::Next => self.stage = self.next_stage(),
                Flow::Go(stage) => self.stage = stage,
                Flow::Ask(question) => self.pending = Some(question),
                Flow::NeedBody => return Step::NeedBody,
                Flow::Reply(reply) => self.reply = Some(reply),
            }
        }
    }

    /// Gives the answer to the question that [`step`](Self::step) asked.
    pub fn answer(&mut self, answer: Answer) {
        if self.pending.is_some() {
            self.answer = Some(answer);
        }
    }

    /// Steps and answers from this state until there is something to do that it cannot: the body, the
    /// application, a reply, or a question about something else.
    pub fn run(&mut self, state: &LocalState, now: Moment) -> Step {
        loop {
            match self.step(now) {
                Step::Ask(question) => match state.answer(&question, now) {
                    Some(answer) => self.answer(answer),
                    None => return Step::Ask(question),
                },
                step => return step,
            }
        }
    }

    /// Whether what the client did is still being counted: that has to be brought to its end, even where nobody
    /// waits for an answer any more.
    #[must_use]
    pub const fn is_counting(&self) -> bool {
        let is_judged = matches!(self.stage, Stage::Returned(_));
        self.reply.is_none() && (is_judged || self.offence.is_some() || self.body.stopped())
    }

    /// Whose request it is, as far as that can be told.
    #[must_use]
    pub const fn client(&self) -> Option<IpAddr> {
        self.client.address
    }

    /// The country, where it was asked for and is known.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.country.flatten()
    }

    /// The rules of the route, where it has some.
    #[must_use]
    pub const fn route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref()
    }

    /// The headers that the answer carries unless it has them already, whoever gives it.
    pub fn security_headers(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.active.headers.iter()
    }

    /// The headers that the answer carries for pages of other origins; they replace what it has.
    #[must_use]
    pub fn cors_headers(
        &self,
    ) -> Vec<(std::borrow::Cow<'static, str>, std::borrow::Cow<'static, str>)> {
        let origin = self.head.header_text("origin");
        self.active.cors.as_ref().map(|cors| cors.answer_headers(origin)).unwrap_or_default()
    }

    fn advance(&mut self, answer: Option<Answer>, now: Moment) -> Flow {
        if self.offence.is_some() {
            return self.punish(answer, now);
        }
        // A body that outlives its answer can be stopped still.
        if matches!(self.stage, Stage::Application | Stage::Done) {
            return self.body_stopped(now);
        }
        match self.stage {
            Stage::Address => self.address_is_known(now),
            Stage::Bypass => self.bypasses_all(now),
            Stage::Emergency => self.emergency(now),
            Stage::Https => self.https(now),
            Stage::Size => self.size(now),
            Stage::ContentType => self.content_type(now),
            Stage::RequiredHeaders => self.required_headers(now),
            Stage::Authentication => self.authentication(answer, now),
            Stage::ApiKey => self.api_key(answer, now),
            Stage::Referrer => self.referrer(now),
            Stage::RouteCheck(number) => self.route_check(number, answer, now),
            Stage::TimeWindow => self.time_window(now),
            Stage::Ban => self.ban(answer, now),
            Stage::Lists => self.lists(now),
            Stage::Countries => self.countries(answer, now),
            Stage::Clouds => self.clouds(now),
            Stage::RouteClouds => self.route_clouds(now),
            Stage::UserAgent => self.user_agent(now),
            Stage::Rate(limit) => self.rate(limit, answer, now),
            Stage::Throttle => self.throttled(answer, now),
            Stage::SearchHead => self.search_head(now),
            Stage::Body => self.body_is_fine(now),
            Stage::Check => self.check(answer, now),
            Stage::Usage(number) => self.usage(number, answer, now),
            Stage::Preflight => self.preflight(),
            Stage::Returned(number) => self.returned(number, answer, now),
            Stage::Application | Stage::Done => Flow::Next,
        }
    }

    const fn next_stage(&self) -> Stage {
        match self.stage {
            Stage::Address => Stage::Bypass,
            Stage::Bypass => Stage::Emergency,
            Stage::Emergency => Stage::Https,
            Stage::Https => Stage::Size,
            Stage::Size => Stage::ContentType,
            Stage::ContentType => Stage::RequiredHeaders,
            Stage::RequiredHeaders => Stage::Authentication,
            Stage::Authentication => Stage::ApiKey,
            Stage::ApiKey => Stage::Referrer,
            Stage::Referrer => Stage::RouteCheck(0),
            Stage::RouteCheck(_) => Stage::TimeWindow,
            Stage::TimeWindow => Stage::Ban,
            Stage::Ban => Stage::Lists,
            Stage::Lists => Stage::Countries,
            Stage::Countries => Stage::Clouds,
            Stage::Clouds => Stage::RouteClouds,
            Stage::RouteClouds => Stage::UserAgent,
            Stage::UserAgent => Stage::Rate(rates::Limit::Endpoint),
            Stage::Rate(limit) => match limit.next() {
                Some(next) => Stage::Rate(next),
                None => Stage::Throttle,
            },
            Stage::Throttle => Stage::SearchHead,
            Stage::SearchHead => Stage::Body,
            Stage::Body => Stage::Check,
            Stage::Check => Stage::Usage(0),
            Stage::Usage(_) => Stage::Preflight,
            Stage::Preflight => Stage::Application,
            Stage::Application => Stage::Returned(0),
            Stage::Returned(_) | Stage::Done => Stage::Done,
        }
    }

    /// Whether the route skips this check.
    fn bypasses(&self, check: Bypass) -> bool {
        self.route.as_ref().is_some_and(|route| route.bypasses.has(check))
    }

    /// Whether everything about the client is in order beforehand.
    const fn trusts_client(&self) -> bool {
        self.standing.whitelisted
    }

    /// A check refuses: the reply goes out and the event tells it; in passive mode only the event.
    fn refuse(&mut self, reply: Reply, event: GuardEvent) -> Flow {
        if self.active.passive {
            let mut event = event;
            event.action_taken = "logged_only";
            event.metadata.insert("passive_mode".to_owned(), true.into());
            event.metadata.insert("would_answer".to_owned(), reply.status.into());
            self.tell(event);
            return Flow::Next;
        }
        self.refused = true;
        let reply = self.worded(reply);
        let mut event = event;
        event.status_code = Some(reply.status);
        self.tell(event);
        Flow::Reply(reply)
    }

    /// With the application's own words for this status, where it has some.
    fn worded(&self, mut reply: Reply) -> Reply {
        if let Some(body) = self.active.bodies.get(&reply.status) {
            reply.body = body.to_string().into();
        }
        reply
    }

    /// What becomes of the exchange when a question found no answer.
    fn unanswered(&mut self, failure: AnswerFailure, what: &'static str, now: Moment) -> Flow {
        let is_state = failure != AnswerFailure::Failed;
        let open = if is_state { self.active.state_fail_open } else { false };
        let pass = open || self.active.passive || !self.active.fail_secure;
        let event = self.failure_event(is_state, what, pass, now);
        if pass {
            self.tell(event);
            return Flow::Next;
        }
        let reply = match failure {
            AnswerFailure::StateNeverReached => {
                Reply::new(503, "Service temporarily unavailable").header("retry-after", "5")
            }
            AnswerFailure::StateAway | AnswerFailure::Failed => {
                Reply::new(500, "Security check failed")
            }
        };
        self.refuse(reply, event)
    }

    /// An answer that does not fit its question is no answer.
    fn misfit(&mut self, answer: Option<Answer>, what: &'static str, now: Moment) -> Flow {
        let failure = match answer {
            Some(Answer::Failed(failure)) => failure,
            _ => AnswerFailure::Failed,
        };
        self.unanswered(failure, what, now)
    }
}
