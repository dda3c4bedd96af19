//! Tells a server what the guard does, and keeps its rules: a guard agent of the 3.x line.
//!
//! Any server that speaks the guard contract will do. Sending an event costs the request well under a
//! microsecond and never waits: it is copied to a buffer, redacted and moved to a spool (in memory, on a
//! disk or in Redis) by a task, and stays there until the server has acknowledged it. What had to be
//! dropped is counted, and told with the next status.
//!
//! ```no_run
//! # async fn example() -> Result<(), ringwall_app_guard_layer::telemetry::StartError> {
//! use ringwall_app_guard_layer::sink::GuardEvent;
//! use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
//!
//! let telemetry = Telemetry::start(TelemetryOptions {
//!     project_id: Some("shop".into()),
//!     spool_folder: Some("/var/lib/shop/telemetry".into()),
//!     ..TelemetryOptions::new("https://ringwall.example:7400/dialects/guard", "rwk_…")
//! })
//! .await?;
//! telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "ten attacks in a minute")).ok();
//! // When the application ends: what waits is sent, for a few seconds at most.
//! let ended = telemetry.stop().await;
//! assert_eq!(ended.waiting, 0);
//! # Ok(())
//! # }
//! ```

mod answer;
mod batch_sink;
mod door;
mod drain;
mod entrance;
mod guiding;
mod install_id;
mod measurement;
mod on_error;
mod options;
mod record;
mod redaction;
mod rule_set;
mod rules;
mod spool;
mod status;

pub use entrance::BufferFull;
pub use on_error::{OnError, Stage};
pub use options::{OptionError, OverflowPolicy, TelemetryOptions};
pub use rule_set::rule_set;

use crate::sink::{EventSink, ExchangeMetrics, GuardEvent};
use batch_sink::{BatchSink, Kind};
use door::Door;
use drain::{Drain, Unkept};
use entrance::Entrance;
use measurement::Measurement;
use options::Checked;
use parking_lot::Mutex;
use redaction::Redaction;
use ringwall_delivery::{BatchBounds, Ended, Outbox, Sender, SenderSettings, SpoolError};
use ringwall_dialects::guard::{DynamicRules, Status};
use ringwall_resilience::{BackoffPolicy, BreakerSettings, FlushPolicy};
use rules::RulesKeeper;
use spool::AnySpool;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No batch is larger, in bytes of waiting records: about half of what it is as JSON, and that stays
/// below what any known server takes.
const BATCH_BYTES_MAX: usize = 120 << 10;

/// No batch has more items.
const BATCH_COUNT_MAX: usize = 2000;

/// No wait between attempts is longer, but for a server that asks for it.
const BACKOFF_LONGEST: Duration = Duration::from_secs(60);

/// The telemetry of one application. Cheap to clone; it ends with [`Telemetry::stop`], or when the last
/// one of its clones goes, then without waiting for the end.
#[derive(Clone, Debug)]
pub struct Telemetry {
    shared: Arc<Shared>,
    life: Arc<Life>,
}

/// Why telemetry did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An option is not right.
    #[error("telemetry: {0}")]
    Option(#[from] OptionError),
    /// There is nowhere to keep what is sent.
    #[error("telemetry: {0}")]
    Spool(#[from] SpoolError),
    /// This was built without Redis.
    #[error("telemetry: `spool_redis` needs the feature `redis`")]
    NoRedis,
}

/// How telemetry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// So many events and metrics were not acknowledged.
    pub waiting: u64,
    /// Whether they are still there for the next start.
    pub are_kept: bool,
}

#[derive(Debug)]
struct Shared {
    entrance: Entrance,
    /// How many events left the entrance and are not in the spool, as it fails.
    unkept: AtomicU64,
    measurement: Mutex<Measurement>,
    events: Outbox<AnySpool>,
    metrics: Outbox<AnySpool>,
    door: Arc<Door>,
    rules: rules::Current,
    flush_asked: Notify,
    policy: OverflowPolicy,
    enable_events: bool,
    enable_metrics: bool,
    started: Instant,
    next_key: AtomicU64,
}

#[derive(Debug)]
struct Life {
    stop: watch::Sender<bool>,
    /// Held while it is waited for their end, so that everybody who stops waits for it.
    tasks: tokio::sync::Mutex<Option<Tasks>>,
    stop_timeout: Duration,
}

#[derive(Debug)]
struct Tasks {
    drain: JoinHandle<()>,
    senders: [JoinHandle<Ended>; 2],
}

impl Telemetry {
    /// Checks the options, opens the spools and starts the tasks on the present runtime. What an earlier
    /// process left in the spools is sent first. A spool in Redis is opened when Redis answers and no other
    /// process has it any more; until then events wait in memory.
    ///
    /// # Errors
    /// Where an option is not right, or there is no spool. A server or a Redis that cannot be reached is none.
    pub async fn start(options: TelemetryOptions) -> Result<Self, StartError> {
        let checked = options.check()?;
        let install_id = match &checked.options.install_id {
            Some(id) => id.clone(),
            None => install_id::find(checked.options.install_id_file.as_deref()),
        };
        let bytes_max = checked.options.spool_bytes_max;
        let events = open(&checked, "events", bytes_max).await?;
        let metrics = open(&checked, "metrics", bytes_max / 4).await?;
        let door = Arc::new(Door::new(&checked, &install_id));
        let settings = sender_settings(&checked);
        let sink = |kind| BatchSink::new(kind, Arc::clone(&door), &checked);
        let (event_sender, events) = Sender::new(events, sink(Kind::Events), settings);
        let (metric_sender, metrics) = Sender::new(metrics, sink(Kind::Metrics), settings);
        let shared = Arc::new(Shared {
            entrance: Entrance::new(usize::try_from(bytes_max / 2).unwrap_or(usize::MAX)),
            unkept: AtomicU64::new(0),
            measurement: Mutex::default(),
            events,
            metrics,
            door: Arc::clone(&door),
            rules: watch::Sender::new(None),
            flush_asked: Notify::new(),
            policy: checked.options.buffer_overflow_policy,
            enable_events: checked.options.enable_events,
            enable_metrics: checked.options.enable_metrics,
            started: Instant::now(),
            next_key: AtomicU64::new(0),
        });
        let stop = watch::Sender::new(false);
        let senders = watch::Sender::new(false);
        let senders_asked = senders.subscribe();
        let options = &checked.options;
        let drain = Drain {
            shared: Arc::clone(&shared),
            redaction: Redaction::new(&options.sensitive_headers, options.max_payload_size),
            flush_interval: checked.flush_interval,
            senders,
            told_lost: 0,
            unkept: Unkept::default(),
        };
        let tasks = Tasks {
            drain: tokio::spawn(drain.run(stop.subscribe())),
            senders: [
                tokio::spawn(event_sender.run(senders_asked.clone())),
                tokio::spawn(metric_sender.run(senders_asked)),
            ],
        };
        for outbox in [shared.events.clone(), shared.metrics.clone()] {
            let (door, mut stop) = (Arc::clone(&door), stop.subscribe());
            tokio::spawn(async move {
                let tell = |error: &str| door.tell(Stage::FlushEvents, error);
                // What an earlier process left waited long enough.
                outbox.spool().keep_open(&mut stop, tell, || outbox.flush()).await;
            });
        }
        tokio::spawn(status::run(Arc::clone(&shared), checked.status_interval, stop.subscribe()));
        if options.enable_dynamic_rules {
            let current = shared.rules.clone();
            let keeper = RulesKeeper { door, current, interval: checked.rule_interval };
            tokio::spawn(keeper.run(stop.subscribe()));
        }
        let life = Life { stop, tasks: Some(tasks).into(), stop_timeout: checked.stop_timeout };
        Ok(Self { shared, life: Arc::new(life) })
    }

    /// Takes an event. Never waits, and does nothing where events are switched off.
    ///
    /// # Errors
    /// Where there is no room, and the policy is not to drop the oldest for it.
    pub fn send_event(&self, event: &GuardEvent) -> Result<(), BufferFull> {
        self.shared.send_event(event)
    }

    /// Takes an event, and waits for room where the policy says so.
    ///
    /// # Errors
    /// Where there is no room, and the policy is `raise`; where telemetry has ended.
    pub async fn send_event_or_wait(&self, event: &GuardEvent) -> Result<(), BufferFull> {
        loop {
            let emptied = self.shared.entrance.emptied.notified();
            match self.shared.send_event(event) {
                Err(BufferFull) if self.waits_for_room() => emptied.await,
                sent => return sent,
            }
        }
    }

    fn waits_for_room(&self) -> bool {
        self.shared.policy == OverflowPolicy::Block && !self.shared.entrance.is_closed()
    }

    /// Sends what waits as soon as may be.
    pub fn flush(&self) {
        self.shared.flush_asked.notify_one();
    }

    /// How many events were taken and are not in the spool yet: a kill of the process would cost these.
    pub fn waiting_to_be_kept(&self) -> u64 {
        self.shared.waiting_to_be_kept()
    }

    /// The rules in force, as they change; none where only the guard's own settings are.
    pub fn rules(&self) -> watch::Receiver<Option<Arc<DynamicRules>>> {
        self.shared.rules.subscribe()
    }

    /// How things stand, as the server is told.
    pub fn status(&self) -> Status {
        status::status(&self.shared)
    }

    /// Sends what waits, tells the server a last status, and ends: all within `stop_timeout`. What comes
    /// later is dropped, and counted.
    pub async fn stop(&self) -> Stopped {
        let mut tasks = self.life.tasks.lock().await;
        if let Some(tasks) = tasks.take() {
            self.life.stop.send_replace(true);
            let deadline = tokio::time::Instant::now() + self.life.stop_timeout;
            let whole = async {
                let [events, metrics] = tasks.senders;
                for ended in [tasks.drain.await, events.await.map(drop), metrics.await.map(drop)] {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a task of the telemetry failed");
                    }
                }
            };
            // The senders have a patience of their own, which is shorter still: the rest of the time is for
            // giving up the spools, which a server that hangs must not keep from the next process.
            let patience =
                self.life.stop_timeout.saturating_sub(release_reserve(self.life.stop_timeout) / 2);
            if timeout(patience, whole).await.is_err() {
                tracing::warn!("telemetry did not end in time");
            }
            let last = async {
                for outbox in [&self.shared.events, &self.shared.metrics] {
                    outbox.spool().release().await;
                }
                status::send(&self.shared).await;
            };
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if timeout(left, last).await.is_err() {
                tracing::debug!("no time for a last status");
            }
        }
        let (events, metrics) =
            (self.shared.events.status().spool, self.shared.metrics.status().spool);
        Stopped {
            waiting: events.counters.waiting
                + metrics.counters.waiting
                + self.shared.waiting_to_be_kept(),
            are_kept: [events, metrics]
                .iter()
                .all(|spool| spool.counters.waiting == 0 || spool.is_durable)
                && self.shared.waiting_to_be_kept() == 0,
        }
    }
}

impl EventSink for Telemetry {
    fn event(&self, event: GuardEvent) {
        if self.shared.send_event(&event).is_err() {
            // Nobody is there to be told but the books.
            self.shared.entrance.count_refused();
        }
    }

    fn metrics(&self, exchange: &ExchangeMetrics<'_>) {
        if self.shared.enable_metrics {
            self.shared.measurement.lock().add(exchange);
        }
    }
}

impl Shared {
    fn send_event(&self, event: &GuardEvent) -> Result<(), BufferFull> {
        thread_local! {
            /// Written here first, so that the entrance is locked for a copy only.
            static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if !self.enable_events {
            return Ok(());
        }
        RECORD.with_borrow_mut(|record| {
            record.clear();
            record::push_guard_event(record, event);
            self.entrance.push(record, self.policy == OverflowPolicy::Drop)
        })
    }

    fn waiting_to_be_kept(&self) -> u64 {
        self.entrance.count() + self.unkept.load(Ordering::Relaxed)
    }

    /// A number that this process gives once.
    fn next_key(&self) -> u128 {
        let time = record::micros(SystemTime::now()).unsigned_abs();
        u128::from(time) << 64 | u128::from(self.next_key.fetch_add(1, Ordering::Relaxed))
    }
}

async fn open(checked: &Checked, kind: &str, bytes_max: u64) -> Result<AnySpool, StartError> {
    let options = &checked.options;
    #[cfg(feature = "redis")]
    if let Some(url) = &options.spool_redis {
        let name = format!("{}-{kind}", options.spool_name);
        let moving = spool::Moving {
            may_displace: options.buffer_overflow_policy == OverflowPolicy::Drop,
            // Servers know events by their keys, and metrics by their batch only.
            are_known_again: kind == "events",
        };
        return Ok(AnySpool::redis(url, &name, bytes_max, moving)?);
    }
    #[cfg(not(feature = "redis"))]
    if options.spool_redis.is_some() {
        return Err(StartError::NoRedis);
    }
    let Some(folder) = options.spool_folder.clone() else {
        return Ok(AnySpool::memory(bytes_max)?);
    };
    // All of it is read once: nothing for a thread that serves requests.
    let kind = kind.to_owned();
    let opened =
        tokio::task::spawn_blocking(move || AnySpool::disk(&folder, &kind, bytes_max)).await;
    Ok(opened.unwrap_or_else(|error| Err(SpoolError::Remote(error.to_string())))?)
}

/// So much of the time for stopping is kept for giving up the spools and for a last status.
fn release_reserve(stop_timeout: Duration) -> Duration {
    // A second of the usual five; a Redis under load gets more where there is more.
    (stop_timeout / 3).min(Duration::from_secs(1).max(stop_timeout / 5))
}

fn sender_settings(checked: &Checked) -> SenderSettings {
    let doublings = checked.options.retry_attempts.min(20);
    let longest = checked.backoff_first.saturating_mul(1 << doublings).min(BACKOFF_LONGEST);
    SenderSettings {
        bounds: BatchBounds { count_max: BATCH_COUNT_MAX, bytes_max: BATCH_BYTES_MAX },
        flush: FlushPolicy {
            count_max: checked.flush_count,
            bytes_max: BATCH_BYTES_MAX,
            age_max: checked.flush_interval,
        },
        backoff: BackoffPolicy::new(checked.backoff_first, longest),
        breaker: BreakerSettings {
            open_for: checked.breaker_wait,
            open_for_max: checked.breaker_wait,
            ..BreakerSettings::default()
        },
        stop_patience: checked.stop_timeout.saturating_sub(release_reserve(checked.stop_timeout)),
        ..SenderSettings::default()
    }
}
