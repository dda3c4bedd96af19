//! From the entrance to the spools: redacted, cut, with the keys by which the server knows them again.

use super::Shared;
use super::on_error::Stage;
use super::options::OverflowPolicy;
use super::record;
use super::redaction::Redaction;
use bytes::Bytes;
use ringwall_delivery::Item;
use ringwall_dialects::guard::TimeForm;
use ringwall_event::Timestamp;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// So long an event waits at the entrance for others. A kill of the process costs at most these.
const GATHER: Duration = Duration::from_millis(20);

/// How soon it is looked again whether a full spool has room.
const ROOM_POLL: Duration = Duration::from_millis(50);

/// What empties the entrance.
pub(super) struct Drain {
    pub(super) shared: Arc<Shared>,
    pub(super) redaction: Redaction,
    pub(super) flush_interval: Duration,
    /// Asked to stop when all is in the spools.
    pub(super) senders: watch::Sender<bool>,
    /// How many losses were told.
    pub(super) told_lost: u64,
}

impl Drain {
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut metrics = interval(self.flush_interval);
        metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        metrics.tick().await;
        // A moment, not a wait: whatever else happens must not put it off.
        let mut due: Option<Instant> = None;
        loop {
            tokio::select! {
                () = asked(&mut stop) => break,
                () = self.shared.flush_asked.notified() => {
                    self.empty(false).await;
                    self.measure().await;
                    self.shared.events.flush();
                    self.shared.metrics.flush();
                }
                _ = metrics.tick() => self.measure().await,
                () = self.shared.entrance.filled.notified() => {
                    due.get_or_insert_with(|| Instant::now() + GATHER);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.empty(false).await;
                    // What found no room stays, and is looked at again.
                    let is_behind = !self.shared.entrance.is_empty();
                    due = is_behind.then(|| Instant::now() + ROOM_POLL);
                }
            }
        }
        self.empty(true).await;
        self.measure().await;
        self.senders.send_replace(true);
    }

    /// Moves what waits at the entrance into the spool. Where nothing may make way, what has no room
    /// stays there, unless it is the last chance.
    async fn empty(&mut self, is_last: bool) {
        let shared = Arc::clone(&self.shared);
        let waits = shared.policy != OverflowPolicy::Drop && !is_last;
        loop {
            if waits && !self.has_room() {
                break;
            }
            let Some(piece) = shared.entrance.take() else { break };
            let items = self.items(piece.records(), piece.count);
            if let Err(error) = shared.events.append(items).await {
                tracing::error!(%error, "the spool fails: events may be lost uncounted");
                shared.door.tell(Stage::FlushEvents, &error.to_string());
            }
            // A burst must not keep the requests of the application waiting.
            tokio::task::yield_now().await;
        }
        self.count_losses().await;
    }

    fn has_room(&self) -> bool {
        let spool = self.shared.events.status().spool;
        spool.bytes.saturating_add(PIECE_COST) <= spool.bytes_max
    }

    fn items<'a>(&self, records: impl Iterator<Item = &'a [u8]>, count: u64) -> Vec<Item> {
        let count = usize::try_from(count).unwrap_or(0);
        let mut keys = vec![[0; 16]; count];
        for key in &mut keys {
            if let Err(error) = getrandom::fill(key) {
                tracing::warn!(%error, "no randomness: keys of events are made from the time");
                *key = self.shared.next_key().to_be_bytes();
            }
        }
        // All of a piece in one allocation, of which each item is a part.
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(count);
        for (record, key) in records.zip(keys) {
            let Some(mut event) = record::read(record) else { continue };
            self.redaction.event(&mut event);
            record::push_event(&mut bytes, key, &event);
            ends.push(bytes.len());
        }
        bytes.shrink_to_fit();
        let bytes = Bytes::from(bytes);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, end)| Item::new(bytes.slice(start..*end))).collect()
    }

    /// Drops are counted in the spool's own books, which outlive the process, and told.
    async fn count_losses(&mut self) {
        let dropped = self.shared.entrance.take_dropped();
        if dropped > 0
            && let Err(error) = self.shared.events.count_lost(dropped).await
        {
            tracing::error!(%error, events = dropped, "dropped events cannot be counted");
        }
        let lost = self.shared.events.status().spool.counters.lost();
        if lost > self.told_lost {
            let events = lost - self.told_lost;
            tracing::warn!(
                events,
                total = lost,
                "events were lost for want of room, or refused for good"
            );
            self.shared.door.tell(Stage::FlushEvents, &format!("{events} events were lost"));
            self.told_lost = lost;
        }
    }

    /// Ends the interval of measuring.
    async fn measure(&self) {
        let measurement = std::mem::take(&mut *self.shared.measurement.lock());
        let now = Timestamp::from_micros(record::micros(SystemTime::now()));
        let items: Vec<Item> = measurement
            .finish(now, &self.redaction)
            .iter()
            .map(|metric| {
                let mut json = Vec::with_capacity(160);
                metric.push_json(&mut json, TimeForm::Space);
                Item::new(json)
            })
            .collect();
        if items.is_empty() {
            return;
        }
        if let Err(error) = self.shared.metrics.append(items).await {
            tracing::error!(%error, "the spool fails: metrics may be lost uncounted");
            self.shared.door.tell(Stage::FlushMetrics, &error.to_string());
        }
    }
}

/// Until it is time to stop, or nobody is left who could say so.
async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("telemetry was left alone");
    }
}

/// What a piece of the entrance may take in the spool.
const PIECE_COST: u64 = 128 << 10;
