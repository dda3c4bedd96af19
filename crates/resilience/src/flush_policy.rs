//! When what was gathered is sent.

use std::time::{Duration, Instant};

/// What is gathered goes as soon as any of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// So many items.
    pub count_max: usize,
    /// So many bytes.
    pub bytes_max: usize,
    /// So long since the oldest came.
    pub age_max: Duration,
}

/// What is gathered at present, measured by a [`FlushPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    policy: FlushPolicy,
    count: usize,
    bytes: usize,
    oldest: Option<Instant>,
}

impl Flush {
    /// Nothing gathered yet.
    #[must_use]
    pub const fn new(policy: FlushPolicy) -> Self {
        Self { policy, count: 0, bytes: 0, oldest: None }
    }

    /// Notes items that came at `now`.
    pub fn add(&mut self, count: usize, bytes: usize, now: Instant) {
        if count == 0 {
            return;
        }
        self.count = self.count.saturating_add(count);
        self.bytes = self.bytes.saturating_add(bytes);
        self.oldest.get_or_insert(now);
    }

    /// Notes items that went, or were dropped. What is left counts from `now`: it waits for others at
    /// most once more.
    pub fn remove(&mut self, count: usize, bytes: usize, now: Instant) {
        self.count = self.count.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.oldest = (self.count > 0).then_some(now);
    }

    /// Whether it is time to send.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.due_at().is_some_and(|due| due <= now)
    }

    /// When it is time to send: a moment in the past where a bound is reached, none where there is
    /// nothing.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        let oldest = self.oldest?;
        let is_full = self.count >= self.policy.count_max || self.bytes >= self.policy.bytes_max;
        if is_full { Some(oldest) } else { oldest.checked_add(self.policy.age_max) }
    }
}
