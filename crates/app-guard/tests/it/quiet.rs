//! What raises no alarm, and makes no noise.

use crate::application::{Application, Request};
use ringwall_app_guard::GuardSettings;

/// Flaw 33: values of ordinary people and programs were taken for attacks.
#[test]
fn flaw_33_ordinary_values_are_no_attacks() {
    let quiet = |request: &Request<'_>, what: &str| {
        let outcome = Application::plain().send(request);
        assert_eq!((outcome.status(), outcome.told()), (200, vec![]), "{what}");
        assert_eq!(outcome.finished.figures.threat, 0.0, "{what}");
    };
    for value in [
        "10.0.0.5",
        "192.168.1.10",
        "{{name}}",
        "Dear {first_name}, your order {order_id}",
        "call `cargo build` and then `make`",
        "JavaScript: The Good Parts",
        "data: a love story",
        "http://localhost:3000/callback",
    ] {
        let query = format!("q={}", value.replace(' ', "+").replace('`', "%60"));
        quiet(&Request::get().query(&query), value);
        let json = serde_json::json!({ "title": value }).to_string();
        quiet(&Request::get().post("application/json", json.as_bytes()), value);
    }
    for path in ["/select", "/union", "/script/", "/order/by/name", "/drop-in", "/exec/board"] {
        quiet(&Request::get().path(path), path);
    }
}

/// Flaw 26: benign requests told of themselves, 37 events in six of them, and pushed out what mattered.
#[test]
fn flaw_26_requests_that_harm_nobody_tell_nothing() {
    // Security headers are told of once for each path and a while; here of none.
    let settings = GuardSettings { rate_limit: 100_000, ..GuardSettings::default() };
    let mut application = Application::new(settings);
    let long = "a long and wholly harmless text ".repeat(2_000);
    let mut told = Vec::new();
    for number in 0..200 {
        let query = format!("q=shoes{number}&page={number}");
        told.extend(application.send(&Request::get().query(&query)).finished.events);
        let text = Request::get().post("text/plain", long.as_bytes());
        told.extend(application.send(&text).finished.events);
        application.wait(1.0);
    }
    told.retain(|event| event.event_type.name() != "security_headers_applied");
    assert!(told.is_empty(), "{told:?}");
}
