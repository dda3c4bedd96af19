//! Excluded paths and routes, however they are written.

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::{
    BanOrder, Bypass, ExcludedPaths, GuardSettings, RouteEntry, RouteRules, plain_path,
};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_path_is_excluded_only_if_nobody_could_read_it_otherwise() {
    let paths = ExcludedPaths::new(["/static", "/docs/"]);
    let check =
        |path: &str, expected: Option<&str>| assert_eq!(paths.find(path), expected, "{path}");
    check("/static", Some("/static"));
    check("/static/", Some("/static"));
    check("/static/a/b.css", Some("/static"));
    check("/static/a%20b.css", Some("/static"));
    check("/docs", Some("/docs"));
    check("/staticfiles", None);
    check("/Static", None);
    check("/", None);
    for hidden in [
        "/static/../admin",
        "/static/%2e%2e/admin",
        "/static/..%2fadmin",
        "/static%2f..%2fadmin",
        "/static/%252e%252e/admin",
        "/static/%25252e%25252e%25252fadmin",
        "/static/..\\admin",
        "/static/%5c..%5cadmin",
        "/static/..;/admin",
        "/static/..;x=1/admin",
        "/admin/../static/x",
        "/%73tatic/x",
        "//static/x",
        "/static/x/../../admin",
        "/static/a%00b",
        "/static/%ff",
    ] {
        check(hidden, None);
    }
}

#[test]
fn paths_come_to_their_plain_form() {
    let check = |path: &str, expected: Option<&str>| {
        assert_eq!(plain_path(path).as_deref(), expected, "{path}");
    };
    check("/a/b", Some("/a/b"));
    check("/a//b/./c/../d", Some("/a/b/d"));
    check("/%61/%2562", Some("/a/b"));
    check("/..", Some("/"));
    check("/a/..", Some("/"));
    check("/a/", Some("/a/"));
    check("/100%", Some("/100%"));
    check("/a\\b", Some("/a/b"));
    check("/%ff", None);
}

#[test]
fn excluded_paths_are_left_alone_but_for_bans_lists_and_rates() {
    let settings = GuardSettings {
        enforce_https: true,
        blocked_user_agents: texts(&["curl"]),
        rate_limit: 3,
        blacklist: texts(&["192.0.2.66"]),
        ..GuardSettings::default()
    };
    let mut application = Application::new(settings);
    let request = Request::get().path("/static/a.css").header("user-agent", "curl");
    let outcome = application.send(&request);
    assert_eq!(outcome.status(), 200);
    assert_eq!(outcome.told(), [("path_excluded", "security_checks_bypassed")]);
    assert!(application.send(&request).told().is_empty(), "told once in five minutes");
    assert_eq!(application.status(&request.clone().from("192.0.2.66")), 403);
    application.wait(1.0);
    assert_eq!(application.status(&request), 200);
    assert_eq!(application.status(&request), 429);
    let network = "192.0.2.7".parse().unwrap();
    let (time, reason) = (Duration::from_secs(60), Arc::from("dynamic_rule"));
    let order = BanOrder { network, address: network.address(), time, reason };
    application.state.ban(&order, application.now);
    assert_eq!(application.status(&request.clone().from("192.0.2.7")), 403);
    application.wait(300.0);
    assert_eq!(application.send(&request).told().len(), 1, "and told again");
    assert_eq!(application.status(&request.path("/static/%2e%2e/admin")), 301);
}

#[test]
fn a_route_that_bypasses_everything_says_so() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.1"]), ..wide() };
    let rules = RouteRules::new().bypass([Bypass::All]);
    let outcome = Application::new(settings).at(&rules).send(&Request::get());
    assert_eq!(outcome.status(), 200);
    assert_eq!(outcome.told(), [("security_bypass", "all_checks_bypassed")]);
}

#[test]
fn a_route_bypasses_what_it_names_and_nothing_else() {
    let settings = || GuardSettings {
        blacklist: texts(&["192.0.2.1"]),
        rate_limit: 1,
        ..GuardSettings::default()
    };
    let statuses = |bypass: Bypass| {
        let mut application = Application::new(settings()).at(&RouteRules::new().bypass([bypass]));
        [application.status(&Request::get()), application.status(&Request::get())]
    };
    assert_eq!(statuses(Bypass::Ip), [200, 429]);
    assert_eq!(statuses(Bypass::RateLimit), [403, 403]);
    assert_eq!(statuses(Bypass::IpBan), [403, 403]);
}

#[test]
fn routes_of_the_settings_are_found_however_the_path_is_written() {
    let entry = |path: &str, method: Option<&str>, status: &str| RouteEntry {
        path: path.to_owned(),
        method: method.map(str::to_owned),
        rules: RouteRules::new().require_header(status),
    };
    let settings = GuardSettings {
        routes: vec![
            entry("/orders/{id}", None, "x-parameter"),
            entry("/orders/new", None, "x-literal"),
            entry("/orders/new", Some("post"), "x-post"),
            entry("/files/{*rest}", None, "x-rest"),
        ],
        ..wide()
    };
    let mut application = Application::new(settings);
    let mut check = |method, path: &str, expected: &str| {
        let mut request = Request::get().path(path);
        request.method = method;
        let outcome = application.send(&request);
        let wanted = format!("Missing required header: {expected}");
        let wanted = if expected.is_empty() { String::new() } else { wanted };
        assert_eq!(outcome.body(), wanted, "{path}");
    };
    check("GET", "/orders/7", "x-parameter");
    check("GET", "/orders/new", "x-literal");
    check("POST", "/orders/new", "x-post");
    check("GET", "/files/a/b", "x-rest");
    check("GET", "/orders/%6eew", "x-parameter");
    check("GET", "/%6frders/new", "x-literal");
    check("GET", "/x/../orders/new", "x-literal");
    check("GET", "//orders//new", "x-literal");
    check("GET", "/orders", "");
    check("GET", "/orders/7/items", "");
    check("GET", "/files/", "");
}

#[test]
fn patterns_that_make_no_sense_are_refused() {
    for path in ["orders", "/a{b}", "/{}", "/{*rest}/x", "/{a", "/a}"] {
        let entry = RouteEntry { path: path.into(), method: None, rules: RouteRules::new() };
        let settings = GuardSettings { routes: vec![entry], ..wide() };
        assert!(ringwall_app_guard::Guard::new(settings).is_err(), "{path}");
    }
}
