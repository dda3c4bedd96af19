//! Everything is kept until it is acknowledged: through outages, restarts and stops.

use crate::folder::Folder;
use crate::server::{Say, Server, event};
use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
use std::time::{Duration, Instant};

/// Flaw 1: an outage longer than the attempts lost every batch tried in it. Flaw 5: a burst beyond 100
/// was lost.
#[tokio::test]
async fn flaws_1_and_5_an_outage_and_a_burst_cost_nothing() {
    let server = Server::start().await;
    let address = server.address;
    let options = server.options();
    drop(server);
    let telemetry = Telemetry::start(options).await.unwrap();
    for number in 0..1000 {
        telemetry.send_event(&event(format!("{number}"))).unwrap();
    }
    // Several attempts fail meanwhile.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(telemetry.status().buffer_size >= 1000);
    let server = Server::start_at(address).await;
    server.until_taken_once(1000).await;
    assert_eq!(telemetry.status().dropped, Some(0));
}

/// Flaw 2: a stop lost what was in flight, and what an earlier failure had put back.
#[tokio::test]
async fn flaw_2_a_stop_sends_what_waits_even_after_failures() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(500, "")));
    let options =
        TelemetryOptions { breaker_wait: 600.0, flush_interval: 0.02, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("before")).unwrap();
    server.until("the breaker opens", |server| server.asked_for("/api/v1/events").len() >= 5).await;
    telemetry.send_event(&event("after")).unwrap();
    server.say_always(None);
    assert_eq!(telemetry.stop().await.waiting, 0);
    server.until_taken_once(2).await;
}

/// The second one came back at once, and whoever ended the process then lost what the first one was sending.
#[tokio::test]
async fn everybody_who_stops_waits_for_the_end() {
    let server = Server::start().await;
    let options = TelemetryOptions { flush_interval: 3600.0, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("last words")).unwrap();
    let stops = (0..3).map(|_| {
        let telemetry = telemetry.clone();
        tokio::spawn(async move { telemetry.stop().await.waiting })
    });
    for stop in stops.collect::<Vec<_>>() {
        assert_eq!(stop.await.unwrap(), 0);
        assert_eq!(server.reasons().len(), 1);
    }
}

#[tokio::test]
async fn a_stop_ends_in_time_where_nobody_answers() {
    let server = Server::start().await;
    let options = TelemetryOptions { stop_timeout: 0.3, ..server.options() };
    drop(server);
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("lost")).unwrap();
    let began = std::time::Instant::now();
    let stopped = telemetry.stop().await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!((stopped.waiting, stopped.are_kept), (1, false));
    // A second stop finds nothing left to do.
    assert_eq!(telemetry.stop().await, stopped);
}

/// Flaw 10, on the disk: what waits outlives the process, in order, and is sent once.
#[tokio::test]
async fn flaw_10_what_waits_on_the_disk_outlives_the_process() {
    let folder = Folder::new();
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let options =
        || TelemetryOptions { spool_folder: Some(folder.path().join("spool")), ..server.options() };
    let telemetry = Telemetry::start(options()).await.unwrap();
    for number in 0..300 {
        telemetry.send_event(&event(format!("{number:03}"))).unwrap();
    }
    let stopped = telemetry.stop().await;
    assert_eq!((stopped.waiting, stopped.are_kept), (300, true));
    drop(telemetry);
    let keys = |server: &Server| {
        let taken = server.taken().into_iter().flat_map(|batch| batch.events);
        taken.map(|event| event.idempotency_key.unwrap()).collect::<Vec<_>>()
    };
    server.say_always(None);
    let telemetry = Telemetry::start(options()).await.unwrap();
    server.until_taken_once(300).await;
    let reasons: Vec<_> = server
        .taken()
        .into_iter()
        .flat_map(|batch| batch.events)
        .map(|event| event.reason.to_string())
        .collect();
    assert!(reasons.is_sorted(), "in their order");
    assert_eq!(telemetry.stop().await.waiting, 0);
    drop(telemetry);
    let different: std::collections::BTreeSet<_> = keys(&server).into_iter().collect();
    assert_eq!(different.len(), 300);
    let telemetry = Telemetry::start(options()).await.unwrap();
    telemetry.stop().await;
    assert_eq!(keys(&server).len(), 300, "nothing comes again");
}

/// An answer that was lost: the same batch comes again under its id, with the same keys.
#[tokio::test]
async fn a_batch_whose_answer_was_lost_comes_again_with_the_same_keys() {
    let folder = Folder::new();
    let server = Server::start().await;
    let options =
        || TelemetryOptions { spool_folder: Some(folder.path().join("spool")), ..server.options() };
    server.say_always(Some(Say::new(502, "taken, but the proxy lost the answer")));
    let telemetry = Telemetry::start(options()).await.unwrap();
    telemetry.send_event(&event("again")).unwrap();
    server.until("an attempt", |server| !server.asked_for("/api/v1/events").is_empty()).await;
    assert_eq!(telemetry.stop().await.waiting, 1);
    drop(telemetry);
    server.say_always(None);
    let telemetry = Telemetry::start(options()).await.unwrap();
    server.until_taken_once(1).await;
    telemetry.stop().await;
    let asked = server.asked_for("/api/v1/events");
    assert_eq!(asked[0].body, asked[asked.len() - 1].body);
}

/// Flaw 10: a second worker loaded and sent what the first one still held.
#[tokio::test]
async fn flaw_10_two_workers_with_one_folder_do_not_touch_each_others_events() {
    let folder = Folder::new();
    let server = Server::start().await;
    server.say_always(Some(Say::new(503, "")));
    let options =
        || TelemetryOptions { spool_folder: Some(folder.path().join("spool")), ..server.options() };
    let first = Telemetry::start(options()).await.unwrap();
    first.send_event(&event("first")).unwrap();
    let second = Telemetry::start(options()).await.unwrap();
    second.send_event(&event("second")).unwrap();
    server.until("attempts of both", |server| server.asked_for("/api/v1/events").len() >= 4).await;
    server.say_always(None);
    server.until_taken_once(2).await;
    assert_eq!((first.stop().await.waiting, second.stop().await.waiting), (0, 0));
}

/// Flaw 17: two timers and the watermark could flush at once.
#[tokio::test]
async fn flaw_17_there_is_one_flush_of_a_kind_at_a_time() {
    let server = Server::start().await;
    let options = TelemetryOptions { buffer_size: 10, flush_interval: 0.001, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    for number in 0..500 {
        telemetry.send_event(&event(format!("{number:03}"))).unwrap();
        if number % 50 == 0 {
            telemetry.flush();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    server.until_taken_once(500).await;
    let reasons: Vec<_> = server
        .taken()
        .into_iter()
        .flat_map(|batch| batch.events)
        .map(|event| event.reason.to_string())
        .collect();
    assert!(reasons.is_sorted(), "batches that overlap would mix up the order");
}

#[tokio::test]
async fn a_flush_does_not_wait_for_the_interval() {
    let server = Server::start().await;
    let options = TelemetryOptions { flush_interval: 3600.0, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("now")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(server.asked_for("/api/v1/events").is_empty());
    telemetry.flush();
    server.until_taken_once(1).await;
}

/// Flaw 12: waits for the limiter were attempts.
#[tokio::test]
async fn flaw_12_the_limit_of_requests_is_waited_for() {
    let server = Server::start().await;
    // Ten at once, and then one each 6 s.
    let options = TelemetryOptions { requests_per_minute: 10, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    let mut sent = 0;
    let began = Instant::now();
    while server.asked().len() < 10 {
        telemetry.send_event(&event(format!("{sent}"))).unwrap();
        sent += 1;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = server.asked().len() as u64;
    assert!(asked <= 11 + began.elapsed().as_secs() / 6, "{asked}");
    assert!(telemetry.status().errors.is_empty(), "{:?}", telemetry.status());
}
