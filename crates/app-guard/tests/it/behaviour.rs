//! Behaviour rules: how often a client calls, and what answers it gets.

use crate::application::{Application, Request, wide};
use ringwall_app_guard::{
    BehaviourAction, BehaviourRule, Counted, CounterKind, GuardSettings, Question, RouteRules,
};

fn returns(pattern: &str, threshold: u32, action: BehaviourAction) -> BehaviourRule {
    let counted = Counted::ReturnPattern(pattern.to_owned());
    BehaviourRule { counted, threshold, window: 60, action, ban_duration: 7200 }
}

fn watching(rule: BehaviourRule) -> GuardSettings {
    GuardSettings { behaviour_rules: vec![rule], inspect_response_bodies: true, ..wide() }
}

/// Flaw 27: the request that tripped a ban passed, and "throttle" only wrote a line.
#[test]
fn flaw_27_more_than_the_threshold_bans_or_throttles_at_once() {
    let rules = RouteRules::new().usage_monitor(3, 60, BehaviourAction::Ban);
    let mut application = Application::with_route(&rules);
    let statuses: Vec<u16> = (0..5).map(|_| application.status(&Request::get())).collect();
    assert_eq!(statuses, [200, 200, 200, 403, 403]);
    let bans = application.state.bans(application.now);
    assert_eq!(bans[0].reason.as_deref(), Some("behavioral_violation"));

    let rules = RouteRules::new().usage_monitor(3, 60, BehaviourAction::Throttle);
    let mut application = Application::with_route(&rules);
    let statuses: Vec<u16> = (0..5).map(|_| application.status(&Request::get())).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    application.wait(60.0);
    assert_eq!(application.status(&Request::get()), 200);
}

#[test]
fn logging_lets_pass_and_says_what_was_done() {
    for (action, name) in [(BehaviourAction::Log, "log"), (BehaviourAction::Alert, "alert")] {
        let rules = RouteRules::new().usage_monitor(1, 60, action);
        let mut application = Application::with_route(&rules);
        assert!(application.send(&Request::get()).told().is_empty());
        let outcome = application.send(&Request::get());
        assert_eq!(outcome.status(), 200);
        assert_eq!(outcome.told(), [("behavioral_violation", name)]);
        let event = outcome.event("behavioral_violation");
        assert_eq!(event.metadata["threshold"], 1);
        assert_eq!(event.metadata["endpoint"], "/route");
    }
}

#[test]
fn frequencies() {
    let rules = RouteRules::new().suspicious_frequency(0.1, 60, BehaviourAction::Throttle);
    let mut application = Application::with_route(&rules);
    let passed = (0..10).filter(|_| application.status(&Request::get()) == 200).count();
    assert_eq!(passed, 6);
}

#[test]
fn answers_that_match() {
    let check = |pattern: &str, answer: (u16, &[u8]), counts: bool| {
        let mut application = Application::new(watching(returns(pattern, 1, BehaviourAction::Log)));
        let request = Request::get().answered(answer.0, answer.1);
        assert!(application.send(&request).told().is_empty());
        let told = application.send(&request).told();
        assert_eq!(told == [("behavioral_violation", "log")], counts, "{pattern} {answer:?}");
    };
    check("status:404", (404, b""), true);
    check("status:404", (200, b"404"), false);
    check("json:result.status==win", (200, br#"{"result": {"status": "WIN"}}"#), true);
    check("json:result.status==win", (200, br#"{"result": {"status": "lose"}}"#), false);
    check("json:items.1.n==2", (200, br#"{"items": [{}, {"n": 2}]}"#), true);
    check("json:a==true", (200, br#"{"a": true}"#), true);
    check("json:a==x", (200, b"not json"), false);
    check("regex:win(ner)?s", (200, b"the WINNERS are"), true);
    check("regex:^x", (200, b"the winners"), false);
    check("Rare Item", (200, b"you got a rare item!"), true);
    check("rare item", (200, b"you got nothing"), false);
}

#[test]
fn bodies_are_looked_at_only_where_that_is_configured_and_only_so_far() {
    let mut settings = watching(returns("needle", 1, BehaviourAction::Log));
    let mut far = vec![b'a'; 262_144];
    far.extend(b"needle");
    let mut application = Application::new(settings.clone());
    for _ in 0..2 {
        assert!(application.send(&Request::get().answered(200, &far)).told().is_empty());
    }
    settings.inspect_response_bodies = false;
    let mut application = Application::new(settings);
    for _ in 0..2 {
        assert!(application.send(&Request::get().answered(200, b"needle")).told().is_empty());
    }
}

#[test]
fn answers_ban_and_throttle_from_the_next_request_on() {
    let mut application =
        Application::new(watching(returns("status:404", 2, BehaviourAction::Ban)));
    let missing = Request::get().answered(404, b"");
    let statuses: Vec<u16> = (0..4).map(|_| application.status(&missing)).collect();
    assert_eq!(statuses, [200, 200, 200, 403], "200 stands for the application's own answer");
    application.wait(7199.0);
    assert_eq!(application.status(&Request::get()), 403, "for as long as the rule says");

    let mut application =
        Application::new(watching(returns("status:404", 2, BehaviourAction::Throttle)));
    let statuses: Vec<u16> = (0..4).map(|_| application.status(&missing)).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(application.status(&missing.clone().path("/other")), 200);
    application.wait(60.0);
    assert_eq!(application.status(&missing), 200);
}

/// One counter for both windows counted each answer twice, and so banned after half as many.
#[test]
fn rules_about_the_same_answers_count_each_of_them_once() {
    let rule = |threshold, window| BehaviourRule {
        window,
        ..returns("status:404", threshold, BehaviourAction::Log)
    };
    // Three in a minute, five in an hour, seven in an hour.
    let rules = vec![rule(3, 60), rule(5, 3600), rule(7, 3600)];
    let mut application =
        Application::new(GuardSettings { behaviour_rules: rules, ..watching(rule(1, 60)) });
    let missing = Request::get().answered(404, b"");
    let mut thresholds = Vec::new();
    let mut keys = Vec::new();
    for number in 0..8 {
        let outcome = application.send(&missing);
        let violations =
            outcome.finished.events.iter().filter(|e| e.metadata.contains_key("threshold"));
        thresholds.push(violations.map(|e| e.metadata["threshold"].clone()).collect::<Vec<_>>());
        if number == 0 {
            let asked = application.asked.iter().filter_map(|question| match question {
                Question::Hit(hit) if hit.key.kind == CounterKind::BehaviourReturn => {
                    Some((hit.key.window_seconds, hit.limit))
                }
                _ => None,
            });
            keys.extend(asked);
        }
        application.wait(1.0);
    }
    assert_eq!(keys, [(Some(60), 3), (None, 7)], "the longest window has the key of all workers");
    let told: Vec<Vec<u64>> = thresholds
        .iter()
        .map(|told| told.iter().filter_map(serde_json::Value::as_u64).collect())
        .collect();
    assert_eq!(
        told,
        [vec![], vec![], vec![], vec![3], vec![3], vec![3, 5], vec![3, 5], vec![3, 5, 7]]
    );
    // A minute later the short window is empty again.
    application.wait(60.0);
    let outcome = application.send(&missing);
    assert_eq!(outcome.told().len(), 2, "{:?}", outcome.told());
}

#[test]
fn a_ban_that_is_not_possible_is_told_truthfully() {
    let mut application =
        Application::new(watching(returns("status:404", 1, BehaviourAction::Ban)));
    let request = Request::get().from("127.0.0.1").answered(404, b"");
    application.send(&request);
    let told = application.send(&request).told();
    assert!(told.contains(&("ip_ban_failed", "ban_not_applied")), "{told:?}");
    assert!(told.contains(&("behavioral_violation", "ban_not_applied")), "{told:?}");
    assert!(!told.iter().any(|(name, _)| *name == "ip_banned"));
    assert_eq!(application.state.bans(application.now), []);
}

#[test]
fn who_is_never_banned_is_not_shut_out_by_a_rule_that_bans() {
    let rules = RouteRules::new().usage_monitor(1, 60, BehaviourAction::Ban);
    let mut application = Application::with_route(&rules);
    let health_check = Request::get().from("127.0.0.1");
    application.send(&health_check);
    let outcome = application.send(&health_check);
    assert_eq!(outcome.status(), 200);
    assert_eq!(
        outcome.told(),
        [("ip_ban_failed", "ban_not_applied"), ("behavioral_violation", "ban_not_applied")]
    );
}

#[test]
fn passive_mode_only_tells() {
    for action in [BehaviourAction::Ban, BehaviourAction::Throttle] {
        let rules = RouteRules::new().usage_monitor(1, 60, action);
        let settings = GuardSettings { passive_mode: true, ..wide() };
        let mut application = Application::new(settings).at(&rules);
        application.send(&Request::get());
        let outcome = application.send(&Request::get());
        assert_eq!(outcome.status(), 200);
        assert_eq!(outcome.told(), [("behavioral_violation", "logged_only")]);
        assert_eq!(application.state.bans(application.now), []);
    }
}
