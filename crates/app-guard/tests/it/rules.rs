//! Rules from outside: on top of the settings, and off again.

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::{GuardSettings, RuleSet, RulesApplied, RulesRefused};
use std::collections::BTreeMap;

impl Application {
    /// Applies rules and does in the state what they ask for, as the layer does.
    fn apply(&mut self, rules: &RuleSet) -> RulesApplied {
        let applied = self.guard.apply_rules(rules, self.now).unwrap();
        self.carry_out(&applied);
        applied
    }

    fn carry_out(&self, applied: &RulesApplied) {
        for network in &applied.unbans {
            self.state.unban(*network, self.now);
        }
        for order in &applied.bans {
            assert!(self.state.ban(order, self.now));
        }
    }
}

fn version(version: i64) -> RuleSet {
    RuleSet { rule_id: "shop".into(), version, ..RuleSet::default() }
}

fn names(applied: &RulesApplied) -> Vec<&'static str> {
    applied.events.iter().map(|event| event.event_type.name()).collect()
}

#[test]
fn versions_and_expiry() {
    let mut application = Application::plain();
    let now = application.now;
    application.apply(&version(3));
    for old in [3, 2] {
        let refused = application.guard.apply_rules(&version(old), now);
        let rule_id = "shop".to_owned();
        assert_eq!(refused, Err(RulesRefused::NotNewer { rule_id, version: old, current: 3 }));
    }
    application.apply(&version(4));
    application.apply(&RuleSet { rule_id: "other".into(), version: 1, ..RuleSet::default() });
    assert_eq!(application.guard.rules(), Some(("other".to_owned(), 1)));
    let late = RuleSet { expires_unix_ms: Some(now.unix_ms), ..version(9) };
    let rule_id = "shop".to_owned();
    assert_eq!(
        application.guard.apply_rules(&late, now),
        Err(RulesRefused::Expired { rule_id, version: 9 })
    );
}

#[test]
fn what_rules_name_replaces_the_settings_and_what_they_leave_out_falls_back() {
    let settings = GuardSettings {
        blocked_user_agents: texts(&["curl"]),
        blocked_countries: texts(&["DE"]),
        ..wide()
    };
    let mut application = Application::new(settings);
    application.apply(&RuleSet {
        blocked_user_agents: texts(&["wget"]),
        blocked_countries: texts(&["cn", "x"]),
        global_rate_limit: Some(4),
        global_rate_window: Some(30),
        endpoint_rate_limits: BTreeMap::from([("/login".into(), (1, 20)), ("/x".into(), (0, 1))]),
        ..version(1)
    });
    assert_eq!(application.status(&Request::get().header("user-agent", "curl")), 200);
    assert_eq!(application.status(&Request::get().header("user-agent", "wget")), 403);
    assert_eq!(application.status(&Request::get().from("82.0.0.1")), 403);
    assert_eq!(application.status(&Request::get().from("81.0.0.1")), 200);
    assert_eq!(application.status(&Request::get().path("/login")), 200);
    let outcome = application.send(&Request::get().path("/login"));
    assert_eq!(outcome.told(), [("dynamic_rule_violation", "request_blocked")], "one event");
    assert_eq!(outcome.event("dynamic_rule_violation").metadata["rate_limit"], 1);
    application.wait(1.0);
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get()), 429);
    application.apply(&version(2));
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get().header("user-agent", "curl")), 403);
    assert_eq!(application.status(&Request::get().header("user-agent", "wget")), 200);
    assert_eq!(application.status(&Request::get().from("82.0.0.1")), 200);
}

#[test]
fn countries_in_rules_are_left_out_where_nobody_knows_countries() {
    let mut application = Application::plain();
    application.guard.without_countries();
    let applied = application.apply(&RuleSet { whitelist_countries: texts(&["DE"]), ..version(1) });
    assert_eq!(applied.left_out, ["whitelist_countries: `DE`: no source of countries is set"]);
    assert_eq!(application.status(&Request::get().from("99.0.0.1")), 200);
}

#[test]
fn a_ban_that_goes_on_is_told_once() {
    let mut application = Application::plain();
    let listed = |number| RuleSet {
        ip_blacklist: texts(&["192.0.2.1"]),
        ip_whitelist: texts(&["192.0.2.9"]),
        ..version(number)
    };
    assert!(names(&application.apply(&listed(1))).contains(&"ip_banned"));
    let again = application.apply(&listed(2));
    assert_eq!(names(&again), ["dynamic_rule_updated", "dynamic_rule_applied"]);
    assert_eq!((again.bans.len(), again.unbans.len()), (1, 0));
}

/// Flaw 30: addresses taken off the list stayed banned, and `ip_whitelist` let nobody in.
#[test]
fn flaw_30_addresses_taken_off_the_list_are_unbanned() {
    let mut application = Application::plain();
    let banned = texts(&["192.0.2.1", "198.51.100.0/24", "nonsense"]);
    let applied = application.apply(&RuleSet { ip_blacklist: banned, ..version(1) });
    assert_eq!(applied.left_out, ["ip_blacklist: `nonsense` is not an IP address"]);
    assert_eq!(
        names(&applied),
        ["dynamic_rule_updated", "ip_banned", "ip_banned", "dynamic_rule_applied"]
    );
    assert_eq!(application.status(&Request::get()), 403);
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 403);
    let applied =
        application.apply(&RuleSet { ip_blacklist: texts(&["198.51.100.0/24"]), ..version(2) });
    assert!(names(&applied).contains(&"ip_unbanned"));
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 403);
    application.apply(&version(3));
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 200);
}

#[test]
fn flaw_30_addresses_on_the_whitelist_of_rules_are_let_in_and_others_are_not_shut_out() {
    let settings = GuardSettings { blacklist: texts(&["192.0.2.0/24"]), ..wide() };
    let mut application = Application::new(settings);
    application.apply(&RuleSet { ip_blacklist: texts(&["192.0.2.1"]), ..version(1) });
    assert_eq!(application.status(&Request::get()), 403);
    application.apply(&RuleSet { ip_whitelist: texts(&["192.0.2.1"]), ..version(2) });
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get().from("192.0.2.2")), 403);
    assert_eq!(application.status(&Request::get().from("203.0.113.1")), 200);
    application.apply(&version(3));
    assert_eq!(application.status(&Request::get()), 403);
}

#[test]
fn loopback_and_proxies_on_the_list_are_not_banned() {
    let settings = GuardSettings { trusted_proxies: texts(&["10.0.0.1"]), ..wide() };
    let mut application = Application::new(settings);
    let listed = texts(&["127.0.0.1", "::1", "10.0.0.0/24", "0.0.0.0/0", "192.0.2.1"]);
    let applied = application.apply(&RuleSet { ip_blacklist: listed, ..version(1) });
    let banned: Vec<String> = applied.bans.iter().map(|order| order.network.to_string()).collect();
    assert_eq!(banned, ["192.0.2.1"]);
}

#[test]
fn emergencies_begin_and_end() {
    let settings = GuardSettings { auto_ban_threshold: 5, ..wide() };
    let mut application = Application::new(settings);
    let emergency = |version_: i64| RuleSet {
        emergency_mode: true,
        emergency_whitelist: texts(&["192.0.2.9", "198.51.100.0/24"]),
        message: Some("closed for today".into()),
        ..version(version_)
    };
    let applied = application.apply(&emergency(1));
    assert!(names(&applied).contains(&"emergency_mode_activated"));
    let outcome = application.send(&Request::get());
    assert_eq!((outcome.status(), outcome.body()), (503, "closed for today"));
    assert_eq!(application.status(&Request::get().from("198.51.100.7")), 200);
    assert_eq!(application.status(&Request::get().path("/static/x")), 200);
    let applied = application.apply(&emergency(2));
    assert!(!names(&applied).contains(&"emergency_mode_activated"), "it goes on");
    application.apply(&RuleSet { emergency_whitelist_only: true, ..emergency(3) });
    assert_eq!(application.status(&Request::get().path("/static/x")), 503);
    application.apply(&version(4));
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn rules_end_at_their_time() {
    let mut application = Application::plain();
    let expires_unix_ms = Some(application.now.unix_ms + 10_000);
    let listed = texts(&["192.0.2.1"]);
    application.apply(&RuleSet { ip_blacklist: listed, expires_unix_ms, ..version(1) });
    application.wait(9.0);
    assert_eq!(application.guard.expire_rules(application.now), None);
    assert_eq!(application.status(&Request::get()), 403);
    application.wait(1.0);
    let applied = application.guard.expire_rules(application.now).unwrap();
    application.carry_out(&applied);
    assert_eq!(names(&applied), ["ip_unbanned", "dynamic_rule_applied"]);
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.guard.rules(), None);
    application.apply(&version(1));
}

#[test]
fn settings_are_replaced_under_the_rules() {
    let mut application = Application::plain();
    application.apply(&RuleSet { global_rate_limit: Some(1), ..version(1) });
    let settings = GuardSettings { blacklist: texts(&["203.0.113.1"]), ..wide() };
    application.guard.replace_settings(settings).unwrap();
    assert_eq!(application.status(&Request::get().from("203.0.113.1")), 403);
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get()), 429);
    let wrong = GuardSettings { blacklist: texts(&["x"]), ..wide() };
    assert!(application.guard.replace_settings(wrong).is_err());
    assert_eq!(application.status(&Request::get().from("203.0.113.1")), 403);
}

#[test]
fn switches_and_thresholds() {
    let mut application = Application::plain();
    application.apply(&RuleSet { enable_rate_limiting: Some(false), ..version(1) });
    let tight = GuardSettings { rate_limit: 1, ..GuardSettings::default() };
    application.guard.replace_settings(tight).unwrap();
    for _ in 0..3 {
        assert_eq!(application.status(&Request::get()), 200);
    }
    application.apply(&RuleSet { enable_rate_limiting: Some(true), ..version(2) });
    assert_eq!(application.status(&Request::get()), 200);
    assert_eq!(application.status(&Request::get()), 429);
}
