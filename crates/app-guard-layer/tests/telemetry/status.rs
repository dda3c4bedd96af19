//! How the agent says how it is.

use crate::server::{Say, Server, event};
use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
use ringwall_dialects::guard::Status;

#[tokio::test]
async fn the_first_status_comes_soon_and_the_last_one_at_the_end() {
    let server = Server::start().await;
    let options = TelemetryOptions {
        project_encryption_key: Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
        ..server.options()
    };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("one")).unwrap();
    let path = "/api/v1/status";
    server.until("the first status", |server| !server.asked_for(path).is_empty()).await;
    telemetry.stop().await;
    let statuses = server.asked_for(path);
    assert_eq!(statuses.len(), 2);
    // Never encrypted.
    let last = Status::read(&statuses[1].body).unwrap();
    assert_eq!(&*last.status, "healthy");
    assert_eq!((last.events_sent, last.events_failed, last.buffer_size), (1, 0, 0));
    assert_eq!((last.dropped, last.errors.len()), (Some(0), 0));
    assert!(last.uptime > 0.0 && last.last_flush.is_some() && last.timestamp.is_some());
}

#[tokio::test]
async fn an_open_breaker_is_told() {
    let server = Server::start().await;
    server.say_always(Some(Say::new(500, "")));
    let options = TelemetryOptions { breaker_wait: 600.0, stop_timeout: 0.2, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("one")).unwrap();
    server.until("attempts", |server| server.asked_for("/api/v1/events").len() >= 5).await;
    // The count of failures is written down right after the answer.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !telemetry.status().errors.iter().any(|error| error.contains("breaker")) {
        assert!(std::time::Instant::now() < deadline, "{:?}", telemetry.status());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let status = telemetry.status();
    assert_eq!(&*status.status, "degraded");
    let expected = "Transport circuit breaker is open";
    assert!(status.errors.iter().any(|error| **error == *expected), "{status:?}");
    assert_eq!(status.buffer_size, 1);
}

/// Flaw 13: a home folder that cannot be written stopped the agent from being built at all.
#[tokio::test]
async fn flaw_13_an_install_id_that_cannot_be_kept_stops_nothing() {
    let server = Server::start().await;
    let options = TelemetryOptions {
        install_id: None,
        install_id_file: Some("/proc/nowhere/install-id".into()),
        ..server.options()
    };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("one")).unwrap();
    server.until_taken_once(1).await;
    assert_eq!(server.asked()[0].headers["x-agent-install-id"].len(), 36);
}
