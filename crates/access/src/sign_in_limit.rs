use ringwall_event::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// So many attempts without success in [`WINDOW_SECONDS`] for one user from one address.
const ATTEMPTS_PER_USER: u32 = 5;
/// So many from one address, whatever names it tries.
const ATTEMPTS_PER_ADDRESS: u32 = 25;
/// So many for one user from wherever.
const ATTEMPTS_ANYWHERE: u32 = 50;
/// How long others than those who are known must wait then.
const LOCK_ANYWHERE_SECONDS: i64 = 60;
/// An address from which a user signed in is known for so long: 30 days.
const KNOWN_SECONDS: i64 = 30 * 86_400;
/// Five minutes.
const WINDOW_SECONDS: i64 = 300;
/// The first lock; each further one is twice as long.
const LOCK_SECONDS: i64 = 60;
/// No lock is longer: an hour.
const LOCK_SECONDS_MAX: i64 = 3600;
/// After this long without an attempt the locks begin short again.
const FORGET_SECONDS: i64 = 86_400;
/// Of a user's name as many bytes are compared; longer ones count as one.
const USER_BYTES_MAX: usize = 128;

/// Slows the guessing of passwords: after 5 failures in 5 minutes for one user from one address
/// there is a pause, doubled each time; 25 from one address count the same.
///
/// Many addresses together get 50 attempts in 5 minutes for one user; then only those from which the
/// user has signed in before, and this machine itself, may go on, so that nobody locks an
/// administrator out by guessing. An IPv6 network of 64 bits counts as one address: it is given to
/// one customer.
///
/// An attempt counts when it begins, so that many at once gain nothing; success clears the count.
/// Memory is bounded: at most as many names and addresses as given, the longest quiet forgotten
/// first.
#[derive(Debug)]
pub struct SignInLimit {
    entries: HashMap<Key, Entry>,
    /// When users last signed in from where.
    known: HashMap<Key, Timestamp>,
    entries_max: usize,
}

/// Not now: too many attempts failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts, try again in {retry_after_seconds} s")]
pub struct TooManyFailures {
    /// When to try again, in seconds; at least 1.
    pub retry_after_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// None for the address as a whole.
    user: Option<Box<str>>,
    /// None for the user as a whole.
    address: Option<IpAddr>,
}

impl Key {
    fn attempts_max(&self) -> u32 {
        match self {
            Self { address: None, .. } => ATTEMPTS_ANYWHERE,
            Self { user: Some(_), .. } => ATTEMPTS_PER_USER,
            Self { user: None, .. } => ATTEMPTS_PER_ADDRESS,
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    attempts: u32,
    window_began: Timestamp,
    last_attempt: Timestamp,
    locked_until: Timestamp,
    locks: u32,
}

impl SignInLimit {
    /// Remembers at most `entries_max` names and addresses.
    pub fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), known: HashMap::new(), entries_max: entries_max.max(3) }
    }

    /// Begins an attempt. Call [`SignInLimit::succeeded`] if the password was right.
    ///
    /// # Errors
    /// Where the user or the address has to wait; then the password must not be looked at.
    pub fn begin(
        &mut self,
        user: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), TooManyFailures> {
        let keys = keys(user, address);
        let is_known = self.is_known(&keys[0], address, now);
        // Who is known neither waits for what others guess nor adds to it.
        let keys = keys.into_iter().filter(|key| key.address.is_some() || !is_known);
        let keys: Vec<Key> = keys.collect();
        for key in &keys {
            if let Some(entry) = self.entries.get(key) {
                entry.check(now)?;
            }
        }
        for key in keys {
            self.make_room(&key);
            let doubles = key.address.is_some();
            let limit = key.attempts_max();
            self.entries.entry(key).or_insert_with(|| Entry::new(now)).count(limit, doubles, now);
        }
        Ok(())
    }

    /// The password was right: the failures of this user from this address are forgotten.
    pub fn succeeded(&mut self, user: &str, address: IpAddr, now: Timestamp) {
        let [by_user, by_address, anywhere] = keys(user, address);
        self.entries.remove(&by_user);
        // The address as a whole is only given this one attempt back: else whoever owns one
        // account could go on guessing at the others.
        for key in [by_address, anywhere] {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.attempts = entry.attempts.saturating_sub(1);
            }
        }
        if self.known.len() >= self.entries_max && !self.known.contains_key(&by_user) {
            let oldest = self.known.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(by_user, now);
    }

    fn is_known(&self, key: &Key, address: IpAddr, now: Timestamp) -> bool {
        address.to_canonical().is_loopback()
            || self
                .known
                .get(key)
                .is_some_and(|at| now.micros_since(*at) < KNOWN_SECONDS * 1_000_000)
    }

    /// How many names and addresses are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn make_room(&mut self, key: &Key) {
        if self.entries.len() < self.entries_max || self.entries.contains_key(key) {
            return;
        }
        let quietest = self
            .entries
            .iter()
            .min_by_key(|(_, entry)| entry.last_attempt.max(entry.locked_until))
            .map(|(key, _)| key.clone());
        if let Some(quietest) = quietest {
            self.entries.remove(&quietest);
        }
    }
}

impl Entry {
    const fn new(now: Timestamp) -> Self {
        Self { attempts: 0, window_began: now, last_attempt: now, locked_until: now, locks: 0 }
    }

    fn check(&self, now: Timestamp) -> Result<(), TooManyFailures> {
        let left = self.locked_until.micros_since(now);
        // A clock that was set back must not lock for longer than any lock is.
        if left <= 0 || left > LOCK_SECONDS_MAX * 1_000_000 {
            return Ok(());
        }
        let seconds = u64::try_from(left).unwrap_or(0).div_ceil(1_000_000);
        Err(TooManyFailures { retry_after_seconds: seconds.max(1) })
    }

    fn count(&mut self, limit: u32, doubles: bool, now: Timestamp) {
        let quiet = now.micros_since(self.last_attempt.max(self.locked_until)) / 1_000_000;
        if quiet >= FORGET_SECONDS {
            self.locks = 0;
        }
        if !(0..WINDOW_SECONDS * 1_000_000).contains(&now.micros_since(self.window_began)) {
            self.window_began = now;
            self.attempts = 0;
        }
        self.last_attempt = now;
        self.attempts += 1;
        // The attempt that reaches the limit is still made; the next one waits.
        if self.attempts >= limit {
            let seconds = if doubles {
                LOCK_SECONDS.saturating_mul(1 << self.locks.min(20)).min(LOCK_SECONDS_MAX)
            } else {
                LOCK_ANYWHERE_SECONDS
            };
            self.locked_until = now.plus_seconds(seconds);
            self.locks = self.locks.saturating_add(1);
            self.attempts = 0;
            self.window_began = now;
        }
    }
}

/// The user from this address, the address, and the user from anywhere.
fn keys(user: &str, address: IpAddr) -> [Key; 3] {
    let name = user.get(..user.floor_char_boundary(USER_BYTES_MAX)).unwrap_or_default();
    let user = Some(Box::<str>::from(name));
    let address = Some(network(address));
    [Key { user: user.clone(), address }, Key { user: None, address }, Key { user, address: None }]
}

/// What one customer has: an address of IPv4, a network of 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) if address.is_loopback() => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn wait(seconds: u64) -> Result<(), TooManyFailures> {
        Err(TooManyFailures { retry_after_seconds: seconds })
    }

    #[test]
    fn the_sixth_attempt_waits_and_locks_double() {
        let mut limit = SignInLimit::new(100);
        let mut now = NOW;
        for lock in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            for attempt in 0..5 {
                assert_eq!(limit.begin("ada", HERE, now), Ok(()), "attempt {attempt}");
            }
            assert_eq!(limit.begin("ada", HERE, now), wait(lock));
            assert_eq!(limit.begin("ada", HERE, now.plus_micros(1)), wait(lock));
            assert_eq!(limit.begin("ada", HERE, now.plus_seconds(lock as i64 - 1)), wait(1));
            // Others are not in the way: neither another user nor another place.
            assert_eq!(limit.begin("eve", THERE, now), Ok(()));
            limit.succeeded("eve", THERE, now);
            now = now.plus_seconds(lock as i64);
        }
        let mut now = now.plus_seconds(FORGET_SECONDS);
        for _ in 0..5 {
            assert_eq!(limit.begin("ada", HERE, now), Ok(()));
            now = now.plus_seconds(1);
        }
        assert_eq!(limit.begin("ada", HERE, now), wait(59));
    }

    #[test]
    fn guessing_from_everywhere_does_not_lock_the_user_out() {
        let mut limit = SignInLimit::new(1000);
        let address = |last: u32| IpAddr::V4(Ipv4Addr::from(0xc633_6400 + last));
        let home = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
        limit.begin("ada", home, NOW).unwrap();
        limit.succeeded("ada", home, NOW);
        let guesses =
            (0..200).filter(|last| limit.begin("ada", address(*last), NOW).is_ok()).count();
        assert_eq!(guesses, 50);
        assert_eq!(limit.begin("ada", THERE, NOW), wait(60));
        // Ada herself goes on from where she was before, and from this machine.
        for known in [home, HERE] {
            assert_eq!(limit.begin("ada", known, NOW), Ok(()), "{known}");
        }
        // Other users are not concerned, and the pause does not grow.
        assert_eq!(limit.begin("eve", THERE, NOW), Ok(()));
        let later = NOW.plus_seconds(60);
        let guesses =
            (200..400).filter(|last| limit.begin("ada", address(*last), later).is_ok()).count();
        assert_eq!(guesses, 50);
        assert_eq!(limit.begin("ada", THERE, later), wait(60));
        // Nobody is known for ever.
        let month = NOW.plus_seconds(KNOWN_SECONDS);
        for last in 400..450 {
            limit.begin("ada", address(last), month).unwrap();
        }
        assert_eq!(limit.begin("ada", home, month), wait(60));
    }

    #[test]
    fn a_network_of_ipv6_is_one_guesser() {
        let mut limit = SignInLimit::new(100);
        let address = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, last));
        for last in 0..5 {
            assert_eq!(limit.begin("ada", address(last), NOW), Ok(()));
        }
        assert_eq!(limit.begin("ada", address(9), NOW), wait(60));
        let other = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 8, 0, 0, 0, 1));
        assert_eq!(limit.begin("ada", other, NOW), Ok(()));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(network(mapped), THERE);
    }

    #[test]
    fn attempts_far_apart_never_lock() {
        let mut limit = SignInLimit::new(100);
        for attempt in 0..100 {
            let now = NOW.plus_seconds(attempt * 76);
            assert_eq!(limit.begin("ada", HERE, now), Ok(()), "attempt {attempt}");
        }
    }

    #[test]
    fn success_clears_the_user_but_not_the_address() {
        let mut limit = SignInLimit::new(100);
        for _ in 0..100 {
            limit.begin("ada", HERE, NOW).unwrap();
            limit.succeeded("ada", HERE, NOW);
        }
        let mut guesses = 0;
        while limit.begin(&format!("user-{guesses}"), HERE, NOW).is_ok() {
            limit.begin("ada", HERE, NOW).unwrap_or_default();
            limit.succeeded("ada", HERE, NOW);
            guesses += 1;
        }
        assert!((24..=25).contains(&guesses), "{guesses} guesses");
    }

    #[test]
    fn a_clock_set_back_does_not_lock_for_ever() {
        let mut limit = SignInLimit::new(100);
        for _ in 0..5 {
            limit.begin("ada", HERE, NOW).unwrap();
        }
        assert_eq!(limit.begin("ada", HERE, NOW.plus_seconds(-86_400)), Ok(()));
    }

    proptest! {
        #[test]
        fn memory_is_bounded(
            attempts in prop::collection::vec((".{0,3}", any::<u8>(), 0i64..1000), 0..200),
        ) {
            let mut limit = SignInLimit::new(8);
            for (user, address, seconds) in attempts {
                let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, address));
                let _ = limit.begin(&user, address, NOW.plus_seconds(seconds));
                prop_assert!(limit.len() <= 8);
            }
        }
    }
}
