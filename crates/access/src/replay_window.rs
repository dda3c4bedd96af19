use ringwall_event::Timestamp;
use ringwall_signing::sha256;
use std::collections::{HashMap, HashSet};

/// How far the clocks of a host agent and the server may be apart: 300 s, in milliseconds.
pub const SKEW_MAX_MS: i64 = 300_000;

/// A nonce is remembered for at least as long as its request could be accepted.
const GENERATION_MICROS: i64 = 2 * SKEW_MAX_MS * 1000;

/// Recognises signed requests that are sent a second time, in bounded memory.
///
/// Only ask after the MAC was verified: then only enrolled host agents can fill the memory, each
/// only its own share. What a restart forgets does no harm: reports and results are idempotent by
/// themselves.
#[derive(Debug)]
pub struct ReplayWindow {
    agents: HashMap<Box<str>, Seen>,
    agents_max: usize,
    nonces_max: usize,
}

/// Why a request with a valid MAC is not accepted. To who sent it, all look like a bad MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Signed more than [`SKEW_MAX_MS`] before or after now.
    #[error("clocks are {apart_ms} ms apart")]
    Skew {
        /// The time of signing minus the server's, in milliseconds.
        apart_ms: i64,
    },
    /// The nonce was used before.
    #[error("nonce was seen before")]
    Seen,
    /// More nonces in ten minutes than an agent may use, or more agents than are expected.
    #[error("too many nonces")]
    Full,
}

/// The nonces of one agent, as digests, in two generations: the older is forgotten whole.
#[derive(Debug)]
struct Seen {
    current_began: Timestamp,
    current: HashSet<[u8; 16]>,
    previous: HashSet<[u8; 16]>,
}

impl ReplayWindow {
    /// Room for `agents_max` agents with `nonces_max` requests each in ten minutes.
    pub fn new(agents_max: usize, nonces_max: usize) -> Self {
        Self { agents: HashMap::new(), agents_max: agents_max.max(1), nonces_max }
    }

    /// Accepts a request that was not seen before, and remembers it.
    ///
    /// # Errors
    /// Where it is stale, from the future, seen before, or there is no room to remember it: what
    /// cannot be remembered is not accepted.
    pub fn accept(
        &mut self,
        agent: &str,
        time_ms: i64,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), ReplayError> {
        let apart_ms = time_ms.saturating_sub(now.as_millis());
        if apart_ms.saturating_abs() > SKEW_MAX_MS {
            return Err(ReplayError::Skew { apart_ms });
        }
        if !self.agents.contains_key(agent) && self.agents.len() >= self.agents_max {
            self.agents.retain(|_, seen| !seen.is_forgotten(now));
            if self.agents.len() >= self.agents_max {
                return Err(ReplayError::Full);
            }
        }
        let seen = self.agents.entry(agent.into()).or_insert_with(|| Seen::new(now));
        seen.turn(now);
        let digest = digest(nonce);
        if seen.current.contains(&digest) || seen.previous.contains(&digest) {
            return Err(ReplayError::Seen);
        }
        if seen.current.len() >= self.nonces_max {
            return Err(ReplayError::Full);
        }
        seen.current.insert(digest);
        Ok(())
    }

    /// Forgets an agent, as when its key is deleted.
    pub fn forget(&mut self, agent: &str) {
        self.agents.remove(agent);
    }
}

impl Seen {
    fn new(now: Timestamp) -> Self {
        Self { current_began: now, current: HashSet::new(), previous: HashSet::new() }
    }

    /// Begins a new generation when the current one is old enough.
    ///
    /// A nonce taken at `t` is in a generation that ends at `t` or later, and stays one generation
    /// more: at least [`GENERATION_MICROS`], after which its time is too far away.
    fn turn(&mut self, now: Timestamp) {
        if now.micros_since(self.current_began) >= GENERATION_MICROS {
            self.previous = std::mem::take(&mut self.current);
            self.current_began = now;
        }
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.micros_since(self.current_began) >= 2 * GENERATION_MICROS
    }
}

/// Half of a SHA-256: as hard to hit, and always of one size.
fn digest(nonce: &str) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(sha256(nonce.as_bytes())) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn window() -> ReplayWindow {
        ReplayWindow::new(4, 100)
    }

    #[test]
    fn skew_is_bounded_both_ways() {
        for (apart_ms, expected) in [
            (0, Ok(())),
            (300_000, Ok(())),
            (-300_000, Ok(())),
            (300_001, Err(ReplayError::Skew { apart_ms: 300_001 })),
            (-300_001, Err(ReplayError::Skew { apart_ms: -300_001 })),
        ] {
            let time = NOW.as_millis() + apart_ms;
            assert_eq!(window().accept("a", time, "nonce", NOW), expected, "{apart_ms} ms");
        }
        assert!(window().accept("a", i64::MAX, "nonce", NOW).is_err());
        assert!(window().accept("a", i64::MIN, "nonce", NOW).is_err());
    }

    #[test]
    fn nonces_are_each_agents_own() {
        let mut window = window();
        let time = NOW.as_millis();
        assert_eq!(window.accept("a", time, "n", NOW), Ok(()));
        assert_eq!(window.accept("a", time, "n", NOW), Err(ReplayError::Seen));
        assert_eq!(window.accept("a", time + 1, "n", NOW), Err(ReplayError::Seen));
        assert_eq!(window.accept("b", time, "n", NOW), Ok(()));
        assert_eq!(window.accept("a", time, "m", NOW), Ok(()));
    }

    #[test]
    fn what_cannot_be_remembered_is_refused() {
        let mut window = ReplayWindow::new(2, 2);
        let accept = |window: &mut ReplayWindow, agent: &str, nonce: &str, now: Timestamp| {
            window.accept(agent, now.as_millis(), nonce, now)
        };
        assert_eq!(accept(&mut window, "a", "1", NOW), Ok(()));
        assert_eq!(accept(&mut window, "a", "2", NOW), Ok(()));
        assert_eq!(accept(&mut window, "a", "3", NOW), Err(ReplayError::Full));
        assert_eq!(accept(&mut window, "b", "1", NOW), Ok(()));
        assert_eq!(accept(&mut window, "c", "1", NOW), Err(ReplayError::Full));
        let later = NOW.plus_seconds(600);
        assert_eq!(accept(&mut window, "a", "3", later), Ok(()));
        assert_eq!(accept(&mut window, "c", "1", later), Err(ReplayError::Full));
        let later = NOW.plus_seconds(1200);
        assert_eq!(accept(&mut window, "c", "1", later), Ok(()));
    }

    proptest! {
        /// Whatever the order of arrival, no request is accepted twice.
        #[test]
        fn no_request_is_accepted_twice(
            requests in prop::collection::vec((0i64..2_000_000, 0u8..12), 1..80),
        ) {
            let mut arrivals: Vec<_> = requests;
            arrivals.sort_unstable();
            let mut window = ReplayWindow::new(1, 1000);
            let mut accepted = HashSet::new();
            for (after_ms, number) in arrivals {
                let now = Timestamp::from_millis(NOW.as_millis() + after_ms);
                // Each number is one request, signed at a moment of its own.
                let time = NOW.as_millis() + i64::from(number) * 150_000;
                let nonce = format!("nonce-{number}");
                if window.accept("a", time, &nonce, now).is_ok() {
                    prop_assert!(accepted.insert(number), "request {} twice", number);
                }
            }
        }
    }
}
