//! Keys and secrets that change, and those that cannot be opened.

use super::fixture::{Fixture, batch, event};
use crate::guard::{Project, ProjectKeys};
use crate::secrets::Secrets;
use http::{Method, StatusCode};
use ringwall_dialects::guard::EncryptionKey;
use ringwall_signing::Secret;
use serde_json::json;
use std::sync::Arc;

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

async fn rotate(fixture: &Fixture, grace_seconds: i64) -> ProjectKeys {
    let server = Arc::clone(&fixture.server);
    let rotated = fixture.server.engine.write(move |writing| {
        let mut stored = writing.stored_guard_project("shop")?.unwrap();
        let until = writing.now.plus_seconds(grace_seconds);
        let keys = stored.rotate(&server.secrets, writing.now, until).unwrap();
        writing.put_guard_project(Project::open(&server.secrets, "shop", stored))?;
        Ok(keys)
    });
    rotated.await.unwrap()
}

/// What a signed report is answered, in the clear and encrypted.
async fn report(fixture: &Fixture, keys: &ProjectKeys, name: &str) -> (StatusCode, StatusCode) {
    let (key, secret) = (text(&keys.key), keys.signing_secret.clone().unwrap());
    let one = batch(name, &[event(Some(name), "ip_blocked", "203.0.113.9")]).to_string();
    let clear = fixture.post("/api/v1/events", one).header("x-api-key", &key).signed(&secret);
    let encryption = text(keys.encryption_key.as_ref().unwrap());
    let encryption = EncryptionKey::parse(&encryption).unwrap();
    let payload = encryption.seal([3; 12], br#"{"events":[],"metrics":[]}"#).unwrap();
    let envelope = json!({ "encrypted_payload": payload, "batch_id": name }).to_string();
    let sealed = fixture
        .post("/api/v1/events/encrypted", envelope)
        .header("x-api-key", &key)
        .signed(&secret);
    (clear.send().await.status, sealed.send().await.status)
}

#[tokio::test]
async fn what_was_before_a_rotation_is_good_for_the_grace() {
    let fixture = Fixture::with(true).await;
    let ok = (StatusCode::OK, StatusCode::OK);
    assert_eq!(report(&fixture, &fixture.keys, "a").await, ok);
    let second = rotate(&fixture, 3600).await;
    assert_eq!(report(&fixture, &fixture.keys, "b").await, ok);
    assert_eq!(report(&fixture, &second, "c").await, ok);
    // One from before the rotation before is void, and so are all where there is no grace.
    let third = rotate(&fixture, 3600).await;
    let void = (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED);
    assert_eq!(report(&fixture, &fixture.keys, "d").await, void);
    assert_eq!(report(&fixture, &second, "e").await, ok);
    let fourth = rotate(&fixture, 0).await;
    assert_eq!(report(&fixture, &third, "f").await, void);
    assert_eq!(report(&fixture, &fourth, "g").await, ok);
    assert_eq!(fixture.events().await.len(), 5);
}

/// Not 404, not 422: newer agents throw away what is answered so (guard contract, section 1.5).
#[tokio::test]
async fn a_project_whose_secrets_cannot_be_opened_is_kept_waiting() {
    let fixture = Fixture::new().await;
    let folder = std::env::temp_dir().join(format!("ringwall-guard-lost-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let lost = Secrets::load(&folder.join("master.key")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let closed = fixture.server.engine.write(move |writing| {
        let stored = writing.stored_guard_project("shop")?.unwrap();
        writing.put_guard_project(Project::open(&lost, "shop", stored))
    });
    closed.await.unwrap();
    for path in ["/api/v1/events", "/api/v1/metrics", "/api/v1/events/encrypted", "/api/v1/status"]
    {
        let answer = fixture.post(path, "{}").send().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.body);
        assert_eq!(answer.headers["retry-after"], "30", "{path}");
    }
    let rules = fixture.get("/api/v1/rules", &fixture.key()).await;
    assert_eq!(rules.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(rules.headers.contains_key("retry-after") && rules.body.is_null(), "{}", rules.body);
    assert_eq!(fixture.ask(Method::GET, "/api/v1/rules").await, StatusCode::UNAUTHORIZED);
}
