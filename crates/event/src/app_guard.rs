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
    /// Whether the guard kept a request or a client out, or sent it elsewhere.
    pub fn is_blocked(&self) -> bool {
        const BLOCKED: [&str; 7] = [
            "request_blocked",
            "blocked",
            "banned",
            "ban",
            "https_redirect",
            "emergency_lockdown",
            "throttle",
        ];
        BLOCKED.contains(&&*self.action)
    }

    /// Whether it knows anything of a request.
    pub const fn has_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.status.is_some()
    }
}
