use super::fixture::{Answer, Fixture, send};
use crate::dialects::sysscore::AllowedOrigins;
use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

#[tokio::test]
async fn what_needs_no_token_is_there() {
    let fixture = Fixture::new();
    let root = ask(&fixture, Method::GET, "/").await;
    assert_eq!(
        root.json(),
        json!({
            "name": "SysScore Platform API", "version": "1.0.0",
            "docs": "/api/v1/docs", "openapi": "/api/v1/openapi.json",
        })
    );
    assert_eq!(ask(&fixture, Method::GET, "/health").await.text, r#"{"status":"healthy"}"#);
    let openapi = ask(&fixture, Method::GET, "/api/v1/openapi.json").await.json();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/api/v1/docs", "/api/v1/redoc"] {
        let page = ask(&fixture, Method::GET, path).await;
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert!(page.text.contains("scores:recalculate"));
    }
}

/// Nothing is described that is not there, and nothing is there that is not described.
#[tokio::test]
async fn the_description_and_the_routes_agree() {
    let fixture = Fixture::new();
    let openapi = ask(&fixture, Method::GET, "/api/v1/openapi.json").await.json();
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        let path = path.replace("{process_id}", "a:1").replace("{agent_id}", "a");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let is_described = operations.get(method.as_str().to_lowercase()).is_some();
            let answer = ask(&fixture, method.clone(), &path).await;
            assert_eq!(answer.status != 405, is_described, "{method} {path}: {}", answer.status);
            assert_ne!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_the_framework_does() {
    let fixture = Fixture::new();
    for path in ["/nothing", "/nothing/", "/api/v1", "/api/v1/", "/api/v1/events/x", "//evil/"] {
        let answer = ask(&fixture, Method::GET, path).await;
        assert_eq!((answer.status, &*answer.text), (404, r#"{"detail":"Not Found"}"#), "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("x-correlation-id").is_empty());
    }
    for (method, path) in [
        (Method::DELETE, "/api/v1/events"),
        (Method::POST, "/health"),
        (Method::GET, "/api/v1/scores:recalculate"),
    ] {
        let answer = ask(&fixture, method, path).await;
        assert_eq!((answer.status, &*answer.text), (405, r#"{"detail":"Method Not Allowed"}"#));
        assert!(!answer.header("allow").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn one_slash_too_many_is_led_to_the_address() {
    let fixture = Fixture::new();
    let prefixed = Router::new().nest_service("/dialects/sysscore", fixture.router.clone());
    for (path, location) in [
        ("/api/v1/events/?limit=5", "/api/v1/events?limit=5"),
        ("/api/v1/scores:recalculate/", "/api/v1/scores:recalculate"),
        ("/api/v1/processes/a:1/", "/api/v1/processes/a:1"),
        ("/health/", "/health"),
    ] {
        let answer = ask(&fixture, Method::POST, path).await;
        assert_eq!((answer.status, answer.header("location")), (307, location), "{path}");
        let answer =
            ask_of(prefixed.clone(), Method::GET, &format!("/dialects/sysscore{path}")).await;
        let location = format!("/dialects/sysscore{location}");
        assert_eq!((answer.status, answer.header("location")), (307, &*location), "{path}");
    }
}

#[tokio::test]
async fn under_its_prefix_the_dialect_is_the_same() {
    let fixture = Fixture::new();
    let router = Router::new().nest_service("/dialects/sysscore", fixture.router.clone());
    for path in ["/dialects/sysscore", "/dialects/sysscore/"] {
        let root = ask_of(router.clone(), Method::GET, path).await;
        assert_eq!(root.json()["name"], "SysScore Platform API", "{path}");
    }
    let openapi =
        ask_of(router.clone(), Method::GET, "/dialects/sysscore/api/v1/openapi.json").await;
    assert_eq!(openapi.json()["servers"][0]["url"], "/dialects/sysscore");
    let request = Request::get("/dialects/sysscore/api/v1/events?cursor=x&limit=1")
        .header("authorization", format!("Bearer {}", fixture.token))
        .header("host", "localhost:7400")
        .body(Body::empty());
    let answer = send(router, request.unwrap()).await;
    answer.is_problem(400, "Invalid Cursor");
    assert_eq!(
        answer.json()["instance"],
        "http://localhost:7400/dialects/sysscore/api/v1/events?cursor=x&limit=1"
    );
}

#[tokio::test]
async fn flaw_14_only_plain_correlation_ids_are_repeated() {
    let fixture = Fixture::new();
    let echo = async |id: &[u8]| {
        let request = Request::get("/health").header("x-correlation-id", id);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        answer.header("x-correlation-id").to_owned()
    };
    assert_eq!(echo(b"my-id-1").await, "my-id-1");
    for id in [b"two words".as_slice(), b"", b"\xc3\xa9", &[b'x'; 129]] {
        let fresh = echo(id).await;
        assert_eq!(fresh.len(), 36, "{fresh}");
        assert_eq!(&fresh[14..15], "4");
        assert_ne!(fresh, echo(id).await);
    }
}

#[tokio::test]
async fn every_answer_says_how_long_it_took() {
    let fixture = Fixture::new();
    for path in ["/health", "/nothing", "/api/v1/events", "/health/"] {
        let answer = ask(&fixture, Method::GET, path).await;
        let taken = answer.header("x-response-time");
        let number = taken.strip_suffix("ms").unwrap_or_else(|| panic!("{path}: {taken}"));
        assert!(number.parse::<f64>().is_ok(), "{taken}");
        assert_eq!(number.split('.').nth(1).map(str::len), Some(2), "{taken}");
    }
}

#[tokio::test]
async fn flaw_13_pages_of_any_origin_may_ask_but_not_with_the_visitors_credentials() {
    let fixture = Fixture::new();
    let request = Request::get("/health").header("origin", "https://elsewhere.example");
    let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let request = Request::options("/api/v1/events")
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let answer = ask(&fixture, Method::GET, "/health").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

/// `CORS_ORIGINS`, as its documents have it, but without the visitor's credentials.
#[tokio::test]
async fn where_origins_are_listed_the_pages_of_others_may_not_ask() {
    let mut fixture = Fixture::new();
    fixture.origins = AllowedOrigins::read(r#"["https://soc.example", "http://a:1"]"#).unwrap();
    fixture.restart();
    for (origin, expected) in [
        ("https://soc.example", "https://soc.example"),
        ("http://a:1", "http://a:1"),
        ("http://soc.example", ""),
        ("https://soc.example.evil", ""),
        ("https://elsewhere.example", ""),
        ("null", ""),
    ] {
        let request = Request::get("/health").header("origin", origin);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        // The browser keeps it from the page; programs send no origin that anybody checks.
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, expected));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!(answer.header("vary"), "Origin");
        let request = Request::options("/api/v1/events")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        let status = if expected.is_empty() { 400 } else { 200 };
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (status, expected)
        );
    }
    let answer = ask(&fixture, Method::GET, "/health").await;
    assert_eq!((answer.status, answer.header("vary")), (200, "Origin"));
}

async fn ask(fixture: &Fixture, method: Method, path: &str) -> Answer {
    ask_of(fixture.router.clone(), method, path).await
}

async fn ask_of(router: Router, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::empty());
    send(router, request.unwrap()).await
}
