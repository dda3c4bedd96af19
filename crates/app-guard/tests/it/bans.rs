//! Bans: of addresses and networks, for their time, never of ourselves.

use crate::application::{Application, Request, small, texts, wide};
use ringwall_app_guard::{
    Answer, AnswerFailure, Ban, BanOrder, GuardSettings, LocalState, Moment, Network, Question,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn order(network: &str, seconds: u64) -> BanOrder {
    let network: Network = network.parse().unwrap();
    let time = Duration::from_secs(seconds);
    BanOrder { network, address: network.address(), time, reason: Arc::from("dynamic_rule") }
}

fn now() -> Moment {
    Moment::new(Instant::now(), 1_700_000_000_000)
}

#[test]
fn a_banned_address_is_refused_until_the_ban_ends() {
    let mut application = Application::plain();
    // Flaw 22: bans longer than an hour were cut to one.
    assert!(application.state.ban(&order("192.0.2.1", 7200), application.now));
    let outcome = application.send(&Request::get());
    assert_eq!((outcome.status(), outcome.body()), (403, "IP address banned"));
    assert_eq!(outcome.told(), [("ip_blocked", "request_blocked")]);
    assert_eq!(outcome.event("ip_blocked").metadata["filter_type"], "banned");
    assert_eq!(application.status(&Request::get().from("192.0.2.2")), 200);
    application.wait(7199.0);
    assert_eq!(application.status(&Request::get()), 403);
    application.wait(1.0);
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn a_shorter_ban_does_not_replace_a_longer_one() {
    let mut application = Application::plain();
    for network in ["192.0.2.1", "198.51.100.0/24"] {
        for seconds in [7200, 60, 3600] {
            assert!(application.state.ban(&order(network, seconds), application.now));
        }
    }
    application.wait(7199.0);
    assert_eq!(application.status(&Request::get()), 403);
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 403);
    assert!(application.state.ban(&order("192.0.2.1", 60), application.now));
    application.wait(2.0);
    assert_eq!(application.status(&Request::get()), 403, "the later end holds");
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 200);
}

/// Flaw 20: bans on networks did nothing, and unbanning did not remove them.
#[test]
fn flaw_20_a_banned_network_is_refused_and_can_be_unbanned() {
    let mut application = Application::plain();
    for (network, inside, outside) in [
        ("192.0.2.0/25", "192.0.2.127", "192.0.2.128"),
        ("2001:db8::/48", "2001:db8:0:ffff::1", "2001:db8:1::1"),
        ("::ffff:198.51.100.0/120", "198.51.100.9", "198.51.101.9"),
    ] {
        assert!(application.state.ban(&order(network, 60), application.now));
        assert_eq!(application.status(&Request::get().from(inside)), 403);
        assert_eq!(application.status(&Request::get().from(outside)), 200);
        assert!(application.state.unban(network.parse().unwrap(), application.now));
        assert_eq!(application.status(&Request::get().from(inside)), 200);
        assert!(!application.state.unban(network.parse().unwrap(), application.now));
    }
}

#[test]
fn loopback_and_trusted_proxies_are_never_banned() {
    let state = LocalState::new(small(), now());
    for network in ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::1", "::/0", "126.0.0.0/7"] {
        assert!(!state.ban(&order(network, 60), now()), "{network}");
    }
    let settings = GuardSettings { trusted_proxies: texts(&["10.0.0.0/8"]), ..wide() };
    let mut application = Application::new(settings);
    for (network, may) in [("10.1.2.3", false), ("0.0.0.0/1", false), ("11.0.0.1", true)] {
        assert_eq!(application.guard.may_ban(network.parse().unwrap()), may, "{network}");
    }
    // A ban that another worker made is not heeded for a proxy either.
    assert!(application.state.ban(&order("10.1.2.3", 60), application.now));
    assert_eq!(application.status(&Request::get().from("10.1.2.3")), 200);
}

#[test]
fn bans_are_bounded_and_the_one_that_ends_first_makes_room() {
    let state = LocalState::new(small(), now());
    for number in 0..1000_u64 {
        state.ban(&order(&format!("203.0.{}.{}", number / 256, number % 256), 60 + number), now());
        state.ban(&order(&format!("198.51.{}.{}/31", number / 128, (number % 128) * 2), 60), now());
    }
    let bans = state.bans(now());
    assert!(bans.len() <= 64 + 32 + 64, "{}", bans.len());
    let last: Network = "203.0.3.231".parse().unwrap();
    assert!(bans.iter().any(|ban| ban.network == last), "the newest is kept");
}

#[test]
fn of_bans_of_the_same_the_longest_holds_and_networks_are_counted_rightly() {
    let state = LocalState::new(small(), now());
    for seconds in [10, 20, 5] {
        state.ban(&order("198.51.100.0/24", seconds), now());
    }
    assert_eq!(state.bans(now()).len(), 1);
    let question = Question::Banned { address: "198.51.100.1".parse().unwrap() };
    let at = |seconds| state.answer(&question, now().after(Duration::from_secs(seconds)));
    assert!(matches!(at(19), Some(Answer::Banned(Some(_)))));
    assert_eq!(at(20), Some(Answer::Banned(None)));
}

#[test]
fn bans_of_other_workers_are_learned() {
    let state = LocalState::new(small(), now());
    let network: Network = "192.0.2.1".parse().unwrap();
    let ban = Ban { network, expires_unix_ms: now().unix_ms + 5000, reason: None };
    state.learn(&ban, now());
    assert_eq!(state.bans(now()), std::slice::from_ref(&ban));
    assert_eq!(ban.remaining(now()), Some(Duration::from_secs(5)));
    state.learn(&Ban { expires_unix_ms: now().unix_ms, ..ban }, now());
    assert_eq!(state.bans(now().after(Duration::from_secs(5))), []);
}

#[test]
fn without_banning_no_ban_is_heeded() {
    let settings = GuardSettings { enable_ip_banning: false, ..wide() };
    let mut application = Application::new(settings);
    application.state.ban(&order("192.0.2.1", 60), application.now);
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn a_state_that_is_away_refuses_or_lets_pass_as_configured() {
    let check = |settings: GuardSettings, failure, expected: (u16, Option<&str>)| {
        let mut application = Application::new(settings);
        application.broken = Some(failure);
        let outcome = application.send(&Request::get());
        assert_eq!((outcome.status(), outcome.header("retry-after")), expected);
    };
    check(wide(), AnswerFailure::StateAway, (500, None));
    check(wide(), AnswerFailure::StateNeverReached, (503, Some("5")));
    let open = || GuardSettings { redis_fail_open: true, ..wide() };
    check(open(), AnswerFailure::StateAway, (200, None));
    check(open(), AnswerFailure::StateNeverReached, (200, None));
    let insecure = GuardSettings { fail_secure: false, ..wide() };
    check(insecure, AnswerFailure::StateAway, (200, None));
    let passive = GuardSettings { passive_mode: true, ..wide() };
    check(passive, AnswerFailure::StateAway, (200, None));
}
