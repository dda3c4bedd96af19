use super::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

#[test]
fn absent_fields_have_their_defaults() {
    let rules = DynamicRules::read(br#"{"rule_id":"default-rule","version":1,"future":{}}"#);
    assert_eq!(rules, Ok(DynamicRules::default()));
}

/// Flaw 15: an error with status 200 wiped every protection.
#[test]
fn flaw_15_only_rules_are_taken_for_rules() {
    check_answer("{}", Ok(RulesAnswer::Unchanged));
    check_answer(r#"{"error":"x"}"#, Err(RulesError::NotRules("rule_id")));
    check_answer(r#"{"success":false}"#, Err(RulesError::NotRules("rule_id")));
    check_answer(r#"{"rules":{"rule_id":"a","version":2}}"#, Err(RulesError::NotRules("rule_id")));
    check_answer(r#"{"rule_id":"a"}"#, Err(RulesError::NotRules("version")));
    check_answer(r#"{"rule_id":null,"version":1}"#, Err(RulesError::NotRules("rule_id")));
    check_answer("[]", Err(RulesError::NotAnObject));
    check_answer("null", Err(RulesError::NotAnObject));
    assert!(matches!(RulesAnswer::read(b""), Err(RulesError::Syntax(_))));
}

#[track_caller]
fn check_answer(body: &str, expected: Result<RulesAnswer, RulesError>) {
    assert_eq!(RulesAnswer::read(body.as_bytes()), expected, "{body}");
}

#[test]
fn a_field_of_the_wrong_type_voids_the_answer() {
    check_void("ip_blacklist", r#""10.0.0.1""#);
    check_void("ip_blacklist", "[7]");
    check_void("ttl", "-1");
    check_void("ttl", r#""soon""#);
    check_void("emergency_mode", r#""maybe""#);
    check_void("auto_ban_threshold", "0");
    check_void("endpoint_rate_limits", r#"{"/a":[1]}"#);
    check_void("endpoint_rate_limits", "[]");
    check_void("expires_at", r#""tomorrow""#);
    check_void("version", "1.5");
    check_void("rule_id", "7");
}

#[track_caller]
fn check_void(field: &str, value: &str) {
    // Of a repeated member the last one counts.
    let body = format!(r#"{{"rule_id":"a","version":1,"{field}":{value}}}"#);
    match DynamicRules::read(body.as_bytes()) {
        Err(RulesError::WrongType { field: found, .. }) => assert_eq!(found, field, "{body}"),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn newer_rules_and_other_rules_follow_the_current_ones() {
    let rules = |rule_id: &str, version| DynamicRules {
        rule_id: rule_id.into(),
        version,
        ..DynamicRules::default()
    };
    assert!(rules("a", 1).follows(None));
    assert!(rules("a", 2).follows(Some(&rules("a", 1))));
    assert!(rules("b", 1).follows(Some(&rules("a", 9))));
    assert!(!rules("a", 1).follows(Some(&rules("a", 1))));
    assert!(!rules("a", 1).follows(Some(&rules("a", 2))));
    let ends = DynamicRules { expires_at: Some(Timestamp::from_micros(10)), ..rules("a", 1) };
    assert!(!ends.has_expired(Timestamp::from_micros(9)));
    assert!(ends.has_expired(Timestamp::from_micros(10)));
}

#[test]
fn edited_rules_are_checked_field_by_field() {
    check_fault(
        r#"{"ip_blacklist":["10.0.0.1","x"]}"#,
        "`ip_blacklist[1]`: neither an IP address nor a network like `192.0.2.0/24`",
    );
    check_fault(
        r#"{"ip_blacklist":["10.0.0.7/8"]}"#,
        "`ip_blacklist[0]`: bits are set behind the prefix: did you mean `10.0.0.0/8`",
    );
    check_fault(
        r#"{"ip_blacklist":["0.0.0.0/0"]}"#,
        "`ip_blacklist[0]`: means every address: for that there is `emergency_mode`",
    );
    check_fault(r#"{"ip_blacklist":["::1","::1"]}"#, "`ip_blacklist[1]`: is there twice");
    check_fault(
        r#"{"ip_blacklist":["::1"],"ip_whitelist":["::1"]}"#,
        "`ip_blacklist[0]`: is in `ip_whitelist`, too",
    );
    check_fault(r#"{"ip_blacklist":{}}"#, "`ip_blacklist`: is not a list of texts");
    check_fault(
        r#"{"blocked_countries":["de"]}"#,
        "`blocked_countries[0]`: a country is two capital letters (ISO 3166)",
    );
    check_fault(
        r#"{"blocked_countries":["DE"],"whitelist_countries":["DE"]}"#,
        "`blocked_countries[0]`: is in `whitelist_countries`, too",
    );
    check_fault(
        r#"{"global_rate_window":60}"#,
        "`global_rate_window`: counts together with `global_rate_limit` only",
    );
    check_fault(
        r#"{"global_rate_limit":0}"#,
        "`global_rate_limit`: is not a whole number from 1 to 1000000000",
    );
    check_fault(r#"{"ttl":"60"}"#, "`ttl`: is not a whole number from 1 to 86400");
    check_fault(
        r#"{"endpoint_rate_limits":{"login":[5,60]}}"#,
        "`endpoint_rate_limits[\"login\"]`: a path starts with `/` and has at most 2048 bytes",
    );
    check_fault(
        r#"{"endpoint_rate_limits":{"/login":[5,0]}}"#,
        "`endpoint_rate_limits[\"/login\"]`: is not `[requests, seconds]`, both at least 1",
    );
    check_fault(
        r#"{"blocked_cloud_providers":["aws"]}"#,
        "`blocked_cloud_providers[0]`: not one of AWS, GCP, Azure, DigitalOcean, Linode, Vultr",
    );
    check_fault(
        r#"{"blocked_cloud_providers":["GCP:us"]}"#,
        "`blocked_cloud_providers[0]`: a region is left out by `GCP:!region`",
    );
    check_fault(r#"{"blocked_user_agents":["("]}"#, "`blocked_user_agents[0]`: unclosed group");
    check_fault(r#"{"emergency_mode":"yes"}"#, "`emergency_mode`: is not true or false");
    check_fault(
        r#"{"expires_at":1}"#,
        "`expires_at`: is not a date and time as in `2026-11-20T20:00:00Z`",
    );
    check_fault(r#"{"version":2}"#, "`version`: is given by the server");
    check_fault(r#"{"emergencymode":true}"#, "`emergencymode`: is no field of rules");
    check_fault(r#"{"emergencymode":null}"#, "`emergencymode`: is no field of rules");
    check_fault(r#"{"ttl":60,"ttl":61}"#, "`ttl`: is there twice");
    check_fault("[]", "rules are an object, field by field");
}

#[track_caller]
fn check_fault(body: &str, expected: &str) {
    let faults = DynamicRules::read_edited(body.as_bytes()).expect_err(body);
    let faults: Vec<_> = faults.iter().map(RuleFault::to_string).collect();
    assert_eq!(faults, [expected], "{body}");
}

#[test]
fn faults_are_bounded() {
    let body = format!(r#"{{"ip_blacklist":[{}]}}"#, vec!["7"; 500].join(","));
    assert_eq!(DynamicRules::read_edited(body.as_bytes()).unwrap_err().len(), 100);
    let many = format!(r#"{{"suspicious_patterns":[{}]}}"#, vec!["\"a\""; 201].join(","));
    assert_eq!(
        DynamicRules::read_edited(many.as_bytes()).unwrap_err()[0].problem,
        "has more than 200 entries"
    );
}

#[test]
fn edited_rules_that_are_right_are_read() {
    let body = br#"{"ip_blacklist":["203.0.113.0/24"],"endpoint_rate_limits":{"/login":[5,60]},
        "blocked_cloud_providers":["AWS","GCP:!europe-west1"],"message":null,"emergency_mode":false,
        "expires_at":"2026-11-20T20:00:00Z","auto_ban_threshold":3}"#;
    let rules = DynamicRules::read_edited(body).unwrap();
    assert_eq!(rules.endpoint_rate_limits["/login"].requests, 5);
    assert_eq!(rules.auto_ban_threshold, Some(3));
    assert_eq!(rules.check(), Ok(()));
    assert_eq!(DynamicRules::read_edited(rules.write_editable().as_bytes()), Ok(rules));
}

fn any_rules() -> impl Strategy<Value = DynamicRules> {
    let texts = || vec(any::<String>().prop_map(Into::into), 0..3);
    let moment = || option::of((0..4_000_000_000_000_000i64).prop_map(Timestamp::from_micros));
    let rate = (any::<u32>(), any::<u32>())
        .prop_map(|(requests, window_seconds)| EndpointRate { requests, window_seconds });
    let first = (
        (any::<String>(), any::<i64>(), moment(), moment()),
        (any::<u32>(), texts(), texts(), any::<u32>(), texts(), texts()),
        (option::of(1u32..), option::of(1u32..), btree_map(any::<String>(), rate, 0..3)),
        (btree_set(any::<String>(), 0..3), texts(), texts()),
    );
    let second = (
        (any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<bool>>()),
        (any::<Option<bool>>(), option::of(1u32..), option::of(1u32..)),
        (any::<bool>(), texts(), any::<bool>(), any::<Option<String>>()),
    );
    (first, second).prop_map(|((head, lists, rates, patterns), (flags, bans, emergency))| {
        DynamicRules {
            rule_id: head.0.into(),
            version: head.1,
            timestamp: head.2,
            expires_at: head.3,
            ttl: lists.0,
            ip_blacklist: lists.1,
            ip_whitelist: lists.2,
            ip_ban_duration: lists.3,
            blocked_countries: lists.4,
            whitelist_countries: lists.5,
            global_rate_limit: rates.0,
            global_rate_window: rates.1,
            endpoint_rate_limits: rates
                .2
                .into_iter()
                .map(|(key, rate)| (key.into(), rate))
                .collect(),
            blocked_cloud_providers: patterns.0.into_iter().map(Into::into).collect(),
            blocked_user_agents: patterns.1,
            suspicious_patterns: patterns.2,
            enable_penetration_detection: flags.0,
            enable_ip_banning: flags.1,
            enable_rate_limiting: flags.2,
            enable_rate_limit_auto_ban: bans.0,
            auto_ban_threshold: bans.1,
            auto_ban_duration: bans.2,
            emergency_mode: emergency.0,
            emergency_whitelist: emergency.1,
            emergency_whitelist_only: emergency.2,
            message: emergency.3.map(Into::into),
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(rules in any_rules()) {
        prop_assert_eq!(DynamicRules::read(rules.write().as_bytes()), Ok(rules));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        prop_assert!(DynamicRules::read(&bytes).is_err());
        prop_assert!(DynamicRules::read_edited(&bytes).is_err());
    }
}
