//! What leaves: headers, packing, signatures, encryption, redaction, metrics.

use crate::server::{Server, event};
use ringwall_app_guard_layer::sink::{EventSink, ExchangeMetrics};
use ringwall_app_guard_layer::telemetry::{StartError, Telemetry, TelemetryOptions};
use ringwall_dialects::guard::{EncryptionKey, Envelope, KNOWN_METRIC_TYPES, verify};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::test]
async fn requests_have_the_3_x_form() {
    let server = Server::start().await;
    let options = TelemetryOptions { guard_version: Some("1.2.3".into()), ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    for number in 0..50 {
        telemetry.send_event(&event(format!("{number}"))).unwrap();
    }
    server.until_taken_once(50).await;
    let asked = &server.asked_for("/api/v1/events")[0];
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(asked.method, http::Method::POST);
    assert_eq!(header("x-api-key"), Some("test-key-0123456789"));
    assert_eq!(header("authorization"), None);
    assert_eq!(header("x-project-id"), Some("shop"));
    assert_eq!(header("x-agent-install-id"), Some("4b1c8a4e-6f0b-4c6c-9a53-0d5f3a2b1c00"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("content-encoding"), Some("gzip"));
    assert_eq!(header("x-payload-signature"), None);
    assert!(header("user-agent").unwrap().starts_with("ringwall-guard/"));
    assert!(asked.packed.len() * 4 < asked.body.len(), "packed");

    let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["project_id"], "shop");
    assert_eq!(body["metrics"], json!([]));
    assert_eq!(body["compressed"], false);
    assert_eq!(body["guard_version"], "1.2.3");
    let id = body["batch_id"].as_str().unwrap();
    let (millis, digits) = id.split_once('-').unwrap();
    assert!(millis.parse::<u64>().is_ok() && digits.len() == 8, "{id}");
    let event = &body["events"][0];
    assert_eq!(event["timestamp"].as_str().unwrap().as_bytes()[10], b' ');
    assert_eq!(event["idempotency_key"].as_str().unwrap().len(), 36);
    assert_eq!(event["action_taken"], "banned");
}

#[tokio::test]
async fn small_bodies_and_those_of_whoever_wants_it_so_are_not_packed() {
    for (threshold, enabled) in [(1 << 20, true), (0, false)] {
        let server = Server::start().await;
        let options = TelemetryOptions {
            compression_threshold: threshold,
            compression_enabled: enabled,
            ..server.options()
        };
        let telemetry = Telemetry::start(options).await.unwrap();
        (0..50).for_each(|number| telemetry.send_event(&event(format!("{number}"))).unwrap());
        server.until_taken_once(50).await;
        assert!(server.asked().iter().all(|asked| !asked.headers.contains_key("content-encoding")));
    }
}

#[tokio::test]
async fn what_is_signed_is_the_json_as_it_is_before_packing() {
    let server = Server::start().await;
    let options =
        TelemetryOptions { payload_signing_secret: Some("s3cret".into()), ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    (0..50).for_each(|number| telemetry.send_event(&event(format!("{number}"))).unwrap());
    server.until_taken_once(50).await;
    telemetry.stop().await;
    for asked in server.asked() {
        let header = asked.headers["x-payload-signature"].to_str().unwrap();
        assert!(verify(&"s3cret".into(), &asked.body, header), "{}", asked.path);
    }
    assert!(server.asked().iter().any(|asked| asked.path == "/api/v1/status"));
}

#[tokio::test]
async fn with_a_key_everything_but_the_status_is_encrypted() {
    let server = Server::start().await;
    let options = TelemetryOptions { project_encryption_key: Some(KEY.into()), ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("hidden")).unwrap();
    telemetry.metrics(&exchange());
    let path = "/api/v1/events/encrypted";
    server.until("both kinds", |server| server.asked_for(path).len() >= 2).await;
    telemetry.stop().await;
    let key = EncryptionKey::parse(KEY).unwrap();
    let (mut events, mut metrics, mut payloads) = (0, 0, BTreeSet::new());
    for asked in server.asked_for(path) {
        assert!(!String::from_utf8_lossy(&asked.body).contains("hidden"));
        let envelope = Envelope::read(&asked.body).unwrap();
        payloads.insert(envelope.encrypted_payload.to_string());
        assert!(envelope.batch_id.is_some() && envelope.agent_version.is_some());
        let plaintext = key.open(&envelope.encrypted_payload).unwrap();
        let plaintext = String::from_utf8(plaintext).unwrap();
        let batch = envelope.open(&key).unwrap();
        if !batch.events.is_empty() {
            assert!(plaintext.contains("T") && batch.metrics.is_empty());
        }
        events += batch.events.len();
        metrics += batch.metrics.len();
    }
    assert_eq!((events, payloads.len()), (1, server.asked_for(path).len()));
    assert!(metrics >= 7, "{metrics}");
    let known = [path, "/api/v1/status"];
    assert!(server.asked().iter().all(|asked| known.contains(&asked.path.as_str())));
}

/// Flaw 14: a bad key meant plaintext.
#[tokio::test]
async fn flaw_14_a_bad_key_refuses_the_start() {
    let server = Server::start().await;
    let options =
        TelemetryOptions { project_encryption_key: Some("not a key".into()), ..server.options() };
    let started = Telemetry::start(options).await;
    assert!(matches!(started, Err(StartError::Option(_))), "{started:?}");
    assert!(server.asked().is_empty());
}

/// Flaw 11: user agent, reason, query, header lists and free text left in clear, and whole.
#[tokio::test]
async fn flaw_11_no_secret_leaves_in_any_field() {
    let server = Server::start().await;
    let telemetry = Telemetry::start(server.options()).await.unwrap();
    let mut event = event("refused Bearer HUSHHUSH123 and more");
    event.user_agent = Some("curl password=HUSH".into());
    event.endpoint = Some("/pay?access_token=HUSH&card=4111111111111111&page=2".into());
    event.pattern_matched = Some("eyJhbGciOiJIUzI1NiJ9.eyJIVVNIIjoiSFVTSCJ9.SFVTSA".into());
    let metadata = json!({
        "headers": [["Cookie", "HUSH"], {"name": "X-Auth-Token", "value": "HUSH"}],
        "set-cookie": "sid=HUSH",
        "body": "{\"password\":\"HUSH\"}",
        "note": "x".repeat(20_000),
    });
    event.metadata = metadata.as_object().unwrap().clone();
    telemetry.send_event(&event).unwrap();
    server.until("it is taken", |server| !server.taken().is_empty()).await;
    let body = String::from_utf8_lossy(&server.asked_for("/api/v1/events")[0].body).into_owned();
    assert!(!body.contains("HUSH") && !body.contains("4111") && !body.contains("eyJ"), "{body}");
    assert!(body.contains("page=2") && body.contains("[TRUNCATED]"), "{body}");
    assert!(body.len() < 4000, "{} bytes", body.len());
}

/// The documents of the original promise seven metrics; it sends three.
#[tokio::test]
async fn all_seven_metrics_are_sent_once_an_interval() {
    let server = Server::start().await;
    let options = TelemetryOptions { flush_interval: 0.1, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    for _ in 0..100 {
        telemetry.metrics(&exchange());
    }
    server.until("metrics", |server| !server.asked_for("/api/v1/metrics").is_empty()).await;
    let batch = &server.taken()[0];
    let kinds: BTreeSet<_> = batch.metrics.iter().map(|metric| &*metric.metric_type).collect();
    assert_eq!(kinds, KNOWN_METRIC_TYPES.into_iter().collect());
    assert_eq!(batch.metrics.len(), 7, "sums, not single values");
    let count = batch.metrics.iter().find(|metric| &*metric.metric_type == "request_count");
    assert_eq!(count.unwrap().value, 100.0);
    assert!(batch.events.is_empty());
}

/// Flaw 7: `NaN` went out, which is not JSON.
#[tokio::test]
async fn flaw_7_what_is_no_number_is_not_sent() {
    let server = Server::start().await;
    let telemetry = Telemetry::start(server.options()).await.unwrap();
    telemetry.metrics(&ExchangeMetrics { threat: f32::NAN, ..exchange() });
    server.until("metrics", |server| !server.asked_for("/api/v1/metrics").is_empty()).await;
    let body = &server.asked_for("/api/v1/metrics")[0].body;
    assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok());
    assert!(server.taken()[0].left_out.is_empty());
}

#[tokio::test]
async fn kinds_that_are_switched_off_are_not_sent() {
    let server = Server::start().await;
    let options =
        TelemetryOptions { enable_events: false, enable_metrics: false, ..server.options() };
    let telemetry = Telemetry::start(options).await.unwrap();
    telemetry.send_event(&event("unwanted")).unwrap();
    telemetry.metrics(&exchange());
    assert_eq!(telemetry.stop().await.waiting, 0);
    assert!(server.taken().is_empty());
}

fn exchange() -> ExchangeMetrics<'static> {
    ExchangeMetrics {
        endpoint: "/items/{id}",
        method: "GET",
        status: 200,
        duration: Duration::from_millis(3),
        request_bytes: 10,
        response_bytes: 100,
        was_blocked: false,
        threat: 0.1,
        cache_lookups: 1,
        cache_hits: 1,
    }
}
