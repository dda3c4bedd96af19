//! The keys in Redis, as the original middleware writes them.

use ringwall_app_guard::{CounterKey, CounterKind, keys};

#[test]
fn counters() {
    let check = |kind, client: &str, endpoint: Option<&str>, detail: Option<&str>, key: &str| {
        let counter = CounterKey {
            kind,
            client: client.parse().unwrap(),
            endpoint: endpoint.map(Into::into),
            detail: detail.map(Into::into),
            window_seconds: None,
        };
        assert_eq!(keys::counter(&counter), key);
        // A second window of the same has a key of its own; what has one window only has none.
        let of_window = keys::counter(&CounterKey { window_seconds: Some(60), ..counter });
        let has_windows =
            matches!(kind, CounterKind::BehaviourUsage | CounterKind::BehaviourReturn);
        assert_eq!(of_window, if has_windows { format!("{key}:60") } else { key.to_owned() });
    };
    let sha = keys::sha256;
    check(CounterKind::Rate, "192.0.2.1", None, None, "rate_limit:rate:192.0.2.1");
    check(
        CounterKind::Rate,
        "192.0.2.1",
        Some("/login"),
        None,
        &format!("rate_limit:rate:192.0.2.1:{}", sha("/login")),
    );
    check(
        CounterKind::RateWebSocket,
        "192.0.2.1",
        None,
        None,
        &format!("rate_limit:rate:192.0.2.1:{}", sha("ws")),
    );
    check(
        CounterKind::BehaviourUsage,
        "192.0.2.1",
        Some("/login"),
        None,
        &format!("behavior_usage:behavior:usage:{}:{}", sha("/login"), sha("192.0.2.1")),
    );
    check(
        CounterKind::BehaviourReturn,
        "192.0.2.1",
        Some("/login"),
        Some("status:404"),
        &format!(
            "behavior_returns:behavior:return:{}:{}:{}",
            sha("/login"),
            sha("192.0.2.1"),
            sha("status:404")
        ),
    );
}

#[test]
fn digests_are_sha_256() {
    // FIPS 180-2, appendix B.1.
    let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(keys::sha256("abc"), of_abc);
}

#[test]
fn bans_go_both_ways() {
    let check = |network: &str, key: &str| {
        let network = network.parse().unwrap();
        assert_eq!(keys::ban(network), key);
        assert_eq!(keys::ban_of(key), Some(network));
    };
    check("192.0.2.1", "banned_ips:192.0.2.1");
    check("::ffff:192.0.2.1", "banned_ips:192.0.2.1");
    check("2001:DB8::1", "banned_ips:2001:db8::1");
    check("192.0.2.0/24", "banned_networks:192.0.2.0/24");
    check("2001:db8::/64", "banned_networks:2001:db8::/64");
    assert_eq!(keys::ban_of("banned_ips:x"), None);
    assert_eq!(keys::ban_of("patterns:custom"), None);
}
