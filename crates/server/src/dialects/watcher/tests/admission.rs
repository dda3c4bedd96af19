//! Who is let in: these clients cannot say who they are.

use super::fixture::{Answer, Fixture, HOST};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use std::net::{IpAddr, SocketAddr};

#[tokio::test]
async fn flaw_1_only_this_machine_and_listed_addresses_are_admitted() {
    let fixture = Fixture::with(|config| {
        config.dialects.watcher.allow = vec!["192.0.2.0/24".into(), "2001:db8::7".into()];
    });
    for (peer, status) in [
        ("127.0.0.1", 200),
        ("127.8.9.10", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.0.2.77", 200),
        ("::ffff:192.0.2.77", 200),
        ("2001:db8::7", 200),
        ("2001:db8::8", 403),
        ("192.0.3.1", 403),
        ("10.0.0.1", 403),
    ] {
        let answer = from(&fixture, peer, "/api/v1/events").await;
        assert_eq!(answer.status, status, "{peer}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn an_unknown_peer_is_not_admitted() {
    let fixture = Fixture::new();
    let request = Request::get("/health").body(Body::empty()).unwrap();
    let answer = super::fixture::send(fixture.router.clone(), request).await;
    assert_eq!(answer.status, 403);
}

async fn from(fixture: &Fixture, peer: &str, path: &str) -> Answer {
    let peer = SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 50_000);
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    fixture.send(request).await
}

#[tokio::test]
async fn a_public_name_that_points_here_is_refused() {
    let fixture = Fixture::new();
    for (host, status) in [
        ("localhost:9000", 200),
        ("127.0.0.1:9000", 200),
        ("[::1]:9000", 200),
        ("watcher", 200),
        ("mac.local:9000", 200),
        ("app.localhost", 200),
        ("evil.example:9000", 403),
        ("evil.example.:9000", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        let request = Request::get("/health").header("host", host).body(Body::empty()).unwrap();
        assert_eq!(fixture.send(request).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn web_pages_of_listed_origins_may_read() {
    let fixture = Fixture::new();
    let ours = "http://localhost:5173";
    let answer = preflight(&fixture, ours).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), ours);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    let answer = simple(&fixture, ours).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ours));
    assert_eq!(answer.header("vary"), "Origin");
}

#[tokio::test]
async fn web_pages_of_other_origins_may_not() {
    let fixture = Fixture::new();
    for origin in ["http://evil.example", "http://localhost:5174", "null", "https://localhost:5173"]
    {
        let answer = preflight(&fixture, origin).await;
        assert_eq!(answer.status, 400, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let answer = simple(&fixture, origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
    }
}

async fn preflight(fixture: &Fixture, origin: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/collect")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    fixture.send(request.body(Body::empty()).unwrap()).await
}

async fn simple(fixture: &Fixture, origin: &str) -> Answer {
    let request = Request::get("/api/v1/alerts").header("origin", origin);
    fixture.send(request.body(Body::empty()).unwrap()).await
}

/// To ask for commands is to take them, so a page must not be able to ask, even without an answer.
#[tokio::test]
async fn a_page_of_another_site_does_not_swallow_commands() {
    let fixture = Fixture::new();
    fixture.report(&[(4242, "evil.sh")]).await;
    let path = format!("/api/v1/commands?host={HOST}");
    for (site, origin, expected) in [
        ("cross-site", None, 403),
        ("same-site", Some("http://localhost:1234"), 403),
        ("cross-site", Some("http://localhost:5173"), 200),
    ] {
        let mut request = Request::get(&path).header("sec-fetch-site", site);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, expected, "{site} {origin:?}");
        if expected == 200 {
            assert_eq!(answer.json().as_array().map(Vec::len), Some(1), "still there");
        }
    }
}
