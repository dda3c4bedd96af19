//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double from attempt to attempt, each shortened by chance, so that a thousand agents do
/// not come back at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryBackoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

/// No server is believed that asks for more patience than this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

impl RetryBackoff {
    /// A fresh row of waits.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after another failure. `chance` is any number; `retry_after` is what the server asked
    /// for, and is never undercut.
    pub(crate) fn wait(&mut self, chance: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let most = doubled.min(self.longest);
        let wait = most / 2 + (most / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX));
        match retry_after {
            // Spread over a further half, for the same reason.
            Some(asked) => {
                let asked = asked.min(RETRY_AFTER_MAX);
                wait.max(asked + (asked / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX)))
            }
            None => wait,
        }
    }

    /// How many failures there were since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// After a success.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A number by chance; the middle where the system has none to give.
pub(crate) fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = RetryBackoff::new(SECOND, 10 * SECOND);
        let waits: Vec<_> = (0..6).map(|_| backoff.wait(u32::MAX, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.failures(), 6);
        backoff.reset();
        assert_eq!(backoff.wait(0, None), SECOND / 2);
        for _ in 0..100 {
            assert!(backoff.wait(chance(), None) <= 10 * SECOND);
        }
    }

    #[test]
    fn what_the_server_asks_for_is_not_undercut_but_bounded() {
        let mut backoff = RetryBackoff::new(SECOND, 10 * SECOND);
        assert_eq!(backoff.wait(0, Some(7 * SECOND)), 7 * SECOND);
        assert_eq!(backoff.wait(u32::MAX, Some(SECOND)), 2 * SECOND);
        assert_eq!(backoff.wait(0, Some(86_400 * SECOND)), RETRY_AFTER_MAX);
    }
}
