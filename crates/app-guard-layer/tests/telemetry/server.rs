//! A server that takes what agents send, and answers as it is told.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringwall_app_guard_layer::sink::GuardEvent;
use ringwall_app_guard_layer::telemetry::TelemetryOptions;
use ringwall_dialects::guard::{self, Batch, read_batch};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) const GOOD: &str = r#"{"success":true,"errors":[]}"#;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// As on the wire.
    pub(crate) packed: Bytes,
    /// Unpacked.
    pub(crate) body: Bytes,
    /// Whether the answer acknowledges what was brought.
    pub(crate) is_taken: bool,
}

/// What the server says.
#[derive(Clone, Debug)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Say {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Debug, Default)]
struct State {
    asked: Vec<Asked>,
    /// Said to the next POSTs of events or metrics; afterwards all is taken.
    next: VecDeque<Say>,
    /// Said to all of them, in place of taking them.
    always: Option<Say>,
    /// Bodies of more events are too large.
    events_max: Option<usize>,
    rules: Option<Say>,
    /// Whoever streams rules gets these lines.
    stream: Option<Vec<mpsc::UnboundedSender<String>>>,
    first_of_stream: String,
}

/// Ends with the value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let changed = watch::Sender::new(0);
        let (of_task, ring) = (Arc::clone(&state), changed.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (state, ring) = (Arc::clone(&of_task), ring.clone());
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let (state, ring) = (Arc::clone(&state), ring.clone());
                        async move { Ok::<_, Infallible>(answer(&state, &ring, request).await) }
                    });
                    // A client that goes away is no failure of the test.
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        });
        Self { address, state, changed, task }
    }

    pub(crate) fn options(&self) -> TelemetryOptions {
        TelemetryOptions {
            project_id: Some("shop".into()),
            install_id: Some("4b1c8a4e-6f0b-4c6c-9a53-0d5f3a2b1c00".into()),
            flush_interval: 0.02,
            backoff_factor: 0.02,
            refusal_wait: 0.05,
            breaker_wait: 0.1,
            requests_per_minute: 60_000,
            stop_timeout: 20.0,
            enable_dynamic_rules: false,
            ..TelemetryOptions::new(
                format!("http://{}/dialects/guard/api/v1/", self.address),
                "test-key-0123456789",
            )
        }
    }

    pub(crate) fn say_next(&self, say: impl IntoIterator<Item = Say>) {
        self.state.lock().unwrap().next.extend(say);
    }

    pub(crate) fn say_always(&self, say: Option<Say>) {
        self.state.lock().unwrap().always = say;
    }

    pub(crate) fn take_at_most(&self, events_max: usize) {
        self.state.lock().unwrap().events_max = Some(events_max);
    }

    pub(crate) fn set_rules(&self, say: Say) {
        self.state.lock().unwrap().rules = Some(say);
    }

    pub(crate) fn stream_rules(&self, first: &str) {
        let mut state = self.state.lock().unwrap();
        state.stream = Some(Vec::new());
        first.clone_into(&mut state.first_of_stream);
    }

    /// Says this to everyone who follows the stream.
    pub(crate) fn say_on_stream(&self, text: &str) {
        let mut state = self.state.lock().unwrap();
        state.stream.as_mut().unwrap().retain(|follower| follower.send(text.to_owned()).is_ok());
    }

    /// Ends every stream.
    pub(crate) fn end_streams(&self) {
        self.state.lock().unwrap().stream.as_mut().unwrap().clear();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Requests to a path.
    pub(crate) fn asked_for(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path == path).collect()
    }

    /// Batches that were acknowledged.
    pub(crate) fn taken(&self) -> Vec<Batch> {
        let is_batch =
            |asked: &Asked| asked.path.ends_with("/events") || asked.path.ends_with("/metrics");
        let taken = self.asked().into_iter().filter(|asked| asked.is_taken);
        taken.filter(is_batch).map(|asked| read_batch(&asked.body).unwrap()).collect()
    }

    /// How often each event was taken, by its reason.
    pub(crate) fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for event in self.taken().into_iter().flat_map(|batch| batch.events) {
            *reasons.entry(event.reason.into()).or_default() += 1;
        }
        reasons
    }

    /// Waits for a state that the requests lead to.
    #[track_caller]
    pub(crate) fn until(
        &self,
        what: &str,
        is_so: impl Fn(&Self) -> bool,
    ) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let mut changed = self.changed.subscribe();
            let wait = async {
                while !is_so(self) {
                    changed.changed().await.unwrap();
                }
            };
            let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
            assert!(waited.is_ok(), "{place}: {what}: {:#?}", self.asked());
        }
    }

    /// Waits until these events, and no others, were taken, each once.
    pub(crate) async fn until_taken_once(&self, count: usize) {
        self.until("every event is taken", |server| server.reasons().len() >= count).await;
        let reasons = self.reasons();
        assert_eq!(reasons.len(), count);
        assert!(reasons.values().all(|times| *times == 1), "{reasons:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An event that the tests know again.
pub(crate) fn event(reason: impl Into<String>) -> GuardEvent {
    let mut event = GuardEvent::new("ip_banned", "banned", reason.into());
    event.ip_address = "203.0.113.9".into();
    event
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    state: &Mutex<State>,
    changed: &watch::Sender<u64>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // A client that breaks off is answered in vain.
    let packed = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let is_packed = parts.headers.get("content-encoding").is_some_and(|value| value == "gzip");
    let body = if is_packed { unpack(&packed) } else { packed.clone() };
    let path = parts.uri.path().strip_prefix("/dialects/guard").unwrap().to_owned();
    let response = {
        let mut state = state.lock().unwrap();
        let (response, is_taken) = respond(&mut state, &path, &body);
        state.asked.push(Asked {
            at: Instant::now(),
            method: parts.method,
            path,
            headers: parts.headers,
            packed,
            body,
            is_taken,
        });
        response
    };
    changed.send_modify(|count| *count += 1);
    response
}

/// The answer, and whether it acknowledges what was brought.
fn respond(state: &mut State, path: &str, body: &[u8]) -> (Response<Body>, bool) {
    let say = match path {
        "/api/v1/events" | "/api/v1/metrics" | "/api/v1/events/encrypted" => {
            let said = state.next.pop_front().or_else(|| state.always.clone());
            said.unwrap_or_else(|| match (state.events_max, read_batch(body)) {
                (Some(max), Ok(batch)) if batch.events.len() > max => Say::new(413, "too large"),
                _ => Say::new(200, GOOD),
            })
        }
        "/api/v1/status" => Say::new(200, GOOD),
        "/api/v1/rules" => state.rules.clone().unwrap_or_else(|| Say::new(404, "")),
        "/api/v1/rules/stream" => match &mut state.stream {
            Some(followers) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                sender.send(state.first_of_stream.clone()).unwrap();
                followers.push(sender);
                return (stream(receiver), false);
            }
            None => Say::new(404, "no stream"),
        },
        other => panic!("nobody asks for {other}"),
    };
    let acknowledges = ["[]", "true", GOOD].contains(&say.body.as_str());
    let is_taken = say.status == 201 || (say.status == 200 && acknowledges);
    let mut response = Response::builder().status(StatusCode::from_u16(say.status).unwrap());
    for (name, value) in say.headers {
        response = response.header(name, value);
    }
    (response.body(Full::new(Bytes::from(say.body)).boxed()).unwrap(), is_taken)
}

fn stream(receiver: mpsc::UnboundedReceiver<String>) -> Response<Body> {
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let text = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), receiver))
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(BodyExt::boxed(StreamBody::new(frames)))
        .unwrap()
}

fn unpack(packed: &[u8]) -> Bytes {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut out).unwrap();
    out.into()
}

/// The message by which the stream tells of rules.
pub(crate) fn rules_message(rules: &str, secret: Option<&str>) -> String {
    let signature = secret.map(|secret| guard::sign(&secret.into(), rules.as_bytes()));
    let data = serde_json::json!({"rules": rules, "signature": signature});
    format!("event: rules\nid: 1\ndata: {data}\n\n")
}
