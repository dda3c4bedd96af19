//! From the entrance to the spools: redacted, cut, with the keys by which the server knows them again.

use super::Shared;
use super::on_error::Stage;
use super::options::OverflowPolicy;
use super::record;
use super::redaction::Redaction;
use bytes::Bytes;
use ringwall_delivery::Item;
use ringwall_dialects::guard::{Metric, TimeForm};
use ringwall_event::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// So long an event waits at the entrance for others. A kill of the process costs at most these.
const GATHER: Duration = Duration::from_millis(20);

/// How soon it is looked again whether a full spool has room.
const ROOM_POLL: Duration = Duration::from_millis(50);

/// How soon a spool that failed is tried again.
const FAILURE_POLL: Duration = Duration::from_millis(500);

/// What empties the entrance.
pub(super) struct Drain {
    pub(super) shared: Arc<Shared>,
    pub(super) redaction: Redaction,
    pub(super) flush_interval: Duration,
    /// Asked to stop when all is in the spools.
    pub(super) senders: watch::Sender<bool>,
    /// How many losses of this process were told.
    pub(super) told_lost: u64,
    /// What the spools have not taken yet, as they fail or are full; it goes in before anything else.
    pub(super) unkept: Unkept,
}

/// Items that have their keys already, so that a server knows them again should a spool have taken part of
/// them before it failed.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    events: Vec<Item>,
    metrics: Vec<Item>,
    /// Whether the spool failed the last time.
    is_failing: bool,
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
                    due = if self.unkept.is_failing {
                        Some(Instant::now() + FAILURE_POLL)
                    } else if !self.unkept.events.is_empty() || !self.shared.entrance.is_empty() {
                        Some(Instant::now() + ROOM_POLL)
                    } else {
                        None
                    };
                }
            }
        }
        self.shared.entrance.close();
        self.empty(true).await;
        self.measure().await;
        self.give_up().await;
        self.senders.send_replace(true);
    }

    /// Moves what waits at the entrance into the spool. Where nothing may make way, what has no room
    /// stays, unless it is the last chance. Where the spool fails, everything stays where it is: the
    /// entrance fills, and counts what has to make way.
    async fn empty(&mut self, is_last: bool) {
        let shared = Arc::clone(&self.shared);
        let waits = shared.policy != OverflowPolicy::Drop && !is_last;
        loop {
            if self.unkept.events.is_empty() {
                let Some(piece) = shared.entrance.take() else { break };
                // It left the entrance, and must be missing nowhere while the spool thinks about it.
                shared.unkept.store(piece.count, Ordering::Relaxed);
                self.unkept.events = self.items(piece.records(), piece.count);
            }
            let fitting = match waits {
                true => self.fitting(),
                false => self.unkept.events.len(),
            };
            let later = self.unkept.events.split_off(fitting);
            let kept = match self.unkept.events.is_empty() {
                true => Ok(()),
                false => shared.events.append(self.unkept.events.clone()).await.map(drop),
            };
            match &kept {
                Ok(()) => self.unkept.events = later,
                Err(_) => self.unkept.events.extend(later),
            }
            shared.unkept.store(self.unkept.events.len() as u64, Ordering::Relaxed);
            if let Err(error) = kept {
                if !std::mem::replace(&mut self.unkept.is_failing, true) {
                    tracing::error!(%error, "the spool fails: events wait in memory");
                    shared.door.tell(Stage::FlushEvents, &error.to_string());
                }
                break;
            }
            self.unkept.is_failing = false;
            if !self.unkept.events.is_empty() {
                break;
            }
            // A burst must not keep the requests of the application waiting.
            tokio::task::yield_now().await;
        }
        self.count_losses().await;
    }

    /// How many of the events that wait here, from the first, find room without making others give way.
    fn fitting(&self) -> usize {
        let spool = self.shared.events.status().spool;
        let mut room = spool.bytes_max.saturating_sub(spool.bytes).saturating_sub(FILES_COST);
        let mut has_room = |item: &&Item| {
            let cost = (item.payload.len() as u64).saturating_add(ITEM_COST);
            let left = room.checked_sub(cost);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let fitting = self.unkept.events.iter().take_while(&mut has_room).count();
        // What finds no room in an empty spool never will: the spool counts it.
        if fitting == 0 && spool.counters.waiting == 0 { 1 } else { fitting }
    }

    /// At the end: what no spool has taken by now is lost, and is counted as such.
    async fn give_up(&mut self) {
        let mut events = self.unkept.events.len() as u64;
        self.unkept.events.clear();
        self.shared.unkept.store(0, Ordering::Relaxed);
        while let Some(piece) = self.shared.entrance.take() {
            events += piece.count;
        }
        if events > 0 {
            tracing::error!(events, "the spool fails: events are lost");
            self.shared.entrance.count_lost(events);
            self.count_losses().await;
        }
        let metrics = std::mem::take(&mut self.unkept.metrics).len();
        if metrics > 0 {
            tracing::error!(metrics, "the spool fails: metrics are lost");
        }
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
            tracing::error!(%error, events = dropped, "dropped events cannot be counted yet");
            self.shared.entrance.count_lost(dropped);
        }
        let all = self.shared.events.status().spool.counters.lost();
        let lost = all.saturating_sub(self.shared.events.spool().found().lost());
        if lost > self.told_lost {
            let events = lost - self.told_lost;
            tracing::warn!(
                events,
                total = all,
                "events were lost for want of room, or refused for good"
            );
            self.shared.door.tell(Stage::FlushEvents, &format!("{events} events were lost"));
            self.told_lost = lost;
        }
    }

    /// Ends the interval of measuring, unless the figures of the last one are not kept yet: then it goes on,
    /// as sums take no more room the longer they are added up.
    async fn measure(&mut self) {
        if self.unkept.metrics.is_empty() {
            self.unkept.metrics = self.measured();
        }
        if self.unkept.metrics.is_empty() {
            return;
        }
        match self.shared.metrics.append(self.unkept.metrics.clone()).await {
            Ok(_) => self.unkept.metrics.clear(),
            Err(error) => {
                tracing::error!(%error, "the spool fails: metrics wait in memory");
                self.shared.door.tell(Stage::FlushMetrics, &error.to_string());
            }
        }
    }

    fn measured(&self) -> Vec<Item> {
        let measurement = std::mem::take(&mut *self.shared.measurement.lock());
        let now = Timestamp::from_micros(record::micros(SystemTime::now()));
        let metrics = measurement.finish(now, &self.redaction);
        let as_item = |metric: &Metric| {
            let mut json = Vec::with_capacity(160);
            metric.push_json(&mut json, TimeForm::Space);
            Item::new(json)
        };
        metrics.iter().map(as_item).collect()
    }
}

/// Until it is time to stop, or nobody is left who could say so.
async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("telemetry was left alone");
    }
}

/// What any spool takes for an event beside its bytes, at most: 64 in memory, somewhat less on a disk, and in
/// Redis, which keeps the time with it as `MILLISECONDS:`, 78 for as long as that has thirteen digits.
pub(super) const ITEM_COST: u64 = 96;

/// What a spool on a disk takes for the heads of its files, at most.
const FILES_COST: u64 = 4 << 10;
