//! Every answer of the contract's table 1.5, to real requests.

use crate::server::{GOOD, Say, Server, event};
use ringwall_app_guard_layer::telemetry::{OnError, Telemetry, TelemetryOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Flaws 3, 4 and 16: such answers deleted the batch and counted it as sent, or were followed by the
/// next attempt at once.
#[tokio::test]
async fn flaws_3_4_and_16_nothing_but_an_acknowledgement_ends_a_batch() {
    let answers = [
        (200, "{}"),
        (200, ""),
        (200, "<html>"),
        (200, r#"{"success":false}"#),
        (200, r#"{"success":true,"errors":["x"]}"#),
        (202, GOOD),
        (204, ""),
        (207, GOOD),
        (301, ""),
        (304, ""),
        (400, "bad"),
        (401, ""),
        (403, ""),
        (404, ""),
        (405, ""),
        (408, ""),
        (409, ""),
        (410, ""),
        (415, ""),
        (422, ""),
        (426, ""),
        (500, ""),
        (502, ""),
        (503, ""),
    ];
    for (status, body) in answers {
        let server = Server::start().await;
        let said = Say::new(status, body).header("location", "/elsewhere");
        server.say_next([said.clone(), said]);
        let telemetry = Telemetry::start(server.options()).await.unwrap();
        telemetry.send_event(&event("kept")).unwrap();
        server.until_taken_once(1).await;
        let asked = server.asked_for("/api/v1/events");
        assert_eq!(asked.len(), 3, "{status} {body}: two attempts in vain, and the third");
        // The batch keeps its id and its bytes through all attempts.
        assert_eq!(asked[0].body, asked[1].body, "{status} {body}");
        assert_eq!(asked[0].body, asked[2].body, "{status} {body}");
        assert!(telemetry.stop().await.waiting == 0, "{status} {body}");
        assert_eq!(telemetry.status().events_sent, 1, "{status} {body}");
        assert_eq!(telemetry.status().dropped, Some(0), "{status} {body}");
    }
}

#[tokio::test]
async fn accepted_answers_end_a_batch_at_once() {
    for (status, body) in [(200, GOOD), (200, "[]"), (200, "true"), (201, ""), (201, "x")] {
        let server = Server::start().await;
        server.say_always(Some(Say::new(status, body)));
        let telemetry = Telemetry::start(server.options()).await.unwrap();
        telemetry.send_event(&event("once")).unwrap();
        assert_eq!(telemetry.stop().await.waiting, 0);
        assert_eq!(server.asked_for("/api/v1/events").len(), 1, "{status} {body}");
    }
}

/// Flaw 4: no pause at all. Flaw 12: a wrong key was hammered for ever.
#[tokio::test]
async fn flaws_4_and_12_a_server_that_refuses_is_left_alone_for_a_while() {
    for status in [202, 204, 400, 401, 404, 422] {
        let server = Server::start().await;
        server.say_next([Say::new(status, ""), Say::new(status, "")]);
        let options = TelemetryOptions { refusal_wait: 0.2, ..server.options() };
        let telemetry = Telemetry::start(options).await.unwrap();
        telemetry.send_event(&event("patient")).unwrap();
        server.until_taken_once(1).await;
        let asked = server.asked_for("/api/v1/events");
        for pair in asked.windows(2) {
            let pause = pair[1].at - pair[0].at;
            assert!(pause >= Duration::from_millis(195), "{status}: {pause:?}");
        }
    }
}

/// Flaw 12: dates were not understood, and a busy server counted as broken.
#[tokio::test]
async fn flaw_12_retry_after_is_heeded_and_opens_no_breaker() {
    let server = Server::start().await;
    let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let date =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    server.say_next([
        Say::new(429, "").header("retry-after", "1"),
        Say::new(503, "").header("retry-after", &date),
    ]);
    let options = TelemetryOptions { breaker_wait: 600.0, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("busy")).unwrap();
    server.until_taken_once(1).await;
    let asked = server.asked_for("/api/v1/events");
    assert_eq!(asked.len(), 3);
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(1));

    let many: Vec<_> = (0..8).map(|_| Say::new(429, "").header("retry-after", "0")).collect();
    server.say_next(many);
    telemetry.send_event(&event("busy again")).unwrap();
    server.until_taken_once(2).await;
    telemetry.stop().await;
    assert!(telemetry.status().errors.is_empty(), "{:?}", telemetry.status());
}

#[tokio::test]
async fn a_refusal_is_told_once_to_whoever_wants_to_know_and_shows_in_the_status() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(404, "")));
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let on_error = OnError::new(move |stage, error: &str| {
        ear.lock().unwrap().push(format!("{}: {error}", stage.name()));
    });
    let options = TelemetryOptions { on_error: Some(on_error), ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("alarming")).unwrap();
    server.until("some attempts", |server| server.asked_for("/api/v1/events").len() >= 4).await;
    let expected = "the server answers 404 Not Found";
    assert_eq!(*told.lock().unwrap(), [format!("transport_send: {expected}")]);
    let status = telemetry.status();
    assert_eq!(&*status.status, "degraded");
    assert!(status.errors.iter().any(|error| **error == *expected), "{status:?}");
    server.say_always(None);
    server.until_taken_once(1).await;
    assert_eq!(telemetry.stop().await.waiting, 0);
    assert_eq!(&*telemetry.status().status, "healthy");
}

/// Flaw 9: when one half was refused, what was stored came again.
#[tokio::test]
async fn flaw_9_a_batch_that_is_too_large_is_split_and_nothing_comes_twice() {
    let server = Server::start().await;
    server.take_at_most(3);
    let options = TelemetryOptions { buffer_size: 1000, flush_interval: 0.3, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    for number in 0..20 {
        telemetry.send_event(&event(format!("{number}"))).unwrap();
    }
    server.until_taken_once(20).await;
    let ids: Vec<_> = server.taken().iter().map(|batch| batch.batch_id.clone()).collect();
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "each half has an id of its own");
}

/// Flaw 3: such an event was deleted and counted as sent.
#[tokio::test]
async fn flaw_3_an_event_that_alone_is_too_large_is_a_dead_letter_and_counted() {
    let server = Server::start().await;
    server.say_next([Say::new(413, "")]);
    let telemetry = Telemetry::start(server.options()).await.unwrap();
    telemetry.send_event(&event("too large")).unwrap();
    server.until("an attempt", |server| !server.asked_for("/api/v1/events").is_empty()).await;
    telemetry.send_event(&event("small")).unwrap();
    server.until_taken_once(1).await;
    telemetry.stop().await;
    let status = telemetry.status();
    assert_eq!((status.events_sent, status.events_failed, status.dropped), (1, 1, Some(1)));
}
