use super::Fixture;
use axum::http::Method;
use ringwall_server_api::paths;
use serde_json::json;

#[tokio::test]
async fn every_answer_carries_the_guards() {
    let fixture = Fixture::new().await;
    for path in [paths::HEALTH, paths::OPENAPI, paths::HOSTS, "/api/v1/nowhere"] {
        let answer = fixture.ask(Method::GET, path).send().await;
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert_eq!(answer.header("x-correlation-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn names_that_are_not_this_servers_are_refused() {
    let fixture = Fixture::new().await;
    for (host, expected) in [
        ("127.0.0.1:7400", 200),
        ("localhost:7400", 200),
        ("[::1]:7400", 200),
        ("evil.example:7400", 400),
        ("127.0.0.1.evil.example", 400),
        ("user@evil.example", 400),
        ("", 400),
    ] {
        let answer = fixture.ask(Method::GET, paths::HEALTH).header("host", host).send().await;
        assert_eq!(answer.status.as_u16(), expected, "host {host:?}: {}", answer.text);
    }
    let none = fixture.ask(Method::GET, paths::HEALTH).without("host").send().await;
    none.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn correlation_ids_are_echoed_if_harmless() {
    let fixture = Fixture::new().await;
    let ask = |id: &str| {
        let request = fixture.ask(Method::GET, "/api/v1/nowhere?a=b");
        request.header("x-correlation-id", id)
    };
    let problem = ask("mine-17").send().await.is_problem(404, "not-found");
    assert_eq!(problem["correlation_id"], "mine-17");
    assert_eq!(problem["instance"], "/api/v1/nowhere");
    for hostile in ["two words", "", &"x".repeat(129)] {
        let problem = ask(hostile).send().await.is_problem(404, "not-found");
        assert_eq!(problem["correlation_id"].as_str().unwrap().len(), 32, "id {hostile:?}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let fixture = Fixture::new().await;
    for path in ["/api/v1", "/api/v1/", "/api/v1/hosts/", "/api/v1/alerts/x/y/z"] {
        let answer = fixture.ask(Method::GET, path).token(&fixture.admin).send().await;
        answer.is_problem(404, "not-found");
    }
    for (method, path) in [
        (Method::PUT, paths::HOSTS),
        (Method::POST, paths::HOSTS),
        (Method::DELETE, paths::ALERTS),
        (Method::PATCH, paths::SESSION),
    ] {
        let answer = fixture.ask(method, path).token(&fixture.admin).send().await;
        answer.is_problem(405, "method-not-allowed");
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_right_are_refused_where_they_are_wrong() {
    let fixture = Fixture::new().await;
    let ask = |body: &[u8]| {
        let request = fixture.ask(Method::POST, paths::INDICATORS).token(&fixture.admin);
        request.header("content-type", "application/json").bytes(body)
    };
    let good = br#"{"kind":"process","value":"good.sh"}"#;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = ask(good).header("content-type", media_type).send().await;
        answer.is_problem(415, "unsupported-media-type");
    }
    ask(good).without("content-type").send().await.is_problem(415, "unsupported-media-type");
    let packed = ask(good).header("content-encoding", "gzip").send().await;
    packed.is_problem(415, "unsupported-media-type");
    let deep = "[".repeat(100_000);
    let deep = format!("{}{}", &deep[..30_000], "]");
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"kind":"process"}"#,
        r#"{"kind":"rumour","value":"x"}"#,
        r#"{"kind":"process","value":7}"#,
        r#"{"kind":"process","value":"x","vlaue":"y"}"#,
        r#"{"kind":"process","value":"x","value":"y"}"#,
        r#"{"kind":"process","value":"x","severity":"worst"}"#,
        "{\"kind\":\"process\",\"value\":\"\u{0}\"}",
        deep.as_str(),
    ] {
        ask(body.as_bytes()).send().await.is_problem(400, "invalid-request");
    }
    ask(b"{\"kind\":\"process\",\"value\":\"\xff\"}")
        .send()
        .await
        .is_problem(400, "invalid-request");
    let field = ask(br#"{"kind":"path","value":"relative"}"#).send().await;
    let problem = field.is_problem(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "#/value");
    let large = format!(r#"{{"kind":"process","value":"{}"}}"#, "x".repeat(70_000));
    ask(large.as_bytes()).send().await.is_problem(413, "body-too-large");
    assert_eq!(ask(good).send().await.status.as_u16(), 201);
    let with_charset = ask(good).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(with_charset.send().await.status.as_u16(), 201);
}

#[tokio::test]
async fn queries_that_are_not_right_are_refused() {
    let fixture = Fixture::new().await;
    for (path, query) in [
        (paths::HOSTS, "limit=0"),
        (paths::HOSTS, "limit=1001"),
        (paths::HOSTS, "limit=-1"),
        (paths::HOSTS, "limit=ten"),
        (paths::HOSTS, "limit=1&limit=2"),
        (paths::HOSTS, "lmit=1"),
        (paths::ALERTS, "state=ajar"),
        (paths::ALERTS, "severity=HIGH"),
        (paths::ALERTS, "host=nodialect"),
        (paths::COMMANDS, "state=lost"),
        (paths::EVENTS, "since=yesterday"),
        (paths::EVENTS, "pid=many"),
        (paths::EVENTS, "pid=99999999999999999999"),
        (paths::EVENTS, "kind=rumour"),
        (paths::SCORES, "risk_min=-1"),
        (paths::SCORES, "risk_max=101"),
        (paths::SCORES, "risk_min=NaN"),
        (paths::STREAM, "topics=gossip"),
        (paths::STREAM, "topics="),
    ] {
        let path = format!("{path}?{query}");
        let answer = fixture.ask(Method::GET, &path).token(&fixture.admin).send().await;
        answer.is_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn paths_with_strange_ids_name_nothing() {
    let fixture = Fixture::new().await;
    for path in [
        "/api/v1/alerts/x",
        "/api/v1/alerts/%00",
        "/api/v1/events/0123456789abcdef0123456789ABCDEX",
        "/api/v1/hosts/nodialect",
        "/api/v1/hosts/a%3Ab",
        "/api/v1/hosts/..%2f..%2fetc%2fpasswd",
        "/api/v1/commands/cmd_%27%3b--",
    ] {
        let answer = fixture.ask(Method::GET, path).token(&fixture.admin).send().await;
        answer.is_problem(404, "not-found");
    }
    let broken = fixture.ask(Method::GET, "/api/v1/hosts/%ff").token(&fixture.admin).send().await;
    broken.is_problem(400, "invalid-request");
}

#[tokio::test]
async fn the_documents_are_there_for_everybody() {
    let fixture = Fixture::new().await;
    let health = fixture.ask(Method::GET, paths::HEALTH).send().await;
    assert_eq!(health.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
    let openapi = fixture.ask(Method::GET, paths::OPENAPI).send().await;
    assert_eq!(openapi.header("content-type"), "application/json");
    let document = openapi.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = fixture.ask(Method::GET, paths::DOCS).send().await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("style-src 'sha256-"));
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.text.contains(path.as_str()), "{path} is not on the page");
    }
    for foreign in ["<script", "src=", "http://", "<link"] {
        assert!(!page.text.contains(foreign), "the page has {foreign}");
    }
}
