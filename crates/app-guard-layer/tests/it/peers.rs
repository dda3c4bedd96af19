//! Who the client is: told by the server, believed of proxies that are trusted, never guessed.

use crate::application::{Application, settings};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use ringwall_app_guard::{GuardSettings, RouteRules};
use ringwall_app_guard_layer::{GuardLayer, OverTls, PeerAddress};
use std::net::SocketAddr;
use tower::{Layer, ServiceExt};

fn plain() -> GuardSettings {
    GuardSettings { trusted_proxies: Vec::new(), ..settings() }
}

fn request(peer: Option<PeerAddress>, forwarded: &str) -> Request<Body> {
    let mut request = Request::builder().uri("/").header("x-forwarded-for", forwarded);
    if let Some(peer) = peer {
        request = request.extension(peer);
    }
    request.body(Body::empty()).unwrap()
}

async fn status(settings: GuardSettings, request: Request<Body>) -> StatusCode {
    let guard = GuardLayer::new(settings).unwrap();
    let app = Router::new().route("/", get(|| async { "home" })).layer(guard);
    app.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn a_request_without_an_address_is_refused() {
    assert_eq!(status(plain(), request(None, "203.0.113.9")).await, 403);
    let open = GuardSettings { fail_secure: false, ..plain() };
    assert_eq!(status(open, request(None, "203.0.113.9")).await, 200);
}

#[tokio::test]
async fn a_header_counts_only_where_the_peer_is_trusted() {
    let blacklist = vec!["203.0.113.9".to_owned()];
    let peer = Some(PeerAddress::from(SocketAddr::from(([192, 0, 2, 1], 4711))));
    let listed = GuardSettings { blacklist: blacklist.clone(), ..plain() };
    assert_eq!(status(listed.clone(), request(peer, "203.0.113.9")).await, 200);
    let trusted_proxies = vec!["192.0.2.0/24".to_owned()];
    let behind = GuardSettings { trusted_proxies, ..listed.clone() };
    assert_eq!(status(behind, request(peer, "203.0.113.9")).await, 403);
    let trusted_proxies = vec!["unix".to_owned()];
    let behind = GuardSettings { trusted_proxies, ..listed };
    assert_eq!(status(behind, request(Some(PeerAddress::Unix), "203.0.113.9")).await, 403);
}

#[tokio::test]
async fn the_scheme_is_what_the_server_says() {
    let enforced = GuardSettings { enforce_https: true, ..plain() };
    let peer = Some(PeerAddress::from(SocketAddr::from(([192, 0, 2, 1], 4711))));
    let ask = |over_tls: bool| {
        let mut request = request(peer, "");
        request.headers_mut().insert("host", "shop.example".parse().unwrap());
        // What a client writes into its target is only its word.
        *request.uri_mut() = "https://shop.example/".parse().unwrap();
        if over_tls {
            request.extensions_mut().insert(OverTls);
        }
        request
    };
    assert_eq!(status(enforced.clone(), ask(false)).await, 301);
    assert_eq!(status(enforced, ask(true)).await, 200);
}

/// Flaw 21 of the original: a route with rules of its own escapes what is set for all.
#[tokio::test]
async fn a_route_has_rules_of_its_own_beside_those_for_all() {
    let guard = GuardLayer::new(GuardSettings {
        enforce_https: true,
        blacklist: vec!["203.0.113.9".to_owned()],
        ..settings()
    })
    .unwrap();
    let orders = guard.route("/orders/{id}", RouteRules::new().rate_limit(1, 60)).unwrap();
    let app = Router::new()
        .route("/orders/{id}", post(|| async { "ordered" }).layer(orders))
        .route("/", get(|| async { "home" }).layer(guard));
    let ask = async |method: &str, uri: &str, client: &str, over_tls: bool| {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "shop.example")
            .header("x-forwarded-for", client)
            .extension(PeerAddress::from(SocketAddr::from(([127, 0, 0, 1], 4711))));
        if over_tls {
            request = request.extension(OverTls);
        }
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask("POST", "/orders/1", "203.0.113.1", false).await, 301);
    assert_eq!(ask("POST", "/orders/1", "203.0.113.9", true).await, 403);
    assert_eq!(ask("POST", "/orders/1", "203.0.113.1", true).await, 200);
    assert_eq!(ask("POST", "/orders/2", "203.0.113.1", true).await, 429, "one route, one window");
    assert_eq!(ask("GET", "/", "203.0.113.1", true).await, 200);
}

/// Without axum: any tower service over http bodies.
#[tokio::test]
async fn a_plain_service_is_guarded_as_well() {
    let blacklist = vec!["203.0.113.9".to_owned()];
    let guard = GuardLayer::new(GuardSettings { blacklist, ..plain() }).unwrap();
    let service = guard.layer(tower::service_fn(async |request: Request<_>| {
        let body: ringwall_app_guard_layer::GuardBody<http_body_util::Full<bytes::Bytes>> =
            request.into_body();
        let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(bytes)))
    }));
    for (address, expected) in [([203, 0, 113, 9], 403), ([203, 0, 113, 8], 200)] {
        let request = Request::post("/")
            .extension(PeerAddress::from(SocketAddr::from((address, 4711))))
            .body(http_body_util::Full::new(bytes::Bytes::from_static(b"harmless")))
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn clients_behind_axum_are_told_by_their_sockets() {
    let application =
        Application::start(GuardSettings { blacklist: vec!["127.0.0.1".to_owned()], ..plain() })
            .await;
    assert_eq!(application.get("203.0.113.9", "/").await.status, 403);
}
