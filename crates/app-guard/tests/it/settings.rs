//! Settings are checked when a guard is made of them.

use crate::application::{texts, wide};
use ringwall_app_guard::{
    BehaviourAction, BehaviourRule, CorsSettings, Counted, Guard, GuardSettings, Hsts, RouteRules,
    SecurityHeaderSettings, SecurityHeaders,
};

#[test]
fn what_is_wrong_is_said() {
    let check = |settings: GuardSettings, expected: &str| {
        let error = Guard::new(settings).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    let default = GuardSettings::default;
    check(
        GuardSettings { blacklist: texts(&["192.0.2.0/33"]), ..default() },
        "`blacklist`: `192.0.2.0/33` has no prefix between 0 and 32",
    );
    check(
        GuardSettings { trusted_proxies: texts(&["proxy.example"]), ..default() },
        "`trusted_proxies`: `proxy.example` is not an IP address",
    );
    check(
        GuardSettings { blocked_countries: texts(&["Germany"]), ..default() },
        "`blocked_countries`: `Germany` is not a country code of two letters",
    );
    check(
        GuardSettings { block_cloud_providers: texts(&["IBM"]), ..default() },
        "`block_cloud_providers`: unknown cloud provider `IBM`; known are AWS, GCP, Azure, \
         DigitalOcean, Linode, Vultr",
    );
    check(
        GuardSettings { rate_limit: 0, ..default() },
        "`rate_limit`: 0 is not between 1 and 10000000",
    );
    check(
        GuardSettings { blocked_user_agents: texts(&["a(?=b)"]), ..default() },
        "`blocked_user_agents`: pattern `a(?=b)`: look-around, including look-ahead and look-behind, \
         is not supported",
    );
    check(
        GuardSettings {
            cors: Some(CorsSettings { allow_credentials: true, ..CorsSettings::default() }),
            ..default()
        },
        "`cors`: `allow_origins` of `*` together with `allow_credentials`",
    );
    check(
        GuardSettings { exclude_paths: texts(&["static"]), ..default() },
        "`exclude_paths`: `static` does not begin with `/`",
    );
    let mut detection = default();
    detection.detection.disabled_categories = texts(&["sql"]);
    check(detection, "`detection.disabled_categories`: unknown category `sql`");
    let rule = BehaviourRule {
        counted: Counted::Usage,
        threshold: 1,
        window: 1,
        action: BehaviourAction::Log,
        ban_duration: 1,
    };
    check(
        GuardSettings { behaviour_rules: vec![rule], ..default() },
        "behaviour rule: a rule for all routes counts answers (`return_pattern`)",
    );
}

#[test]
fn rules_of_routes_are_checked() {
    let check = |rules: RouteRules, expected: &str| {
        assert_eq!(rules.compile("/").unwrap_err().to_string(), expected);
    };
    check(
        RouteRules::new().time_window("9", "10:00", "UTC"),
        "`time_window`: `9` is not a time of day between 00:00 and 23:59",
    );
    check(RouteRules::new().rate_limit(1, 0), "`rate_limit`: 0 is not between 1 and 2592000");
    check(
        RouteRules::new().return_monitor("status:abc", 1, 1, BehaviourAction::Log),
        "behaviour rule: `status:abc` has no status between 100 and 599",
    );
    check(
        RouteRules::new().require_header("a b"),
        "`security_headers`: `a b` is not a header name",
    );
}

#[test]
fn settings_are_read_by_the_names_of_the_original() {
    let settings: GuardSettings = serde_json::from_str(
        r#"{
            "rate_limit": 5, "rate_limit_window": 10, "passive_mode": true,
            "trusted_proxies": ["10.0.0.1"], "auto_ban_threshold": 3, "enforce_https": true,
            "threat_ban_config": {"sqli": {"threshold": 1, "duration": 60}},
            "routes": [{"path": "/a", "method": "GET", "rules": {"rate_limit": [1, 60],
                "bypass": ["ip_ban"], "behaviour": [{"counted": {"return_pattern": "status:404"},
                "threshold": 3, "action": "throttle"}]}}]
        }"#,
    )
    .unwrap();
    assert_eq!((settings.rate_limit, settings.rate_limit_window), (5, 10));
    Guard::new(settings).unwrap();
    assert!(serde_json::from_str::<GuardSettings>(r#"{"rate_limits": 5}"#).is_err());
}

#[test]
fn headers_of_every_answer() {
    let headers = Guard::new(wide()).unwrap().answer_headers();
    let lines: Vec<String> =
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        lines,
        [
            "cross-origin-embedder-policy: require-corp",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "permissions-policy: geolocation=(), microphone=(), camera=()",
            "referrer-policy: strict-origin-when-cross-origin",
            "strict-transport-security: max-age=31536000; includeSubDomains",
            "x-content-type-options: nosniff",
            "x-download-options: noopen",
            "x-frame-options: SAMEORIGIN",
            "x-permitted-cross-domain-policies: none",
            "x-xss-protection: 1; mode=block",
        ]
    );
}

#[test]
fn headers_are_checked() {
    let with = |name: &str, value: &str| {
        let custom = [(name.to_owned(), value.to_owned())].into();
        SecurityHeaders::new(&SecurityHeaderSettings { custom, ..Default::default() })
    };
    assert!(with("x-own", "a, b; c=\"d\"").unwrap().has("x-own"));
    assert!(!with("X-Frame-Options", "").unwrap().has("x-frame-options"));
    assert!(with("x-own", "a\r\nset-cookie: b").is_err());
    assert!(with("x-own", &"a".repeat(8193)).is_err());
    assert!(with("x own", "a").is_err());
    let preload = Hsts { preload: true, max_age: 60, include_subdomains: true };
    let settings = SecurityHeaderSettings { hsts: Some(preload), ..Default::default() };
    assert!(SecurityHeaders::new(&settings).is_err());
    let off = SecurityHeaderSettings { enabled: false, ..Default::default() };
    assert!(SecurityHeaders::new(&off).unwrap().is_empty());
}
