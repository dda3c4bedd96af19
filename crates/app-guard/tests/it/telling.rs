//! What the guard tells: truthfully, once, and of every request.

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::{EventType, GuardLimits, GuardSettings, MetricKind, OTHER_ENDPOINTS};

#[test]
fn an_event_says_whose_request_it_was() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.1"]), ..wide() };
    let outcome = Application::new(settings).send(
        &Request::get()
            .path("/orders/7")
            .query("secret=1")
            .header("user-agent", "curl/8")
            .header("traceparent", "00-1-2-00"),
    );
    let event = outcome.event("ip_blocked");
    assert_eq!(event.ip_address, "192.0.2.1");
    assert_eq!(event.user_agent.as_deref(), Some("curl/8"));
    assert_eq!(event.endpoint.as_deref(), Some("/orders/7"), "without the query");
    assert_eq!(event.method.as_deref(), Some("GET"));
    assert_eq!(event.status_code, Some(403));
    assert_eq!(event.metadata["traceparent"], "00-1-2-00");
    assert_eq!(event.handler_name, Some("middleware"));
}

#[test]
fn texts_of_the_client_are_bounded() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.1"]), ..wide() };
    let long = format!("/{}", "é".repeat(5000));
    let agent = "a".repeat(5000);
    let outcome =
        Application::new(settings).send(&Request::get().path(&long).header("user-agent", &agent));
    let event = outcome.event("ip_blocked");
    assert_eq!(event.endpoint.as_ref().map(String::len), Some(511));
    assert_eq!(event.user_agent.as_ref().map(String::len), Some(512));
}

/// Flaw 27: `action_taken` said `blocked` where nothing was blocked.
#[test]
fn flaw_27_in_passive_mode_nothing_is_refused_and_nothing_else_is_claimed() {
    let settings = GuardSettings {
        passive_mode: true,
        enforce_https: true,
        blacklist: texts(&["192.0.2.1"]),
        blocked_user_agents: texts(&["curl"]),
        emergency_mode: true,
        custom_request_check: Some("refuses".into()),
        ..wide()
    };
    let outcome = Application::new(settings).send(&Request::get().header("user-agent", "curl"));
    assert_eq!(outcome.status(), 200);
    assert!(!outcome.finished.figures.refused);
    assert_eq!(outcome.told().len(), 5, "{:?}", outcome.told());
    for event in outcome.events() {
        assert_eq!((event.action_taken, event.status_code), ("logged_only", None));
    }
}

/// Flaw 31: blocked requests were in no metric, so that no rate of blocks could be computed.
#[test]
fn flaw_31_refused_requests_are_counted() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.66"]), ..wide() };
    let mut application = Application::new(settings);
    application.send(&Request::get().answered(200, b"12345"));
    application.send(&Request::get().answered(500, b""));
    application.send(&Request::get().from("192.0.2.66"));
    application.send(&Request::get().path("/other").post("text/plain", b"123"));
    let metrics = application.guard.take_metrics();
    let value = |kind, endpoint: Option<&str>| {
        let found = metrics
            .iter()
            .find(|metric| metric.kind == kind && metric.endpoint.as_deref() == endpoint);
        found.map(|metric| metric.value)
    };
    assert_eq!(value(MetricKind::RequestCount, None), Some(4.0));
    assert_eq!(value(MetricKind::RequestCount, Some("/")), Some(3.0));
    assert_eq!(value(MetricKind::BlockRate, None), Some(0.25));
    assert_eq!(value(MetricKind::ErrorRate, None), Some(0.5));
    assert_eq!(value(MetricKind::BandwidthUsage, None), Some(8.0));
    assert_eq!(value(MetricKind::BandwidthUsage, Some("/other")), Some(3.0));
    assert_eq!(value(MetricKind::ResponseTime, None), Some(0.0));
    assert_eq!(value(MetricKind::ThreatLevel, None), Some(0.0));
    assert_eq!(value(MetricKind::CacheHitRate, None), Some(0.0));
    assert!(application.guard.take_metrics().is_empty(), "an interval begins anew");
}

#[test]
fn endpoints_of_metrics_are_bounded() {
    let limits = GuardLimits { endpoints: 10, ..GuardLimits::default() };
    let mut application = Application::new(GuardSettings { limits, ..wide() });
    let paths: Vec<String> = (0..1000).map(|number| format!("/{number}")).collect();
    for path in &paths {
        application.send(&Request::get().path(path));
    }
    let metrics = application.guard.take_metrics();
    let counts: Vec<_> = metrics
        .iter()
        .filter(|metric| metric.kind == MetricKind::RequestCount && metric.endpoint.is_some())
        .collect();
    assert_eq!(counts.len(), 11);
    let other = counts.iter().find(|metric| metric.endpoint.as_deref() == Some(OTHER_ENDPOINTS));
    assert_eq!(other.unwrap().value, 990.0);
}

/// Scanners ask for thousands of paths that are not there; they must not push real endpoints out.
#[test]
fn paths_that_nobody_serves_are_no_endpoints() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.66"]), ..wide() };
    let mut application = Application::new(settings);
    let endpoint = |application: &mut Application, request: &Request<'_>| {
        application.send(request).finished.figures.endpoint.to_string()
    };
    let missing = Request::get().path("/wp-login.php").answered(404, b"");
    assert_eq!(endpoint(&mut application, &missing), OTHER_ENDPOINTS);
    let refused = Request::get().path("/login").from("192.0.2.66");
    assert_eq!(endpoint(&mut application, &refused), OTHER_ENDPOINTS);
    assert_eq!(endpoint(&mut application, &Request::get().path("/login")), "/login");
    assert_eq!(endpoint(&mut application, &refused), "/login");
}

/// Flaw 31: redirects carried no security headers.
#[test]
fn flaw_31_every_answer_has_the_security_headers() {
    use ringwall_app_guard::inspection::RequestHead;
    let settings = GuardSettings { enforce_https: true, ..wide() };
    let mut application = Application::new(settings);
    let outcome = application.send(&Request::get());
    assert_eq!(outcome.status(), 301);
    let event = outcome.event("security_headers_applied");
    assert_eq!((&*event.ip_address, event.action_taken), ("", "headers_added"));
    let again = application.send(&Request::get());
    assert!(again.finished.events.iter().all(|event| event.event_type.name() == "https_enforced"));
    let exchange = application.guard.exchange(&RequestHead::get("/"), None, application.now);
    assert_eq!(exchange.security_headers().len(), 11);
}

#[test]
fn events_of_one_exchange_are_bounded() {
    let limits = GuardLimits { events: 2, ..GuardLimits::default() };
    let settings = GuardSettings {
        passive_mode: true,
        enforce_https: true,
        emergency_mode: true,
        blacklist: texts(&["192.0.2.1"]),
        limits,
        ..wide()
    };
    assert_eq!(Application::new(settings).send(&Request::get()).finished.events.len(), 2);
}

#[test]
fn names_are_told_apart_and_scores_are_those_of_the_original() {
    let mut names: Vec<_> = EventType::ALL.iter().map(|event| event.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), EventType::ALL.len());
    assert_eq!(EventType::PenetrationAttempt.threat_score(), 90);
    assert_eq!(EventType::IpBanned.threat_score(), 70);
    assert_eq!(EventType::EmergencyModeActivated.threat_score(), 60);
    assert_eq!(EventType::RateLimited.threat_score(), 20);
}
