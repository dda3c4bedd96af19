//! Telemetry that waits in Redis, while Redis is away and while a server hangs.

use crate::server::Redis;
use ringwall_app_guard_layer::sink::GuardEvent;
use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
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

fn options(redis: &Redis, endpoint: &str) -> TelemetryOptions {
    TelemetryOptions {
        spool_redis: Some(redis.settings().url),
        enable_dynamic_rules: false,
        flush_interval: 0.05,
        stop_timeout: 3.0,
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

async fn started(redis: &Redis, endpoint: &str) -> Telemetry {
    let telemetry = Telemetry::start(options(redis, endpoint)).await.unwrap();
    until("both spools are open", || exists(redis, EVENTS_OWNER) && exists(redis, METRICS_OWNER))
        .await;
    // The answer has to arrive as well.
    telemetry
}

/// A restart soon after a kill waited for the lease of the killed process before the application began to serve.
#[tokio::test]
async fn a_lease_that_is_not_over_keeps_nobody_from_starting() {
    let Some(redis) = Redis::start() else { return };
    let (endpoint, server) = hanging().await;
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
    let (endpoint, server) = hanging().await;
    redis.kill();
    let telemetry = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "at once")).unwrap();
    until("it is taken", || telemetry.waiting_to_be_kept() == 0).await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (1, false));

    let telemetry = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "kept")).unwrap();
    redis.restart();
    until("the spool is open", || exists(&redis, EVENTS_OWNER)).await;
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (1, true));
    server.abort();
}

/// What a failing spool did not take was lost, and nobody counted it.
#[tokio::test]
async fn events_wait_while_the_spool_fails_and_are_counted_where_they_are_lost() {
    let Some(mut redis) = Redis::start() else { return };
    let (endpoint, server) = hanging().await;
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
    let next = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    until("it is there again", || next.status().buffer_size == 1).await;
    next.stop().await;
    server.abort();
}
