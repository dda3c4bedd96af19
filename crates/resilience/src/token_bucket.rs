//! No more than so many in a time, with room for a burst.

use std::time::{Duration, Instant};

/// A bucket that refills evenly and from which whole tokens are taken.
///
/// Kept in nanoseconds of refill time, not in fractions of tokens: nothing is lost or won by rounding,
/// however often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The time in which one token comes back.
    refill: Duration,
    /// How many tokens it holds when full.
    capacity: u32,
    /// When it is full (again): each token taken moves this further.
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket of `capacity` tokens, of which one comes back each `refill`. It holds at least one,
    /// and a refill takes at least a nanosecond.
    #[must_use]
    pub fn new(capacity: u32, refill: Duration, now: Instant) -> Self {
        let refill = refill.max(Duration::from_nanos(1));
        Self { refill, capacity: capacity.max(1), full_at: now }
    }

    /// Takes so many tokens, or none and says how long to wait for them.
    ///
    /// More than the bucket ever holds are given when it is full; it then owes the rest, so that the
    /// rate holds also for what is larger than the burst.
    ///
    /// # Errors
    /// How long until there are enough, where there are not.
    pub fn take(&mut self, tokens: u32, now: Instant) -> Result<(), Duration> {
        let since = self.full_at.max(now);
        let owed = since.saturating_duration_since(now);
        let spare = self.refill.saturating_mul(self.capacity.saturating_sub(tokens));
        if owed > spare {
            return Err(owed - spare);
        }
        self.full_at = since + self.refill.saturating_mul(tokens);
        Ok(())
    }

    /// Takes tokens that are spent already: where there are not enough, the bucket owes the rest.
    pub fn charge(&mut self, tokens: u32, now: Instant) {
        self.full_at = self.full_at.max(now) + self.refill.saturating_mul(tokens);
    }

    /// How many whole tokens there are at `now`.
    #[must_use]
    pub fn available(&self, now: Instant) -> u32 {
        let owed = self.full_at.saturating_duration_since(now).as_nanos();
        let missing = owed.div_ceil(self.refill.as_nanos().max(1));
        self.capacity.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }
}
