use ringwall_event::Timestamp;
use ringwall_signing::sha256;
use std::collections::{HashMap, HashSet};

/// How far the clocks of a host agent and the server may be apart: 300 s.
pub const SKEW_MAX_SECONDS: i64 = 300;

const SKEW_MAX_MICROS: i64 = SKEW_MAX_SECONDS * 1_000_000;
/// A nonce is remembered for at least as long as its request could be accepted.
const GENERATION_MICROS: i64 = 2 * SKEW_MAX_MICROS;
/// By so much the horizon of an agent whose clock is ahead is set beyond what it signed, so that not every
/// request moves it.
const HORIZON_STEP_SECONDS: i64 = 5;

/// Recognises signed requests that are sent a second time, in bounded memory, also where the server was
/// started again in between.
///
/// Only ask after the signature was verified: then only enrolled host agents can fill the memory, each
/// only its own share.
///
/// Nonces are forgotten by a restart. So what was signed before the start is refused: an agent signs each
/// attempt anew and is behind by a second at most. That covers all that an earlier run of the server could
/// have accepted, but for agents whose clocks are ahead: what they sign for the future is accepted only up
/// to a *horizon* that the caller writes down first; after a restart all up to it is refused.
#[derive(Debug)]
pub struct ReplayWindow {
    agents: HashMap<Box<str>, Seen>,
    agents_max: usize,
    nonces_max: usize,
    began: Timestamp,
    /// What may have been accepted before the start: all up to this second.
    before_start: HashMap<Box<str>, i64>,
}

/// What is to be done before a request that was not seen before is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Freshness {
    /// Nothing.
    Fresh,
    /// The agent's clock is ahead: write down this second as its horizon, then call
    /// [`ReplayWindow::horizon_written`].
    WriteHorizon(i64),
}

/// Why a request with a valid signature is not accepted. To who sent it, all look like a bad signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Signed more than [`SKEW_MAX_SECONDS`] before or after now.
    #[error("clocks are {apart_ms} ms apart")]
    Skew {
        /// The time of signing minus the server's, in milliseconds.
        apart_ms: i64,
    },
    /// Signed before the server started: it may have been accepted then.
    #[error("signed before the server started")]
    BeforeStart,
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
    /// Up to this second, what is signed for the future is written down as accepted.
    horizon: i64,
}

impl ReplayWindow {
    /// Room for `agents_max` agents with `nonces_max` requests each in ten minutes, in a server that starts
    /// now. `horizons` are those that earlier runs wrote down.
    pub fn new(
        agents_max: usize,
        nonces_max: usize,
        began: Timestamp,
        horizons: impl IntoIterator<Item = (String, i64)>,
    ) -> Self {
        Self {
            agents: HashMap::new(),
            agents_max: agents_max.max(1),
            nonces_max,
            began,
            before_start: horizons
                .into_iter()
                .map(|(agent, horizon)| (agent.into_boxed_str(), horizon))
                .collect(),
        }
    }

    /// Accepts a request that was not seen before, and remembers it. `created` is the second in which it
    /// was signed, by the clock of its agent.
    ///
    /// # Errors
    /// Where it is stale, from the future, seen before or maybe so, or there is no room to remember it:
    /// what cannot be remembered is not accepted.
    pub fn accept(
        &mut self,
        agent: &str,
        created: i64,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Freshness, ReplayError> {
        let created_micros = created.saturating_mul(1_000_000);
        let apart = created_micros.saturating_sub(now.as_micros());
        if apart.saturating_abs() > SKEW_MAX_MICROS {
            return Err(ReplayError::Skew { apart_ms: apart / 1000 });
        }
        // What was signed in the second of the start may have been accepted just before it.
        let started = self.before_start.get(agent);
        if created_micros <= self.began.as_micros() || started.is_some_and(|last| created <= *last)
        {
            return Err(ReplayError::BeforeStart);
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
        if apart > 0 && created > seen.horizon {
            return Ok(Freshness::WriteHorizon(created + HORIZON_STEP_SECONDS));
        }
        Ok(Freshness::Fresh)
    }

    /// The horizon of an agent is on the disk.
    pub fn horizon_written(&mut self, agent: &str, horizon: i64) {
        if let Some(seen) = self.agents.get_mut(agent) {
            seen.horizon = seen.horizon.max(horizon);
        }
    }

    /// Forgets an agent whose identity is gone.
    pub fn forget(&mut self, agent: &str) {
        self.agents.remove(agent);
        self.before_start.remove(agent);
    }
}

impl Seen {
    fn new(now: Timestamp) -> Self {
        Self { current_began: now, current: HashSet::new(), previous: HashSet::new(), horizon: 0 }
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

    const SECOND: i64 = 1_700_000_000;
    const NOW: Timestamp = Timestamp::from_millis(SECOND * 1000);
    /// Long before anything that is tested.
    const BEGAN: Timestamp = Timestamp::from_millis((SECOND - 86_400) * 1000);

    fn window() -> ReplayWindow {
        ReplayWindow::new(4, 100, BEGAN, [])
    }

    fn accept(
        window: &mut ReplayWindow,
        agent: &str,
        created: i64,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), ReplayError> {
        match window.accept(agent, created, nonce, now)? {
            Freshness::Fresh => {}
            Freshness::WriteHorizon(horizon) => window.horizon_written(agent, horizon),
        }
        Ok(())
    }

    #[test]
    fn skew_is_bounded_both_ways() {
        for (apart, expected) in [
            (0, Ok(())),
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(ReplayError::Skew { apart_ms: 301_000 })),
            (-301, Err(ReplayError::Skew { apart_ms: -301_000 })),
        ] {
            assert_eq!(accept(&mut window(), "a", SECOND + apart, "n", NOW), expected, "{apart} s");
        }
        assert!(accept(&mut window(), "a", i64::MAX, "nonce", NOW).is_err());
        assert!(accept(&mut window(), "a", i64::MIN, "nonce", NOW).is_err());
    }

    #[test]
    fn nonces_are_each_agents_own() {
        let mut window = window();
        assert_eq!(accept(&mut window, "a", SECOND, "n", NOW), Ok(()));
        assert_eq!(accept(&mut window, "a", SECOND, "n", NOW), Err(ReplayError::Seen));
        assert_eq!(accept(&mut window, "a", SECOND + 1, "n", NOW), Err(ReplayError::Seen));
        assert_eq!(accept(&mut window, "b", SECOND, "n", NOW), Ok(()));
        assert_eq!(accept(&mut window, "a", SECOND, "m", NOW), Ok(()));
    }

    #[test]
    fn what_cannot_be_remembered_is_refused() {
        let mut window = ReplayWindow::new(2, 2, BEGAN, []);
        let mut accept = |agent: &str, nonce: &str, later: i64| {
            accept(&mut window, agent, SECOND + later, nonce, NOW.plus_seconds(later))
        };
        assert_eq!(accept("a", "1", 0), Ok(()));
        assert_eq!(accept("a", "2", 0), Ok(()));
        assert_eq!(accept("a", "3", 0), Err(ReplayError::Full));
        assert_eq!(accept("b", "1", 0), Ok(()));
        assert_eq!(accept("c", "1", 0), Err(ReplayError::Full));
        assert_eq!(accept("a", "3", 600), Ok(()));
        assert_eq!(accept("c", "1", 600), Err(ReplayError::Full));
        assert_eq!(accept("c", "1", 1200), Ok(()));
    }

    #[test]
    fn what_was_signed_before_the_start_is_refused() {
        // Started within a second: what was signed in it may be from before.
        let began = Timestamp::from_millis(SECOND * 1000 + 700);
        let mut window = ReplayWindow::new(4, 100, began, [("ahead".to_owned(), SECOND + 60)]);
        let mut accept =
            |agent: &str, created| accept(&mut window, agent, created, &created.to_string(), began);
        assert_eq!(accept("a", SECOND - 10), Err(ReplayError::BeforeStart));
        assert_eq!(accept("a", SECOND), Err(ReplayError::BeforeStart));
        assert_eq!(accept("a", SECOND + 1), Ok(()));
        assert_eq!(accept("ahead", SECOND + 60), Err(ReplayError::BeforeStart));
        assert_eq!(accept("ahead", SECOND + 61), Ok(()));
    }

    #[test]
    fn a_clock_that_is_ahead_moves_its_horizon_first() {
        let mut window = window();
        let mut nonces = 0..;
        let mut accept = |window: &mut ReplayWindow, created| {
            window.accept("a", created, &nonces.next().unwrap().to_string(), NOW)
        };
        assert_eq!(accept(&mut window, SECOND), Ok(Freshness::Fresh));
        let horizon = SECOND + 15;
        let written = Ok(Freshness::WriteHorizon(horizon));
        assert_eq!(accept(&mut window, SECOND + 10), written);
        assert_eq!(accept(&mut window, SECOND + 10), written, "it is not written yet");
        window.horizon_written("a", horizon);
        assert_eq!(accept(&mut window, horizon), Ok(Freshness::Fresh));
        let further = Ok(Freshness::WriteHorizon(horizon + 6));
        assert_eq!(accept(&mut window, horizon + 1), further);
    }

    proptest! {
        /// Whatever the order of arrival, however wrong the clocks, and whenever the server is killed and
        /// started again: no request is accepted twice.
        #[test]
        fn no_request_is_accepted_twice(
            requests in prop::collection::vec((0i64..2_000_000, 0u8..12, any::<bool>()), 1..80),
        ) {
            let mut arrivals: Vec<_> = requests;
            arrivals.sort_unstable();
            let mut window = ReplayWindow::new(1, 1000, BEGAN, []);
            let mut disk: HashMap<String, i64> = HashMap::new();
            let mut accepted = HashSet::new();
            for (after_ms, number, restarts) in arrivals {
                let now = Timestamp::from_millis(NOW.as_millis() + after_ms);
                if restarts {
                    window = ReplayWindow::new(1, 1000, now, disk.clone());
                }
                // Each number is one request, signed at a moment of its own.
                let created = SECOND + i64::from(number) * 150;
                let nonce = format!("nonce-{number}");
                let Ok(freshness) = window.accept("a", created, &nonce, now) else { continue };
                if let Freshness::WriteHorizon(horizon) = freshness {
                    disk.insert("a".to_owned(), horizon);
                    window.horizon_written("a", horizon);
                }
                prop_assert!(accepted.insert(number), "request {} twice", number);
            }
        }
    }
}
