use ringwall_app_guard::RuleSet;
use ringwall_dialects::guard::DynamicRules;

/// The server's rules in the words of the guard's engine.
#[must_use]
pub fn rule_set(rules: &DynamicRules) -> RuleSet {
    let texts = |texts: &[Box<str>]| texts.iter().map(|text| text.to_string()).collect();
    RuleSet {
        rule_id: rules.rule_id.to_string(),
        version: rules.version,
        // A moment before 1970 is as much in the past as its beginning.
        expires_unix_ms: rules
            .expires_at
            .map(|moment| u64::try_from(moment.as_millis()).unwrap_or(0)),
        ip_blacklist: texts(&rules.ip_blacklist),
        ip_whitelist: texts(&rules.ip_whitelist),
        ip_ban_duration: rules.ip_ban_duration,
        blocked_countries: texts(&rules.blocked_countries),
        whitelist_countries: texts(&rules.whitelist_countries),
        global_rate_limit: rules.global_rate_limit,
        global_rate_window: rules.global_rate_window,
        endpoint_rate_limits: rules
            .endpoint_rate_limits
            .iter()
            .map(|(path, rate)| (path.to_string(), (rate.requests, rate.window_seconds)))
            .collect(),
        blocked_cloud_providers: rules
            .blocked_cloud_providers
            .iter()
            .map(ToString::to_string)
            .collect(),
        blocked_user_agents: texts(&rules.blocked_user_agents),
        suspicious_patterns: texts(&rules.suspicious_patterns),
        enable_penetration_detection: rules.enable_penetration_detection,
        enable_ip_banning: rules.enable_ip_banning,
        enable_rate_limiting: rules.enable_rate_limiting,
        enable_rate_limit_auto_ban: rules.enable_rate_limit_auto_ban,
        auto_ban_threshold: rules.auto_ban_threshold,
        auto_ban_duration: rules.auto_ban_duration,
        emergency_mode: rules.emergency_mode,
        emergency_whitelist: texts(&rules.emergency_whitelist),
        emergency_whitelist_only: rules.emergency_whitelist_only,
        message: rules.message.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_rules_is_lost() {
        let text = br#"{"rule_id":"shop","version":7,"expires_at":"1970-01-01T00:00:01Z",
            "ip_blacklist":["203.0.113.9"],"endpoint_rate_limits":{"/login":[5,60]},
            "blocked_cloud_providers":["AWS"],"emergency_mode":true,"message":"closed"}"#;
        let rules = rule_set(&DynamicRules::read(text).unwrap());
        assert_eq!((rules.rule_id.as_str(), rules.version), ("shop", 7));
        assert_eq!(rules.expires_unix_ms, Some(1000));
        assert_eq!(rules.ip_blacklist, ["203.0.113.9"]);
        assert_eq!(rules.endpoint_rate_limits["/login"], (5, 60));
        assert_eq!(rules.blocked_cloud_providers, ["AWS"]);
        assert!(rules.emergency_mode && rules.message.as_deref() == Some("closed"));
        let nothing = rule_set(&DynamicRules::default());
        assert_eq!(nothing, RuleSet::default());
    }
}
