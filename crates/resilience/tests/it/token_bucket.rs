use proptest::prelude::*;
use ringwall_resilience::TokenBucket;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_burst_then_the_rate() {
    let mut now = Instant::now();
    let mut bucket = TokenBucket::new(3, SECOND, now);
    for left in [2, 1, 0] {
        assert_eq!(bucket.take(1, now), Ok(()));
        assert_eq!(bucket.available(now), left);
    }
    assert_eq!(bucket.take(1, now), Err(SECOND));
    now += SECOND / 4;
    assert_eq!(bucket.take(1, now), Err(SECOND * 3 / 4));
    assert_eq!(bucket.take(2, now), Err(SECOND * 7 / 4));
    now += SECOND * 7 / 4;
    assert_eq!(bucket.take(2, now), Ok(()));
    assert_eq!(bucket.available(now + 1000 * SECOND), 3);
}

#[test]
fn what_is_larger_than_the_bucket_is_paid_off_later() {
    let now = Instant::now();
    let mut bucket = TokenBucket::new(3, SECOND, now);
    assert_eq!(bucket.take(10, now), Ok(()));
    assert_eq!(bucket.take(1, now), Err(8 * SECOND));
    assert_eq!(bucket.take(10, now + 9 * SECOND), Err(SECOND));
    assert_eq!(bucket.take(10, now + 10 * SECOND), Ok(()));
}

proptest! {
    /// In any time no more is given than a full bucket and what flowed in; and who waits as told gets
    /// what was asked for.
    #[test]
    fn the_rate_holds(
        capacity in 1u32..50,
        refill_ms in 1u64..2_000,
        asks in prop::collection::vec((0u64..3_000, 1u32..60), 1..100),
    ) {
        let start = Instant::now();
        let refill = Duration::from_millis(refill_ms);
        let mut bucket = TokenBucket::new(capacity, refill, start);
        let (mut now, mut given) = (start, 0u128);
        for (pause_ms, tokens) in asks {
            now += Duration::from_millis(pause_ms);
            if let Err(wait) = bucket.take(tokens, now) {
                prop_assert!(wait > Duration::ZERO);
                prop_assert!(bucket.take(tokens, now + wait - Duration::from_nanos(1)).is_err());
                now += wait;
                prop_assert_eq!(bucket.take(tokens, now), Ok(()));
            }
            given += u128::from(tokens);
            let flowed = (now - start).as_nanos() / refill.as_nanos();
            // The last one may go into debt where it is larger than the bucket.
            let debt = u128::from(tokens.saturating_sub(capacity));
            prop_assert!(given <= flowed + u128::from(capacity) + debt);
        }
    }
}
