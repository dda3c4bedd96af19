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

/// What a failing spool did not take was lost, and nobody counted it.
#[tokio::test]
async fn events_wait_while_the_spool_fails_and_are_counted_where_they_are_lost() {
    let Some(mut redis) = Redis::start() else { return };
    let (endpoint, server) = hanging().await;
    let telemetry = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    redis.kill();
    for number in 0..100 {
        telemetry.send_event(&GuardEvent::new("ip_banned", "banned", number.to_string())).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(telemetry.waiting_to_be_kept(), 100);
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(30);
    while telemetry.status().buffer_size < 100 || telemetry.waiting_to_be_kept() > 0 {
        assert!(Instant::now() < deadline, "{:?}", telemetry.status());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    let telemetry = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    telemetry.send_event(&GuardEvent::new("ip_banned", "banned", "waits")).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    assert_eq!(telemetry.stop().await.waiting, 1);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let began = Instant::now();
    let next = Telemetry::start(options(&redis, &endpoint)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "it waited out the lease");
    assert_eq!(next.status().buffer_size, 1);
    next.stop().await;
    server.abort();
}
