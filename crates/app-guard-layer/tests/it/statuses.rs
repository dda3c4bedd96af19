//! Every status and body of the contract, through a router on a socket.

use crate::application::{Answer, Application, settings};
use crate::country_file::country_file;
use ringwall_app_guard::CheckRefusal;
use ringwall_app_guard::{CloudProvider, CloudRange, CloudRanges};
use ringwall_app_guard::{CorsSettings, GuardSettings, RouteEntry, RouteRules};
use ringwall_app_guard_layer::GuardLayer;
use ringwall_app_guard_layer::country::CountryDatabase;
use std::sync::Arc;

const CLIENT: &str = "203.0.113.9";

fn route(path: &str, rules: RouteRules) -> RouteEntry {
    RouteEntry { path: path.to_owned(), method: None, rules }
}

fn with_route(rules: RouteRules) -> GuardSettings {
    GuardSettings { routes: vec![route("/echo", rules)], ..settings() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[track_caller]
pub(crate) fn check(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, body), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"), "{answer:?}");
    if status >= 400 {
        let media_type = answer.header("content-type").unwrap();
        assert!(media_type.starts_with("text/plain"), "{media_type}");
    }
}

#[tokio::test]
async fn what_is_fine_passes_with_security_headers() {
    let application = Application::start(settings()).await;
    let answer = application.get(CLIENT, "/items/7?page=2").await;
    check(&answer, 200, "7");
    for (name, value) in [
        ("x-xss-protection", "1; mode=block"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("permissions-policy", "geolocation=(), microphone=(), camera=()"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-download-options", "noopen"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    check(&application.post(CLIENT, "application/json", b"{\"a\": 1}").await, 200, "8 bytes");
}

#[tokio::test]
async fn lists_and_user_agents() {
    let application = Application::start(GuardSettings {
        blacklist: texts(&["198.51.100.0/24"]),
        blocked_user_agents: texts(&["badbot"]),
        ..settings()
    })
    .await;
    check(&application.get("198.51.100.7", "/").await, 403, "Forbidden");
    let head = format!("GET / HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\nuser-agent: a BadBot/1\r\n");
    check(&application.ask(&head, b"").await, 403, "User-Agent not allowed");
    check(&application.get(CLIENT, "/").await, 200, "home");
    assert_eq!(application.served(), 1, "what is refused reaches no handler");

    let application =
        Application::start(GuardSettings { whitelist: texts(&[CLIENT]), ..settings() }).await;
    check(&application.get(CLIENT, "/").await, 200, "home");
    check(&application.get("203.0.113.10", "/").await, 403, "Forbidden");
}

#[tokio::test]
async fn rates() {
    let application =
        Application::start(GuardSettings { rate_limit: 2, rate_limit_window: 77, ..settings() })
            .await;
    for _ in 0..2 {
        check(&application.get(CLIENT, "/").await, 200, "home");
    }
    let answer = application.get(CLIENT, "/").await;
    check(&answer, 429, "Too many requests");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() <= 77);
    check(&application.get("203.0.113.10", "/").await, 200, "home");
}

#[tokio::test]
async fn https_emergency_and_passive_mode() {
    let application = Application::start(GuardSettings { enforce_https: true, ..settings() }).await;
    let answer = application.get(CLIENT, "/items/7?a=b").await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some("https://shop.example/items/7?a=b"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "flaw 31");

    let application = Application::start(GuardSettings {
        emergency_mode: true,
        emergency_whitelist: texts(&["203.0.113.10"]),
        ..settings()
    })
    .await;
    check(&application.get(CLIENT, "/").await, 503, "Service temporarily unavailable");
    check(&application.get("203.0.113.10", "/").await, 200, "home");

    let application = Application::start(GuardSettings {
        passive_mode: true,
        blacklist: texts(&[CLIENT]),
        ..settings()
    })
    .await;
    check(&application.get(CLIENT, "/").await, 200, "home");
    let events = application.told.events.lock();
    assert!(events.iter().any(|event| event.action_taken == "logged_only"), "{events:?}");
    assert!(events.iter().all(|event| event.action_taken != "request_blocked"), "{events:?}");
}

#[tokio::test]
async fn cross_origin_requests() {
    let cors =
        CorsSettings { allow_origins: texts(&["https://shop.example"]), ..CorsSettings::default() };
    let application = Application::start(GuardSettings { cors: Some(cors), ..settings() }).await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /echo HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\n"
        )
    };
    let answer = application.ask(&preflight("https://shop.example"), b"").await;
    check(&answer, 200, "OK");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let answer = application.ask(&preflight("https://evil.example"), b"").await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.starts_with("Disallowed CORS: "), "{answer:?}");
    let head =
        format!("GET / HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\norigin: https://shop.example\r\n");
    let answer = application.ask(&head, b"").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(application.served(), 1);
}

#[tokio::test]
async fn rules_of_a_route() {
    let post = |headers: &str| {
        format!(
            "POST /echo HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\ncontent-length: 0\r\n{headers}"
        )
    };
    let rules = RouteRules::new;
    for (rules, headers, status, body) in [
        (rules().require_auth("bearer", "tokens"), "", 401, "Authentication required"),
        (
            rules().require_auth("bearer", "tokens"),
            "authorization: Bearer wrong\r\n",
            401,
            "Authentication required",
        ),
        (
            rules().require_auth("bearer", "tokens"),
            "authorization: Bearer good\r\n",
            200,
            "0 bytes",
        ),
        (rules().require_authorization_header(), "authorization: x y\r\n", 200, "0 bytes"),
        (rules().require_referrer(["shop.example"]), "", 403, "Referrer required"),
        (
            rules().require_referrer(["shop.example"]),
            "referer: https://evil.example/\r\n",
            403,
            "Invalid referrer",
        ),
        (
            rules().require_referrer(["shop.example"]),
            "referer: https://www.shop.example/a\r\n",
            200,
            "0 bytes",
        ),
        (
            rules().content_type_filter(["application/json"]),
            "content-type: text/xml\r\n",
            415,
            "Unsupported content type",
        ),
        (
            rules().block_user_agents(["curl"]),
            "user-agent: curl/8\r\n",
            403,
            "User-Agent not allowed",
        ),
        (rules().deny_ips([CLIENT]), "", 403, "Forbidden"),
        (rules().custom_validation("teapot"), "", 418, "short and stout"),
    ] {
        let described = format!("{rules:?} {headers:?}");
        let builder = GuardLayer::builder(with_route(rules))
            .verifier("tokens", |credential| credential.value == "good")
            .check("teapot", |_| {
                Some(CheckRefusal { status: 418, body: "short and stout".to_owned() })
            });
        let application = Application::with(builder).await;
        let answer = application.ask(&post(headers), b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{described}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{described}");
        // Other routes are not concerned.
        check(&application.get(CLIENT, "/").await, 200, "home");
    }
    for (rules, headers, status) in [
        (rules().api_key_auth("x-key", "tokens"), "", 400),
        (rules().api_key_auth("x-key", "tokens"), "x-key: wrong\r\n", 401),
        (rules().api_key_auth("x-key", "tokens"), "x-key: good\r\n", 200),
        (rules().require_header("x-wanted"), "", 400),
        (rules().require_header("x-wanted"), "x-wanted: 1\r\n", 200),
    ] {
        let described = format!("{rules:?} {headers:?}");
        let builder = GuardLayer::builder(with_route(rules))
            .async_verifier("tokens", |credential| async move { credential.value == "good" });
        let application = Application::with(builder).await;
        assert_eq!(application.ask(&post(headers), b"").await.status, status, "{described}");
    }
}

#[tokio::test]
async fn countries_and_clouds() {
    let database = country_file(&[("203.0.113.0/24", "DE"), ("2001:db8::/32", "FR")]);
    let database = Arc::new(CountryDatabase::from_bytes(database).unwrap());
    let ranges = CloudRanges::new([(
        "192.0.2.0/24".parse().unwrap(),
        CloudRange { provider: CloudProvider::Aws, region: "eu-west-1".into() },
    )]);
    let builder = GuardLayer::builder(GuardSettings {
        blocked_countries: texts(&["DE"]),
        block_cloud_providers: texts(&["AWS"]),
        ..settings()
    });
    let builder = builder.country_source(database.clone()).cloud_ranges(ranges.clone());
    let application = Application::with(builder).await;
    check(&application.get("203.0.113.9", "/").await, 403, "Forbidden");
    check(&application.get("2001:db8::1", "/").await, 200, "home");
    check(&application.get("192.0.2.7", "/").await, 403, "Forbidden");
    let types = application.event_types();
    assert!(types.iter().any(|name| name == "country_blocked"), "{types:?}");

    let rules = RouteRules::new().block_clouds(["AWS"]).allow_countries(["FR"]);
    let builder = GuardLayer::builder(with_route(rules));
    let application =
        Application::with(builder.country_source(database).cloud_ranges(ranges)).await;
    check(&application.get("203.0.113.9", "/").await, 200, "home");
    check(&application.post("203.0.113.9", "text/plain", b"x").await, 403, "Forbidden");
    check(&application.post("2001:db8::1", "text/plain", b"x").await, 200, "1 bytes");
}

#[tokio::test]
async fn websocket_handshakes_pass_the_same_checks() {
    let application =
        Application::start(GuardSettings { blacklist: texts(&["198.51.100.0/24"]), ..settings() })
            .await;
    let handshake = |client: &str| {
        format!(
            "GET / HTTP/1.1\r\nx-forwarded-for: {client}\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
    };
    check(&application.ask(&handshake("198.51.100.7"), b"").await, 403, "Forbidden");
    check(&application.ask(&handshake(CLIENT), b"").await, 200, "home");
}

#[tokio::test]
async fn an_answer_of_ones_own_replaces_the_body() {
    let application = Application::start(GuardSettings {
        blacklist: texts(&[CLIENT]),
        custom_error_responses: [(403, "go away".to_owned())].into(),
        ..settings()
    })
    .await;
    check(&application.get(CLIENT, "/").await, 403, "go away");
}
