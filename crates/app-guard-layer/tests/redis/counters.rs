//! Sliding windows that workers share.

use crate::server::Redis;
use ringwall_app_guard::Network;
use ringwall_app_guard::{CounterKey, CounterKind, Hit, HitResult};
use std::time::Duration;

fn hit(kind: CounterKind, client: &str, limit: u32, seconds: u64) -> Hit {
    let client: Network = client.parse().unwrap();
    let key = CounterKey { kind, client, endpoint: None, detail: None, window_seconds: None };
    Hit { key, limit, window: Duration::from_secs(seconds) }
}

fn at(endpoint: &str, hit: Hit) -> Hit {
    Hit { key: CounterKey { endpoint: Some(endpoint.into()), ..hit.key }, ..hit }
}

/// Flaw 23 of the original: refused requests extend the window, and one timestamp counts once.
#[tokio::test]
async fn workers_share_a_window_that_refusals_do_not_extend() {
    let Some(redis) = Redis::start() else { return };
    let workers = [redis.state(), redis.state()];
    let hit = hit(CounterKind::Rate, "192.0.2.1", 5, 60);
    let asked = (0..20).map(|number| workers[number % 2].hit(&hit));
    let answers = futures_util::future::join_all(asked).await;
    let answers: Vec<HitResult> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.within).count(), 5, "{answers:?}");
    for refused in answers.iter().filter(|answer| !answer.within) {
        assert_eq!(refused.count, 5);
        let seconds = refused.retry_after.as_secs_f64();
        assert!((50.0..=60.0).contains(&seconds), "{seconds}");
    }
    let key = "guard_core:rate_limit:rate:192.0.2.1";
    assert_eq!(redis.say::<u32>(&["ZCARD", key]), 5);
    let ttl: u32 = redis.say(&["TTL", key]);
    assert!((110..=120).contains(&ttl), "twice the window: {ttl}");
}

#[tokio::test]
async fn a_window_slides() {
    let Some(redis) = Redis::start() else { return };
    let state = redis.state();
    let hit = Hit { window: Duration::from_secs(4), ..hit(CounterKind::Rate, "192.0.2.1", 2, 1) };
    assert!(state.hit(&hit).await.unwrap().within);
    assert!(state.hit(&hit).await.unwrap().within);
    let refused = state.hit(&hit).await.unwrap();
    assert!(!refused.within);
    tokio::time::sleep(refused.retry_after + Duration::from_millis(20)).await;
    assert!(state.hit(&hit).await.unwrap().within, "a client that waits gets in again");
}

/// What Python workers counted counts, and they find what we counted.
#[tokio::test]
async fn the_keys_are_those_of_python_workers() {
    let Some(redis) = Redis::start() else { return };
    let state = redis.state();
    let now: Vec<String> = redis.say(&["TIME"]);
    for member in ["a", "b"] {
        let score = format!("{}.5", now[0].parse::<u64>().unwrap() - 1);
        redis.say::<()>(&["ZADD", "guard_core:rate_limit:rate:192.0.2.7", &score, member]);
    }
    let answer = state.hit(&hit(CounterKind::Rate, "192.0.2.7", 3, 60)).await.unwrap();
    assert_eq!((answer.within, answer.count), (true, 3));
    let answer = state.hit(&hit(CounterKind::Rate, "192.0.2.7", 3, 60)).await.unwrap();
    assert!(!answer.within);

    state.hit(&at("/a", hit(CounterKind::Rate, "192.0.2.8", 3, 60))).await.unwrap();
    state.hit(&at("/a", hit(CounterKind::BehaviourUsage, "192.0.2.8", 3, 60))).await.unwrap();
    let mut returns = at("/a", hit(CounterKind::BehaviourReturn, "192.0.2.8", 3, 60));
    returns.key.detail = Some("status:404".into());
    state.hit(&returns).await.unwrap();
    // SHA-256 of `/a`, `192.0.2.8` and `status:404`, by sha256sum.
    let path = "6a50dc8584134c7de537c0052ff6d236bf874355e050c90523e0c5ff2a543a28";
    let address = "40aeedd51e175ff5fb2ea86b222b5e33674e3d65bdd1b4762e88d4100f3b45ba";
    let pattern = "c4a3b17cef32e92bbce11146e8ff9b841378ba417eab26c814248a1f264d6ba1";
    for key in [
        format!("guard_core:rate_limit:rate:192.0.2.8:{path}"),
        format!("guard_core:behavior_usage:behavior:usage:{path}:{address}"),
        format!("guard_core:behavior_returns:behavior:return:{path}:{address}:{pattern}"),
    ] {
        assert_eq!(redis.say::<u32>(&["ZCARD", &key]), 1, "{key}");
    }
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_sent_again() {
    let Some(redis) = Redis::start() else { return };
    let state = redis.state();
    let hit = hit(CounterKind::Rate, "192.0.2.1", 5, 60);
    assert_eq!(state.hit(&hit).await.unwrap().count, 1);
    redis.say::<()>(&["SCRIPT", "FLUSH"]);
    assert_eq!(state.hit(&hit).await.unwrap().count, 2);
}
