use crate::TooManyFailures;
use ringwall_event::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;

/// So many attempts without success from one address in [`WINDOW_SECONDS`], then a pause until its end.
const ATTEMPTS_MAX: u64 = 10;
const WINDOW_SECONDS: i64 = 60;
/// So many audit entries in [`WINDOW_SECONDS`], whatever the number of addresses.
const ENTRIES_MAX: u32 = 30;

/// Slows attempts to enrol that fail, and keeps them from filling the audit log.
///
/// Tokens have 256 random bits, so guessing them is hopeless; what is bounded here is the noise. Attempts
/// that succeed are not counted: a whole fleet may enrol from behind one address. Memory is bounded by the
/// number of addresses given.
#[derive(Debug)]
pub struct EnrolmentFailures {
    addresses: HashMap<IpAddr, Window>,
    addresses_max: usize,
    entries: u32,
    entries_began: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Timestamp,
    attempts: u64,
    /// Failures that no audit entry stands for yet.
    untold: u64,
}

impl EnrolmentFailures {
    /// Remembers at most `addresses_max` addresses.
    pub fn new(addresses_max: usize) -> Self {
        Self {
            addresses: HashMap::new(),
            addresses_max: addresses_max.max(1),
            entries: 0,
            entries_began: Timestamp::from_micros(0),
        }
    }

    /// Whether an attempt from this address is looked at.
    ///
    /// # Errors
    /// Where it has to wait.
    pub fn check(&self, address: IpAddr, now: Timestamp) -> Result<(), TooManyFailures> {
        let Some(window) = self.addresses.get(&address) else { return Ok(()) };
        match window.left(now) {
            Some(seconds) if window.attempts >= ATTEMPTS_MAX => {
                Err(TooManyFailures { retry_after_seconds: seconds })
            }
            _ => Ok(()),
        }
    }

    /// Counts an attempt that failed. Where an audit entry is due: for how many failures it stands, this
    /// one included.
    pub fn count(&mut self, address: IpAddr, now: Timestamp) -> Option<u64> {
        self.make_room(address, now);
        let window = self.addresses.entry(address).or_insert(Window::new(now, 0));
        if window.left(now).is_none() {
            *window = Window::new(now, window.untold);
        }
        window.attempts += 1;
        window.untold += 1;
        if window.attempts > 1 {
            return None;
        }
        if !is_within(self.entries_began, now) {
            self.entries_began = now;
            self.entries = 0;
        }
        if self.entries >= ENTRIES_MAX {
            return None;
        }
        self.entries += 1;
        Some(std::mem::take(&mut window.untold))
    }

    fn make_room(&mut self, address: IpAddr, now: Timestamp) {
        if self.addresses.len() < self.addresses_max || self.addresses.contains_key(&address) {
            return;
        }
        self.addresses.retain(|_, window| window.left(now).is_some());
        if self.addresses.len() < self.addresses_max {
            return;
        }
        let oldest = self.addresses.iter().min_by_key(|(_, window)| window.began);
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.addresses.remove(&oldest);
        }
    }
}

impl Window {
    const fn new(began: Timestamp, untold: u64) -> Self {
        Self { began, attempts: 0, untold }
    }

    /// How many seconds are left, rounded up; none when it is over, or a clock was set back.
    fn left(&self, now: Timestamp) -> Option<u64> {
        let since = now.micros_since(self.began);
        if !is_within(self.began, now) {
            return None;
        }
        u64::try_from(WINDOW_SECONDS * 1_000_000 - since)
            .ok()
            .map(|micros| micros.div_ceil(1_000_000))
    }
}

fn is_within(began: Timestamp, now: Timestamp) -> bool {
    (0..WINDOW_SECONDS * 1_000_000).contains(&now.micros_since(began))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn ten_failures_a_minute_and_one_audit_entry() {
        let mut failures = EnrolmentFailures::new(100);
        for attempt in 0..10 {
            assert_eq!(failures.check(HERE, NOW), Ok(()), "attempt {attempt}");
            assert_eq!(failures.count(HERE, NOW), (attempt == 0).then_some(1));
        }
        let wait = |seconds| Err(TooManyFailures { retry_after_seconds: seconds });
        assert_eq!(failures.check(HERE, NOW), wait(60));
        assert_eq!(failures.check(HERE, NOW.plus_seconds(59)), wait(1));
        assert_eq!(failures.check(address(1), NOW), Ok(()));
        let later = NOW.plus_seconds(60);
        assert_eq!(failures.check(HERE, later), Ok(()));
        assert_eq!(failures.count(HERE, later), Some(10), "nine that no entry stood for, and this");
    }

    #[test]
    fn neither_memory_nor_the_audit_log_is_filled() {
        let mut failures = EnrolmentFailures::new(50);
        let entries = (0..10_000).filter_map(|number| failures.count(address(number), NOW)).count();
        assert_eq!(entries, 30);
        assert!(failures.addresses.len() <= 50);
        assert_eq!(failures.count(address(1), NOW.plus_seconds(60)), Some(1));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_for_ever() {
        let mut failures = EnrolmentFailures::new(50);
        for _ in 0..10 {
            failures.count(HERE, NOW);
        }
        assert_eq!(failures.check(HERE, NOW.plus_seconds(-3600)), Ok(()));
    }
}
