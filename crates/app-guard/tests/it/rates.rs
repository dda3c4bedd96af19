//! Limits: so many pass, the next one does not, and whoever waits gets in again.

use crate::application::{Application, Request, small, texts, wide};
use ringwall_app_guard::{GuardSettings, RouteRules};
use std::collections::BTreeMap;

fn limited(requests: u32, seconds: u32) -> GuardSettings {
    GuardSettings { rate_limit: requests, rate_limit_window: seconds, ..GuardSettings::default() }
}

/// How many of so many requests pass.
fn passed(application: &mut Application, request: &Request<'_>, tries: usize) -> usize {
    (0..tries).filter(|_| application.status(request) == 200).count()
}

#[test]
fn so_many_pass_and_the_next_one_gets_429() {
    for limit in [1, 10, 24, 25, 100] {
        let mut application = Application::new(limited(limit, 60));
        for _ in 0..limit {
            assert_eq!(application.status(&Request::get()), 200);
        }
        let outcome = application.send(&Request::get());
        assert_eq!((outcome.status(), outcome.body()), (429, "Too many requests"));
        assert_eq!(outcome.header("retry-after"), Some("60"), "limit {limit}");
        assert_eq!(application.status(&Request::get().from("192.0.2.2")), 200);
    }
}

/// Flaw 23: refused requests extended the window, so a client at its rate never recovered; the event
/// told the numbers of another limit; and one refusal was told twice.
#[test]
fn flaw_23_refused_requests_do_not_extend_the_window() {
    let mut application = Application::new(limited(10, 60));
    assert_eq!(passed(&mut application, &Request::get(), 10), 10);
    for _ in 0..59 {
        application.wait(1.0);
        assert_eq!(application.status(&Request::get()), 429);
    }
    application.wait(1.0);
    assert_eq!(passed(&mut application, &Request::get(), 20), 10);
}

#[test]
fn flaw_23_the_event_tells_the_limit_that_was_hit_and_tells_it_once() {
    let mut application = Application::new(wide()).at(&RouteRules::new().rate_limit(2, 30));
    assert_eq!(passed(&mut application, &Request::get(), 2), 2);
    let outcome = application.send(&Request::get());
    assert_eq!(outcome.told(), [("rate_limited", "request_blocked")]);
    let event = outcome.event("rate_limited");
    assert_eq!(event.metadata["rate_limit"], 2);
    assert_eq!(event.metadata["window"], 30);
    assert_eq!(event.metadata["request_count"], 2);
    assert_eq!(event.metadata["rule_type"], "route_rate_limit");
}

/// Flaw 23: 10,001 addresses pushed the counters out.
#[test]
fn flaw_23_a_flood_of_addresses_does_not_reset_a_counter() {
    let settings = GuardSettings { limits: small(), ..limited(5, 60) };
    let mut application = Application::new(settings);
    let client = Request::get();
    assert_eq!(passed(&mut application, &client, 6), 5);
    for number in 0..20_000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        application.status(&Request::get().from(&format!("10.{b}.{c}.{d}")));
    }
    assert_eq!(application.status(&client), 429);
    assert!(application.state.counters_len() <= 640 + 64);
    // Neither do newcomers get more than their limit while there is no room for them.
    let newcomer = Request::get().from("198.51.100.1");
    assert!(passed(&mut application, &newcomer, 20) <= 5);
}

/// Flaw 23: an IPv6 subnet was as many clients as it has addresses.
#[test]
fn flaw_23_the_addresses_of_an_ipv6_subnet_share_a_limit() {
    let mut application = Application::new(limited(5, 60));
    let passed = (0..50)
        .filter(|number| {
            let request = Request::get().from(&format!("2001:db8::{number:x}"));
            application.status(&request) == 200
        })
        .count();
    assert_eq!(passed, 5);
    assert_eq!(application.status(&Request::get().from("2001:db8:0:1::1")), 200);
}

#[test]
fn limits_of_paths_come_first_and_the_global_one_still_holds() {
    let settings = GuardSettings {
        endpoint_rate_limits: BTreeMap::from([("/login".to_owned(), (2, 60))]),
        ..limited(3, 60)
    };
    let mut application = Application::new(settings);
    let login = Request::get().path("/login");
    assert_eq!(passed(&mut application, &login, 2), 2);
    let outcome = application.send(&login);
    assert_eq!(outcome.event("rate_limited").metadata["rule_type"], "endpoint_rate_limit");
    assert_eq!(application.status(&Request::get()), 200);
    let outcome = application.send(&Request::get());
    assert_eq!(outcome.event("rate_limited").metadata["rule_type"], "global_rate_limit");
}

#[test]
fn the_limit_of_a_path_holds_however_the_path_is_written() {
    let settings = GuardSettings {
        endpoint_rate_limits: BTreeMap::from([("/login".to_owned(), (1, 60))]),
        ..wide()
    };
    let mut application = Application::new(settings);
    assert_eq!(application.status(&Request::get().path("/login")), 200);
    for path in ["/login", "/%6cogin", "/%256cogin", "//login", "/x/../login", "/./login"] {
        assert_eq!(application.status(&Request::get().path(path)), 429, "{path}");
    }
}

#[test]
fn limits_by_country() {
    let rules = RouteRules::new().geo_rate_limit([("CN", (1, 60)), ("*", (3, 60))]);
    let mut application = Application::with_route(&rules);
    assert_eq!(passed(&mut application, &Request::get().from("82.0.0.1"), 9), 1);
    assert_eq!(passed(&mut application, &Request::get().from("81.0.0.1"), 9), 3);
    assert_eq!(passed(&mut application, &Request::get(), 9), 3);
    let only_one = RouteRules::new().geo_rate_limit([("CN", (1, 60))]);
    let mut application = Application::with_route(&only_one);
    assert_eq!(passed(&mut application, &Request::get().from("81.0.0.1"), 9), 9);
}

#[test]
fn web_sockets_have_a_budget_of_their_own() {
    let mut application = Application::new(limited(2, 60));
    assert_eq!(passed(&mut application, &Request::get(), 5), 2);
    let socket = Request::get().header("upgrade", "WebSocket").header("connection", "upgrade");
    let socket = socket.header("sec-websocket-key", "x").header("sec-websocket-version", "13");
    assert_eq!(passed(&mut application, &socket, 5), 2);
}

#[test]
fn refusals_ban_where_that_is_configured() {
    let settings =
        GuardSettings { enable_rate_limit_auto_ban: true, auto_ban_threshold: 3, ..limited(1, 60) };
    let mut application = Application::new(settings);
    let statuses: Vec<u16> = (0..5).map(|_| application.status(&Request::get())).collect();
    assert_eq!(statuses, [200, 429, 429, 403, 403]);
    assert_eq!(application.send(&Request::get()).body(), "IP address banned");
    let bans = application.state.bans(application.now);
    assert_eq!(bans[0].reason.as_deref(), Some("rate_limit_exceeded"));
}

#[test]
fn passive_mode_counts_and_refuses_nobody() {
    let settings = GuardSettings { passive_mode: true, ..limited(1, 60) };
    let mut application = Application::new(settings);
    assert_eq!(application.status(&Request::get()), 200);
    let outcome = application.send(&Request::get());
    // Flaw 27: the original said `request_blocked` here.
    assert_eq!((outcome.status(), outcome.told()), (200, vec![("rate_limited", "logged_only")]));
    assert_eq!(outcome.event("rate_limited").status_code, None);
}

#[test]
fn whitelisted_addresses_have_no_limit() {
    let settings = GuardSettings { whitelist: texts(&["192.0.2.1"]), ..limited(1, 60) };
    assert_eq!(passed(&mut Application::new(settings), &Request::get(), 10), 10);
}
