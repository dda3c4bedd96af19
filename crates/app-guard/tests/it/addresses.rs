//! Whose request it is, and whether lists, countries and clouds let it in.

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::inspection::{Headers, Peer};
use ringwall_app_guard::{
    BlockedClouds, CloudProvider, CloudRange, CloudRanges, GuardSettings, Network, RouteRules,
    TrustedProxies,
};

#[test]
fn the_client_behind_proxies() {
    // Depth, what the proxies are, who connects, the header, who it is.
    let check = |depth, peer: &str, forwarded: &str, expected: &str| {
        let trusted = texts(&["10.0.0.0/8", "fd00::/8", "unix"]);
        let proxies = TrustedProxies::parse(&trusted, depth).unwrap();
        let peer = match peer {
            "unix" => Peer::Unix,
            address => crate::application::peer(address),
        };
        let pairs = [("X-Forwarded-For", forwarded.as_bytes())];
        let client = proxies.client(peer, Headers::new(&pairs));
        let found = client.address.map(|address| address.to_string());
        assert_eq!(found.as_deref(), Some(expected), "{peer:?}, depth {depth}, `{forwarded}`");
    };
    check(1, "10.0.0.1", "203.0.113.7", "203.0.113.7");
    check(1, "10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7");
    check(2, "10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7");
    check(2, "10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7");
    check(3, "10.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.2", "203.0.113.7");
    check(3, "10.0.0.1", "203.0.113.7, 10.0.0.3, 10.0.0.2", "203.0.113.7");
    check(2, "10.0.0.1", "10.0.0.2", "10.0.0.1");
    check(1, "10.0.0.1", "", "10.0.0.1");
    check(1, "10.0.0.1", "unknown", "10.0.0.1");
    check(1, "10.0.0.1", "203.0.113.7, _hidden", "10.0.0.1");
    check(1, "unix", "203.0.113.7", "203.0.113.7");
    check(1, "192.0.2.1", "203.0.113.7", "192.0.2.1");
    check(1, "10.0.0.1", "203.0.113.7:8080", "203.0.113.7");
    check(1, "10.0.0.1", "[2001:db8::1]:8080", "2001:db8::1");
    check(1, "10.0.0.1", "[2001:db8::1]", "2001:db8::1");
    check(1, "10.0.0.1", "2001:db8::1", "2001:db8::1");
    check(1, "10.0.0.1", "\"[2001:db8::1]:1\"", "2001:db8::1");
    check(1, "10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7");
    check(1, "10.0.0.1", "[fe80::1%eth0]:1", "fe80::1");
    check(1, "fd00::1", "203.0.113.7", "203.0.113.7");
    check(1, "::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7");
}

#[test]
fn several_headers_are_one_list() {
    let proxies = TrustedProxies::parse(&texts(&["10.0.0.0/8"]), 2).unwrap();
    let pairs = [
        ("x-forwarded-for", b"6.6.6.6".as_slice()),
        ("X-Forwarded-For", b"203.0.113.7, 10.0.0.2".as_slice()),
    ];
    let client = proxies.client(crate::application::peer("10.0.0.1"), Headers::new(&pairs));
    assert_eq!(client.address, Some("203.0.113.7".parse().unwrap()));
}

#[test]
fn a_forwarding_header_from_anybody_is_told_once_and_not_believed() {
    let settings = GuardSettings { blacklist: texts(&["203.0.113.7"]), ..wide() };
    let mut application = Application::new(settings);
    let outcome = application.send(&Request::get().header("x-forwarded-for", "203.0.113.7"));
    assert_eq!(outcome.status(), 200);
    assert_eq!(outcome.told(), [("suspicious_request", "spoofing_detected")]);
    let again = application.send(&Request::get().header("x-forwarded-for", "203.0.113.7"));
    assert_eq!(again.told(), [], "the same client is told of once in five minutes");
}

#[test]
fn lists() {
    let check = |whitelist: &[&str], blacklist: &[&str], from: &str, expected| {
        let settings =
            GuardSettings { whitelist: texts(whitelist), blacklist: texts(blacklist), ..wide() };
        let outcome = Application::new(settings).send(&Request::get().from(from));
        assert_eq!((outcome.status(), outcome.body()), expected, "{from}");
    };
    check(&[], &["192.0.2.0/24"], "192.0.2.200", (403, "Forbidden"));
    check(&[], &["192.0.2.0/24"], "192.0.3.1", (200, ""));
    check(&[], &["192.0.2.0/24"], "::ffff:192.0.2.200", (403, "Forbidden"));
    check(&[], &["2001:db8::/32"], "2001:db8:1::1", (403, "Forbidden"));
    check(&["192.0.2.1"], &[], "192.0.2.1", (200, ""));
    check(&["192.0.2.1"], &[], "192.0.2.2", (403, "Forbidden"));
    check(&["192.0.2.1"], &["192.0.2.0/24"], "192.0.2.1", (200, ""));
}

#[test]
fn lists_of_a_route() {
    let check = |rules: RouteRules, expected| {
        let outcome = Application::with_route(&rules).send(&Request::get());
        assert_eq!((outcome.status(), outcome.body()), expected);
    };
    check(RouteRules::new().allow_ips(["192.0.2.0/24"]), (200, ""));
    check(RouteRules::new().allow_ips(["192.0.3.0/24"]), (403, "Forbidden"));
    check(RouteRules::new().deny_ips(["192.0.2.1"]), (403, "Forbidden"));
    let both = RouteRules::new().allow_ips(["192.0.2.0/24"]).deny_ips(["192.0.2.1"]);
    check(both, (403, "Forbidden"));
}

#[test]
fn countries() {
    let check = |allowed: &[&str], blocked: &[&str], from: &str, expected: u16| {
        let settings = GuardSettings {
            whitelist_countries: texts(allowed),
            blocked_countries: texts(blocked),
            ..wide()
        };
        let outcome = Application::new(settings).send(&Request::get().from(from));
        assert_eq!(outcome.status(), expected, "{allowed:?} {blocked:?} {from}");
        if expected == 403 && !from.starts_with("99") {
            assert_eq!(outcome.told(), [("country_blocked", "request_blocked")]);
        }
        let rules = RouteRules::new()
            .allow_countries(allowed.iter().copied())
            .block_countries(blocked.iter().copied());
        let of_route = Application::with_route(&rules).status(&Request::get().from(from));
        assert_eq!(of_route, expected, "the same by route");
    };
    check(&[], &["cn"], "82.0.0.1", 403);
    check(&[], &["CN"], "81.0.0.1", 200);
    check(&[], &["CN"], "192.0.2.1", 200);
    check(&["DE"], &[], "81.0.0.1", 200);
    check(&["DE"], &[], "82.0.0.1", 403);
    check(&["DE"], &[], "192.0.2.1", 403);
    check(&["DE"], &[], "127.0.0.1", 200);
    check(&[], &["CN"], "99.0.0.1", 403);
}

#[test]
fn a_country_that_cannot_be_looked_up_passes_where_that_is_configured() {
    let settings =
        GuardSettings { blocked_countries: texts(&["CN"]), geo_fail_open: true, ..wide() };
    let outcome = Application::new(settings).send(&Request::get().from("99.0.0.1"));
    assert_eq!(outcome.told(), [("geo_lookup_failed", "check_skipped")]);
    assert_eq!(outcome.status(), 200);
}

fn ranges() -> CloudRanges {
    let range = |network: &str, provider, region: &str| {
        (network.parse::<Network>().unwrap(), CloudRange { provider, region: region.into() })
    };
    CloudRanges::new([
        range("3.0.0.0/8", CloudProvider::Aws, "us-east-1"),
        range("2600:1f00::/24", CloudProvider::Aws, "us-east-1"),
        range("34.0.0.0/8", CloudProvider::Gcp, ""),
        range("34.64.0.0/16", CloudProvider::Gcp, "asia-northeast3"),
    ])
}

#[test]
fn clouds() {
    let check = |blocked: &[&str], from: &str, expected: (u16, &str)| {
        let settings = GuardSettings { block_cloud_providers: texts(blocked), ..wide() };
        let mut application = Application::new(settings);
        application.guard.set_cloud_ranges(ranges());
        let outcome = application.send(&Request::get().from(from));
        assert_eq!((outcome.status(), outcome.body()), expected, "{blocked:?} {from}");
        if expected.0 == 403 {
            assert_eq!(outcome.told(), [("cloud_blocked", "request_blocked")]);
            assert!(outcome.event("cloud_blocked").metadata.contains_key("network"));
        }
    };
    check(&["AWS"], "3.1.2.3", (403, "Forbidden"));
    check(&["AWS"], "4.1.2.3", (200, ""));
    check(&["GCP"], "34.64.0.1", (403, "Forbidden"));
    check(&["GCP:!asia-northeast3"], "34.64.0.1", (200, ""));
    check(&["GCP:!Asia-Northeast3"], "34.65.0.1", (403, "Forbidden"));
    // Flaw 30: ranges were read for IPv4 only.
    check(&["AWS"], "2600:1f00::1", (403, "Forbidden"));
}

/// Flaw 28: blocking by route alone blocked nothing, and empty ranges let everybody in.
#[test]
fn flaw_28_clouds_of_a_route_are_needed_and_unknown_ranges_let_nobody_in() {
    let rules = RouteRules::new().block_clouds(["AWS"]);
    let mut application = Application::with_route(&rules);
    let route = application.route.clone();
    assert_eq!(
        application.guard.clouds_needed(&route).into_iter().collect::<Vec<_>>(),
        [CloudProvider::Aws]
    );
    let outcome = application.send(&Request::get().from("3.1.2.3"));
    assert_eq!((outcome.status(), outcome.header("retry-after")), (503, Some("5")));
    application.guard.set_cloud_ranges(ranges());
    let outcome = application.send(&Request::get().from("3.1.2.3"));
    assert_eq!((outcome.status(), outcome.body()), (403, "Cloud provider IP not allowed"));
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn unknown_ranges_let_everybody_in_where_that_is_configured() {
    let settings =
        GuardSettings { block_cloud_providers: texts(&["AWS"]), cloud_fail_open: true, ..wide() };
    let outcome = Application::new(settings).send(&Request::get());
    assert_eq!((outcome.status(), outcome.told()), (200, vec![("cloud_blocked", "check_skipped")]));
}

/// Flaw 32: a whitelisted or exempt address in a blocked cloud was refused.
#[test]
fn flaw_32_who_is_whitelisted_or_exempt_may_come_from_a_blocked_cloud() {
    for exempt in [true, false] {
        let listed = texts(&["3.1.2.3"]);
        let mut settings = GuardSettings { block_cloud_providers: texts(&["AWS"]), ..wide() };
        if exempt {
            settings.exempt_ips = listed;
        } else {
            settings.whitelist = listed;
        }
        let mut application =
            Application::new(settings).at(&RouteRules::new().block_clouds(["AWS"]));
        application.guard.set_cloud_ranges(ranges());
        assert_eq!(application.status(&Request::get().from("3.1.2.3")), 200);
        assert_eq!(application.status(&Request::get().from("3.1.2.4")), 403);
    }
}

#[test]
fn what_names_no_cloud_is_refused() {
    for wrong in ["IBM", "", "GCP:us-east1", "GCP:!", "AWS:"] {
        assert!(BlockedClouds::parse([wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn user_agents() {
    let check = |agent: &str, expected: (u16, &str)| {
        let settings =
            GuardSettings { blocked_user_agents: texts(&["^curl/", "bad.*bot"]), ..wide() };
        let outcome = Application::new(settings).send(&Request::get().header("user-agent", agent));
        assert_eq!((outcome.status(), outcome.body()), expected, "{agent}");
    };
    let refused = (403, "User-Agent not allowed");
    check("curl/8", refused);
    check("a BadSeo Bot", refused);
    check("Mozilla/5.0", (200, ""));
    check("xcurl/8", (200, ""));
    check(&format!("{}badbot", "a".repeat(506)), refused);
    check(&format!("{}badbot", "é".repeat(506)), refused);
    check(&format!("{}badbot", "a".repeat(507)), (200, ""));
    let rules = RouteRules::new().block_user_agents(["python"]);
    let request = Request::get().header("user-agent", "Python-requests");
    assert_eq!(Application::with_route(&rules).send(&request).body(), "User-Agent not allowed");
}

#[test]
fn exempt_addresses_skip_user_agents_and_rates() {
    let settings = GuardSettings {
        exempt_ips: texts(&["192.0.2.1"]),
        blocked_user_agents: texts(&["curl"]),
        rate_limit: 1,
        ..GuardSettings::default()
    };
    let mut application = Application::new(settings);
    for _ in 0..5 {
        assert_eq!(application.status(&Request::get().header("user-agent", "curl")), 200);
    }
}
