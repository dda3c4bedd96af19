//! Each demand of a route and of the settings: status and body as the contract states them (section 5).

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::inspection::{Peer, Scheme};
use ringwall_app_guard::{GuardSettings, RouteRules, Zone};

/// A request at a route with these rules: the status and body of the guard, 200 and nothing where the
/// application answered.
#[track_caller]
fn check(rules: RouteRules, request: &Request<'_>, expected: (u16, &str)) {
    let outcome = Application::with_route(&rules).send(request);
    assert_eq!((outcome.status(), outcome.body()), expected, "told {:?}", outcome.told());
}

const PASSES: (u16, &str) = (200, "");

#[test]
fn required_headers() {
    let rules = || RouteRules::new().require_header("X-Tenant");
    check(rules(), &Request::get(), (400, "Missing required header: X-Tenant"));
    check(
        rules(),
        &Request::get().header("x-tenant", ""),
        (400, "Missing required header: X-Tenant"),
    );
    check(rules(), &Request::get().header("X-TENANT", "a"), PASSES);
    let rules = || RouteRules::new().require_header_value("x-tenant", "a");
    check(
        rules(),
        &Request::get().header("x-tenant", "b"),
        (400, "Header 'x-tenant' does not match the required value"),
    );
    check(rules(), &Request::get().header("x-tenant", "a"), PASSES);
}

#[test]
fn authentication() {
    let refused = (401, "Authentication required");
    let rules = || RouteRules::new().require_auth("bearer", "verifier");
    check(rules(), &Request::get(), refused);
    check(rules(), &Request::get().header("authorization", "Bearer"), refused);
    check(rules(), &Request::get().header("authorization", "Bearer "), refused);
    check(rules(), &Request::get().header("authorization", "Basic right"), refused);
    check(rules(), &Request::get().header("authorization", "Bearer wrong"), refused);
    check(rules(), &Request::get().header("authorization", "bEARER right"), PASSES);
    let rules = || RouteRules::new().require_authorization_header();
    check(rules(), &Request::get(), refused);
    check(rules(), &Request::get().header("authorization", "anything"), PASSES);
}

#[test]
fn authentication_without_a_verifier_is_always_refused() {
    let rules: RouteRules =
        serde_json::from_str(r#"{"require_auth": {"scheme": "bearer"}}"#).unwrap();
    let request = Request::get().header("authorization", "Bearer right");
    check(rules, &request, (401, "Authentication required"));
}

#[test]
fn api_keys() {
    let rules = || RouteRules::new().api_key_auth("X-Key", "verifier");
    check(rules(), &Request::get(), (400, "Missing required header: X-Key"));
    check(rules(), &Request::get().header("x-key", "wrong"), (401, "Authentication required"));
    check(rules(), &Request::get().header("x-key", "right"), PASSES);
}

#[test]
fn referrers() {
    let rules = || RouteRules::new().require_referrer(["shop.example"]);
    check(rules(), &Request::get(), (403, "Referrer required"));
    let from = |referrer| Request::get().header("referer", referrer);
    check(rules(), &from("https://shop.example/page"), PASSES);
    check(rules(), &from("https://www.shop.example:8443/"), PASSES);
    check(rules(), &from("https://SHOP.EXAMPLE."), PASSES);
    for wrong in [
        "https://evilshop.example/",
        "https://shop.example.evil.test/",
        "https://evil.test/?shop.example",
        "https://shop.example@evil.test/",
        "https://evil.test\\.shop.example/",
        "shop.example",
        "javascript://shop.example/",
    ] {
        check(rules(), &from(wrong), (403, "Invalid referrer"));
    }
}

#[test]
fn content_types() {
    let refused = (415, "Unsupported content type");
    let rules = || RouteRules::new().content_type_filter(["application/json", "image/*"]);
    check(rules(), &Request::get(), PASSES);
    check(rules(), &Request::get().post("application/json; charset=utf-8", b"{}"), PASSES);
    check(rules(), &Request::get().post("Application/JSON", b"{}"), PASSES);
    check(rules(), &Request::get().post("image/png", b"x"), PASSES);
    check(rules(), &Request::get().post("image/", b"x"), refused);
    check(rules(), &Request::get().post("text/plain", b"{}"), refused);
    check(rules(), &Request::get().post("application/jsonp", b"{}"), refused);
    let mut untyped = Request::get();
    (untyped.method, untyped.body) = ("POST", Some(b"{}".as_slice()));
    check(rules(), &untyped, refused);
}

/// Flaw 29: a chunked body passed whatever its size, and a malformed length gave 500.
#[test]
fn flaw_29_the_size_of_a_body_is_what_comes_not_what_is_announced() {
    let refused = (413, "Request too large");
    let rules = || RouteRules::new().max_request_size(1500);
    let (fits, too_large) = (vec![b'a'; 1500], vec![b'a'; 1501]);
    for detection in [true, false] {
        let rules = || rules().suspicious_detection(detection);
        check(rules(), &Request::get().post("text/plain", &fits), PASSES);
        check(rules(), &Request::get().post("text/plain", &too_large), refused);
        check(rules(), &Request::get().post("text/plain", &fits).chunked(), PASSES);
        check(rules(), &Request::get().post("text/plain", &too_large).chunked(), refused);
    }
    let off = rules().suspicious_detection(false);
    let outcome = Application::with_route(&off)
        .send(&Request::get().post("text/plain", &too_large).chunked());
    assert!(outcome.passed <= 1500, "what is too much does not reach the application");
    for wrong in ["", "-1", "1e3", "12 34", "99999999999999999999999999"] {
        let request = Request::get().header("content-length", wrong);
        check(rules(), &request, (400, "Invalid Content-Length"));
    }
}

#[test]
fn custom_validation() {
    check(RouteRules::new().custom_validation("passes"), &Request::get(), PASSES);
    let rules = RouteRules::new().custom_validation("passes").custom_validation("refuses");
    check(rules, &Request::get(), (418, "no"));
    let rules = RouteRules::new().custom_validation("breaks");
    check(rules, &Request::get(), (500, "Security check failed"));
}

#[test]
fn a_check_that_breaks_lets_pass_where_that_is_configured() {
    let settings = GuardSettings { fail_secure: false, ..wide() };
    let mut application =
        Application::new(settings).at(&RouteRules::new().custom_validation("breaks"));
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn the_applications_check_of_all_requests() {
    let settings = GuardSettings { custom_request_check: Some("refuses".into()), ..wide() };
    let outcome = Application::new(settings).send(&Request::get());
    assert_eq!((outcome.status(), outcome.body()), (418, "no"));
    assert_eq!(outcome.told(), [("custom_rule_triggered", "request_blocked")]);
}

#[test]
fn time_windows() {
    // The tests' clock stands at 2023-11-14 22:13:20 UTC.
    let closed = (403, "Access not allowed at this time");
    let window = |start, end, zone| RouteRules::new().time_window(start, end, zone);
    check(window("22:00", "23:00", "UTC"), &Request::get(), PASSES);
    check(window("22:13", "22:13", "UTC"), &Request::get(), PASSES);
    check(window("22:14", "22:13", "UTC"), &Request::get(), PASSES);
    check(window("22:14", "22:12", "UTC"), &Request::get(), closed);
    check(window("09:00", "17:00", "UTC"), &Request::get(), closed);
    check(window("22:00", "06:00", "UTC"), &Request::get(), PASSES);
    check(window("23:00", "06:00", "UTC"), &Request::get(), closed);
    check(window("00:00", "01:00", "+02:00"), &Request::get(), PASSES);
    check(window("17:00", "18:00", "-05:00"), &Request::get(), PASSES);
}

#[test]
fn time_windows_of_named_zones_follow_their_rules() {
    let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let mut rules = RouteRules::new().time_window("23:00", "23:30", "Europe/Berlin");
    rules.resolve_zone(|name| (name == "Europe/Berlin").then_some(zone));
    check(rules, &Request::get(), PASSES);
}

/// Flaw 29: a window that could not be evaluated let everybody in.
#[test]
fn flaw_29_a_window_that_cannot_be_evaluated_is_closed() {
    let rules = RouteRules::new().time_window("00:00", "23:59", "Mars/Olympus");
    check(rules, &Request::get(), (403, "Access not allowed at this time"));
    assert!(Zone::parse("+99:00") != Zone::Utc);
}

#[test]
fn trap_fields() {
    let trapped = (403, "Forbidden");
    let rules = || RouteRules::new().honeypot_detection(["website"]);
    let form = "application/x-www-form-urlencoded";
    check(rules(), &Request::get().post(form, b"name=a&website="), PASSES);
    check(rules(), &Request::get().post(form, b"name=a&website=+"), PASSES);
    check(rules(), &Request::get().post(form, b"name=a&website=x"), trapped);
    check(rules(), &Request::get().post(form, b"name=a&w%65bsite=x"), trapped);
    check(rules(), &Request::get().post("application/json", br#"{"website": ""}"#), PASSES);
    check(
        rules(),
        &Request::get().post("application/json", br#"{"a": [{"website": 1}]}"#),
        trapped,
    );
    let multipart = "multipart/form-data; boundary=\"b\"";
    let part = |value: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"website\"\r\n\r\n{value}\r\n--b--\r\n"
        )
    };
    check(rules(), &Request::get().post(multipart, part("").as_bytes()), PASSES);
    check(rules(), &Request::get().post(multipart, part("x").as_bytes()), trapped);
    check(rules(), &Request::get(), PASSES);
    let long = format!(r#"{{"website" : "x", "text": "{}"}}"#, "a".repeat(400_000));
    check(rules(), &Request::get().post("application/json", long.as_bytes()), trapped);
    let long = long.replace("\"x\"", "\"\"");
    check(rules(), &Request::get().post("application/json", long.as_bytes()), PASSES);
}

#[test]
fn plain_http_is_sent_to_https() {
    for by_route in [true, false] {
        let settings = GuardSettings { enforce_https: !by_route, ..wide() };
        let mut application = Application::new(settings);
        if by_route {
            application = application.at(&RouteRules::new().require_https());
        }
        let outcome = application.send(&Request::get().path("/a%20b").query("c=d"));
        assert_eq!(outcome.status(), 301);
        assert_eq!(outcome.header("location"), Some("https://shop.example/a%20b?c=d"));
        assert!(!outcome.finished.figures.refused);
        let mut request = Request::get();
        request.scheme = Scheme::Https;
        assert_eq!(application.status(&request), 200);
        let forwarded = Request::get().header("x-forwarded-proto", "https");
        assert_eq!(application.status(&forwarded), 301, "nobody vouches for the header");
    }
}

/// Flaw 21: any route with rules of its own escaped `enforce_https`.
#[test]
fn flaw_21_a_route_with_other_rules_does_not_escape_https() {
    let settings = GuardSettings { enforce_https: true, ..wide() };
    let mut application = Application::new(settings).at(&RouteRules::new().rate_limit(5, 60));
    assert_eq!(application.status(&Request::get()), 301);
}

#[test]
fn a_trusted_proxy_tells_the_scheme() {
    let settings = GuardSettings {
        enforce_https: true,
        trust_x_forwarded_proto: true,
        trusted_proxies: texts(&["10.0.0.0/8"]),
        ..wide()
    };
    let mut application = Application::new(settings);
    let request = Request::get().header("x-forwarded-proto", "https");
    assert_eq!(application.status(&request), 301);
    assert_eq!(application.status(&request.clone().from("10.1.1.1")), 200);
    let request = Request::get().header("x-forwarded-proto", "https, http");
    assert_eq!(application.status(&request.from("10.1.1.1")), 301);
}

#[test]
fn nobody_is_redirected_to_a_host_that_is_none() {
    let settings = GuardSettings { enforce_https: true, ..wide() };
    let mut application = Application::new(settings);
    let mut request = Request::get();
    request.headers = vec![("host", b"shop.example/\r\nx: y")];
    assert_eq!(application.status(&request), 400);
    request.headers = vec![("host", b"shop.example:80")];
    let outcome = application.send(&request);
    assert_eq!(outcome.header("location"), Some("https://shop.example/"));
}

#[test]
fn a_client_without_an_address_is_refused_unless_configured() {
    let mut request = Request::get();
    request.peer = Peer::Unix;
    let outcome = Application::plain().send(&request);
    assert_eq!((outcome.status(), outcome.body()), (403, "Client address could not be determined"));
    let settings = GuardSettings { fail_secure: false, ..wide() };
    assert_eq!(Application::new(settings).status(&request), 200);
}

#[test]
fn emergencies() {
    let settings = GuardSettings {
        emergency_mode: true,
        emergency_whitelist: texts(&["192.0.2.9"]),
        ..wide()
    };
    let mut application = Application::new(settings);
    let outcome = application.send(&Request::get());
    assert_eq!((outcome.status(), outcome.body()), (503, "Service temporarily unavailable"));
    assert_eq!(outcome.told(), [("emergency_mode_block", "request_blocked")]);
    assert_eq!(application.status(&Request::get().from("192.0.2.9")), 200);
}

#[test]
fn own_words_for_a_status() {
    let mut settings = GuardSettings { blacklist: texts(&["192.0.2.1"]), ..wide() };
    settings.custom_error_responses.insert(403, "go away".into());
    let outcome = Application::new(settings).send(&Request::get());
    assert_eq!((outcome.status(), outcome.body()), (403, "go away"));
}
