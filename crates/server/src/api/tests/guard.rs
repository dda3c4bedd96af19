//! Projects of application guards.

use super::fixture::Fixture;
use crate::dialects;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use ringwall_access::Role;
use serde_json::json;
use std::sync::Arc;
use tower::ServiceExt;

#[tokio::test]
async fn a_project_is_added_rotated_and_removed() {
    let fixture = Fixture::new().await;
    let added = fixture.post("/api/v1/guard/projects", json!({ "name": "shop" })).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let first = added.json();
    let key = first["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("rwg_") && key.len() >= 40);
    // 32 bytes as padded base64: agents before 3.2 want the padding.
    let encryption_key = first["encryption_key"].as_str().unwrap();
    assert!(encryption_key.len() == 44 && encryption_key.ends_with('='), "{encryption_key}");
    assert!(first["signing_secret"].as_str().unwrap().len() >= 32);
    assert_eq!(first.as_object().unwrap().len(), 4);

    let again = fixture.post("/api/v1/guard/projects", json!({ "name": "shop" })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let row = fixture.get("/api/v1/guard/projects/shop").await;
    assert_eq!((&row["encrypted"], &row["signed"]), (&json!(true), &json!(true)));
    assert_eq!(row["previous_until"], json!(null));
    let text = row.to_string();
    for secret in [&key, encryption_key] {
        assert!(!text.contains(secret));
    }

    let now = fixture.server.now();
    let of_key = |key: &str| {
        let project = fixture.server.guard_projects().of_key(key.as_bytes(), now);
        project.map(|project| project.name.to_string())
    };
    assert_eq!(of_key(&key).as_deref(), Some("shop"));
    assert_eq!(of_key("rwg_"), None);
    let rotated = fixture.post("/api/v1/guard/projects/shop/rotate", json!({})).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    let second = rotated.json()["key"].as_str().unwrap().to_owned();
    assert_ne!(second, key);
    assert!(of_key(&key).is_some() && of_key(&second).is_some(), "both are good for the grace");
    let at_once = json!({ "grace_seconds": 0 });
    let rotated = fixture.post("/api/v1/guard/projects/shop/rotate", at_once).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.text);
    assert!(of_key(&key).is_none() && of_key(&second).is_none());

    let removed = fixture
        .ask(Method::DELETE, "/api/v1/guard/projects/shop")
        .token(&fixture.admin)
        .send()
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    assert_eq!(of_key(rotated.json()["key"].as_str().unwrap()), None);
    let audit = fixture.get("/api/v1/audit").await;
    let actions: Vec<&str> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .filter(|action| action.contains("guard"))
        .collect();
    let rotated = "rotate_guard_project";
    assert_eq!(actions, ["remove_guard_project", rotated, rotated, "add_guard_project"]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let fixture = Fixture::new().await;
    for body in [
        json!({ "name": "a b" }),
        json!({ "name": "" }),
        json!({ "name": "shop", "signing": false, "require_signature": true }),
        json!({ "name": "shop", "key": "mine" }),
    ] {
        let answer = fixture.post("/api/v1/guard/projects", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text);
    }
    let plain = json!({ "name": "shop", "signing": false, "encryption": false });
    let plain = fixture.post("/api/v1/guard/projects", plain).await.json();
    assert_eq!(plain["signing_secret"], json!(null));
    assert_eq!(plain["encryption_key"], json!(null));
    let long = json!({ "grace_seconds": 604_801 });
    let answer = fixture.post("/api/v1/guard/projects/shop/rotate", long).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    for (role, expected) in [
        (Role::ReadOnly, StatusCode::FORBIDDEN),
        (Role::Responder, StatusCode::FORBIDDEN),
        (Role::Admin, StatusCode::CREATED),
    ] {
        let token = fixture.token(role).await;
        let sender = fixture.ask(Method::POST, "/api/v1/guard/projects").token(&token);
        let answer = sender.json(&json!({ "name": role.name() })).send().await;
        assert_eq!(answer.status, expected, "{role}: {}", answer.text);
        let list = fixture.ask(Method::GET, "/api/v1/guard/projects").token(&token).send().await;
        assert_eq!(list.status, StatusCode::OK, "{role}");
    }
}

/// A guard that reports no `block_rate` still has what it blocked counted by the minute.
#[tokio::test]
async fn what_was_blocked_is_counted_by_the_minute() {
    let fixture = Fixture::new().await;
    let added = fixture.post("/api/v1/guard/projects", json!({ "name": "shop" })).await.json();
    let now = fixture.server.now();
    let event = |key: &str, seconds: i64, event_type: &str, action: &str| {
        json!({
            "idempotency_key": key, "timestamp": now.plus_seconds(seconds).to_string(),
            "event_type": event_type, "action_taken": action, "ip_address": "203.0.113.9",
            "handler_name": "middleware", "reason": "because",
        })
    };
    let events = [
        event("a", 0, "ip_blocked", "request_blocked"),
        event("b", -7200, "ip_blocked", "request_blocked"),
        event("c", -7200, "penetration_attempt", "banned"),
        event("d", -7200, "ip_banned", "banned"),
        event("e", -7200, "user_agent_blocked", "logged_only"),
    ];
    let guard = dialects::guard::router(Arc::clone(&fixture.server));
    // Sent twice, counted once.
    for batch in ["1", "2"] {
        let body = json!({ "batch_id": batch, "events": events, "metrics": [] }).to_string();
        let request = Request::post("/api/v1/events")
            .header("x-api-key", added["key"].as_str().unwrap())
            .body(Body::from(body))
            .unwrap();
        assert_eq!(guard.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);
    }
    let points = async |metric: &str| -> Vec<(u64, u64)> {
        let path = format!("/api/v1/guard/metrics?project=shop&metric={metric}&step_seconds=60");
        let answer = fixture.get(&path).await;
        assert_eq!((&answer["metric"], &answer["step_seconds"]), (&json!(metric), &json!(60)));
        let point = |point: &serde_json::Value| {
            (point["count"].as_u64().unwrap(), point["sum"].as_f64().unwrap() as u64)
        };
        answer["points"].as_array().unwrap().iter().map(point).collect()
    };
    assert_eq!(points("blocked").await, [(2, 2), (1, 1)]);
    assert_eq!(points("events").await, [(4, 4), (1, 1)]);
    assert_eq!(points("block_rate").await, []);
    let row = fixture.get("/api/v1/guard/projects/shop").await;
    assert_eq!((&row["events_24h"], &row["blocked_24h"]), (&json!(5), &json!(3)));
    for metric in ["@blocked", "", "made_up"] {
        let path = format!("/api/v1/guard/metrics?project=shop&metric={metric}");
        let answer = fixture.ask(Method::GET, &path).token(&fixture.admin).send().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{metric}");
    }
}

#[tokio::test]
async fn what_is_not_signed_can_be_refused_later() {
    let fixture = Fixture::new().await;
    let added = fixture.post("/api/v1/guard/projects", json!({ "name": "shop" })).await.json();
    let unsigned = json!({ "name": "blog", "signing": false });
    fixture.post("/api/v1/guard/projects", unsigned).await;
    let change = async |project: &str, body: serde_json::Value, token: &str| {
        let path = format!("/api/v1/guard/projects/{project}");
        fixture.ask(Method::PATCH, &path).token(token).json(&body).send().await
    };
    let guard = dialects::guard::router(Arc::clone(&fixture.server));
    let report = async |key: &serde_json::Value| {
        let request = Request::post("/api/v1/status").header("x-api-key", key.as_str().unwrap());
        guard.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap().status()
    };
    assert_eq!(report(&added["key"]).await, StatusCode::OK);
    let admin = fixture.admin.clone();
    let on = json!({ "require_signature": true });
    let changed = change("shop", on.clone(), &admin).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json()["require_signature"], json!(true));
    assert_eq!(report(&added["key"]).await, StatusCode::FORBIDDEN);
    // What is not named stays as it is, also over a rotation, and the key of before stays good.
    assert_eq!(change("shop", json!({}), &admin).await.json()["require_signature"], json!(true));
    fixture.post("/api/v1/guard/projects/shop/rotate", json!({})).await;
    assert_eq!(report(&added["key"]).await, StatusCode::FORBIDDEN);
    let off = change("shop", json!({ "require_signature": false }), &admin).await;
    assert_eq!(off.json()["require_signature"], json!(false));
    assert_eq!(report(&added["key"]).await, StatusCode::OK);

    let without_secret = change("blog", on.clone(), &admin).await;
    assert_eq!(without_secret.status, StatusCode::BAD_REQUEST, "{}", without_secret.text);
    assert_eq!(change("nobody", on.clone(), &admin).await.status, StatusCode::NOT_FOUND);
    let unknown = change("shop", json!({ "signed": false }), &admin).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{}", unknown.text);
    let responder = fixture.token(Role::Responder).await;
    assert_eq!(change("shop", on, &responder).await.status, StatusCode::FORBIDDEN);
    let audit = fixture.get("/api/v1/audit").await;
    let entries: Vec<(&str, &str)> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"] == "change_guard_project")
        .map(|row| (row["outcome"].as_str().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    let (refused, permitted) = entries.split_first().unwrap();
    assert_eq!(refused.0, "refused", "{entries:?}");
    assert_eq!(
        permitted,
        [
            ("permitted", "what is not signed is taken from now on"),
            ("permitted", "nothing is changed"),
            ("permitted", "what is not signed is refused from now on"),
        ]
    );
}
