//! An application with a guard, a state, and what stands around them: countries, verifiers, checks.

use ringwall_app_guard::inspection::{BodySize, Headers, Peer, ResponseHead, Scheme};
use ringwall_app_guard::{
    Answer, AnswerFailure, BodyFlow, CheckRefusal, Country, Exchange, Finished, Guard, GuardEvent,
    GuardLimits, GuardSettings, LocalState, Moment, Question, Reply, RequestHead, Route,
    RouteRules, Step,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An application in a test; time stands still until it is moved.
pub(crate) struct Application {
    pub(crate) guard: Guard,
    pub(crate) state: LocalState,
    pub(crate) now: Moment,
    pub(crate) route: Option<Arc<Route>>,
    /// What every question about the state is answered with, where it is broken.
    pub(crate) broken: Option<AnswerFailure>,
    /// The questions that were asked of the latest exchange.
    pub(crate) asked: Vec<Question>,
}

/// A request in a test.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) peer: Peer,
    pub(crate) headers: Vec<(&'a str, &'a [u8])>,
    pub(crate) scheme: Scheme,
    pub(crate) body: Option<&'a [u8]>,
    /// The body comes without its length.
    pub(crate) chunked: bool,
    /// What the application answers.
    pub(crate) answer: (u16, &'a [u8]),
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The guard's answer; `None` where the application answered.
    pub(crate) reply: Option<Reply>,
    pub(crate) finished: Finished,
    /// How many bytes of the body the application got.
    pub(crate) passed: usize,
}

impl Application {
    pub(crate) fn new(settings: GuardSettings) -> Self {
        let now = Moment::new(Instant::now(), 1_700_000_000_000);
        let state = LocalState::new(settings.limits, now);
        let guard = Guard::new(settings).unwrap();
        Self { guard, state, now, route: None, broken: None, asked: Vec::new() }
    }

    /// With default settings but for rates, which are wide.
    pub(crate) fn plain() -> Self {
        Self::new(wide())
    }

    pub(crate) fn with_route(rules: &RouteRules) -> Self {
        Self::plain().at(rules)
    }

    /// All requests go to a route with these rules.
    pub(crate) fn at(mut self, rules: &RouteRules) -> Self {
        self.route = Some(Arc::new(rules.compile("/route").unwrap()));
        self
    }

    pub(crate) fn wait(&mut self, seconds: f64) {
        self.now = self.now.after(Duration::from_secs_f64(seconds));
    }

    pub(crate) fn send(&mut self, request: &Request<'_>) -> Outcome {
        let body = match request.body {
            None => BodySize::Empty,
            Some(_) if request.chunked => BodySize::Unknown,
            Some(body) => BodySize::Exact(body.len() as u64),
        };
        let head = RequestHead {
            method: request.method,
            path: request.path,
            query: request.query,
            scheme: request.scheme,
            peer: request.peer,
            headers: Headers::new(&request.headers),
            body,
            ..RequestHead::get("/")
        };
        self.asked.clear();
        let mut exchange = self.guard.exchange(&head, self.route.clone(), self.now);
        let mut chunks = request.body.unwrap_or_default().chunks(1000);
        let mut passed = 0;
        let reply = loop {
            match self.drive(&mut exchange) {
                Step::NeedBody => {
                    for chunk in chunks.by_ref() {
                        if exchange.body_chunk(chunk, self.now) != BodyFlow::More {
                            break;
                        }
                    }
                    if chunks.len() == 0 {
                        let _flow = exchange.body_end(self.now);
                    }
                }
                Step::Continue => {
                    let mut stopped = false;
                    while exchange.watches_body() && !stopped {
                        match chunks.next() {
                            Some(chunk) => {
                                stopped = exchange.body_chunk(chunk, self.now) == BodyFlow::Stop;
                                passed += if stopped { 0 } else { chunk.len() };
                            }
                            None => stopped = exchange.body_end(self.now) == BodyFlow::Stop,
                        }
                    }
                    if stopped {
                        continue;
                    }
                    passed = request.body.unwrap_or_default().len();
                    let (status, body) = request.answer;
                    let headers = Headers::new(&[]);
                    exchange.response_head(&ResponseHead { status, headers }, self.now);
                    exchange.response_chunk(body);
                    exchange.response_end();
                }
                Step::Reply(reply) => break Some(reply),
                Step::Done => break None,
                Step::Ask(question) => panic!("asked twice: {question:?}"),
            }
        };
        Outcome { reply, finished: exchange.finish(self.now), passed }
    }

    /// The status of the guard's answer, 200 where the application answered.
    pub(crate) fn status(&mut self, request: &Request<'_>) -> u16 {
        self.send(request).status()
    }

    fn drive(&mut self, exchange: &mut Exchange) -> Step {
        loop {
            match exchange.step(self.now) {
                Step::Ask(question) => {
                    let answer = self.answer(&question);
                    self.asked.push(question);
                    exchange.answer(answer);
                }
                step => return step,
            }
        }
    }

    fn answer(&self, question: &Question) -> Answer {
        if let Some(failure) = self.broken.filter(|_| question.is_about_state()) {
            return Answer::Failed(failure);
        }
        if let Some(answer) = self.state.answer(question, self.now) {
            return answer;
        }
        match question {
            Question::Country { address } => country_of(*address),
            Question::Credential(credential) => {
                Answer::Accepted(credential.value == "right" && &*credential.verifier == "verifier")
            }
            Question::Check { name } => match &**name {
                "refuses" => Answer::Checked(Some(CheckRefusal { status: 418, body: "no".into() })),
                "breaks" => Answer::Failed(AnswerFailure::Failed),
                _ => Answer::Checked(None),
            },
            other => panic!("nobody answers {other:?}"),
        }
    }
}

/// The countries of the tests: 81 is Germany, 82 China, 99 cannot be looked up, others are unknown.
fn country_of(address: IpAddr) -> Answer {
    match address {
        IpAddr::V4(v4) if v4.octets()[0] == 81 => Answer::Country(Country::new("DE")),
        IpAddr::V4(v4) if v4.octets()[0] == 82 => Answer::Country(Country::new("CN")),
        IpAddr::V4(v4) if v4.octets()[0] == 99 => Answer::Failed(AnswerFailure::Failed),
        _ => Answer::Country(None),
    }
}

impl<'a> Request<'a> {
    /// A GET of `/` from 192.0.2.1 over plain HTTP.
    pub(crate) fn get() -> Self {
        Self {
            method: "GET",
            path: "/",
            query: None,
            peer: peer("192.0.2.1"),
            headers: vec![("host", b"shop.example")],
            scheme: Scheme::Http,
            body: None,
            chunked: false,
            answer: (200, b""),
        }
    }

    pub(crate) fn path(mut self, path: &'a str) -> Self {
        self.path = path;
        self
    }

    pub(crate) fn query(mut self, query: &'a str) -> Self {
        self.query = Some(query);
        self
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer = peer(address);
        self
    }

    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value.as_bytes()));
        self
    }

    pub(crate) fn post(mut self, content_type: &'a str, body: &'a [u8]) -> Self {
        self.method = "POST";
        self.body = Some(body);
        self.header("content-type", content_type)
    }

    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    pub(crate) fn answered(mut self, status: u16, body: &'a [u8]) -> Self {
        self.answer = (status, body);
        self
    }
}

impl Outcome {
    pub(crate) fn status(&self) -> u16 {
        self.reply.as_ref().map_or(200, |reply| reply.status)
    }

    pub(crate) fn body(&self) -> &str {
        self.reply.as_ref().map_or("", |reply| &reply.body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.reply.as_ref()?.headers;
        headers.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// The events but for the one that says that headers were set.
    pub(crate) fn events(&self) -> Vec<&GuardEvent> {
        let told = self.finished.events.iter();
        told.filter(|event| event.event_type.name() != "security_headers_applied").collect()
    }

    /// Names of the events and what they say was done.
    pub(crate) fn told(&self) -> Vec<(&'static str, &'static str)> {
        let events = self.events().into_iter();
        events.map(|event| (event.event_type.name(), event.action_taken)).collect()
    }

    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> &GuardEvent {
        let found = self.finished.events.iter().find(|event| event.event_type.name() == name);
        found.unwrap_or_else(|| panic!("no {name} among {:?}", self.told()))
    }
}

pub(crate) fn peer(address: &str) -> Peer {
    Peer::Address((address.parse::<IpAddr>().unwrap(), 4711).into())
}

/// Default settings with rates that no test reaches.
pub(crate) fn wide() -> GuardSettings {
    GuardSettings { rate_limit: 100_000, ..GuardSettings::default() }
}

/// Small limits, so that a test fills them.
pub(crate) fn small() -> GuardLimits {
    GuardLimits { bans: 64, banned_networks: 64, counters: 640, ..GuardLimits::default() }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
