//! Calls from pages of other origins.

use crate::application::{Application, Outcome, Request, texts, wide};
use ringwall_app_guard::{Cors, CorsError, CorsSettings, GuardSettings};

fn settings() -> CorsSettings {
    CorsSettings {
        allow_origins: texts(&["https://shop.example"]),
        allow_methods: texts(&["GET", "PUT"]),
        allow_headers: texts(&["X-Tenant"]),
        allow_credentials: true,
        expose_headers: texts(&["X-Total"]),
        max_age: 600,
    }
}

fn preflight<'a>(origin: &'a str, method: &'a str, headers: &'a str) -> Request<'a> {
    let mut request = Request::get()
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    request.method = "OPTIONS";
    request
}

#[test]
fn preflights() {
    let check = |request: Request<'_>, expected: (u16, &str)| -> Outcome {
        let guarded = GuardSettings { cors: Some(settings()), ..wide() };
        let outcome = Application::new(guarded).send(&request);
        assert_eq!((outcome.status(), outcome.body()), expected);
        outcome
    };
    let outcome = check(preflight("https://shop.example", "PUT", "x-tenant, Accept"), (200, "OK"));
    assert_eq!(outcome.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(outcome.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(outcome.header("access-control-allow-methods"), Some("GET, PUT"));
    assert_eq!(outcome.header("access-control-max-age"), Some("600"));
    assert_eq!(outcome.header("vary"), Some("Origin"));
    let outcome =
        check(preflight("https://evil.test", "PUT", ""), (400, "Disallowed CORS: origin"));
    assert_eq!(outcome.header("access-control-allow-origin"), None);
    check(
        preflight("https://evil.test", "DELETE", "x-other"),
        (400, "Disallowed CORS: origin, method, headers"),
    );
    check(preflight("https://shop.example.evil.test", "GET", ""), (400, "Disallowed CORS: origin"));
}

#[test]
fn a_preflight_is_checked_like_any_request() {
    let guarded =
        GuardSettings { cors: Some(settings()), blacklist: texts(&["192.0.2.1"]), ..wide() };
    let request = preflight("https://shop.example", "GET", "");
    assert_eq!(Application::new(guarded).status(&request), 403);
}

#[test]
fn without_cors_a_preflight_is_the_applications() {
    let request = preflight("https://shop.example", "GET", "");
    assert_eq!(Application::plain().status(&request), 200);
}

#[test]
fn answers_say_who_may_read_them() {
    let cors = Cors::new(settings()).unwrap();
    let names = |origin| -> Vec<String> {
        let headers = cors.answer_headers(origin);
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    };
    assert_eq!(
        names(Some("https://shop.example")),
        [
            "vary: Origin",
            "access-control-allow-origin: https://shop.example",
            "access-control-allow-credentials: true",
            "access-control-expose-headers: X-Total",
        ]
    );
    assert_eq!(names(Some("https://evil.test")), ["vary: Origin"]);
    assert!(names(None).is_empty());
}

#[test]
fn everybody_with_credentials_is_refused_at_the_start() {
    let wrong = CorsSettings { allow_origins: texts(&["*"]), ..settings() };
    assert_eq!(Cors::new(wrong), Err(CorsError::WildcardWithCredentials));
    for origin in ["shop.example", "https://*.shop.example", "https://shop.example/", ""] {
        let wrong = CorsSettings { allow_origins: texts(&[origin]), ..settings() };
        assert_eq!(Cors::new(wrong), Err(CorsError::Origin(origin.to_owned())));
    }
}
