use proptest::prelude::*;
use ringwall_resilience::{Backoff, BackoffPolicy};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn waits_double_up_to_the_longest_and_begin_anew() {
    let mut backoff = Backoff::new(BackoffPolicy::new(SECOND, 10 * SECOND));
    let waits: Vec<_> = (0..6).map(|_| backoff.failed(u32::MAX, None).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    assert_eq!(backoff.failures(), 6);
    backoff.succeeded();
    assert_eq!(backoff.failed(u32::MAX, None), SECOND);
}

#[test]
fn chance_spreads_over_the_whole_wait() {
    let policy = BackoffPolicy::new(SECOND, 10 * SECOND);
    assert_eq!(policy.wait(3, 0, None), SECOND / 16);
    let middle = policy.wait(3, u32::MAX / 2, None);
    assert!(middle > 2 * SECOND && middle < SECOND * 21 / 10, "{middle:?}");
    assert_eq!(policy.wait(3, u32::MAX, None), 4 * SECOND);
}

#[test]
fn what_the_peer_asks_for_is_not_undercut_but_bounded() {
    let policy = BackoffPolicy::new(SECOND, 10 * SECOND);
    assert_eq!(policy.wait(1, 0, Some(7 * SECOND)), 7 * SECOND);
    assert_eq!(policy.wait(1, u32::MAX, Some(8 * SECOND)), 12 * SECOND);
    assert_eq!(policy.wait(1, 0, Some(86_400 * SECOND)), policy.retry_after_max);
    assert_eq!(policy.wait(5, u32::MAX, Some(Duration::ZERO)), 10 * SECOND);
}

proptest! {
    #[test]
    fn a_wait_is_within_its_bounds(
        first_ms in 0u64..10_000,
        longest_ms in 0u64..1_000_000,
        failures: u32,
        chance: u32,
        asked_ms in prop::option::of(any::<u64>()),
    ) {
        let (first, longest) = (Duration::from_millis(first_ms), Duration::from_millis(longest_ms));
        let policy = BackoffPolicy::new(first, longest);
        let asked = asked_ms.map(Duration::from_millis);
        let wait = policy.wait(failures, chance, asked);
        let believed = asked.unwrap_or_default().min(policy.retry_after_max);
        prop_assert!(wait >= believed);
        prop_assert!(wait <= longest.max(believed * 3 / 2));
        // More failures, the same luck: never a shorter wait.
        prop_assert!(policy.wait(failures.saturating_add(1), chance, asked) >= wait);
    }
}
