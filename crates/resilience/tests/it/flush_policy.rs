use ringwall_resilience::{Flush, FlushPolicy};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const POLICY: FlushPolicy =
    FlushPolicy { count_max: 3, bytes_max: 100, age_max: SECOND.saturating_mul(2) };

#[test]
fn each_bound_makes_it_due() {
    check(&[], 1000, false);
    check(&[(1, 10, 0)], 0, false);
    check(&[(1, 10, 0)], 2, true);
    check(&[(1, 10, 0), (1, 10, 1)], 1, false);
    // The oldest counts, not the newest.
    check(&[(1, 10, 0), (1, 10, 1)], 2, true);
    check(&[(3, 10, 0)], 0, true);
    check(&[(1, 100, 0)], 0, true);
    check(&[(0, 0, 0)], 1000, false);
}

/// Adds items, bytes at a second; then asks at a second.
#[track_caller]
fn check(adds: &[(usize, usize, u32)], at: u32, expected: bool) {
    let start = Instant::now();
    let mut flush = Flush::new(POLICY);
    for (count, bytes, second) in adds {
        flush.add(*count, *bytes, start + *second * SECOND);
    }
    assert_eq!(flush.is_due(start + at * SECOND), expected, "{adds:?} at {at}");
}

#[test]
fn what_is_left_waits_once_more() {
    let start = Instant::now();
    let mut flush = Flush::new(POLICY);
    flush.add(4, 40, start);
    assert_eq!(flush.due_at(), Some(start));
    flush.remove(3, 30, start + SECOND);
    assert_eq!(flush.due_at(), Some(start + 3 * SECOND));
    flush.remove(1, 10, start + SECOND);
    assert_eq!(flush.due_at(), None);
}
