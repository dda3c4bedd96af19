//! What the guard tells of its work: an event for each thing it decided, a measurement for each exchange.
//!
//! The layer calls a sink on the path of a request, so a sink takes what it is given and comes back at once:
//! it never waits, and where it has no room it drops and counts.

use parking_lot::RwLock;
use ringwall_app_guard::ExchangeFigures;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Takes events and measurements. Telemetry is one, the application's own subscription another.
pub trait EventSink: Send + Sync {
    /// Takes an event. Returns at once.
    fn event(&self, event: GuardEvent);

    /// Takes the figures of one exchange, refused or not, once its answer is known. Returns at once.
    fn metrics(&self, exchange: &ExchangeMetrics<'_>);
}

/// One thing that the guard decided or noticed, with the fields that guard telemetry knows.
///
/// Texts that came with the request (`user_agent`, `endpoint`, `metadata`) are bounded in length, but hold
/// whatever the client sent: a sink that sends them on redacts them.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardEvent {
    /// When it happened.
    pub time: SystemTime,
    /// Such as `ip_banned` or `rate_limited`. Open: rules of the application may name their own.
    pub event_type: Cow<'static, str>,
    /// The client's address; `system` for an event without a client.
    pub ip_address: Cow<'static, str>,
    /// Two letters, where a country database is set.
    pub country: Option<String>,
    /// As the client sent it.
    pub user_agent: Option<String>,
    /// What was done, such as `request_blocked`, `banned` or `logged_only`. True only.
    pub action_taken: Cow<'static, str>,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// The path.
    pub endpoint: Option<String>,
    /// The method.
    pub method: Option<Cow<'static, str>>,
    /// The status that the guard answered, where it did.
    pub status_code: Option<u16>,
    /// Since the checks began.
    pub response_time: Option<Duration>,
    /// Which kind of rule of a route decided.
    pub decorator_type: Option<Cow<'static, str>>,
    /// Which kind of rule decided.
    pub rule_type: Option<Cow<'static, str>>,
    /// The name of the pattern that matched.
    pub pattern_matched: Option<Cow<'static, str>>,
    /// The part of the guard that speaks.
    pub handler_name: Option<Cow<'static, str>>,
    /// What else there is to say, `traceparent` and `tracestate` among it.
    pub metadata: Map<String, Value>,
}

impl GuardEvent {
    /// An event without a request: everything but these is empty.
    pub fn new(
        event_type: impl Into<Cow<'static, str>>,
        action_taken: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            time: SystemTime::now(),
            event_type: event_type.into(),
            ip_address: Cow::Borrowed("system"),
            country: None,
            user_agent: None,
            action_taken: action_taken.into(),
            reason: reason.into(),
            endpoint: None,
            method: None,
            status_code: None,
            response_time: None,
            decorator_type: None,
            rule_type: None,
            pattern_matched: None,
            handler_name: None,
            metadata: Map::new(),
        }
    }
}

/// The figures of one exchange. Refused requests are among them, else no rate of blocks could be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExchangeMetrics<'a> {
    /// The route's pattern where the router told it (`/users/{id}`), else the path. Sinks bound how many
    /// different ones they keep.
    pub endpoint: &'a str,
    /// The method.
    pub method: &'a str,
    /// The status of the answer, the guard's or the application's.
    pub status: u16,
    /// From the request's arrival to the head of its answer.
    pub duration: Duration,
    /// Bytes of the request's body that were read until then.
    pub request_bytes: u64,
    /// Bytes of the answer's body, where its length is known by then.
    pub response_bytes: u64,
    /// Whether the guard refused it.
    pub was_blocked: bool,
    /// From 0 to 1: how surely the request was an attack.
    pub threat: f32,
    /// How often the guard looked into a cache of its own (bans, countries).
    pub cache_lookups: u32,
    /// How often it found what it looked for.
    pub cache_hits: u32,
}

/// Drops everything: for applications that only want the guard's decisions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn event(&self, _: GuardEvent) {}

    fn metrics(&self, _: &ExchangeMetrics<'_>) {}
}

impl<S: EventSink + ?Sized> EventSink for Arc<S> {
    fn event(&self, event: GuardEvent) {
        (**self).event(event);
    }

    fn metrics(&self, exchange: &ExchangeMetrics<'_>) {
        (**self).metrics(exchange);
    }
}

impl From<ringwall_app_guard::GuardEvent> for GuardEvent {
    /// What the engine says, with the names that telemetry knows.
    fn from(event: ringwall_app_guard::GuardEvent) -> Self {
        Self {
            time: UNIX_EPOCH + Duration::from_millis(event.unix_ms),
            event_type: Cow::Borrowed(event.event_type.name()),
            ip_address: event.ip_address,
            country: event.country,
            user_agent: event.user_agent,
            action_taken: Cow::Borrowed(event.action_taken),
            reason: event.reason,
            endpoint: event.endpoint,
            method: event.method.map(Cow::Owned),
            status_code: event.status_code,
            response_time: event.response_time,
            decorator_type: event.decorator_type.map(Cow::Borrowed),
            rule_type: event.rule_type.map(Cow::Borrowed),
            pattern_matched: event.pattern_matched.map(Cow::Owned),
            handler_name: event.handler_name.map(Cow::Borrowed),
            metadata: event.metadata,
        }
    }
}

impl<'a> From<&'a ExchangeFigures> for ExchangeMetrics<'a> {
    fn from(figures: &'a ExchangeFigures) -> Self {
        Self {
            endpoint: &figures.endpoint,
            method: &figures.method,
            status: figures.status,
            duration: figures.time,
            request_bytes: figures.request_bytes,
            response_bytes: figures.response_bytes,
            was_blocked: figures.refused,
            threat: figures.threat,
            cache_lookups: figures.lookups,
            cache_hits: figures.lookups_found,
        }
    }
}

/// The events of a guard, as they happen, through a bounded channel.
#[derive(Debug)]
pub struct Subscription {
    receiver: mpsc::Receiver<GuardEvent>,
    dropped: Arc<AtomicU64>,
}

impl Subscription {
    /// The next event; none once the guard is gone.
    pub async fn next(&mut self) -> Option<GuardEvent> {
        self.receiver.recv().await
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<GuardEvent> {
        self.receiver.try_recv().ok()
    }

    /// How many were dropped because the channel was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// All sinks of one guard.
#[derive(Default)]
pub(crate) struct Sinks {
    sinks: Vec<Arc<dyn EventSink>>,
    subscribers: RwLock<Vec<Subscriber>>,
}

struct Subscriber {
    sender: mpsc::Sender<GuardEvent>,
    dropped: Arc<AtomicU64>,
}

impl Sinks {
    pub(crate) fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        Self { sinks, subscribers: RwLock::default() }
    }

    pub(crate) fn subscribe(&self, events_max: usize) -> Subscription {
        let (sender, receiver) = mpsc::channel(events_max.clamp(1, 1 << 20));
        let dropped = Arc::new(AtomicU64::new(0));
        self.subscribers.write().push(Subscriber { sender, dropped: dropped.clone() });
        Subscription { receiver, dropped }
    }
}

impl EventSink for Sinks {
    fn event(&self, event: GuardEvent) {
        let mut is_somebody_gone = false;
        for Subscriber { sender, dropped } in &*self.subscribers.read() {
            match sender.try_send(event.clone()) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Closed(_)) => is_somebody_gone = true,
            }
        }
        if is_somebody_gone {
            self.subscribers.write().retain(|subscriber| !subscriber.sender.is_closed());
        }
        if let Some((last, others)) = self.sinks.split_last() {
            for sink in others {
                sink.event(event.clone());
            }
            last.event(event);
        }
    }

    fn metrics(&self, exchange: &ExchangeMetrics<'_>) {
        for sink in &self.sinks {
            sink.metrics(exchange);
        }
    }
}
