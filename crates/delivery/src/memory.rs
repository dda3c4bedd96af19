//! A spool that lives as long as the process.

use crate::item::{Batch, BatchBounds, BatchId, Counters, Item, SpoolId};
use crate::spool::{Appended, LABEL_BYTES_MAX, Settlement, Spool, SpoolError, SpoolStatus, now_ms};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Items in memory. Its name is drawn anew with each process.
#[derive(Debug)]
pub struct MemorySpool {
    id: SpoolId,
    bytes_max: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// The batch under way: the first `part` of these go now, the others after them.
    pinned: VecDeque<Entry>,
    part: usize,
    under_way: Option<Batch>,
    bytes: u64,
    /// Entries that give way.
    giving_way: usize,
    ordinal: u64,
    counters: Counters,
}

#[derive(Debug)]
struct Entry {
    item: Item,
    time_ms: u64,
}

/// What an entry costs beside its payload.
const ENTRY_BYTES: u64 = 64;

impl MemorySpool {
    /// An empty spool that holds at most so many bytes.
    ///
    /// # Errors
    /// Where the system gives no randomness for its name.
    pub fn new(bytes_max: u64) -> Result<Self, SpoolError> {
        let id = SpoolId::random().map_err(|error| SpoolError::NoRandomness(error.to_string()))?;
        Ok(Self { id, bytes_max, inner: Mutex::default() })
    }
}

impl MemorySpool {
    /// Whether a batch was begun and not all of it is settled.
    pub fn has_begun(&self) -> bool {
        !self.inner.lock().pinned.is_empty()
    }

    /// Makes what was begun wait like anything else: for whoever knows that nobody settles it any more, and that
    /// the peer knows its items again in another batch.
    pub fn put_off(&self) {
        let mut inner = self.inner.lock();
        inner.under_way = None;
        while let Some(entry) = inner.pinned.pop_back() {
            inner.giving_way += usize::from(entry.item.gives_way);
            inner.entries.push_front(entry);
        }
    }

    /// Takes out the oldest items that were in no batch yet, for another spool: so many of them that, each with
    /// `cost` added, take no more than `bytes_max`. They stay in the books until it is said that they are
    /// [`TakenOut::moved`], and are put back where that is not said.
    pub fn take_out(&self, count_max: usize, bytes_max: u64, cost: u64) -> Option<TakenOut<'_>> {
        let mut inner = self.inner.lock();
        let (mut entries, mut room) = (Vec::new(), bytes_max);
        while entries.len() < count_max {
            let Some(entry) = inner.entries.front() else { break };
            let bytes = u64::try_from(entry.item.payload.len()).unwrap_or(u64::MAX);
            let Some(left) = room.checked_sub(bytes.saturating_add(cost)) else { break };
            room = left;
            let Some(entry) = inner.entries.pop_front() else { break };
            inner.giving_way -= usize::from(entry.item.gives_way);
            entries.push(entry);
        }
        (!entries.is_empty()).then_some(TakenOut { spool: self, entries })
    }
}

/// Items on their way from memory into another spool.
#[derive(Debug)]
pub struct TakenOut<'a> {
    spool: &'a MemorySpool,
    entries: Vec<Entry>,
}

impl TakenOut<'_> {
    /// A copy of them.
    pub fn items(&self) -> Vec<Item> {
        self.entries.iter().map(|entry| entry.item.clone()).collect()
    }

    /// They are in the books of the other spool from now on, and no more in those of this one.
    pub fn moved(mut self) {
        let mut inner = self.spool.inner.lock();
        let entries = std::mem::take(&mut self.entries);
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        inner.bytes -= entries.iter().map(cost).sum::<u64>();
        inner.counters.waiting -= count;
        inner.counters.accepted -= count;
    }
}

impl Drop for TakenOut<'_> {
    fn drop(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let mut inner = self.spool.inner.lock();
        while let Some(entry) = self.entries.pop() {
            inner.giving_way += usize::from(entry.item.gives_way);
            inner.entries.push_front(entry);
        }
    }
}

impl Spool for MemorySpool {
    async fn append(&self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        let mut inner = self.inner.lock();
        let mut appended = Appended::default();
        let time_ms = now_ms();
        for item in items {
            inner.counters.accepted += 1;
            let room = self.bytes_max.saturating_sub(inner.pinned.iter().map(cost).sum());
            let entry = Entry { item, time_ms };
            if cost(&entry) > room {
                inner.counters.dropped += 1;
                appended.dropped += 1;
                continue;
            }
            inner.add(entry, self.bytes_max);
            appended.kept += 1;
        }
        Ok(appended)
    }

    async fn count_lost(&self, count: u64) -> Result<(), SpoolError> {
        let counters = &mut self.inner.lock().counters;
        counters.accepted += count;
        counters.dropped += count;
        Ok(())
    }

    async fn next_batch(
        &self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        let mut inner = self.inner.lock();
        if inner.under_way.is_none() {
            if inner.pinned.is_empty() {
                inner.pin(bounds);
            }
            inner.begin(self.id, label);
        }
        Ok(inner.under_way.clone())
    }

    async fn settle(&self, id: BatchId, settlement: Settlement) -> Result<(), SpoolError> {
        let mut inner = self.inner.lock();
        let Some(batch) = inner.under_way.as_ref().filter(|batch| batch.id == id) else {
            return Err(SpoolError::NotUnderWay(id.ordinal));
        };
        let count = batch.items.len();
        if settlement == Settlement::Split {
            if count < 2 {
                return Err(SpoolError::NotDivisible(id.ordinal));
            }
            let label = batch.label.clone();
            inner.part = count / 2;
            inner.begin(self.id, &label);
            return Ok(());
        }
        let settled: Vec<Entry> = inner.pinned.drain(..count).collect();
        inner.bytes -= settled.iter().map(cost).sum::<u64>();
        inner.under_way = None;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        inner.counters.waiting -= count;
        match settlement {
            Settlement::Dead { .. } => inner.counters.dead += count,
            Settlement::Delivered | Settlement::Split => inner.counters.delivered += count,
        }
        if inner.entries.is_empty() && inner.entries.capacity() > 4096 {
            inner.entries.shrink_to(256);
        }
        Ok(())
    }

    fn status(&self) -> SpoolStatus {
        let inner = self.inner.lock();
        let oldest = inner.pinned.front().or_else(|| inner.entries.front());
        SpoolStatus {
            id: self.id,
            counters: inner.counters,
            bytes: inner.bytes,
            bytes_max: self.bytes_max,
            oldest_ms: oldest.map(|entry| entry.time_ms),
            is_full: false,
            is_durable: false,
        }
    }

    async fn sync(&self) -> Result<(), SpoolError> {
        Ok(())
    }
}

impl Inner {
    fn add(&mut self, entry: Entry, bytes_max: u64) {
        self.bytes += cost(&entry);
        self.counters.waiting += 1;
        self.giving_way += usize::from(entry.item.gives_way);
        self.entries.push_back(entry);
        while self.bytes > bytes_max {
            // The latest of those that give way tells more than any before it, so it stays.
            let victim = match self.giving_way {
                0 | 1 => 0,
                _ => self.entries.iter().position(|entry| entry.item.gives_way).unwrap_or(0),
            };
            let Some(entry) = self.entries.remove(victim) else { return };
            self.bytes -= cost(&entry);
            self.giving_way -= usize::from(entry.item.gives_way);
            self.counters.waiting -= 1;
            self.counters.dropped += 1;
        }
    }

    /// Takes the oldest items: at least one where there are any, and no more than the bounds.
    fn pin(&mut self, bounds: &BatchBounds) {
        let mut bytes = 0usize;
        while let Some(entry) = self.entries.front() {
            bytes = bytes.saturating_add(entry.item.payload.len());
            let is_full = self.pinned.len() >= bounds.count_max || bytes > bounds.bytes_max;
            if is_full && !self.pinned.is_empty() {
                break;
            }
            if let Some(entry) = self.entries.pop_front() {
                self.giving_way -= usize::from(entry.item.gives_way);
                self.pinned.push_back(entry);
            }
        }
        self.part = self.pinned.len();
    }

    fn begin(&mut self, spool: SpoolId, label: &[u8]) {
        self.part = self.part.min(self.pinned.len());
        if self.part == 0 {
            return;
        }
        self.ordinal += 1;
        let items: Vec<Bytes> =
            self.pinned.iter().take(self.part).map(|entry| entry.item.payload.clone()).collect();
        let label = label.get(..label.len().min(LABEL_BYTES_MAX)).unwrap_or_default();
        self.under_way = Some(Batch {
            id: BatchId { spool, ordinal: self.ordinal },
            items,
            lost_total: self.counters.lost(),
            label: Bytes::copy_from_slice(label),
        });
    }
}

fn cost(entry: &Entry) -> u64 {
    u64::try_from(entry.item.payload.len()).unwrap_or(u64::MAX).saturating_add(ENTRY_BYTES)
}
