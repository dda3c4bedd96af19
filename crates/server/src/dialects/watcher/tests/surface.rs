use super::fixture::{Fixture, send};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use serde_json::json;
use std::net::SocketAddr;

#[tokio::test]
async fn root_health_and_documents() {
    let fixture = Fixture::new();
    let root = fixture.get("/").await.ok();
    assert_eq!(root["name"], "AI-Eye Watcher Central Server");
    assert_eq!((&root["version"], &root["status"]), (&json!("1.0.0"), &json!("running")));
    for (_, path) in root["endpoints"].as_object().unwrap() {
        let path = path.as_str().unwrap();
        let query = if path.ends_with("commands") { "?host=x" } else { "" };
        assert_eq!(fixture.get(&format!("{path}{query}")).await.status, 200, "{path}");
    }
    let health = fixture.get("/health").await.ok();
    assert_eq!((&health["status"], &health["version"]), (&json!("healthy"), &json!("1.0.0")));
    assert!(health["timestamp"].is_string());
    for path in ["/docs", "/redoc"] {
        let page = fixture.get(path).await;
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.text.contains("/api/v1/collect"));
    }
}

/// Nothing is described that is not there, and nothing is there that is not described.
#[tokio::test]
async fn the_description_and_the_routes_agree() {
    let fixture = Fixture::new();
    let openapi = fixture.get("/openapi.json").await.ok();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let is_described = operations.get(method.as_str().to_lowercase()).is_some();
            let answer = fixture.ask(method.clone(), path).await;
            assert_eq!(answer.status != 405, is_described, "{method} {path}: {}", answer.status);
            assert_ne!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_the_framework_does() {
    let fixture = Fixture::new();
    for path in ["/nothing", "/nothing/", "/api/v1", "/api/v1/", "/api/v1/events/x", "//evil/"] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, &*answer.text), (404, r#"{"detail":"Not Found"}"#), "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for (method, path) in [(Method::GET, "/api/v1/collect"), (Method::POST, "/api/v1/alerts")] {
        let answer = fixture.ask(method, path).await;
        assert_eq!((answer.status, &*answer.text), (405, r#"{"detail":"Method Not Allowed"}"#));
    }
    let answer = fixture.get("/api/v1/events/?limit=3").await;
    assert_eq!((answer.status, answer.header("location")), (307, "../events?limit=3"));
}

#[tokio::test]
async fn the_same_stands_under_a_prefix() {
    let fixture = Fixture::new();
    let main = Router::new().nest_service("/dialects/watcher", fixture.router.clone());
    let get = async |path: &str| {
        let peer: SocketAddr = ([127, 0, 0, 1], 50_000).into();
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        send(main.clone(), request).await
    };
    let openapi = get("/dialects/watcher/openapi.json").await.ok();
    assert_eq!(openapi["servers"][0]["url"], "/dialects/watcher");
    for path in ["/dialects/watcher/", "/dialects/watcher"] {
        let root = get(path).await.ok();
        assert_eq!(root["endpoints"]["health"], "/dialects/watcher/health", "{path}");
    }
    assert_eq!(get("/dialects/watcher/api/v1/events").await.ok(), json!([]));
    assert_eq!(get("/dialects/watcher/nothing").await.status, 404);
}
