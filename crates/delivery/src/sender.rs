//! Between a spool and a sink: one batch after the other, each until it is settled.

use crate::compression::{Encoding, compress};
use crate::item::{Batch, BatchBounds, Item};
use crate::sink::{Outcome, Parcel, Sink};
use crate::spool::{Appended, Settlement, Spool, SpoolError, SpoolStatus, now_ms};
use parking_lot::Mutex;
use ringwall_resilience::{
    Admission, Backoff, BackoffPolicy, BreakerSettings, BreakerState, CircuitBreaker, Flush,
    FlushPolicy,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, sleep_until};

/// How a [`Sender`] goes about it.
#[derive(Clone, Copy, Debug)]
pub struct SenderSettings {
    /// How large a batch may be.
    pub bounds: BatchBounds,
    /// When what waits is sent.
    pub flush: FlushPolicy,
    /// The waits between attempts.
    pub backoff: BackoffPolicy,
    /// When the peer is left alone.
    pub breaker: BreakerSettings,
    /// When asked to stop, it goes on for so long with what still waits.
    pub stop_patience: Duration,
    /// How often the spool is synced.
    pub sync_every: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        let bounds = BatchBounds::default();
        Self {
            bounds,
            flush: FlushPolicy {
                count_max: bounds.count_max,
                bytes_max: bounds.bytes_max,
                age_max: Duration::ZERO,
            },
            backoff: BackoffPolicy::new(Duration::from_millis(250), Duration::from_secs(10)),
            breaker: BreakerSettings {
                open_for_max: Duration::from_secs(10),
                ..BreakerSettings::default()
            },
            stop_patience: Duration::from_secs(4),
            sync_every: Duration::from_secs(5),
        }
    }
}

/// The near end of a [`Sender`]: where items are put in. Cheap to clone.
#[derive(Debug)]
pub struct Outbox<S> {
    spool: Arc<S>,
    shared: Arc<Shared>,
}

impl<S> Clone for Outbox<S> {
    fn clone(&self) -> Self {
        Self { spool: Arc::clone(&self.spool), shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
struct Shared {
    filled: Notify,
    gathered: Mutex<Gathered>,
    progress: Mutex<Progress>,
    breaker: Mutex<CircuitBreaker>,
}

/// When to send, and how often that was put nearer: what was found before the last time is out of date.
#[derive(Debug)]
struct Gathered {
    flush: Flush,
    additions: u64,
}

impl Gathered {
    fn add(&mut self, count: usize, bytes: usize) {
        self.additions = self.additions.wrapping_add(1);
        self.flush.add(count, bytes, Instant::now());
    }
}

#[derive(Clone, Debug, Default)]
struct Progress {
    failures: u32,
    trouble: Option<String>,
    delivered_ms: Option<u64>,
}

/// A look at a sender.
#[derive(Clone, Debug)]
pub struct SenderStatus {
    /// What its spool holds.
    pub spool: SpoolStatus,
    /// How many attempts failed since the last that did not.
    pub failures: u32,
    /// Why the last one failed, while there was none that did not.
    pub trouble: Option<String>,
    /// When the peer took something last, in milliseconds since 1970.
    pub delivered_ms: Option<u64>,
    /// Whether the peer is left alone.
    pub breaker: BreakerState,
}

/// How a sender ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// So many items are still in the spool.
    pub waiting: u64,
}

impl<S: Spool> Outbox<S> {
    /// Puts items into the spool and rings the sender.
    ///
    /// # Errors
    /// As [`Spool::append`].
    pub async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        let (count, bytes) = (items.len(), items.iter().map(|item| item.payload.len()).sum());
        let appended = self.spool.append(items).await?;
        self.shared.gathered.lock().add(count, bytes);
        self.shared.filled.notify_one();
        Ok(appended)
    }

    /// Counts items that could not be put in.
    ///
    /// # Errors
    /// As [`Spool::count_lost`].
    pub async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        self.spool.count_lost(count).await
    }

    /// The spool itself.
    pub fn spool(&self) -> &S {
        &self.spool
    }

    /// Sends what waits as soon as may be, instead of when it is enough or old enough.
    pub fn flush(&self) {
        self.shared.gathered.lock().add(usize::MAX, usize::MAX);
        self.shared.filled.notify_one();
    }

    /// How things stand.
    pub fn status(&self) -> SenderStatus {
        let Progress { failures, trouble, delivered_ms } = self.shared.progress.lock().clone();
        let breaker = self.shared.breaker.lock().state(Instant::now());
        SenderStatus { spool: self.spool.status(), failures, trouble, delivered_ms, breaker }
    }
}

/// Sends what is in a spool, until asked to stop.
#[derive(Debug)]
pub struct Sender<S, K> {
    spool: Arc<S>,
    sink: K,
    settings: SenderSettings,
    shared: Arc<Shared>,
}

/// What is to be done after an attempt.
enum Next {
    Settle(Settlement),
    /// Stopped before the batch was settled.
    Leave,
}

impl<S: Spool, K: Sink> Sender<S, K> {
    /// A sender from this spool to this sink. Nothing happens before [`Sender::run`].
    pub fn new(spool: S, sink: K, settings: SenderSettings) -> (Self, Outbox<S>) {
        let spool = Arc::new(spool);
        let mut flush = Flush::new(settings.flush);
        if spool.status().counters.waiting > 0 {
            // What an earlier process left waited long enough, however many batches it makes.
            flush.add(usize::MAX, usize::MAX, Instant::now());
        }
        let shared = Arc::new(Shared {
            filled: Notify::new(),
            gathered: Mutex::new(Gathered { flush, additions: 0 }),
            progress: Mutex::default(),
            breaker: Mutex::new(CircuitBreaker::new(settings.breaker)),
        });
        let outbox = Outbox { spool: Arc::clone(&spool), shared: Arc::clone(&shared) };
        (Self { spool, sink, settings, shared }, outbox)
    }

    /// Sends until `stop` turns true; then as long as something waits and the patience lasts. A spool
    /// that outlives the process is not flushed to a peer that does not answer.
    pub async fn run(mut self, stop: watch::Receiver<bool>) -> Ended {
        let spool = Arc::clone(&self.spool);
        let (patience, sync_every) = (self.settings.stop_patience, self.settings.sync_every);
        let mut asked = stop.clone();
        let time_is_up = async move {
            // An error means that nobody is left who could ask: then it is time, too.
            if asked.wait_for(|stop| *stop).await.is_err() {
                tracing::debug!("a sender was left alone");
            }
            sleep(patience).await;
        };
        tokio::select! {
            () = self.work(stop) => {}
            () = time_is_up => {}
            () = sync_now_and_then(&*spool, sync_every) => {}
        }
        if let Err(error) = spool.sync().await {
            tracing::warn!(%error, "the spool was not synced at the end");
        }
        let waiting = spool.status().counters.waiting;
        if waiting > 0 {
            let kept = spool.status().is_durable;
            tracing::warn!(items = waiting, kept, "stopped before everything was delivered");
        }
        Ended { waiting }
    }

    async fn work(&mut self, mut stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(self.settings.backoff);
        // Parts of a batch that was split wait for nothing.
        let mut is_split = false;
        loop {
            if !is_split && !self.gathered(&mut stop).await {
                return;
            }
            let additions = self.shared.gathered.lock().additions;
            let batch = match self.spool.next_batch(&self.settings.bounds, &self.sink.label()).await
            {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::error!(%error, "the spool gives nothing: it is tried again");
                    if is_asked(&stop) {
                        return;
                    }
                    self.pause(backoff.failed(chance(), None), &mut stop).await;
                    continue;
                }
            };
            let Some(batch) = batch else {
                is_split = false;
                let mut gathered = self.shared.gathered.lock();
                // What came since the spool was asked is not forgotten.
                if gathered.additions == additions {
                    gathered.flush.remove(usize::MAX, usize::MAX, Instant::now());
                }
                continue;
            };
            let next = match self.parcel(&batch) {
                Some(parcel) => self.bring(&parcel, &mut backoff, &mut stop).await,
                None => {
                    Next::Settle(Settlement::Dead { reason: "it cannot be written".to_owned() })
                }
            };
            let Next::Settle(settlement) = next else { return };
            let splits = settlement == Settlement::Split;
            if let Err(error) = self.spool.settle(batch.id, settlement).await {
                tracing::error!(%error, "the end of a batch cannot be written down: it may go out again");
                if is_asked(&stop) && self.spool.status().is_durable {
                    return;
                }
                // It still waits, and so it still counts as gathered.
                self.pause(backoff.failed(chance(), None), &mut stop).await;
                continue;
            }
            if splits {
                is_split = true;
                continue;
            }
            let bytes = batch.items.iter().map(bytes::Bytes::len).sum();
            let mut gathered = self.shared.gathered.lock();
            gathered.flush.remove(batch.items.len(), bytes, Instant::now());
        }
    }

    /// Waits until there is something to send; false where nothing is left and it is time to stop.
    async fn gathered(&self, stop: &mut watch::Receiver<bool>) -> bool {
        loop {
            let due = self.shared.gathered.lock().flush.due_at();
            let is_stopping = is_asked(stop);
            match due {
                None if is_stopping => return false,
                Some(_) if is_stopping => return true,
                Some(due) if due <= Instant::now() => return true,
                Some(due) => tokio::select! {
                    () = sleep_until(due.into()) => {}
                    () = self.shared.filled.notified() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                },
                None => tokio::select! {
                    () = self.shared.filled.notified() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                },
            }
        }
    }

    fn parcel(&self, batch: &Batch) -> Option<Parcel> {
        let body = self.sink.write(batch)?;
        let (body, encoding) =
            compress(body.clone(), self.sink.encoding()).unwrap_or_else(|error| {
                tracing::warn!(%error, "a batch goes uncompressed");
                (body, Encoding::Identity)
            });
        Some(Parcel { id: batch.id, body, encoding, items: batch.items.len() })
    }

    /// Brings a parcel until there is an answer that settles it.
    async fn bring(
        &mut self,
        parcel: &Parcel,
        backoff: &mut Backoff,
        stop: &mut watch::Receiver<bool>,
    ) -> Next {
        loop {
            let was_stopping = is_asked(stop);
            let admission = self.shared.breaker.lock().admit(Instant::now());
            let permit = match admission {
                Admission::Admit(permit) => Some(permit),
                Admission::Refuse { .. } if was_stopping && self.spool.status().is_durable => {
                    return Next::Leave;
                }
                // What is in memory dies with the process: it is worth a try, whatever the breaker says.
                Admission::Refuse { .. } if was_stopping => None,
                Admission::Refuse { until } => {
                    self.pause(until.saturating_duration_since(Instant::now()), stop).await;
                    continue;
                }
            };
            let outcome = self.sink.deliver(parcel).await;
            if let Some(permit) = permit {
                let mut breaker = self.shared.breaker.lock();
                match &outcome {
                    Outcome::Retry { .. } => breaker.failed(permit, Instant::now()),
                    Outcome::Later { .. } => breaker.abandoned(permit),
                    _ => breaker.succeeded(permit),
                }
            }
            let (after, why) = match outcome {
                Outcome::Retry { after, why } | Outcome::Later { after, why } => (after, why),
                outcome => {
                    let settlement = self.settlement(outcome, parcel);
                    self.succeeded(backoff, &settlement);
                    return Next::Settle(settlement);
                }
            };
            let sink = self.sink.name();
            if backoff.failures() == 0 {
                tracing::warn!(sink, why, "delivery fails: what waits is kept, and tried again");
            } else {
                tracing::debug!(sink, why, failures = backoff.failures(), "delivery fails still");
            }
            let wait = backoff.failed(chance(), after);
            {
                let mut progress = self.shared.progress.lock();
                (progress.failures, progress.trouble) = (backoff.failures(), Some(why));
            }
            if was_stopping && self.spool.status().is_durable {
                return Next::Leave;
            }
            self.pause(wait, stop).await;
        }
    }

    fn settlement(&self, outcome: Outcome, parcel: &Parcel) -> Settlement {
        let (sink, items) = (self.sink.name(), parcel.items);
        match outcome {
            Outcome::TooLarge { .. } if items > 1 => {
                tracing::debug!(sink, items, "a batch is too large for the peer: it is split");
                Settlement::Split
            }
            Outcome::TooLarge { why } | Outcome::Refused { why } => {
                tracing::error!(sink, items, why, "the peer refuses a batch for good");
                Settlement::Dead { reason: why }
            }
            Outcome::Delivered | Outcome::Retry { .. } | Outcome::Later { .. } => {
                Settlement::Delivered
            }
        }
    }

    fn succeeded(&self, backoff: &mut Backoff, settlement: &Settlement) {
        if backoff.failures() > 0 {
            tracing::info!(sink = self.sink.name(), "the peer takes deliveries again");
        }
        backoff.succeeded();
        let mut progress = self.shared.progress.lock();
        (progress.failures, progress.trouble) = (0, None);
        if *settlement == Settlement::Delivered {
            progress.delivered_ms = Some(now_ms());
        }
    }

    /// Waits; not at all any more once asked to stop, but for a moment, so that nobody spins.
    async fn pause(&self, wait: Duration, stop: &mut watch::Receiver<bool>) {
        if is_asked(stop) {
            sleep(wait.min(self.settings.backoff.first)).await;
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Never ends.
async fn sync_now_and_then(spool: &impl Spool, every: Duration) {
    let mut is_failing = false;
    loop {
        sleep(every).await;
        match spool.sync().await {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "the spool cannot be synced: a power cut would cost what waits");
                }
                is_failing = true;
            }
        }
    }
}

/// Whether it is time to stop; also where nobody is left who could ask.
fn is_asked(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// A number by chance, to spread waits; the middle where the system has none to give.
fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
