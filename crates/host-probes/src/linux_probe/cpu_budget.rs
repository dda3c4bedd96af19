use ringwall_resilience::TokenBucket;
use std::time::{Duration, Instant};

/// What this program may use of the processor: a share of one core on average, with room for bursts.
#[derive(Debug)]
pub(super) struct CpuBudget {
    /// A token is a millisecond of processor time; none where there is no limit.
    bucket: Option<TokenBucket>,
    /// What was used when it was last charged.
    charged: Duration,
}

/// So much time may pass idly and be used up at once afterwards.
const BURST: Duration = Duration::from_secs(20);
/// Less than this of a core would not suffice to look at anything.
const PERCENT_MIN: f64 = 0.1;

impl CpuBudget {
    /// A full budget, the program having used so much already.
    pub(super) fn new(percent_max: Option<f64>, used: Duration, now: Instant) -> Self {
        let bucket = percent_max.map(|percent| {
            let share = percent.max(PERCENT_MIN) / 100.0;
            let refill = Duration::from_secs_f64(0.001 / share);
            let burst = BURST.as_nanos() / refill.as_nanos().max(1);
            TokenBucket::new(u32::try_from(burst).unwrap_or(u32::MAX), refill, now)
        });
        Self { bucket, charged: used }
    }

    /// Charges what was used since the last time; whether there is any left.
    pub(super) fn settle(&mut self, used: Duration, now: Instant) -> bool {
        let Some(bucket) = &mut self.bucket else {
            return true;
        };
        let millis = used.saturating_sub(self.charged).as_millis();
        if millis > 0 {
            // What is less than a whole token is charged with what comes.
            let millis = u32::try_from(millis).unwrap_or(u32::MAX);
            self.charged += Duration::from_millis(u64::from(millis));
            bucket.charge(millis, now);
        }
        bucket.available(now) > 0
    }
}

/// What all threads of this program have used of the processor.
pub(super) fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_paid_back_and_the_average_holds() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let used = |millis| Duration::from_millis(millis);
        let mut budget = CpuBudget::new(Some(5.0), used(300), start);
        // Twenty seconds at 5 % are one second.
        assert!(budget.settle(used(1_299), start));
        assert!(!budget.settle(used(1_300), start));
        // Overdrawn by a second: made good after twenty.
        assert!(!budget.settle(used(2_300), start));
        assert!(!budget.settle(used(2_300), at(20)));
        assert!(budget.settle(used(2_300), at(21)));
        // Idle for an hour: no more than a burst is saved.
        assert!(!budget.settle(used(3_300), at(3_600)));
    }

    #[test]
    fn fractions_of_a_millisecond_are_not_lost() {
        let start = Instant::now();
        let mut budget = CpuBudget::new(Some(5.0), Duration::ZERO, start);
        let mut left = 0;
        while budget.settle(Duration::from_micros(400 * left), start) {
            left += 1;
        }
        assert_eq!(left, 2_500);
    }

    #[test]
    fn without_a_limit_there_is_always_some_left() {
        let now = Instant::now();
        let mut budget = CpuBudget::new(None, Duration::ZERO, now);
        assert!(budget.settle(Duration::from_secs(3_600), now));
    }
}
