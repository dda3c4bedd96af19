//! Telemetry that waits in Redis, while Redis is away and while a server hangs.

use crate::server::Redis;
use ringwall_app_guard_layer::sink::GuardEvent;
use ringwall_app_guard_layer::telemetry::{
    BufferFull, OverflowPolicy, Telemetry, TelemetryOptions,
};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// A server that takes connections and never answers.
async fn hanging() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (format!("http://{address}/dialects/guard"), task)
}

/// A server that takes nothing, and says so at once: whoever stops does not wait for it.
async fn refusing() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|| async { http::StatusCode::SERVICE_UNAVAILABLE });
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (format!("http://{address}/dialects/guard"), task)
}

fn options(redis: &Redis, endpoint: &str) -> TelemetryOptions {
    TelemetryOptions {
        spool_redis: Some(redis.settings().url),
        enable_dynamic_rules: false,
        flush_interval: 0.05,
        // An orderly end takes as long as a busy machine makes it take.
        stop_timeout: 30.0,
        ..TelemetryOptions::new(endpoint, "test-key-0123456789")
    }
}

const EVENTS_OWNER: &str = "{ringwall-guard-events}:owner";
const METRICS_OWNER: &str = "{ringwall-guard-metrics}:owner";

/// Waits for a state of which nobody knows when it comes.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exists(redis: &Redis, key: &str) -> bool {
    redis.say::<u32>(&["EXISTS", key]) == 1
}

/// Whether it is open, and not only opened by a call whose answer is still to come: what is open is asked for what
/// waits in it.
fn is_open(redis: &Redis, kind: &str) -> bool {
    let call = ["HGET", &format!("{{ringwall-guard-{kind}}}:state"), "call"];
    redis.say::<Option<u64>>(&call).is_some_and(|call| call >= 2)
}

fn kept_in_redis(redis: &Redis) -> u64 {
    redis.say(&["HLEN", "{ringwall-guard-events}:items"])
}

async fn started(redis: &Redis, endpoint: &str) -> Telemetry {
    let telemetry = Telemetry::start(options(redis, endpoint)).await.unwrap();
    until("both spools are open", || is_open(redis, "events") && is_open(redis, "metrics")).await;
    telemetry
}

/// A restart soon after a kill waited for the lease of the killed process before the application began to serve.
#[tokio::test]
async fn a_lease_that_is_not_over_keeps_nobody_from_starting() {
    let Some(redis) = Redis::start() else { return };
    let (endpoint, server) = refusing().await;
    let killed = started(&redis, &endpoint).await;
    killed.send_event(&GuardEvent::new("ip_banned", "banned", "earlier")).unwrap();
    until("it is kept", || killed.waiting_to_be_kept() == 0).await;
    assert_eq!((killed.stop().await.waiting, killed.status().buffer_size), (1, 1));
    // As a kill leaves it.
    for owner in [EVENTS_OWNER, METRICS_OWNER] {
        redis.say::<()>(&["SET", owner, "killed", "PX", "3600000"]);
    }
    let next = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    assert_eq!(redis.say::<String>(&["GET", EVENTS_OWNER]), "killed", "nobody waited for it");
    next.send_event(&GuardEvent::new("ip_banned", "banned", "at once")).unwrap();
    until("it is taken", || next.waiting_to_be_kept() == 0).await;
    assert_eq!(next.status().buffer_size, 1);
    let is_told = || next.status().errors.iter().any(|error| error.contains("not open"));
    until("that is told", is_told).await;

    redis.say::<()>(&["DEL", EVENTS_OWNER, METRICS_OWNER]);
    until("what was left is there again", || next.status().buffer_size == 2).await;
    assert!(!next.status().errors.iter().any(|error| error.contains("not open")));
    assert_eq!(next.status().dropped, Some(0));
    let stopped = next.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (2, true), "what was in memory, too");
    let last = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    until("both are there", || last.status().buffer_size == 2).await;
    last.stop().await;
    server.abort();
}

#[tokio::test]
async fn a_redis_that_comes_late_keeps_nobody_from_starting() {
    let Some(mut redis) = Redis::start() else { return };
    let (endpoint, server) = refusing().await;
    redis.kill();
    let soon = TelemetryOptions { stop_timeout: 1.0, ..options(&redis, &endpoint) };
    let nothing_came = Telemetry::start(soon.clone()).await.unwrap().stop().await;
    assert_eq!((nothing_came.waiting, nothing_came.are_kept), (0, true), "nothing is lost");
    let telemetry = Telemetry::start(soon).await.unwrap();
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "at once")).unwrap();
    until("it is taken", || telemetry.waiting_to_be_kept() == 0).await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (1, false));

    let telemetry = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "kept")).unwrap();
    redis.restart();
    until("the spool is open", || is_open(&redis, "events")).await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (1, true));
    server.abort();
}

/// What a failing spool did not take was lost, and nobody counted it.
#[tokio::test]
async fn events_wait_while_the_spool_fails_and_are_counted_where_they_are_lost() {
    let Some(mut redis) = Redis::start() else { return };
    let (endpoint, server) = refusing().await;
    let telemetry = started(&redis, &endpoint).await;
    redis.kill();
    for number in 0..100 {
        telemetry.send_event(&GuardEvent::new("ip_banned", "banned", number.to_string())).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(telemetry.waiting_to_be_kept(), 100);
    redis.restart();
    until("all are kept", || {
        telemetry.status().buffer_size == 100 && telemetry.waiting_to_be_kept() == 0
    })
    .await;
    assert_eq!(telemetry.status().dropped, Some(0));
    redis.kill();
    for number in 0..7 {
        telemetry.send_event(&GuardEvent::new("ip_banned", "banned", number.to_string())).unwrap();
    }
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (100, true));
    assert_eq!(telemetry.status().dropped, Some(7));
    server.abort();
}

/// The lease of a process whose server hung kept the next one from starting.
#[tokio::test]
async fn a_stop_gives_the_spool_up_though_the_server_hangs() {
    let Some(redis) = Redis::start() else { return };
    let (endpoint, server) = hanging().await;
    let telemetry = started(&redis, &endpoint).await;
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "waits")).unwrap();
    until("it is kept", || {
        telemetry.status().buffer_size == 1 && telemetry.waiting_to_be_kept() == 0
    })
    .await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (1, true));
    assert!(!exists(&redis, EVENTS_OWNER) && !exists(&redis, METRICS_OWNER));
    let (endpoint, refusing) = refusing().await;
    let next = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    until("it is there again", || next.status().buffer_size == 1).await;
    next.stop().await;
    server.abort();
    refusing.abort();
}

/// Redis counts more for an item than memory does, so that the oldest gave way though nothing may.
#[tokio::test]
async fn nothing_in_redis_gives_way_where_nothing_may() {
    let Some(redis) = Redis::start() else { return };
    let (endpoint, server) = refusing().await;
    let options = TelemetryOptions {
        spool_bytes_max: 256 << 10,
        buffer_overflow_policy: OverflowPolicy::Raise,
        ..options(&redis, &endpoint)
    };
    let earlier = Telemetry::start(options.clone()).await.unwrap();
    until("it is open", || is_open(&redis, "events")).await;
    let event = |number: u64| GuardEvent::new("ip_banned", "banned", number.to_string());
    let mut sent = 0;
    // Until there is no room however long one waits for it.
    loop {
        let before = sent;
        while earlier.send_event(&event(sent)).is_ok() {
            sent += 1;
            assert!(sent < 100_000, "never full");
        }
        if sent == before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(earlier.send_event_or_wait(&event(sent)).await, Err(BufferFull));
    assert_eq!((earlier.status().dropped, earlier.status().buffer_size), (Some(0), sent));
    earlier.stop().await;
    // At the end, what still waited for room displaced others: it was its last chance.
    let lost = earlier.status().dropped;
    let kept = kept_in_redis(&redis);

    // Nor for what waits in the memory of the next process.
    redis.say::<()>(&["SET", EVENTS_OWNER, "killed", "PX", "3600000"]);
    let next = Telemetry::start(options).await.unwrap();
    for number in 0..500 {
        next.send_event(&event(number)).unwrap();
    }
    until("they are in memory", || {
        next.status().buffer_size == 500 && next.waiting_to_be_kept() == 0
    })
    .await;
    redis.say::<()>(&["DEL", EVENTS_OWNER]);
    until("it is open", || next.status().buffer_size == 500 + kept).await;
    assert_eq!(next.status().dropped, lost);
    next.stop().await;
    assert_eq!(next.status().dropped, lost);
    assert!(kept_in_redis(&redis) >= kept);
    server.abort();
}

/// Every call failed until the application was started again.
#[tokio::test]
async fn a_spool_that_is_lost_is_opened_again() {
    let Some(redis) = Redis::start() else { return };
    let (endpoint, server) = refusing().await;
    let telemetry = started(&redis, &endpoint).await;
    let send = |reason: &'static str| {
        telemetry.send_event(&GuardEvent::new("ip_banned", "banned", reason)).unwrap();
    };
    send("lost with Redis");
    until("it is in Redis", || {
        telemetry.status().buffer_size == 1 && telemetry.waiting_to_be_kept() == 0
    })
    .await;
    // As a Redis that comes back without its files.
    redis.say::<()>(&["FLUSHALL"]);
    send("after it");
    until("it is kept, and what was lost is counted", || {
        let status = telemetry.status();
        (status.buffer_size, status.dropped) == (1, Some(1)) && telemetry.waiting_to_be_kept() == 0
    })
    .await;
    until("there is a spool again", || is_open(&redis, "events")).await;

    // Another process takes it over, as it may do with one that was away for long.
    send("kept by the other");
    until("it is in Redis", || kept_in_redis(&redis) > 0).await;
    redis.say::<()>(&["SET", EVENTS_OWNER, "another", "PX", "3600000"]);
    redis.say::<()>(&["HSET", "{ringwall-guard-events}:state", "owner", "another"]);
    send("meanwhile");
    let is_told = || telemetry.status().errors.iter().any(|error| error.contains("not open"));
    until("that is told", is_told).await;
    until("it is kept", || telemetry.waiting_to_be_kept() == 0).await;
    redis.say::<()>(&["DEL", EVENTS_OWNER]);
    until("all of it is there again", || telemetry.status().buffer_size == 3).await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (3, true));
    assert_eq!((kept_in_redis(&redis), telemetry.status().dropped), (3, Some(1)));
    server.abort();
}
