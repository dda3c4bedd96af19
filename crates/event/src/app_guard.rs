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
    /// such as a ban, is told by events of its own.
    ///
    /// The Python middleware (seen of guard-core 4.4.0) tells of some requests twice, and calls some blocked
    /// that it served; those are left out. One of each of its bans for attacks is missed: of the request that
    /// reaches the number of attacks it tells by `ip_banned` alone, as it does of bans that follow from a
    /// request which it told of already, and of those that come from elsewhere. In its passive mode it calls
    /// what the rules of a route would refuse blocked, too, and nothing in the event tells that it was not.
    pub fn is_blocked_request(&self) -> bool {
        match &*self.action {
            "request_blocked" | "blocked" | "https_redirect" => {
                !(self.is_told_twice() || self.is_served())
            }
            // The request that reached the number of attacks.
            "banned" => &*self.event_type == "penetration_attempt" && !self.is_told_twice(),
            // A ban or a limit by behaviour holds from the next request on.
            _ => false,
        }
    }

    /// Whether the Python middleware told of the same refusal by an event before.
    fn is_told_twice(&self) -> bool {
        if !self.is_of_middleware() {
            return false;
        }
        match (&*self.event_type, self.decorator.as_deref()) {
            // By the limiter itself.
            ("dynamic_rule_violation", _) | ("rate_limited", Some(_)) => true,
            (_, Some("rate_limiting" | "geo_rate_limiting")) => true,
            // By `cloud_blocked`.
            (_, Some("block_clouds")) => true,
            // By what the address or the user agent was refused for.
            ("penetration_attempt", _) => self.reason.starts_with("Identity violation escalated"),
            _ => false,
        }
    }

    /// Whether the Python middleware served the request: a rule by behaviour was broken, named by its type,
    /// and whatever follows holds from the next request on.
    fn is_served(&self) -> bool {
        self.is_of_middleware()
            && &*self.event_type == "decorator_violation"
            && matches!(self.decorator.as_deref(), Some("usage" | "frequency" | "return_pattern"))
    }

    fn is_of_middleware(&self) -> bool {
        self.handler.as_deref() == Some("middleware")
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
            // By the limit of a country: the first is the limiter's, without a decorator.
            (
                "decorator_violation",
                "request_blocked",
                "middleware",
                Some("geo_rate_limiting"),
                false,
            ),
            ("decorator_violation", "request_blocked", "middleware", Some("rate_limiting"), false),
            // By the clouds of a route.
            ("cloud_blocked", "request_blocked", "cloud", None, true),
            ("access_denied", "blocked", "middleware", Some("block_clouds"), false),
            ("decorator_violation", "request_blocked", "middleware", Some("block_clouds"), false),
            ("access_denied", "blocked", "middleware", Some("block_countries"), true),
            // Rules by behaviour say that they blocked a request which is served.
            ("decorator_violation", "blocked", "middleware", Some("usage"), false),
            ("decorator_violation", "blocked", "middleware", Some("frequency"), false),
            ("decorator_violation", "blocked", "middleware", Some("return_pattern"), false),
            (
                "decorator_violation",
                "behavioral_action_triggered",
                "middleware",
                Some("behavioral"),
                false,
            ),
            ("decorator_violation", "request_blocked", "middleware", Some("advanced"), true),
            ("decorator_violation", "https_redirect", "middleware", Some("authentication"), true),
        ] {
            let event = AppGuardEvent {
                event_type: event_type.into(),
                action: action.into(),
                handler: Some(handler.into()),
                decorator: decorator.map(Into::into),
                ..AppGuardEvent::default()
            };
            assert_eq!(
                event.is_blocked_request(),
                expected,
                "{event_type} {action} {handler} {decorator:?}"
            );
        }
    }

    /// An address or a user agent that is refused, and attacks beside that, is told of twice.
    #[test]
    fn what_follows_a_refusal_is_not_another_one() {
        for (reason, expected) in [
            ("Identity violation escalated: IP not allowed by route config: 203.0.113.9", false),
            ("Penetration attempt detected: sqli", true),
        ] {
            for action in ["banned", "request_blocked"] {
                let event = AppGuardEvent {
                    event_type: "penetration_attempt".into(),
                    action: action.into(),
                    reason: reason.into(),
                    handler: Some("middleware".into()),
                    ..AppGuardEvent::default()
                };
                assert_eq!(event.is_blocked_request(), expected, "{action} {reason}");
            }
        }
    }
}
