//! What clients say about their own requests in order to be judged less strictly.

use crate::application::{Application, Request, wide};
use ringwall_app_guard::payload::{Detector, DetectorSettings, Finding};
use ringwall_app_guard::{BehaviourAction, DetectionSettings, GuardSettings, RouteRules, Routes};
use std::sync::Arc;

/// Rules for `GET` that `HEAD` went around, towards those of a less specific pattern or none at all.
#[test]
fn rules_of_get_hold_for_head() {
    let rules = |pattern: &str| Arc::new(RouteRules::new().compile(pattern).unwrap());
    let mut routes = Routes::new();
    routes.add("/reports/{id}", Some("GET"), rules("/reports/{id}")).unwrap();
    routes.add("/{*rest}", None, rules("/{*rest}")).unwrap();
    routes.add("/open", Some("GET"), rules("/open")).unwrap();
    routes.add("/open", Some("HEAD"), rules("/open#head")).unwrap();
    routes.add("/either", None, rules("/either")).unwrap();
    routes.add("/either", Some("GET"), rules("/either#get")).unwrap();
    let found = |method: &str, path: &str| {
        routes.find(method, path).map(|route| route.endpoint().to_owned()).unwrap_or_default()
    };
    assert_eq!(found("HEAD", "/reports/7"), "/reports/{id}");
    assert_eq!(found("POST", "/reports/7"), "/{*rest}");
    assert_eq!(found("HEAD", "/open"), "/open#head");
    assert_eq!(found("HEAD", "/either"), "/either#get");
    assert_eq!(found("DELETE", "/either"), "/either");
}

fn in_body(content_type: &str, body: &[u8]) -> Vec<Finding> {
    let detector = Detector::new(&DetectorSettings::default()).unwrap();
    let mut found = Vec::new();
    let mut scan = detector.body(Some(content_type));
    for chunk in body.chunks(700) {
        scan.feed(chunk, &mut found);
    }
    scan.finish(&mut found);
    found
}

const BINARY_TYPES: [&str; 6] = [
    "image/png",
    "application/octet-stream",
    "application/pdf",
    "video/mp4",
    "application/grpc",
    "application/grpc+proto",
];

#[test]
fn a_body_is_what_it_is_and_not_what_it_is_called() {
    let filler = "lorem ipsum dolor sit amet ".repeat(4_000);
    for content_type in BINARY_TYPES {
        for body in [
            "1' OR '1'='1".to_owned(),
            r#"{"user":"1' OR '1'='1"}"#.to_owned(),
            "q=; cat /etc/passwd".to_owned(),
            format!(r#"{{"a":"{filler}","b":"1' OR '1'='1"}}"#),
            format!("{}1 UNION SELECT username,password FROM users", "é".repeat(400)),
        ] {
            let start: String = body.chars().take(30).collect();
            assert!(!in_body(content_type, body.as_bytes()).is_empty(), "{content_type}: {start}");
        }
    }
}

#[test]
fn what_is_binary_is_not_searched_for_words() {
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0".to_vec();
    picture.extend_from_slice(b"tEXtComment\x001' OR '1'='1 ; cat /etc/passwd ../../etc/passwd");
    assert!(in_body("image/png", &picture).is_empty());
    let grpc = b"\0\0\0\0\x2a\x0a\x28a note about ; cat /etc/passwd, quoted";
    for content_type in
        ["application/grpc", "application/grpc+proto", "application/grpc-web+proto; charset=x"]
    {
        assert!(in_body(content_type, grpc).is_empty(), "{content_type}");
    }
}

fn part(headers: &str, content: &str) -> Vec<u8> {
    format!("--b\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n--b--\r\n")
        .into_bytes()
}

#[test]
fn a_field_that_is_called_a_file_is_searched_as_a_field() {
    let multipart = "multipart/form-data; boundary=b";
    for headers in [
        "name=\"q\"; filename=\"x\"",
        "name=\"q\"; filename=\"x.txt\"\r\nContent-Type: text/plain",
        "name=\"q\"; filename=\"x\"\r\nContent-Type: application/octet-stream",
        "name=\"q\"; filename=\"x.png\"\r\nContent-Type: image/png",
    ] {
        for attack in ["1' OR '1'='1", "; cat /etc/passwd", "\r\n\r\n\r\n\r\n\r\n1' OR '1'='1\r\n"]
        {
            let found = in_body(multipart, &part(headers, attack));
            assert!(
                found.iter().any(|finding| finding.place == "request_body:q"),
                "{headers}: {found:?}"
            );
        }
    }
    let script =
        "#!/bin/sh\nset -e\ncd /srv/app\ngit pull\nnpm ci; npm run build\ncat /etc/hosts\n";
    let headers = "name=\"f\"; filename=\"deploy.txt\"\r\nContent-Type: text/plain";
    assert!(in_body(multipart, &part(headers, script)).is_empty(), "a document stays a file");
    // In a long text under the name of a picture, what would execute is found wherever it stands.
    let page = format!("{}<script>alert(1)</script>", "harmless words\n".repeat(4_000));
    let headers = "name=\"f\"; filename=\"x.png\"\r\nContent-Type: image/png";
    let found = in_body(multipart, &part(headers, &page));
    let plain = "name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain";
    assert_eq!(found, in_body(multipart, &part(plain, &page)));
}

#[test]
fn a_body_that_cannot_be_searched_is_refused_unless_that_is_allowed() {
    let packed = b"\x1f\x8b\x08\0\0\0\0\0";
    let post = || Request::get().post("application/json", packed);
    for coding in ["gzip", "identity, br", "Deflate", "made-up"] {
        let mut application = Application::plain();
        let outcome = application.send(&post().header("content-encoding", coding));
        assert_eq!((outcome.status(), outcome.body()), (415, "Unsupported content encoding"));
        assert_eq!(outcome.header("accept-encoding"), Some("identity"));
        assert_eq!(outcome.told(), [("content_filtered", "request_blocked")]);
    }
    let mut application = Application::plain();
    assert_eq!(application.status(&post().header("content-encoding", "identity")), 200);
    assert_eq!(application.status(&Request::get().header("content-encoding", "gzip")), 200);

    let detection =
        DetectionSettings { allow_encoded_bodies: true, ..DetectionSettings::default() };
    let mut application = Application::new(GuardSettings { detection, ..wide() });
    assert_eq!(application.status(&post().header("content-encoding", "gzip")), 200);
    let detection = DetectionSettings { scan_bodies: false, ..DetectionSettings::default() };
    let mut application = Application::new(GuardSettings { detection, ..wide() });
    assert_eq!(application.status(&post().header("content-encoding", "gzip")), 200);

    let mut application = Application::new(GuardSettings { passive_mode: true, ..wide() });
    let outcome = application.send(&post().header("content-encoding", "gzip"));
    assert_eq!(
        (outcome.status(), outcome.told()),
        (200, vec![("content_filtered", "logged_only")])
    );
}

#[test]
fn only_the_handshake_of_a_web_socket_has_its_own_budget() {
    let limited = || Application::new(GuardSettings { rate_limit: 1, ..GuardSettings::default() });
    let handshake = || {
        let request = Request::get().header("upgrade", "h2c, WebSocket");
        let request = request.header("connection", "keep-alive, Upgrade");
        request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    let mut application = limited();
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get().header("upgrade", "websocket")), 429);
    assert_eq!(application.status(&handshake()), 429, "without its version");
    let mut post = handshake().header("sec-websocket-version", "13");
    post.method = "POST";
    assert_eq!(application.status(&post), 429);
    let handshake = handshake().header("sec-websocket-version", "13");
    assert_eq!(application.status(&handshake), 200);
    assert_eq!(application.status(&handshake), 429);
    let mut over_http2 = Request::get().header("sec-websocket-version", "13").from("192.0.2.2");
    assert_eq!(application.status(&Request::get().from("192.0.2.2")), 200);
    over_http2.method = "CONNECT";
    assert_eq!(application.status(&over_http2), 200);
}

#[test]
fn short_attacks_in_parameters_are_found() {
    for (query, category) in [
        ("q=%0aid%0a", "cmd_injection"),
        ("q=%0did", "cmd_injection"),
        ("q='%3d''or'", "sqli"),
        ("q='=''or'", "sqli"),
        ("url=http://localhost%00.evil.example/", "ssrf"),
        ("q=http://127.0.0.1%00.evil.example/", "ssrf"),
    ] {
        let outcome = Application::plain().send(&Request::get().query(query));
        assert_eq!(outcome.status(), 400, "{query}");
        assert_eq!(outcome.event("pattern_detected").metadata["category"], category, "{query}");
    }
    for query in ["q=my%0aid%20card", "q='='", "name=O'Brien%20or%20'Brian'", "q=localhost"] {
        let status = Application::plain().status(&Request::get().query(query));
        assert_eq!(status, if query == "q='='" { 400 } else { 200 }, "{query}");
    }
}

/// A client's own line before that of the proxy counted.
#[test]
fn the_scheme_is_the_one_that_the_last_proxy_wrote() {
    let mut application = Application::new(GuardSettings {
        enforce_https: true,
        trust_x_forwarded_proto: true,
        trusted_proxies: vec!["10.0.0.1".to_owned()],
        ..wide()
    });
    let through = |first: &'static str, last: &'static str| {
        let request = Request::get().from("10.0.0.1").header("x-forwarded-for", "192.0.2.9");
        request.header("x-forwarded-proto", first).header("x-forwarded-proto", last)
    };
    assert_eq!(application.status(&through("https", "http")), 301);
    assert_eq!(application.status(&through("http", "http, https")), 200);
}

/// Two rules counted each call twice, in one counter.
#[test]
fn rules_on_calls_do_not_count_for_each_other() {
    let rules = RouteRules::new()
        .usage_monitor(5, 60, BehaviourAction::Log)
        .usage_monitor(3, 60, BehaviourAction::Alert)
        .suspicious_frequency(0.5, 4, BehaviourAction::Throttle);
    let mut application = Application::with_route(&rules);
    let mut told = Vec::new();
    for _ in 0..6 {
        let outcome = application.send(&Request::get());
        assert_eq!(outcome.status(), 200);
        told.push(outcome.told().iter().map(|(_, action)| *action).collect::<Vec<_>>());
        application.wait(10.0);
    }
    let none: Vec<&str> = Vec::new();
    let alert = vec!["alert"];
    assert_eq!(told[..3], [none.clone(), none.clone(), none]);
    assert_eq!(told[3..5], [alert.clone(), alert]);
    assert_eq!(told[5], ["log", "alert"]);
    for expected in [200, 200, 429] {
        assert_eq!(application.status(&Request::get().from("192.0.2.7")), expected);
    }
}
