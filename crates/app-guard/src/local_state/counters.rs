use super::window::{Slices, Window, nanoseconds};
use crate::address::Network;
use crate::question::{CounterKey, CounterKind, HitResult};
use foldhash::quality::RandomState;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// Into how many parts the counters are divided, by client.
const PARTS: usize = 64;

/// How many shared counters each part has for those that found no room, for each kind and window.
const SHARED: usize = 128;

/// A full part is swept at most this often.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// Counters by client and endpoint.
///
/// A counter is never thrown away while it counts: whoever could push counters out by coming from many
/// addresses would have no limit. Where there is no room, newcomers are counted in *shared* counters, two
/// for each, chosen by hash, of which the smaller counts: that may be too much, but never too little.
#[derive(Debug)]
pub(super) struct Counters {
    parts: Vec<Mutex<Part>>,
    hasher: RandomState,
    began: Instant,
    max: usize,
}

#[derive(Debug, Default)]
struct Part {
    own: HashMap<Key, Counter, RandomState>,
    shared: HashMap<(CounterKind, Duration), SharedCounters>,
    swept: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    client: Network,
    kind: CounterKind,
    /// Hash of endpoint, detail and window.
    scope: u64,
}

#[derive(Debug)]
struct Counter {
    window: Window,
    /// From when on it counts nothing.
    over: u64,
}

#[derive(Debug)]
struct SharedCounters {
    slots: Vec<Slices>,
    over: u64,
}

impl Counters {
    pub(super) fn new(max: usize, began: Instant) -> Self {
        Self {
            parts: std::iter::repeat_with(Mutex::default).take(PARTS).collect(),
            hasher: RandomState::default(),
            began,
            max: max.div_ceil(PARTS),
        }
    }

    pub(super) fn hit(
        &self,
        key: &CounterKey,
        limit: u32,
        window: Duration,
        now: Instant,
    ) -> HitResult {
        let (key, hash, now) = self.located(key, window, now);
        let Some(part) = self.part(key.client) else { return NOTHING };
        let mut part = part.lock();
        let part = &mut *part;
        let over = now.saturating_add(nanoseconds(window));
        let elsewhere = part.shared_count(key.kind, window, hash, now);
        if part.own.len() >= self.max && !part.own.contains_key(&key) {
            part.sweep(now);
        }
        if part.own.len() < self.max || part.own.contains_key(&key) {
            let new = || Counter { window: Window::new(limit, window), over };
            let counter = part.own.entry(key).or_insert_with(new);
            counter.window.fit(limit, window);
            let count = counter.window.count(window, now).saturating_add(elsewhere);
            if count >= limit {
                let retry_after = counter.window.room_in(window, now);
                return HitResult { within: false, count, retry_after };
            }
            counter.window.add(now);
            counter.over = counter.over.max(over);
            return HitResult { within: true, count: count + 1, retry_after: Duration::ZERO };
        }
        if elsewhere >= limit {
            return HitResult { within: false, count: elsewhere, retry_after: window };
        }
        part.share(key.kind, window, hash, now);
        HitResult { within: true, count: elsewhere + 1, retry_after: Duration::ZERO }
    }

    pub(super) fn count(&self, key: &CounterKey, window: Duration, now: Instant) -> HitResult {
        let (key, hash, now) = self.located(key, window, now);
        let Some(part) = self.part(key.client) else { return NOTHING };
        let mut part = part.lock();
        let elsewhere = part.shared_count(key.kind, window, hash, now);
        let own = part.own.get_mut(&key).map_or(0, |counter| counter.window.count(window, now));
        HitResult { count: own.saturating_add(elsewhere), ..NOTHING }
    }

    pub(super) fn throttle(&self, key: &CounterKey, time: Duration, now: Instant) -> bool {
        let (key, _, now) = self.located(key, Duration::ZERO, now);
        let Some(part) = self.part(key.client) else { return false };
        let mut part = part.lock();
        if part.own.len() >= self.max && !part.own.contains_key(&key) {
            part.sweep(now);
            if part.own.len() >= self.max {
                return false;
            }
        }
        let over = now.saturating_add(nanoseconds(time));
        part.own.insert(key, Counter { window: Window::new(0, time), over });
        true
    }

    pub(super) fn throttled(&self, key: &CounterKey, now: Instant) -> Option<Duration> {
        let (key, _, now) = self.located(key, Duration::ZERO, now);
        let part = self.part(key.client)?.lock();
        let left = part.own.get(&key)?.over.checked_sub(now).filter(|left| *left > 0)?;
        Some(Duration::from_nanos(left))
    }

    /// Takes away what was counted against the client: attacks, refusals, behaviour, throttles. What it
    /// has used of its rates stays used.
    pub(super) fn forget_offences(&self, client: Network) {
        let Some(part) = self.part(client) else { return };
        let rates = [CounterKind::Rate, CounterKind::RateWebSocket];
        part.lock().own.retain(|key, _| key.client != client || rates.contains(&key.kind));
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().own.len()).sum()
    }

    pub(super) fn clear(&self) {
        for part in &self.parts {
            *part.lock() = Part::default();
        }
    }

    fn part(&self, client: Network) -> Option<&Mutex<Part>> {
        let hash = self.hasher.hash_one(client);
        self.parts.get(usize::try_from(hash % PARTS as u64).unwrap_or(0))
    }

    /// The key as it is stored, its hash, and the time since the state began.
    fn located(&self, key: &CounterKey, window: Duration, now: Instant) -> (Key, u64, u64) {
        let scope = self.hasher.hash_one((&key.endpoint, &key.detail, window));
        let key = Key { client: key.client, kind: key.kind, scope };
        let now = nanoseconds(now.saturating_duration_since(self.began));
        (key, self.hasher.hash_one(key), now)
    }
}

const NOTHING: HitResult = HitResult { within: true, count: 0, retry_after: Duration::ZERO };

impl Part {
    /// Takes out what no longer counts; not each time, or a flood of newcomers would make it all that is
    /// ever done.
    fn sweep(&mut self, now: u64) {
        let lately = now.saturating_sub(nanoseconds(SWEEP_EVERY));
        if self.swept.is_some_and(|swept| swept > lately) {
            return;
        }
        self.swept = Some(now);
        self.own.retain(|_, counter| counter.over > now);
        self.shared.retain(|_, shared| shared.over > now);
    }

    /// How many shared counters hold for this key: the smaller of its two.
    fn shared_count(&self, kind: CounterKind, window: Duration, hash: u64, now: u64) -> u32 {
        if self.shared.is_empty() {
            return 0;
        }
        let Some(shared) = self.shared.get(&(kind, window)).filter(|shared| shared.over > now)
        else {
            return 0;
        };
        let span = nanoseconds(window);
        let counts = slots(hash).map(|slot| shared.slots.get(slot).map(|s| s.count(span, now)));
        counts.into_iter().flatten().min().unwrap_or(0)
    }

    fn share(&mut self, kind: CounterKind, window: Duration, hash: u64, now: u64) {
        let shared = self.shared.entry((kind, window)).or_insert_with(|| SharedCounters {
            slots: vec![Slices::new(window); SHARED],
            over: 0,
        });
        shared.over = now.saturating_add(nanoseconds(window));
        let [first, second] = slots(hash);
        for slot in [Some(first), Some(second).filter(|second| *second != first)] {
            if let Some(slices) = slot.and_then(|slot| shared.slots.get_mut(slot)) {
                slices.add(now, 1);
            }
        }
    }
}

/// The two shared counters of a key.
fn slots(hash: u64) -> [usize; 2] {
    let slot = |bits: u64| usize::try_from(bits % SHARED as u64).unwrap_or(0);
    [slot(hash >> 16), slot(hash >> 40)]
}
