//! Attacks: found, told, refused, counted, and at the threshold banned.

use crate::application::{Application, Request, texts, wide};
use ringwall_app_guard::payload::Category;
use ringwall_app_guard::{
    Bypass, DetectionExclusion, EventType, GuardSettings, RouteRules, RuleSet, ThreatBan,
};

const FORM: &str = "application/x-www-form-urlencoded";

fn attack() -> Request<'static> {
    Request::get().query("id=1%27%20OR%20%271%27%3D%271")
}

fn banning(threshold: u32) -> GuardSettings {
    GuardSettings { auto_ban_threshold: threshold, ..wide() }
}

#[test]
fn an_attack_is_refused_wherever_it_stands() {
    let check = |request: Request<'_>, place: &str| {
        let outcome = Application::plain().send(&request);
        assert_eq!(
            (outcome.status(), outcome.body()),
            (400, "Suspicious activity detected"),
            "{place}"
        );
        let context = &outcome.event("pattern_detected").metadata["context"];
        assert!(context.as_str().unwrap().starts_with(place), "{context} is {place}");
        assert_eq!(outcome.event("penetration_attempt").action_taken, "request_blocked");
        assert_eq!(outcome.event("penetration_attempt").status_code, Some(400));
        assert_eq!(outcome.finished.figures.threat, 1.0);
        assert_eq!(outcome.passed, 0, "nothing of it reached the application");
    };
    check(attack(), "query_param:id");
    check(Request::get().path("/a/../../../../etc/passwd"), "url_path");
    check(Request::get().header("x-name", "<script>alert(1)</script>"), "header:x-name");
    check(Request::get().post(FORM, b"id=1' OR '1'='1"), "request_body");
    let json = br#"{"user": {"id": "1' OR '1'='1"}}"#;
    check(Request::get().post("application/json", json), "request_body");
    check(Request::get().post("application/json", json).chunked(), "request_body");
}

#[test]
fn ordinary_requests_pass() {
    let request = Request::get()
        .path("/orders/7")
        .query("q=red+shoes&page=2&sort=price")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101")
        .header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
        .header("cookie", "session=abc123; theme=dark");
    let outcome = Application::plain().send(&request);
    assert_eq!((outcome.status(), outcome.told()), (200, vec![]));
    let json = br#"{"name": "O'Brien", "note": "see you at 5 < 6 pm", "tags": ["a", "b"]}"#;
    let outcome = Application::plain().send(&Request::get().post("application/json", json));
    assert_eq!((outcome.status(), outcome.told()), (200, vec![]));
    assert_eq!(outcome.passed, json.len());
}

/// Flaw 29: an attack behind 262,144 bytes of body, or behind many parameters, was not seen.
#[test]
fn flaw_29_an_attack_behind_much_that_is_harmless_is_seen() {
    let mut form = b"a=".to_vec();
    form.resize(400_000, b'x');
    form.extend(b"&id=1' OR '1'='1");
    let outcome = Application::plain().send(&Request::get().post(FORM, &form));
    assert_eq!(outcome.status(), 400);
    assert!(outcome.passed >= 100_000, "the beginning streamed: {}", outcome.passed);
    assert!(outcome.passed <= form.len(), "the end did not");

    let mut query: String = (0..1000).map(|number| format!("p{number}=x&")).collect();
    query.push_str("id=1%27%20OR%20%271%27%3D%271");
    assert_eq!(Application::plain().status(&Request::get().query(&query)), 400);
}

/// Flaw 24: counts never decayed and were not reset by a ban, so that after the first ban every further
/// hit banned again.
#[test]
fn flaw_24_counts_decay_and_begin_anew_after_a_ban() {
    let mut application = Application::new(banning(3));
    assert_eq!(application.status(&attack()), 400);
    assert_eq!(application.status(&attack()), 400);
    application.wait(3600.0);
    assert_eq!(application.status(&attack()), 400, "an hour later the first two are forgotten");
    assert_eq!(application.status(&attack()), 400);
    let outcome = application.send(&attack());
    assert_eq!((outcome.status(), outcome.body()), (403, "IP has been banned"));
    assert_eq!(outcome.event("ip_banned").metadata["duration"], 3600);
    assert_eq!(outcome.event("ip_banned").reason, "penetration_attempt");
    let attempt = outcome.event("penetration_attempt");
    assert_eq!((attempt.action_taken, attempt.status_code), ("banned", Some(403)));
    assert_eq!(application.send(&attack()).body(), "IP address banned");
    application.wait(3600.0);
    assert_eq!(application.status(&attack()), 400, "after the ban it begins anew");
    assert_eq!(application.status(&attack()), 400);
    assert_eq!(application.status(&attack()), 403);
}

#[test]
fn a_short_ban_resets_the_count_too() {
    let settings = GuardSettings { auto_ban_duration: 10, ..banning(2) };
    let mut application = Application::new(settings);
    let statuses = |application: &mut Application| {
        [application.status(&attack()), application.status(&attack())]
    };
    assert_eq!(statuses(&mut application), [400, 403]);
    application.wait(10.0);
    assert_eq!(statuses(&mut application), [400, 403]);
}

#[test]
fn categories_have_thresholds_of_their_own() {
    let mut settings = banning(100);
    settings.threat_ban_config.insert("sqli".into(), ThreatBan { threshold: 2, duration: 60 });
    let mut application = Application::new(settings);
    let other = Request::get().header("x-name", "<script>alert(1)</script>");
    for _ in 0..3 {
        assert_eq!(application.status(&other), 400);
    }
    assert_eq!(application.status(&attack()), 400);
    let outcome = application.send(&attack());
    assert_eq!(outcome.body(), "IP has been banned");
    assert_eq!(outcome.event("ip_banned").reason, "penetration_attempt:sqli");
    assert_eq!(outcome.event("ip_banned").metadata["duration"], 60);
}

#[test]
fn an_ipv6_client_is_banned_with_its_network() {
    let mut application = Application::new(banning(2));
    assert_eq!(application.status(&attack().from("2001:db8::1")), 400);
    assert_eq!(application.status(&attack().from("2001:db8::2")), 403);
    assert_eq!(application.status(&Request::get().from("2001:db8::3")), 403);
    assert_eq!(application.status(&Request::get().from("2001:db8:0:1::1")), 200);
}

#[test]
fn who_is_never_banned_is_still_refused() {
    let mut application = Application::new(banning(1));
    for _ in 0..3 {
        let outcome = application.send(&attack().from("127.0.0.1"));
        assert_eq!(outcome.body(), "Suspicious activity detected");
    }
    assert_eq!(application.state.bans(application.now), []);
}

#[test]
fn passive_mode_tells_and_bans_nobody() {
    let settings = GuardSettings { passive_mode: true, ..banning(1) };
    let mut application = Application::new(settings);
    for request in [attack(), Request::get().post(FORM, b"id=1' OR '1'='1")] {
        let outcome = application.send(&request);
        assert_eq!(outcome.status(), 200);
        assert_eq!(outcome.event("penetration_attempt").action_taken, "logged_only");
        assert_eq!(outcome.finished.figures.threat, 1.0);
        assert_eq!(outcome.passed, request.body.map_or(0, <[u8]>::len));
    }
    assert_eq!(application.state.bans(application.now), []);
}

#[test]
fn a_route_or_the_settings_leave_parts_out() {
    let check = |rules: RouteRules, request: &Request<'_>, expected| {
        assert_eq!(Application::with_route(&rules).status(request), expected);
    };
    check(RouteRules::new().suspicious_detection(false), &attack(), 200);
    check(RouteRules::new().bypass([Bypass::Penetration]), &attack(), 200);
    check(RouteRules::new().exclude_category(Category::SqlInjection), &attack(), 200);
    check(RouteRules::new().exclude_category(Category::Xml), &attack(), 400);
    let parts = || DetectionExclusion {
        headers: texts(&["X-Name"]),
        parameters: texts(&["ID"]),
        fields: texts(&["user"]),
        categories: Vec::new(),
    };
    let rules = || RouteRules::new().detection_exclusion(parts());
    check(rules(), &attack(), 200);
    check(rules(), &Request::get().query("other=1%27%20OR%20%271%27%3D%271"), 400);
    check(rules(), &Request::get().header("x-name", "<script>alert(1)</script>"), 200);
    let json = br#"{"user": {"id": "1' OR '1'='1"}}"#;
    check(rules(), &Request::get().post("application/json", json), 200);
    let json = br#"{"users": {"id": "1' OR '1'='1"}}"#;
    check(rules(), &Request::get().post("application/json", json), 400);

    let mut settings = wide();
    settings.detection.disabled_categories = texts(&["sqli"]);
    assert_eq!(Application::new(settings).status(&attack()), 200);
    let off = GuardSettings { enable_penetration_detection: false, ..wide() };
    assert_eq!(Application::new(off.clone()).status(&attack()), 200);
    let on = RouteRules::new().suspicious_detection(true);
    assert_eq!(Application::new(off).at(&on).status(&attack()), 400);
}

#[test]
fn a_route_without_detection_says_so_once() {
    let rules = RouteRules::new().suspicious_detection(false);
    let mut application = Application::with_route(&rules);
    let outcome = application.send(&attack());
    assert_eq!(outcome.told(), [("decorator_violation", "detection_disabled")]);
    assert_eq!(application.send(&attack()).told(), []);
}

#[test]
fn whitelisted_clients_are_not_searched() {
    let settings = GuardSettings { whitelist: texts(&["192.0.2.1"]), ..wide() };
    assert_eq!(Application::new(settings).status(&attack()), 200);
}

#[test]
fn thresholds_of_behaviour_halve_for_an_attacker() {
    use ringwall_app_guard::{BehaviourAction, BehaviourRule, Counted};
    let rule = BehaviourRule {
        counted: Counted::ReturnPattern("status:404".into()),
        threshold: 4,
        window: 60,
        action: BehaviourAction::Throttle,
        ban_duration: 60,
    };
    let settings =
        GuardSettings { behaviour_rules: vec![rule], correlate_with_detection: true, ..wide() };
    let missing = Request::get().answered(404, b"");
    let served = |application: &mut Application| {
        (0..9).filter(|_| application.status(&missing) == 200).count()
    };
    let mut application = Application::new(settings.clone());
    assert_eq!(served(&mut application), 5);
    let mut application = Application::new(settings);
    assert_eq!(application.status(&attack()), 400);
    assert_eq!(served(&mut application), 3);
}

#[test]
fn an_emergency_halves_the_threshold() {
    let mut application = Application::new(banning(4));
    let rules = |emergency_mode, version| RuleSet {
        rule_id: "shop".into(),
        version,
        emergency_mode,
        emergency_whitelist: texts(&["192.0.2.1"]),
        ..RuleSet::default()
    };
    for version in 1..4 {
        // Flaw of the old middleware: the threshold halved again with every version.
        application.guard.apply_rules(&rules(true, version), application.now).unwrap();
    }
    assert_eq!([application.status(&attack()), application.status(&attack())], [400, 403]);
}

#[test]
fn patterns_come_and_go_one_by_one() {
    let mut application = Application::plain();
    // Flaw 25: patterns were joined by commas, so that this one came back as two.
    let patterns = texts(&["ab{2,3}c", "(?=look)", "("]);
    let applied = application
        .guard
        .apply_rules(
            &RuleSet { suspicious_patterns: patterns, ..RuleSet::default() },
            application.now,
        )
        .unwrap();
    let added: Vec<_> = applied
        .events
        .iter()
        .filter(|event| event.event_type == EventType::PatternAdded)
        .map(|event| event.pattern_matched.clone().unwrap())
        .collect();
    assert_eq!(added, ["ab{2,3}c"]);
    assert_eq!(applied.left_out.len(), 2);
    assert_eq!(application.status(&Request::get().query("q=abbbc")), 400);
    let next = RuleSet { version: 2, ..RuleSet::default() };
    let applied = application.guard.apply_rules(&next, application.now).unwrap();
    assert!(applied.events.iter().any(|event| event.event_type == EventType::PatternRemoved));
    assert_eq!(application.status(&Request::get().query("q=abbbc")), 200);
}
