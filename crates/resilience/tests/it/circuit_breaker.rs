use proptest::prelude::*;
use ringwall_resilience::{Admission, BreakerSettings, BreakerState, CircuitBreaker, Permit};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> BreakerSettings {
    BreakerSettings {
        failures_max: 3,
        open_for: 5 * SECOND,
        open_for_max: 15 * SECOND,
        probes_max: 2,
        probes_to_close: 2,
        probe_patience: 30 * SECOND,
    }
}

#[track_caller]
fn admitted(breaker: &mut CircuitBreaker, now: Instant) -> Permit {
    match breaker.admit(now) {
        Admission::Admit(permit) => permit,
        Admission::Refuse { until } => panic!("refused for {:?}", until - now),
    }
}

#[track_caller]
fn refused(breaker: &mut CircuitBreaker, now: Instant) -> Duration {
    match breaker.admit(now) {
        Admission::Admit(_) => panic!("admitted"),
        Admission::Refuse { until } => until - now,
    }
}

fn opened(now: Instant) -> CircuitBreaker {
    let mut breaker = CircuitBreaker::new(settings());
    for _ in 0..3 {
        let permit = admitted(&mut breaker, now);
        breaker.failed(permit, now);
    }
    breaker
}

#[test]
fn only_failures_in_a_row_open_it() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(settings());
    for _ in 0..10 {
        for _ in 0..2 {
            let permit = admitted(&mut breaker, now);
            breaker.failed(permit, now);
        }
        let permit = admitted(&mut breaker, now);
        breaker.succeeded(permit);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
    assert_eq!(opened(now).state(now), BreakerState::Open);
}

#[test]
fn probes_are_bounded_and_close_it() {
    let start = Instant::now();
    let mut breaker = opened(start);
    assert_eq!(refused(&mut breaker, start + SECOND), 4 * SECOND);
    let now = start + 5 * SECOND;
    assert_eq!(breaker.state(now), BreakerState::HalfOpen);
    let (first, second) = (admitted(&mut breaker, now), admitted(&mut breaker, now));
    assert_eq!(refused(&mut breaker, now), 30 * SECOND);
    breaker.succeeded(first);
    let third = admitted(&mut breaker, now);
    breaker.abandoned(third);
    breaker.succeeded(second);
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn each_probe_that_fails_doubles_the_wait_up_to_a_bound() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    for seconds in [5, 10, 15, 15] {
        assert_eq!(refused(&mut breaker, now), seconds * SECOND);
        now += seconds * SECOND;
        let permit = admitted(&mut breaker, now);
        breaker.failed(permit, now);
    }
}

#[test]
fn a_probe_that_is_never_heard_of_gives_its_place_back() {
    let start = Instant::now();
    let mut breaker = opened(start);
    let now = start + 5 * SECOND;
    let _lost = (admitted(&mut breaker, now), admitted(&mut breaker, now));
    refused(&mut breaker, now + 29 * SECOND);
    let permit = admitted(&mut breaker, now + 30 * SECOND);
    breaker.failed(permit, now + 30 * SECOND);
}

#[test]
fn what_began_before_it_opened_tells_nothing_any_more() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(settings());
    let (late_success, late_failure) = (admitted(&mut breaker, now), admitted(&mut breaker, now));
    for _ in 0..3 {
        let permit = admitted(&mut breaker, now);
        breaker.failed(permit, now);
    }
    breaker.succeeded(late_success);
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker.failed(late_failure, now + 4 * SECOND);
    assert_eq!(refused(&mut breaker, now + 4 * SECOND), SECOND);
}

proptest! {
    /// Whatever happens, never more probes are under way than allowed, and it always lets somebody
    /// through once enough time has gone by.
    #[test]
    fn it_neither_floods_nor_locks_up(
        steps in prop::collection::vec((0u8..4, 0u64..8, any::<prop::sample::Index>()), 0..200),
    ) {
        let mut now = Instant::now();
        let mut breaker = CircuitBreaker::new(settings());
        let mut under_way: Vec<(Permit, bool)> = Vec::new();
        for (what, seconds, which) in steps {
            now += Duration::from_secs(seconds);
            if what == 0 || under_way.is_empty() {
                let was = breaker.state(now);
                if let Admission::Admit(permit) = breaker.admit(now) {
                    prop_assert_ne!(was, BreakerState::Open);
                    under_way.push((permit, was == BreakerState::HalfOpen));
                }
                continue;
            }
            let (permit, _) = under_way.swap_remove(which.index(under_way.len()));
            match what {
                1 => breaker.succeeded(permit),
                2 => breaker.failed(permit, now),
                _ => breaker.abandoned(permit),
            }
        }
        now += Duration::from_secs(60);
        prop_assert!(matches!(breaker.admit(now), Admission::Admit(_)));
    }
}
