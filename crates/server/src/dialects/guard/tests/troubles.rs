//! Signatures, wrong keys, and what is raised.

use super::fixture::{Fixture, batch, event};
use http::StatusCode;
use ringwall_dialects::guard::EncryptionKey;
use ringwall_event::Severity;
use ringwall_signing::Secret;
use serde_json::json;

#[tokio::test]
async fn a_signature_counts_on_either_basis() {
    let fixture = Fixture::with(true).await;
    let secret = fixture.signing_secret();
    let body = |key: &str| batch("b", &[event(Some(key), "ip_blocked", "203.0.113.9")]).to_string();
    let post = |key: &str| fixture.post("/api/v1/events", body(key));
    // 3.1 and later sign the text, 2.5 to 3.0 what goes over the wire.
    assert_eq!(post("a").signed(&secret).gzip().send().await.status, StatusCode::OK);
    assert_eq!(post("b").gzip().signed(&secret).send().await.status, StatusCode::OK);
    assert_eq!(post("c").signed(&secret).send().await.status, StatusCode::OK);
    assert!(fixture.alerts().await.is_empty());
    let other = Secret::from("another secret");
    assert_eq!(post("d").signed(&other).gzip().send().await.status, StatusCode::FORBIDDEN);
    assert_eq!(post("e").send().await.status, StatusCode::FORBIDDEN);
    assert_eq!(fixture.events().await.len(), 3);
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!((alerts[0].finding.kind(), alerts[0].count), ("guard_unreadable", 2));
}

#[tokio::test]
async fn without_the_demand_old_agents_need_not_sign() {
    let fixture = Fixture::new().await;
    let body = batch("b", &[event(Some("a"), "ip_blocked", "203.0.113.9")]).to_string();
    assert_eq!(fixture.post("/api/v1/events", body.clone()).send().await.status, StatusCode::OK);
    // Whoever signs must sign right.
    let wrong = fixture.post("/api/v1/events", body).header("x-payload-signature", "v1=00");
    assert_eq!(wrong.send().await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_batch_under_an_unknown_encryption_key_is_kept_by_its_sender() {
    let fixture = Fixture::new().await;
    let stranger = EncryptionKey::from_bytes([9; 32]);
    let payload = stranger.seal([1; 12], br#"{"events":[],"metrics":[]}"#).unwrap();
    let envelope = json!({ "encrypted_payload": payload, "batch_id": "1" }).to_string();
    for _ in 0..3 {
        let answer = fixture.post("/api/v1/events/encrypted", envelope.clone()).send().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        let wait = answer.headers.get("retry-after").unwrap().to_str().unwrap();
        assert!(wait.parse::<u32>().is_ok(), "{wait}");
    }
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].severity, Severity::High);
    // A project without any key: the same, so that somebody can still give it one.
    let plain = fixture.add_plain("blog").await;
    let answer = fixture
        .post("/api/v1/events/encrypted", envelope)
        .header("x-api-key", std::str::from_utf8(plain.key.expose()).unwrap())
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn attacks_are_folded_by_address_and_category() {
    let fixture = Fixture::new().await;
    let mut events = Vec::new();
    for number in 0..20 {
        let key = |what: &str| format!("{what}-{number}");
        events.push(event(Some(&key("p")), "pattern_detected", "203.0.113.9"));
        let mut verdict = event(Some(&key("v")), "penetration_attempt", "203.0.113.9");
        verdict["metadata"] = json!({});
        events.push(verdict);
        events.push(event(Some(&key("n")), "pattern_anomaly_timeout", "203.0.113.9"));
        events.push(event(Some(&key("h")), "security_headers_applied", ""));
    }
    events.push(event(Some("other"), "penetration_attempt", "203.0.113.10"));
    let mut banned = event(Some("banned"), "ip_banned", "203.0.113.9");
    banned["reason"] = json!("penetration_attempt:sqli");
    events.push(banned);
    let mut by_rule = event(Some("by rule"), "ip_banned", "203.0.113.11");
    by_rule["reason"] = json!("dynamic_rule");
    events.push(by_rule);
    fixture.take(&batch("1", &events)).await;
    let mut found: Vec<(String, u64)> = fixture
        .alerts()
        .await
        .iter()
        .map(|alert| {
            let address = alert.finding.client_address().unwrap_or_default();
            (format!("{} {address}", alert.finding.kind()), alert.count)
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("app_attack 203.0.113.10".to_owned(), 1),
            ("app_attack 203.0.113.9".to_owned(), 40),
            ("app_ban 203.0.113.9".to_owned(), 1),
        ]
    );
}

#[tokio::test]
async fn a_key_on_many_installations_is_raised_once() {
    let fixture = Fixture::new().await;
    for number in 0..8 {
        let id = format!("install-{number}");
        let answer =
            fixture.post("/api/v1/status", "{}").header("x-agent-install-id", &id).send().await;
        assert_eq!(answer.status, StatusCode::OK);
        let expected = usize::from(number >= 5);
        assert_eq!(fixture.alerts().await.len(), expected, "installation {number}");
    }
    let alerts = fixture.alerts().await;
    assert_eq!((alerts[0].finding.kind(), alerts[0].count), ("guard_key_shared", 3));
}
