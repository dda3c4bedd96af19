//! What a guard tells of its work.

use ringwall_inspection::Moment;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::Duration;

/// How much of a text of the client's an event keeps.
const TEXT_BYTES_MAX: usize = 512;

/// One thing that the guard decided or noticed, with the fields that guard telemetry knows.
///
/// Texts that came with the request are bounded in length but hold whatever the client sent: whoever sends
/// them on redacts them.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardEvent {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// What kind of thing.
    pub event_type: EventType,
    /// The client's address; `system` or empty for an event without a client.
    pub ip_address: Cow<'static, str>,
    /// Two letters, where the country was looked up.
    pub country: Option<String>,
    /// As the client sent it.
    pub user_agent: Option<String>,
    /// What was done. True also in passive mode.
    pub action_taken: &'static str,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// The path.
    pub endpoint: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The status that the guard answered, where it did.
    pub status_code: Option<u16>,
    /// Since the checks began.
    pub response_time: Option<Duration>,
    /// Which kind of rule of a route decided.
    pub decorator_type: Option<&'static str>,
    /// Which kind of rule decided.
    pub rule_type: Option<&'static str>,
    /// The pattern that matched.
    pub pattern_matched: Option<String>,
    /// The part of the guard that speaks.
    pub handler_name: Option<&'static str>,
    /// What else there is to say.
    pub metadata: Map<String, Value>,
}

impl GuardEvent {
    /// An event without a client; everything else is empty.
    #[must_use]
    pub fn new(
        event_type: EventType,
        action_taken: &'static str,
        reason: impl Into<Cow<'static, str>>,
        now: Moment,
    ) -> Self {
        Self {
            unix_ms: now.unix_ms,
            event_type,
            ip_address: Cow::Borrowed("system"),
            country: None,
            user_agent: None,
            action_taken,
            reason: reason.into(),
            endpoint: None,
            method: None,
            status_code: None,
            response_time: None,
            decorator_type: None,
            rule_type: None,
            pattern_matched: None,
            handler_name: None,
            metadata: Map::new(),
        }
    }

    /// Said by this part of the guard.
    #[must_use]
    pub(crate) fn by(mut self, handler: &'static str) -> Self {
        self.handler_name = Some(handler);
        self
    }

    /// With one more detail.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }
}

/// The beginning of a client's text, as long as an event keeps it.
pub(crate) fn kept(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default()
}

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $threat:literal;)*) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[$doc])* $variant,)*
        }

        impl EventType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in telemetry.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How much of a threat such an event stands for, from 0 to 100: the figures that the original
            /// middleware adds when it enriches events.
            #[must_use]
            pub const fn threat_score(self) -> u8 {
                match self { $(Self::$variant => $threat,)* }
            }
        }
    };
}

event_types! {
    /// An address was banned.
    IpBanned = "ip_banned", 70;
    /// A ban was lifted.
    IpUnbanned = "ip_unbanned", 10;
    /// A request from an address or network that is banned or listed.
    IpBlocked = "ip_blocked", 50;
    /// A ban was due and could not be made.
    IpBanFailed = "ip_ban_failed", 50;
    /// Too many requests.
    RateLimited = "rate_limited", 20;
    /// Something about the request does not fit, though it is no attack by itself.
    SuspiciousRequest = "suspicious_request", 50;
    /// A request from a cloud that is shut out.
    CloudBlocked = "cloud_blocked", 50;
    /// A request from a country that is shut out.
    CountryBlocked = "country_blocked", 50;
    /// A request that is an attack.
    PenetrationAttempt = "penetration_attempt", 90;
    /// A behaviour rule was tripped.
    BehavioralViolation = "behavioral_violation", 50;
    /// A user agent that is shut out.
    UserAgentBlocked = "user_agent_blocked", 30;
    /// A check of the application's own refused.
    CustomRuleTriggered = "custom_rule_triggered", 40;
    /// A rule of a route was broken.
    DecoratorViolation = "decorator_violation", 40;
    /// A check could not be made.
    SecurityCheckFailed = "detection_engine_callback_error", 40;
    /// A country could not be looked up.
    GeoLookupFailed = "geo_lookup_failed", 20;
    /// Plain HTTP was sent to HTTPS.
    HttpsEnforced = "https_enforced", 20;
    /// New rules were put in force.
    DynamicRuleApplied = "dynamic_rule_applied", 40;
    /// New rules arrived.
    DynamicRuleUpdated = "dynamic_rule_updated", 40;
    /// A limit that the rules set was exceeded.
    DynamicRuleViolation = "dynamic_rule_violation", 40;
    /// A path that is left alone.
    PathExcluded = "path_excluded", 10;
    /// What was found in a request.
    PatternDetected = "pattern_detected", 50;
    /// A pattern was added.
    PatternAdded = "pattern_added", 10;
    /// A pattern was taken away.
    PatternRemoved = "pattern_removed", 10;
    /// A rule of a route denied access.
    AccessDenied = "access_denied", 30;
    /// Who asked did not prove who they are.
    AuthenticationFailed = "authentication_failed", 50;
    /// A body of a wrong type or size.
    ContentFiltered = "content_filtered", 40;
    /// An emergency began.
    EmergencyModeActivated = "emergency_mode_activated", 60;
    /// Refused because of an emergency.
    EmergencyModeBlock = "emergency_mode_block", 50;
    /// A route that skips all checks.
    SecurityBypass = "security_bypass", 30;
    /// The headers of answers were set.
    SecurityHeadersApplied = "security_headers_applied", 10;
    /// The shared state could not be asked.
    RedisError = "redis_error", 20;
}
