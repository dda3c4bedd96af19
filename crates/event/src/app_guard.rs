use serde::{Deserialize, Serialize};

/// What the guard of a web application saw or did, in its own words. Fields that it does not know are
/// none. The whole of what it sent stands beside it, in [`Event::original`](crate::Event::original).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppGuardEvent {
    /// The kind: `penetration_attempt`, `ip_banned`, …; the set is open.
    pub event_type: Box<str>,
    /// Whether it tells of an attack, a ban or odd behaviour, and not of a guard at its ordinary work.
    pub is_finding: bool,
    /// What the guard did: `request_blocked`, `logged_only`, …; may be empty.
    pub action: Box<str>,
    /// Why; may be empty.
    pub reason: Box<str>,
    /// The address of the client; none where it is about no client.
    #[serde(default)]
    pub client_address: Option<Box<str>>,
    /// The country of that address, as ISO 3166 code.
    #[serde(default)]
    pub country: Option<Box<str>>,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: Option<Box<str>>,
    /// The method of the request.
    #[serde(default)]
    pub method: Option<Box<str>>,
    /// The path of the request.
    #[serde(default)]
    pub path: Option<Box<str>>,
    /// The status code of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<f64>,
    /// What kind of attack: `sqli`, `xss`, ….
    #[serde(default)]
    pub category: Option<Box<str>>,
    /// The pattern that was found.
    #[serde(default)]
    pub pattern: Option<Box<str>>,
    /// Which rule of the route it was.
    #[serde(default)]
    pub decorator: Option<Box<str>>,
    /// Which rule it was.
    #[serde(default)]
    pub rule: Option<Box<str>>,
    /// Which part of the guard speaks.
    #[serde(default)]
    pub handler: Option<Box<str>>,
    /// Which installation of the guard.
    #[serde(default)]
    pub install_id: Option<Box<str>>,
}

impl AppGuardEvent {
    /// Whether it tells of one request that the guard did not let through. What came of it beside that,
    /// such as a ban, is told by events of its own, and so is some of what the Python middleware refuses
    /// a second time.
    pub fn is_blocked_request(&self) -> bool {
        let is_second = self.handler.as_deref() == Some("middleware")
            && match &*self.event_type {
                "rate_limited" => self.decorator.is_some(),
                "dynamic_rule_violation" => true,
                _ => false,
            };
        match &*self.action {
            "request_blocked" | "blocked" | "https_redirect" => !is_second,
            // The request that reached the number of attacks.
            "banned" => &*self.event_type == "penetration_attempt",
            // A ban or a limit by behaviour holds from the next request on.
            _ => false,
        }
    }

    /// Whether it knows anything of a request.
    pub const fn has_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.status.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refused_request_counts_once() {
        for (event_type, action, handler, decorator, expected) in [
            ("ip_blocked", "request_blocked", "middleware", None, true),
            ("ip_blocked", "logged_only", "middleware", None, false),
            ("https_enforced", "https_redirect", "middleware", None, true),
            ("authentication_failed", "blocked", "middleware", Some("authentication"), true),
            ("pattern_detected", "threat_detected", "sus_patterns", None, false),
            ("penetration_attempt", "request_blocked", "middleware", None, true),
            ("penetration_attempt", "banned", "middleware", None, true),
            ("ip_banned", "banned", "ip_ban", None, false),
            ("behavioral_violation", "ban", "behavior", None, false),
            ("behavioral_violation", "throttle", "behavior", None, false),
            ("emergency_mode_activated", "emergency_lockdown", "dynamic_rules", None, false),
            // The Python middleware tells of both; ours of the latter.
            ("rate_limited", "request_blocked", "rate_limit", None, true),
            ("rate_limited", "blocked", "middleware", Some("rate_limiting"), false),
            ("rate_limited", "request_blocked", "rate_limit", Some("rate_limiting"), true),
            ("dynamic_rule_violation", "request_blocked", "middleware", None, false),
            ("dynamic_rule_violation", "request_blocked", "rate_limit", None, true),
        ] {
            let event = AppGuardEvent {
                event_type: event_type.into(),
                action: action.into(),
                handler: Some(handler.into()),
                decorator: decorator.map(Into::into),
                ..AppGuardEvent::default()
            };
            assert_eq!(event.is_blocked_request(), expected, "{event_type} {action} {handler}");
        }
    }
}
