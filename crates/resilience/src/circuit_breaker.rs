//! Leaving a peer alone that does not work.

use std::time::{Duration, Instant};

/// When a [`CircuitBreaker`] opens, how long it stays open, and what closes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures in a row open it. At least 1.
    pub failures_max: u32,
    /// How long nobody is let through after it opened first. Each probe that fails doubles it.
    pub open_for: Duration,
    /// It never stays open for longer.
    pub open_for_max: Duration,
    /// So many probes may be under way at once while it is half open. At least 1.
    pub probes_max: u32,
    /// So many probes must succeed to close it. At least 1.
    pub probes_to_close: u32,
    /// A probe whose end nobody told of within this time gives its place back: its task may have been
    /// cancelled.
    pub probe_patience: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures_max: 5,
            open_for: Duration::from_secs(5),
            open_for_max: Duration::from_secs(60),
            probes_max: 1,
            probes_to_close: 1,
            probe_patience: Duration::from_secs(60),
        }
    }
}

/// What a breaker does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everyone is let through.
    Closed,
    /// Nobody is let through.
    Open,
    /// A few are let through to see whether the peer works again.
    HalfOpen,
}

/// Whether an attempt may be made now.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Go ahead, and say how it ended.
    Admit(Permit),
    /// Not now.
    Refuse {
        /// Asking again before this is in vain.
        until: Instant,
    },
}

/// Leave for one attempt. Give it back with its end: [`CircuitBreaker::succeeded`] or
/// [`CircuitBreaker::failed`], or [`CircuitBreaker::abandoned`] where there was none.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the breaker waits for the end of the attempt"]
pub struct Permit {
    /// The period of the breaker it was given in. What ends in a later one tells nothing any more.
    period: u64,
}

/// Counts the failures of one peer, and lets nobody through to it while it does not work.
///
/// Closed, it admits all; enough failures in a row open it. Open, it refuses until its time is over.
/// Then it is half open: a bounded number of probes go through; enough successes close it, one failure
/// opens it for twice as long.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: BreakerSettings,
    phase: Phase,
    /// Counts the changes of phase.
    period: u64,
    /// How often it opened without closing in between.
    openings: u32,
}

#[derive(Debug)]
enum Phase {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { probes: Vec<Instant>, successes: u32 },
}

impl CircuitBreaker {
    /// A closed breaker. Zeros in the settings count as ones.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        let settings = BreakerSettings {
            failures_max: settings.failures_max.max(1),
            probes_max: settings.probes_max.max(1),
            probes_to_close: settings.probes_to_close.max(1),
            ..settings
        };
        Self { settings, phase: Phase::Closed { failures: 0 }, period: 0, openings: 0 }
    }

    /// Whether an attempt may be made now.
    pub fn admit(&mut self, now: Instant) -> Admission {
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Admission::Refuse { until };
            }
            self.enter(Phase::HalfOpen { probes: Vec::new(), successes: 0 });
        }
        if let Phase::HalfOpen { probes, .. } = &mut self.phase {
            let patience = self.settings.probe_patience;
            probes.retain(|began| now.saturating_duration_since(*began) < patience);
            if probes.len() >= usize::try_from(self.settings.probes_max).unwrap_or(usize::MAX) {
                // The oldest probe is the first whose patience ends.
                let until = probes.iter().min().map_or(now, |began| *began + patience);
                return Admission::Refuse { until };
            }
            probes.push(now);
        }
        Admission::Admit(Permit { period: self.period })
    }

    /// The attempt succeeded.
    pub fn succeeded(&mut self, permit: Permit) {
        if permit.period != self.period {
            return;
        }
        match &mut self.phase {
            Phase::Closed { failures } => *failures = 0,
            Phase::HalfOpen { probes, successes } => {
                probes.pop();
                *successes += 1;
                if *successes >= self.settings.probes_to_close {
                    self.openings = 0;
                    self.enter(Phase::Closed { failures: 0 });
                }
            }
            Phase::Open { .. } => {}
        }
    }

    /// The attempt failed in a way that tells of the peer, not of the request.
    pub fn failed(&mut self, permit: Permit, now: Instant) {
        if permit.period != self.period {
            return;
        }
        match &mut self.phase {
            Phase::Closed { failures } => {
                *failures += 1;
                if *failures >= self.settings.failures_max {
                    self.open(now);
                }
            }
            Phase::HalfOpen { .. } => self.open(now),
            Phase::Open { .. } => {}
        }
    }

    /// The attempt was given up before it told anything.
    pub fn abandoned(&mut self, permit: Permit) {
        if permit.period != self.period {
            return;
        }
        if let Phase::HalfOpen { probes, .. } = &mut self.phase {
            probes.pop();
        }
    }

    /// What it does at `now`.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { until } if now < until => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn open(&mut self, now: Instant) {
        let doublings = self.openings.min(20);
        let wait = self.settings.open_for.saturating_mul(1 << doublings);
        self.openings = self.openings.saturating_add(1);
        self.enter(Phase::Open { until: now + wait.min(self.settings.open_for_max) });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period = self.period.wrapping_add(1);
    }
}
