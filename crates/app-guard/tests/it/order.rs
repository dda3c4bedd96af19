//! The order of the checks: the first that refuses answers.

use crate::application::{Application, Request, texts};
use ringwall_app_guard::{
    BanOrder, BehaviourAction, CloudProvider, CloudRange, CloudRanges, GuardSettings, RouteRules,
};
use std::sync::Arc;
use std::time::Duration;

/// Everything is wrong with one request; each time it is refused, what it was refused for is put right.
/// The refusals have to come in the order of the contract (section 5).
#[test]
fn checks_come_in_the_order_of_the_contract() {
    let mut settings = GuardSettings {
        emergency_mode: true,
        enforce_https: true,
        blacklist: texts(&["82.0.0.1"]),
        blocked_countries: texts(&["CN"]),
        block_cloud_providers: texts(&["AWS"]),
        blocked_user_agents: texts(&["curl"]),
        custom_request_check: Some("refuses".into()),
        rate_limit: 1,
        ..GuardSettings::default()
    };
    let mut right: Vec<&str> = Vec::new();
    let mut request =
        Request::get().from("82.0.0.1").header("user-agent", "curl").post("text/plain", b"long");
    let mut banned = true;
    let mut order = Vec::new();
    for _ in 0..30 {
        let mut application = Application::new(settings.clone()).at(&wrong_but_for(&right));
        let range = |network: &str, provider| {
            (network.parse().unwrap(), CloudRange { provider, region: "".into() })
        };
        application.guard.set_cloud_ranges(CloudRanges::new([
            range("82.0.0.0/8", CloudProvider::Aws),
            range("82.0.0.0/16", CloudProvider::Gcp),
        ]));
        if banned {
            let network = "82.0.0.1".parse().unwrap();
            let (time, reason) = (Duration::from_secs(60), Arc::from("dynamic_rule"));
            let address = "82.0.0.1".parse().unwrap();
            application.state.ban(&BanOrder { network, address, time, reason }, application.now);
        }
        // The second request is beyond every limit of one.
        application.send(&request);
        let outcome = application.send(&request);
        let Some(event) = outcome.events().last().copied().cloned() else { break };
        let what = match event.metadata.get("violation_type").and_then(|kind| kind.as_str()) {
            Some(kind) => kind.to_owned(),
            None => event.rule_type.unwrap_or(event.event_type.name()).to_owned(),
        };
        order.push(format!("{} {what}", outcome.status()));
        match what.as_str() {
            "emergency_mode_block" => settings.emergency_mode = false,
            "https_enforced" => settings.enforce_https = false,
            "max_request_size" => right.push("size"),
            "content_type" => right.push("type"),
            "require_headers" => request = request.header("x-tenant", "a"),
            "require_auth" => request = request.header("authorization", "Bearer right"),
            "missing_referrer" => request = request.header("referer", "https://shop.example/"),
            "custom_check" if !right.contains(&"check") => right.push("check"),
            "custom_check" => settings.custom_request_check = None,
            "time_restriction" => right.push("time"),
            "ip_blocked" if banned => banned = false,
            "ip_restriction" => right.push("deny"),
            "ip_blocked" => settings.blacklist.clear(),
            "country_blacklist" => settings.blocked_countries.clear(),
            "cloud_blocked" if !settings.block_cloud_providers.is_empty() => {
                settings.block_cloud_providers.clear();
            }
            "cloud_blocked" => right.push("clouds"),
            "user_agent_blocked" => settings.blocked_user_agents.clear(),
            "route_rate_limit" => right.push("rate"),
            "global_rate_limit" => settings.rate_limit = 100,
            "usage" => right.push("usage"),
            other => panic!("{other} was not expected after {order:?}"),
        }
    }
    assert_eq!(
        order,
        [
            "503 emergency_mode_block",
            "301 https_enforced",
            "413 max_request_size",
            "415 content_type",
            "400 require_headers",
            "401 require_auth",
            "403 missing_referrer",
            "418 custom_check",
            "403 time_restriction",
            "403 ip_blocked",
            "403 ip_restriction",
            "403 ip_blocked",
            "403 country_blacklist",
            "403 cloud_blocked",
            "403 cloud_blocked",
            "403 user_agent_blocked",
            "429 route_rate_limit",
            "429 global_rate_limit",
            "418 custom_check",
            "429 usage",
        ]
    );
}

/// Rules of which only these are not broken by the request.
fn wrong_but_for(right: &[&str]) -> RouteRules {
    let is_right = |name: &str| right.contains(&name);
    let mut rules = RouteRules::new()
        .max_request_size(if is_right("size") { 100 } else { 1 })
        .content_type_filter([if is_right("type") { "text/plain" } else { "image/png" }])
        .require_header("x-tenant")
        .require_auth("bearer", "verifier")
        .require_referrer(["shop.example"])
        .custom_validation(if is_right("check") { "passes" } else { "refuses" })
        .time_window("00:00", if is_right("time") { "23:59" } else { "00:01" }, "UTC")
        .rate_limit(if is_right("rate") { 100 } else { 1 }, 60)
        .usage_monitor(if is_right("usage") { 100 } else { 1 }, 60, BehaviourAction::Throttle);
    if !is_right("deny") {
        rules = rules.deny_ips(["82.0.0.1"]);
    }
    if !is_right("clouds") {
        rules = rules.block_clouds(["GCP"]);
    }
    rules
}
