//! What happens where there is no room.

use crate::server::{Say, Server, event};
use ringwall_app_guard_layer::telemetry::{
    BufferFull, OverflowPolicy, Telemetry, TelemetryOptions,
};
use ringwall_dialects::guard::Status;

const BYTES_MAX: u64 = 256 << 10;

fn options(server: &Server, policy: OverflowPolicy) -> TelemetryOptions {
    TelemetryOptions {
        spool_bytes_max: BYTES_MAX,
        buffer_overflow_policy: policy,
        stop_timeout: 0.2,
        ..server.options()
    }
}

/// Flaw 5: drops were told to nobody.
#[tokio::test]
async fn flaw_5_what_is_dropped_is_counted_and_told_with_the_next_status() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let options = TelemetryOptions { stop_timeout: 30.0, ..options(&server, OverflowPolicy::Drop) };
    let telemetry = Telemetry::start(options).await.unwrap();
    for number in 0..10_000 {
        telemetry.send_event(&event(format!("{number:05}"))).unwrap();
        if number % 500 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }
    server.say_always(None);
    let stopped = telemetry.stop().await;
    let asked = server.asked_for("/api/v1/status");
    let status = Status::read(&asked[asked.len() - 1].body).unwrap();
    let dropped = status.dropped.unwrap();
    assert!(dropped > 5000, "{status:?}");
    let taken = server.reasons().len() as u64;
    assert_eq!(taken + dropped + stopped.waiting, 10_000, "every event is accounted for");
    if stopped.waiting == 0 {
        let reasons = server.reasons();
        assert_eq!(reasons.keys().next_back().unwrap(), "09999", "the oldest made way");
    }
}

/// Flaw 8: `raise` never reached the caller.
#[tokio::test]
async fn flaw_8_raise_reaches_the_caller() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let telemetry = Telemetry::start(options(&server, OverflowPolicy::Raise)).await.unwrap();
    let mut sent = 0;
    // Bursts, until there is no room however long one waits for it.
    loop {
        let before = sent;
        while telemetry.send_event(&event(format!("{sent}"))).is_ok() {
            sent += 1;
            assert!(sent < 100_000, "never full");
        }
        if sent == before {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(telemetry.send_event_or_wait(&event("x")).await, Err(BufferFull));
    server.say_always(None);
    server.until_taken_once(sent).await;
    assert_eq!(telemetry.status().dropped, Some(0));
}

#[tokio::test]
async fn block_waits_for_room_and_loses_nothing() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let telemetry = Telemetry::start(options(&server, OverflowPolicy::Block)).await.unwrap();
    let sender = telemetry.clone();
    let sending = tokio::spawn(async move {
        for number in 0..15_000 {
            sender.send_event_or_wait(&event(format!("{number}"))).await.unwrap();
        }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!sending.is_finished());
    server.say_always(None);
    sending.await.unwrap();
    server.until_taken_once(15_000).await;
    assert_eq!(telemetry.status().dropped, Some(0));
}

/// Whoever waited for room waited for ever once telemetry had ended, and so did a request behind it.
#[tokio::test]
async fn nobody_waits_for_room_that_no_longer_comes() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let telemetry = Telemetry::start(options(&server, OverflowPolicy::Block)).await.unwrap();
    let sender = telemetry.clone();
    let sending = tokio::spawn(async move {
        let mut sent = 0_u64;
        while sender.send_event_or_wait(&event(format!("{sent}"))).await.is_ok() {
            sent += 1;
        }
        sent
    });
    while telemetry.send_event(&event("x")).is_ok() {
        tokio::task::yield_now().await;
    }
    telemetry.stop().await;
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), sending).await;
    assert!(waited.expect("it waits for ever").unwrap() > 0);
    assert_eq!(telemetry.send_event_or_wait(&event("late")).await, Err(BufferFull));
}

/// They counted as waiting, for nobody.
#[tokio::test]
async fn what_comes_after_the_end_is_counted_as_lost() {
    let server = Server::start().await;
    let telemetry = Telemetry::start(options(&server, OverflowPolicy::Drop)).await.unwrap();
    telemetry.stop().await;
    telemetry.send_event(&event("late")).unwrap();
    let status = telemetry.status();
    assert_eq!((status.dropped, status.buffer_size), (Some(1), 0));
}
