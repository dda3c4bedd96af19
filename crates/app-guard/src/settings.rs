//! What a guard is told: plain values with the names that the original middleware gives them.
//!
//! Checked once, when a [`Guard`](crate::Guard) is made of them; see [`SettingsError`].

mod cors;
mod security_headers;

pub use cors::{Cors, CorsError, CorsSettings};
pub(crate) use security_headers::check_header;
pub use security_headers::{HeaderError, Hsts, SecurityHeaderSettings, SecurityHeaders};

use crate::address::{CloudError, NetworkError};
use crate::behaviour::{BehaviourError, BehaviourRule};
use crate::patterns::PatternError;
use crate::payload::DetectorError;
use crate::route_rules::RouteRules;
use crate::routes::PatternPathError;
use crate::time_window::TimeWindowError;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Everything that can be set about a guard.
///
/// ```
/// use ringwall_app_guard::{Guard, GuardSettings};
///
/// let settings = GuardSettings {
///     rate_limit: 100,
///     blacklist: vec!["198.51.100.0/24".to_owned()],
///     ..GuardSettings::default()
/// };
/// Guard::new(settings).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardSettings {
    /// Nothing is refused; events say what would have been.
    pub passive_mode: bool,
    /// What happens when a check cannot be made: refused with 500, or let pass.
    pub fail_secure: bool,
    /// Whether requests pass when the shared state (Redis) cannot be asked. Otherwise `fail_secure` decides.
    pub redis_fail_open: bool,

    /// Addresses and networks of reverse proxies whose `X-Forwarded-For` is believed, and `unix`.
    pub trusted_proxies: Vec<String>,
    /// How many proxies stand in front of the application.
    pub trusted_proxy_depth: usize,
    /// Whether a trusted proxy's `X-Forwarded-Proto` tells the scheme.
    pub trust_x_forwarded_proto: bool,
    /// IPv6 addresses are counted and banned with their whole network of this prefix. 128 is needed only
    /// to share counters of IPv6 clients with workers of the original middleware.
    pub ipv6_prefix: u8,

    /// Where not empty, nobody else is let in. Who is on it skips countries, clouds, user agents, rate
    /// limits and detection.
    pub whitelist: Vec<String>,
    /// Who is refused.
    pub blacklist: Vec<String>,
    /// Who skips rate limits, user agents and clouds.
    pub exempt_ips: Vec<String>,

    /// Countries (two letters) that are refused.
    pub blocked_countries: Vec<String>,
    /// Where not empty, only these countries are let in, and nobody whose country is unknown.
    pub whitelist_countries: Vec<String>,
    /// Whether a request passes when the country cannot be looked up at all.
    pub geo_fail_open: bool,
    /// Clouds that are refused: `AWS`, or `GCP:!us-central1` for all but a region.
    pub block_cloud_providers: Vec<String>,
    /// Whether a request passes while no range of a blocked cloud is known.
    pub cloud_fail_open: bool,

    /// Expressions searched in the first 512 characters of `User-Agent`, whatever their case.
    pub blocked_user_agents: Vec<String>,

    /// Whether rates are limited.
    pub enable_rate_limiting: bool,
    /// Requests of one address in the window.
    pub rate_limit: u32,
    /// The window, in seconds.
    pub rate_limit_window: u32,
    /// Path → requests and seconds; the path matches exactly.
    pub endpoint_rate_limits: BTreeMap<String, (u32, u32)>,
    /// Whether refusals by a rate limit count towards a ban.
    pub enable_rate_limit_auto_ban: bool,

    /// Whether addresses are banned and bans are heeded.
    pub enable_ip_banning: bool,
    /// So many attacks of one address within `auto_ban_window` ban it.
    pub auto_ban_threshold: u32,
    /// For how long, in seconds.
    pub auto_ban_duration: u32,
    /// Attacks older than this many seconds no longer count.
    pub auto_ban_window: u32,
    /// Category → its own threshold and duration, looked at before the common ones.
    pub threat_ban_config: BTreeMap<String, ThreatBan>,

    /// Whether requests are searched for attacks.
    pub enable_penetration_detection: bool,
    /// What is searched, and how far.
    pub detection: DetectionSettings,

    /// Whether plain HTTP is sent to HTTPS.
    pub enforce_https: bool,
    /// Headers on every answer.
    pub security_headers: SecurityHeaderSettings,
    /// Who may call from pages of other origins; none by default.
    pub cors: Option<CorsSettings>,
    /// Subtrees for which only bans, address lists and rate limits are looked at.
    pub exclude_paths: Vec<String>,

    /// Whether everybody but `emergency_whitelist` gets 503.
    pub emergency_mode: bool,
    /// Who is served in an emergency.
    pub emergency_whitelist: Vec<String>,

    /// Status → the body that replaces ours.
    pub custom_error_responses: BTreeMap<u16, String>,
    /// Name of a check of the application that each request has to pass, asked last.
    pub custom_request_check: Option<String>,

    /// Rules on what answers an address gets, everywhere.
    pub behaviour_rules: Vec<BehaviourRule>,
    /// Whether the bodies of answers are looked at for behaviour rules.
    pub inspect_response_bodies: bool,
    /// Whether thresholds of behaviour rules halve for an address that attacked lately.
    pub correlate_with_detection: bool,

    /// Rules of single routes, for those who configure them in one place.
    pub routes: Vec<RouteEntry>,
    /// How much is kept in memory.
    pub limits: GuardLimits,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            passive_mode: false,
            fail_secure: true,
            redis_fail_open: false,
            trusted_proxies: Vec::new(),
            trusted_proxy_depth: 1,
            trust_x_forwarded_proto: false,
            ipv6_prefix: 64,
            whitelist: Vec::new(),
            blacklist: Vec::new(),
            exempt_ips: Vec::new(),
            blocked_countries: Vec::new(),
            whitelist_countries: Vec::new(),
            geo_fail_open: false,
            block_cloud_providers: Vec::new(),
            cloud_fail_open: false,
            blocked_user_agents: Vec::new(),
            enable_rate_limiting: true,
            rate_limit: 10,
            rate_limit_window: 60,
            endpoint_rate_limits: BTreeMap::new(),
            enable_rate_limit_auto_ban: false,
            enable_ip_banning: true,
            auto_ban_threshold: 10,
            auto_ban_duration: 3600,
            auto_ban_window: 3600,
            threat_ban_config: BTreeMap::new(),
            enable_penetration_detection: true,
            detection: DetectionSettings::default(),
            enforce_https: false,
            security_headers: SecurityHeaderSettings::default(),
            cors: None,
            exclude_paths: EXCLUDED_BY_DEFAULT.map(str::to_owned).to_vec(),
            emergency_mode: false,
            emergency_whitelist: Vec::new(),
            custom_error_responses: BTreeMap::new(),
            custom_request_check: None,
            behaviour_rules: Vec::new(),
            inspect_response_bodies: false,
            correlate_with_detection: false,
            routes: Vec::new(),
            limits: GuardLimits::default(),
        }
    }
}

const EXCLUDED_BY_DEFAULT: [&str; 6] =
    ["/docs", "/redoc", "/openapi.json", "/openapi.yaml", "/favicon.ico", "/static"];

/// When one category of attacks bans, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatBan {
    /// So many attacks of the category.
    pub threshold: u32,
    /// Seconds.
    pub duration: u32,
}

/// What the detection searches, and how far.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionSettings {
    /// Categories that are not searched for.
    pub disabled_categories: Vec<String>,
    /// Expressions of the application's own; each hit counts as an attack.
    pub custom_patterns: Vec<String>,
    /// Headers that are not searched.
    pub excluded_headers: Vec<String>,
    /// Query parameters that are not searched.
    pub excluded_parameters: Vec<String>,
    /// Fields of bodies that are not searched.
    pub excluded_fields: Vec<String>,
    /// Whether bodies are searched.
    pub scan_bodies: bool,
    /// So many bytes of a body are held back from the application until they were searched; what follows
    /// is searched while it streams, and cut off where an attack shows.
    pub body_hold_bytes: usize,
    /// Whether a compressed body (`Content-Encoding`), which cannot be searched, reaches the application all
    /// the same. Otherwise it is refused with 415 where it would be searched.
    pub allow_encoded_bodies: bool,
}

impl Default for DetectionSettings {
    fn default() -> Self {
        Self {
            disabled_categories: Vec::new(),
            custom_patterns: Vec::new(),
            excluded_headers: Vec::new(),
            excluded_parameters: Vec::new(),
            excluded_fields: Vec::new(),
            scan_bodies: true,
            body_hold_bytes: 262_144,
            allow_encoded_bodies: false,
        }
    }
}

/// The rules of one route in a central configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    /// The pattern: `/orders/{id}`, `/static/{*rest}`, `/exactly/this`.
    pub path: String,
    /// The method; every method where none is named.
    #[serde(default)]
    pub method: Option<String>,
    /// What applies there.
    pub rules: RouteRules,
}

/// How much a guard keeps in memory, whatever clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardLimits {
    /// Addresses banned at once. When full, the ban that ends first makes room.
    pub bans: usize,
    /// Networks banned at once.
    pub banned_networks: usize,
    /// Counters (an address, or an address at an endpoint). When full, newcomers share counters: they may
    /// be refused early, but never too late.
    pub counters: usize,
    /// Endpoints with figures of their own; the rest is one figure.
    pub endpoints: usize,
    /// Events of one exchange.
    pub events: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            bans: 100_000,
            banned_networks: 10_000,
            counters: 200_000,
            endpoints: 500,
            events: 16,
        }
    }
}

/// Why settings, rules of a route or rules from outside were not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An address list holds something else.
    #[error("`{field}`: {error}")]
    Address {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        error: NetworkError,
    },
    /// A list of clouds holds something else.
    #[error("`{field}`: {error}")]
    Cloud {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        error: CloudError,
    },
    /// An expression is not taken.
    #[error("`{field}`: {error}")]
    Pattern {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        error: PatternError,
    },
    /// Not two letters.
    #[error("`{field}`: `{text}` is not a country code of two letters")]
    Country {
        /// The setting.
        field: &'static str,
        /// What was written.
        text: String,
    },
    /// Zero, or too large.
    #[error("`{field}`: {value} is not between {min} and {max}")]
    Number {
        /// The setting.
        field: &'static str,
        /// What was given.
        value: u64,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// No such category of attacks.
    #[error("`{field}`: unknown category `{text}`")]
    Category {
        /// The setting.
        field: &'static str,
        /// What was written.
        text: String,
    },
    /// An empty name, or a value that makes no sense.
    #[error("`{field}`: {reason}")]
    Value {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The detection does not take its settings.
    #[error("`detection`: {0}")]
    Detection(DetectorError),
    /// A header of answers.
    #[error("`security_headers`: {0}")]
    Header(#[from] HeaderError),
    /// Cross-origin settings.
    #[error("`cors`: {0}")]
    Cors(#[from] CorsError),
    /// A time window.
    #[error("`time_window`: {0}")]
    TimeWindow(#[from] TimeWindowError),
    /// A behaviour rule.
    #[error("behaviour rule: {0}")]
    Behaviour(#[from] BehaviourError),
    /// A route's pattern.
    #[error("route: {0}")]
    Path(#[from] PatternPathError),
    /// The rules of one route.
    #[error("route `{path}`: {error}")]
    Route {
        /// Its pattern.
        path: String,
        /// What is wrong.
        error: Box<SettingsError>,
    },
}
