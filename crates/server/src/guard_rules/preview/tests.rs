use super::*;
use ringwall_event::{Activity, Severity};

fn event(seconds: i64, fields: &str) -> Event {
    Event {
        id: EventId::from_u128(u128::from(seconds.unsigned_abs())),
        time: Timestamp::from_micros(seconds * 1_000_000),
        received: Timestamp::default(),
        source: Source::new(Source::GUARD, "shop"),
        host: "shop".into(),
        severity: Severity::Low,
        activity: Activity::HttpRequest(Box::default()),
        original: Some(format!(r#"{{"event_type":"ip_blocked",{fields}}}"#).into()),
    }
}

fn events() -> Vec<Event> {
    vec![
        event(
            100,
            r#""ip_address":"192.0.2.1","country":"NL","endpoint":"/login","user_agent":"sqlmap/1.7""#,
        ),
        event(
            90,
            r#""ip_address":"192.0.2.1","country":"NL","endpoint":"/login","user_agent":"curl""#,
        ),
        event(80, r#""ip_address":"192.0.2.1","endpoint":"/login?x=1","user_agent":"curl""#),
        event(70, r#""ip_address":"198.51.100.7","country":"DE","endpoint":"/.env""#),
        event(60, r#""ip_address":"system""#),
    ]
}

#[test]
fn each_field_blocks_what_it_names() {
    check(r#"{"ip_blacklist":["192.0.2.0/24"]}"#, 3, &[("ip_blacklist", "192.0.2.0/24", 3, 1)]);
    check(r#"{"blocked_countries":["NL"]}"#, 2, &[("blocked_countries", "NL", 2, 1)]);
    check(
        r#"{"whitelist_countries":["NL"]}"#,
        2,
        &[("whitelist_countries", "DE", 1, 1), ("whitelist_countries", "unknown", 1, 1)],
    );
    check(r#"{"blocked_user_agents":["SQLMAP"]}"#, 1, &[("blocked_user_agents", "SQLMAP", 1, 1)]);
    check(r#"{"suspicious_patterns":["/\\.env"]}"#, 1, &[("suspicious_patterns", "/\\.env", 1, 1)]);
    check(
        r#"{"emergency_mode":true,"emergency_whitelist":["198.51.100.7"]}"#,
        3,
        &[("emergency_mode", "", 3, 1)],
    );
    check("{}", 0, &[]);
}

#[test]
fn rates_are_judged_in_the_order_of_time_and_nothing_is_blocked_twice() {
    check(
        r#"{"endpoint_rate_limits":{"/login":[2,60]}}"#,
        1,
        &[("endpoint_rate_limits", "/login", 1, 1)],
    );
    check(r#"{"endpoint_rate_limits":{"/login":[2,15]}}"#, 0, &[]);
    check(
        r#"{"global_rate_limit":1,"global_rate_window":60}"#,
        2,
        &[("global_rate_limit", "", 2, 1)],
    );
    check(
        r#"{"global_rate_limit":2,"blocked_user_agents":["sqlmap"]}"#,
        1,
        &[("blocked_user_agents", "sqlmap", 1, 1), ("global_rate_limit", "", 1, 1)],
    );
}

#[track_caller]
fn check(rules: &str, would_block: u64, expected: &[(&str, &str, u64, u64)]) {
    let rules = DynamicRules::read_edited(rules.as_bytes()).unwrap();
    let mut trial = Trial::new(&rules);
    events().iter().for_each(|event| trial.look(event));
    let preview = trial.finish(24, false);
    assert_eq!((preview.requests_seen, preview.would_block), (4, would_block));
    let found: Vec<_> = preview
        .by_rule
        .iter()
        .map(|rule| (rule.field.as_str(), rule.entry.as_str(), rule.count, rule.addresses))
        .collect();
    assert_eq!(found, expected);
    assert!(preview.by_rule.iter().all(|rule| !rule.samples.is_empty()));
}

/// Texts of 16 kilobytes under every request, looked at a page at a time, took minutes and gigabytes.
#[test]
fn long_texts_are_cut_and_the_clock_is_looked_at_for_each() {
    let rules = br#"{"suspicious_patterns":["end$"],"global_rate_limit":1}"#;
    let rules = DynamicRules::read_edited(rules).unwrap();
    let mut trial = Trial::new(&rules);
    let long = format!(
        r#""ip_address":"192.0.2.1","endpoint":"/{}end","user_agent":"{}""#,
        "é".repeat(1000),
        "x".repeat(16 << 10)
    );
    let soon = Instant::now() + Duration::from_secs(60);
    assert!(trial.look_until(soon, &event(2, &long)));
    assert!(trial.look_until(soon, &event(1, &long)));
    assert!(!trial.look_until(Instant::now(), &event(0, &long)));
    let preview = trial.finish(1, true);
    assert_eq!((preview.requests_seen, preview.would_block), (2, 1));
    assert_eq!(preview.by_rule[0].field, "global_rate_limit", "nothing beyond is matched");
    trial = Trial::new(&rules);
    trial.requests = REQUESTS_MAX;
    assert!(!trial.look_until(soon, &event(0, &long)));
}

#[test]
fn what_cannot_be_tried_is_told() {
    let rules = DynamicRules::read_edited(br#"{"auto_ban_threshold":3}"#).unwrap();
    assert_eq!(Trial::new(&rules).finish(1, false).not_tried, ["auto_ban_threshold"]);
}
