//! Rules: polled, streamed, and believed only where they are rules.

use crate::server::{Say, Server, rules_message};
use ringwall_app_guard_layer::telemetry::{OnError, Telemetry, TelemetryOptions};
use ringwall_dialects::guard::{DynamicRules, sign};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

type Current = watch::Receiver<Option<Arc<DynamicRules>>>;

fn rules(version: i64, more: &str) -> String {
    format!(r#"{{"rule_id":"shop","version":{version},"ttl":1{more}}}"#)
}

fn options(server: &Server) -> TelemetryOptions {
    TelemetryOptions { enable_dynamic_rules: true, ..server.options() }
}

async fn until_version(current: &mut Current, version: Option<i64>) {
    let wait = current.wait_for(|rules| rules.as_ref().map(|rules| rules.version) == version);
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "version {version:?}");
}

#[tokio::test]
async fn rules_are_polled_where_the_server_does_not_stream() {
    let server = Server::start().await;
    server.set_rules(Say::new(200, &rules(1, "")));
    let telemetry = Telemetry::start(options(&server)).await.unwrap();
    let mut current = telemetry.rules();
    until_version(&mut current, Some(1)).await;
    server.set_rules(Say::new(200, &rules(2, r#","ip_blacklist":["203.0.113.9"]"#)));
    until_version(&mut current, Some(2)).await;
    assert_eq!(current.borrow().as_ref().unwrap().ip_blacklist.len(), 1);
    // Asked for once; the server said that there is none.
    assert_eq!(server.asked_for("/api/v1/rules/stream").len(), 1);
    let asked = &server.asked_for("/api/v1/rules")[0];
    assert_eq!(asked.headers["x-api-key"], "test-key-0123456789");
}

/// Flaw 15: an error with status 200 wiped every protection; an older version passed.
#[tokio::test]
async fn flaw_15_only_newer_rules_change_anything() {
    let server = Server::start().await;
    server.set_rules(Say::new(200, &rules(5, r#","emergency_mode":true"#)));
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let on_error = OnError::new(move |stage, error: &str| {
        ear.lock().unwrap().push(format!("{}: {error}", stage.name()));
    });
    let options = TelemetryOptions { on_error: Some(on_error), ..options(&server) };
    let telemetry = Telemetry::start(options).await.unwrap();
    let mut current = telemetry.rules();
    until_version(&mut current, Some(5)).await;
    let answers = [
        Say::new(200, r#"{"error":"x"}"#),
        Say::new(200, r#"{"success":false}"#),
        Say::new(200, "{}"),
        Say::new(200, ""),
        Say::new(200, "[]"),
        Say::new(200, &rules(4, "")),
        Say::new(200, &rules(5, "")),
        Say::new(200, &rules(6, r#","ip_blacklist":7"#)),
        Say::new(204, ""),
        Say::new(304, ""),
        Say::new(401, ""),
        Say::new(503, ""),
        Say::new(200, &format!(r#"{{"rules":{}}}"#, rules(9, ""))),
    ];
    for answer in answers {
        let before = server.asked_for("/api/v1/rules").len();
        server.set_rules(answer.clone());
        server
            .until("another poll", |server| server.asked_for("/api/v1/rules").len() > before)
            .await;
        let version = current.borrow().as_ref().map(|rules| rules.version);
        assert_eq!(version, Some(5), "{answer:?}");
    }
    server.set_rules(Say::new(200, &rules(6, "")));
    until_version(&mut current, Some(6)).await;
    assert!(!current.borrow().as_ref().unwrap().emergency_mode);
    let told = told.lock().unwrap();
    assert!(
        told.iter().any(|error| error == "rules: not rules: an object without `rule_id`"),
        "{told:?}"
    );
}

/// Flaw 15: rules were signed by nobody.
#[tokio::test]
async fn flaw_15_with_a_secret_only_signed_rules_are_believed() {
    let server = Server::start().await;
    let text = rules(1, "");
    server.set_rules(Say::new(200, &text));
    let options =
        TelemetryOptions { payload_signing_secret: Some("s3cret".into()), ..options(&server) };
    let telemetry = Telemetry::start(options).await.unwrap();
    let mut current = telemetry.rules();
    let polls = |count| move |server: &Server| server.asked_for("/api/v1/rules").len() >= count;
    server.until("a poll", polls(1)).await;
    let wrong = sign(&"another".into(), text.as_bytes());
    server.set_rules(Say::new(200, &text).header("x-payload-signature", &wrong));
    // The poll after the next one has begun after that.
    telemetry.flush();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(current.borrow().is_none());
    let telemetry = {
        telemetry.stop().await;
        let options = TelemetryOptions {
            payload_signing_secret: Some("s3cret".into()),
            ..self::options(&server)
        };
        Telemetry::start(options).await.unwrap()
    };
    current = telemetry.rules();
    server.until("another poll", polls(2)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(current.borrow().is_none(), "signed with another secret");
    telemetry.stop().await;
    let right = sign(&"s3cret".into(), text.as_bytes());
    server.set_rules(Say::new(200, &text).header("x-payload-signature", &right));
    let options = TelemetryOptions {
        payload_signing_secret: Some("s3cret".into()),
        ..self::options(&server)
    };
    let telemetry = Telemetry::start(options).await.unwrap();
    until_version(&mut telemetry.rules(), Some(1)).await;
}

#[tokio::test]
async fn streamed_rules_are_there_at_once_and_the_stream_is_taken_up_again() {
    let server = Server::start().await;
    server.stream_rules(&rules_message(&rules(1, ""), Some("s3cret")));
    let options =
        TelemetryOptions { payload_signing_secret: Some("s3cret".into()), ..options(&server) };
    let telemetry = Telemetry::start(options).await.unwrap();
    let mut current = telemetry.rules();
    until_version(&mut current, Some(1)).await;
    let polls = server.asked_for("/api/v1/rules").len();
    server.say_on_stream(": a comment\n\n");
    server.say_on_stream(&rules_message(&rules(2, ""), Some("wrong")));
    server.say_on_stream(&rules_message(&rules(3, ""), None));
    server.say_on_stream("event: rules\ndata: {\n\n");
    server.say_on_stream("event: other\ndata: {}\n\n");
    server.say_on_stream(&rules_message(&rules(4, ""), Some("s3cret")));
    let seen = current.wait_for(|rules| rules.as_ref().is_some_and(|rules| rules.version > 1));
    assert_eq!(seen.await.unwrap().as_ref().unwrap().version, 4);
    assert_eq!(server.asked_for("/api/v1/rules").len(), polls, "nobody polls beside a stream");
    // The server restarts.
    server.end_streams();
    server.stream_rules(&rules_message(&rules(5, ""), Some("s3cret")));
    until_version(&mut current, Some(5)).await;
}

#[tokio::test]
async fn rules_that_expire_end() {
    let server = Server::start().await;
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(6);
    let expiring = |version| rules(version, &format!(r#","expires_at":"{end}""#));
    server.set_rules(Say::new(200, &expiring(1)));
    let telemetry = Telemetry::start(options(&server)).await.unwrap();
    let mut current = telemetry.rules();
    until_version(&mut current, Some(1)).await;
    until_version(&mut current, None).await;
    // Expired when they arrive: ignored.
    let before = server.asked_for("/api/v1/rules").len();
    server.set_rules(Say::new(200, &expiring(2)));
    telemetry.stop().await;
    let telemetry = Telemetry::start(options(&server)).await.unwrap();
    server.until("another poll", |server| server.asked_for("/api/v1/rules").len() > before).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(telemetry.rules().borrow().is_none());
}
