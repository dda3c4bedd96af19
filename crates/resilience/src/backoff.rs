//! How long to wait before the next attempt.

use std::time::Duration;

/// How waits grow from failure to failure, and how far.
///
/// The wait after the n-th failure is drawn evenly from nothing (in truth a [`LEAST_PART`]th of the first
/// wait, so that nobody spins) up to `first · 2ⁿ⁻¹`, at most `longest`: "full jitter". Drawn so, ten
/// thousand senders that lost the same server come back spread over the whole time instead of in waves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// The most that is waited after the first failure.
    pub first: Duration,
    /// The most that is ever waited, but for a peer that asks for more.
    pub longest: Duration,
    /// No peer is believed that asks for more patience than this.
    pub retry_after_max: Duration,
}

/// The least wait is this part of the first.
const LEAST_PART: u32 = 16;
/// Beyond so many doublings every sensible `longest` is reached.
const DOUBLINGS_MAX: u32 = 20;

impl BackoffPolicy {
    /// Waits between nothing and `first`, then the double, up to `longest`. A peer is given up to five
    /// minutes where it asks for them.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, retry_after_max: Duration::from_secs(300) }
    }

    /// The wait after this many failures in a row. `chance` is any number, drawn anew for each wait.
    ///
    /// What the peer asked for (`Retry-After`, RFC 9110 §10.2.3) is never undercut, and spread over a
    /// further half: a server that sends the same number to everyone does not want them all back at
    /// once.
    #[must_use]
    pub fn wait(&self, failures: u32, chance: u32, retry_after: Option<Duration>) -> Duration {
        let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
        let most = self.first.saturating_mul(1 << doublings).min(self.longest);
        let least = (self.first / LEAST_PART).min(most);
        let wait = least + part(most - least, chance);
        let Some(asked) = retry_after else { return wait };
        let asked = asked.min(self.retry_after_max);
        wait.max(asked + part(asked / 2, chance))
    }
}

/// A [`BackoffPolicy`] with the failures counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    policy: BackoffPolicy,
    failures: u32,
}

impl Backoff {
    /// A fresh row of waits.
    #[must_use]
    pub const fn new(policy: BackoffPolicy) -> Self {
        Self { policy, failures: 0 }
    }

    /// Counts a failure; the answer is the wait before the next attempt. See [`BackoffPolicy::wait`].
    #[must_use]
    pub fn failed(&mut self, chance: u32, retry_after: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.policy.wait(self.failures, chance, retry_after)
    }

    /// After a success the row begins anew.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How many failures there were since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// Of `whole` the part that `chance` says, from nothing to all of it.
fn part(whole: Duration, chance: u32) -> Duration {
    let nanos = whole.as_nanos() * u128::from(chance) / u128::from(u32::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
