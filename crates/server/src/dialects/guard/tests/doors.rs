//! Who gets in, under which path, and what everybody else is told.

use super::super::batch_body::{ROOM, UNPACKED_KIBIBYTES_MAX};
use super::fixture::{Fixture, batch, event};
use http::{Method, StatusCode};
use ringwall_dialects::guard::EncryptionKey;
use serde_json::json;

#[tokio::test]
async fn both_headers_and_both_prefixes_lead_in() {
    let fixture = Fixture::new().await;
    let bearer = format!("Bearer {}", fixture.key());
    let key = fixture.keys.encryption_key.clone().unwrap();
    let key = EncryptionKey::parse(std::str::from_utf8(key.expose()).unwrap()).unwrap();
    let payload = key.seal([7; 12], br#"{"events":[],"metrics":[]}"#).unwrap();
    let sealed = json!({ "encrypted_payload": payload, "batch_id": "s" }).to_string();
    for (number, prefix) in ["/api/v1", "/api/v1/api/v1"].into_iter().enumerate() {
        for (header, value) in [("x-api-key", fixture.key()), ("authorization", bearer.clone())] {
            let key = format!("{number}-{header}");
            let one = batch("b", &[event(Some(&key), "ip_blocked", "203.0.113.9")]);
            let path = format!("{prefix}/events");
            let answer = fixture
                .post(&path, one.to_string())
                .without("x-api-key")
                .header(header, &value)
                .header("x-project-id", "shop")
                .send()
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{path} {header}: {}", answer.body);
            // Every version takes exactly this for success.
            assert_eq!(answer.body["success"], json!(true));
            assert_eq!(answer.body["errors"], json!([]));
            assert_eq!(answer.body["accepted"], json!(1));
        }
        for (path, body) in [
            ("status", "{}".to_owned()),
            ("metrics", batch("m", &[]).to_string()),
            ("events/encrypted", sealed.clone()),
        ] {
            let answer = fixture.post(&format!("{prefix}/{path}"), body).send().await;
            assert_eq!(answer.status, StatusCode::OK, "{prefix}/{path}: {}", answer.body);
            assert_eq!(answer.body["success"], json!(true), "{prefix}/{path}");
            assert_eq!(answer.body["errors"], json!([]), "{prefix}/{path}");
        }
        let rules = fixture.get(&format!("{prefix}/rules"), &fixture.key()).await;
        assert_eq!(rules.status, StatusCode::OK, "{prefix}");
        assert!(rules.body["rule_id"].is_string() && rules.body["version"].is_u64());
    }
    assert_eq!(fixture.events().await.len(), 4);
}

/// What a request says beside its key is believed where it can be, and never a reason to lose a batch.
#[tokio::test]
async fn odd_headers_cost_nothing() {
    let fixture = Fixture::new().await;
    let bearer = format!("bearer {}", fixture.key());
    let long = "x".repeat(5000);
    for (number, headers) in [
        vec![("x-api-key", "rwg_old"), ("authorization", bearer.as_str())],
        vec![("x-project-id", "")],
        vec![("x-agent-install-id", long.as_str()), ("user-agent", long.as_str())],
        vec![("x-agent-install-id", "\u{e9} ; '"), ("user-agent", "guard-agent/")],
        vec![("content-type", "text/plain"), ("content-encoding", "identity")],
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("odd-{number}");
        let one = batch("b", &[event(Some(&key), "ip_blocked", "203.0.113.9")]);
        let mut sender = fixture.post("/api/v1/events", one.to_string());
        for (name, value) in headers {
            sender = sender.header(name, value);
        }
        let answer = sender.send().await;
        assert_eq!(answer.status, StatusCode::OK, "{number}: {}", answer.body);
    }
    assert_eq!(fixture.events().await.len(), 5);
    let guards = fixture.server.engine.read(|session| crate::guard::guards_of(session, "shop"));
    let guards = guards.await.unwrap();
    assert!(guards.iter().all(|guard| guard.install_id.is_none()), "{guards:?}");
}

#[tokio::test]
async fn wrong_keys_are_told_so_and_nothing_is_stored() {
    let fixture = Fixture::new().await;
    let other = fixture.add_plain("blog").await;
    let other = String::from_utf8(other.key.expose().to_vec()).unwrap();
    let body = batch("b", &[event(Some("k"), "ip_blocked", "203.0.113.9")]).to_string();
    let send = async |key: &str, project: &str| {
        let answer = fixture
            .post("/api/v1/events", body.clone())
            .header("x-api-key", key)
            .header("x-project-id", project)
            .send()
            .await;
        (answer.status, answer.headers.contains_key("www-authenticate"))
    };
    assert_eq!(send("rwg_nobody", "shop").await, (StatusCode::UNAUTHORIZED, true));
    assert_eq!(send("", "shop").await, (StatusCode::UNAUTHORIZED, true));
    assert_eq!(send(&other, "shop").await, (StatusCode::FORBIDDEN, false));
    assert_eq!(send(&fixture.key(), "blog").await, (StatusCode::FORBIDDEN, false));
    let none = fixture.post("/api/v1/events", body.clone()).without("x-api-key").send().await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert!(fixture.events().await.is_empty());
    assert_eq!(send(&other, "blog").await, (StatusCode::OK, false));
}

#[tokio::test]
async fn other_methods_and_paths_are_plain() {
    let fixture = Fixture::new().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let status = fixture.ask(method.clone(), "/api/v1/events").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(fixture.ask(Method::POST, "/api/v2/events").await, StatusCode::NOT_FOUND);
    assert_eq!(fixture.ask(Method::GET, "/").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_too_much_is_told_so_before_it_is_unpacked_whole() {
    let fixture = Fixture::new().await;
    let bomb = fixture.post("/api/v1/events", vec![b' '; 64 << 20]).gzip().send().await;
    assert_eq!(bomb.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", bomb.body);
    let large = fixture.post("/api/v1/events", vec![b' '; 17 << 20]).send().await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", large.body);
    // Without the key nobody learns what is too large.
    let nobody = fixture.post("/api/v1/events", vec![b' '; 17 << 20]).without("x-api-key");
    assert_eq!(nobody.send().await.status, StatusCode::UNAUTHORIZED);
    let many: Vec<_> = (0..20_001).map(|_| json!(7)).collect();
    let many = fixture.post("/api/v1/events", batch("b", &many).to_string()).send().await;
    assert_eq!(many.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", many.body);
}

/// A packed body of a few kilobytes may become megabytes: where those have no room, the sender keeps what it
/// has, and nobody's memory is filled.
#[tokio::test]
async fn what_has_no_room_to_be_unpacked_comes_later() {
    let fixture = Fixture::new().await;
    let one = batch("b", &[event(Some("k"), "ip_blocked", "203.0.113.9")]);
    let send = || fixture.post("/api/v1/events", one.to_string()).gzip().send();
    let others = u32::try_from(UNPACKED_KIBIBYTES_MAX - 1000).unwrap();
    let held = ROOM.try_acquire_many(others).unwrap();
    let answer = send().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.headers["retry-after"], "1");
    let plain = fixture.post("/api/v1/status", "{}").send().await;
    assert_eq!(plain.status, StatusCode::OK, "small ones find room");
    drop(held);
    assert_eq!(send().await.status, StatusCode::OK);
    let garbage = fixture.post("/api/v1/events", "{").gzip().send().await;
    assert_eq!(garbage.status, StatusCode::BAD_REQUEST);
    assert_eq!(ROOM.available_permits(), UNPACKED_KIBIBYTES_MAX, "all room is given back");
}

/// Whoever has one project's key must leave room for the others.
#[tokio::test]
async fn one_project_takes_no_more_than_its_share() {
    let fixture = Fixture::new().await;
    let other = fixture.add_plain("blog").await;
    let other = String::from_utf8(other.key.expose().to_vec()).unwrap();
    let shop = fixture.server.guard_projects().project("shop").unwrap();
    let status = async |key: &str| {
        let answer = fixture.post("/api/v1/status", "{}").header("x-api-key", key).send().await;
        let wait =
            answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (answer.status, wait)
    };
    let busy = (StatusCode::SERVICE_UNAVAILABLE, Some("1".to_owned()));
    let places: Vec<_> = std::iter::from_fn(|| shop.share().place()).collect();
    assert_eq!(status(&fixture.key()).await, busy);
    assert_eq!(status(&other).await, (StatusCode::OK, None));
    // A wrong key learns nothing of it.
    assert_eq!(status("rwg_nobody").await.0, StatusCode::UNAUTHORIZED);
    drop(places);
    let room = shop.share().room(usize::MAX).unwrap();
    assert_eq!(status(&fixture.key()).await, busy);
    assert_eq!(status(&other).await, (StatusCode::OK, None));
    drop(room);
    assert_eq!(status(&fixture.key()).await, (StatusCode::OK, None));
    assert!(shop.share().room(usize::MAX).is_some(), "all room is given back");
}
