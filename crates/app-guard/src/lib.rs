//! Guards a web application from inside: addresses, rates, bans, payloads, rules per route.
//!
//! All of it is pure: the present moment is an argument, what has to be looked up elsewhere is asked for,
//! and decisions are answers. A [`Guard`] begins an [`Exchange`] for each request; whoever drives the
//! exchange does what its [`Step`]s say, and answers its [`Question`]s from a [`LocalState`], from Redis,
//! or by asking the application.
//!
//! ```
//! use ringwall_app_guard::inspection::{Peer, RequestHead};
//! use ringwall_app_guard::{Guard, GuardLimits, GuardSettings, LocalState, Moment, Step};
//!
//! let now = Moment::new(std::time::Instant::now(), 1_700_000_000_000);
//! let settings =
//!     GuardSettings { blacklist: vec!["192.0.2.0/24".to_owned()], ..GuardSettings::default() };
//! let guard = Guard::new(settings)?;
//! let state = LocalState::new(GuardLimits::default(), now);
//!
//! let peer = Peer::Address("192.0.2.7:4711".parse().unwrap());
//! let mut exchange = guard.exchange(&RequestHead { peer, ..RequestHead::get("/") }, None, now);
//! let Step::Reply(reply) = exchange.run(&state, now) else { panic!("it is on the blacklist") };
//! assert_eq!((reply.status, &*reply.body), (403, "Forbidden"));
//! assert_eq!(exchange.finish(now).events[0].event_type.name(), "ip_blocked");
//! # Ok::<(), ringwall_app_guard::SettingsError>(())
//! ```
#![forbid(unsafe_code)]

mod active;
mod address;
mod behaviour;
mod event;
mod exchange;
mod guard;
mod inspector;
pub mod keys;
mod local_state;
mod metrics;
mod path;
mod patterns;
pub mod payload;
mod question;
mod route_rules;
mod routes;
mod rules;
mod settings;
mod time_window;

/// What an exchange is made of.
pub use ringwall_inspection as inspection;

pub use address::{
    BlockedClouds, ClientAddress, CloudError, CloudProvider, CloudRange, CloudRanges, Network,
    NetworkError, NetworkMap, NetworkSet, TrustedProxies,
};
pub use behaviour::{BehaviourAction, BehaviourError, BehaviourRule, Counted, RESPONSE_BYTES_MAX};
pub use event::{EventType, GuardEvent};
pub use exchange::{BodyFlow, Exchange, Finished, Step};
pub use guard::Guard;
pub use inspector::GuardInspector;
pub use local_state::LocalState;
pub use metrics::{ExchangeFigures, Metric, MetricKind, MetricSums, OTHER_ENDPOINTS};
pub use path::{ExcludedPaths, plain_path};
pub use patterns::{PATTERN_CHARS_MAX, PATTERNS_MAX, PatternError, PatternSet};
pub use question::{
    Answer, AnswerFailure, Ban, BanOrder, CheckRefusal, CounterKey, CounterKind, Country,
    Credential, Hit, HitResult, Question,
};
pub use ringwall_inspection::{Moment, Reply, RequestHead};
pub use route_rules::{Bypass, DetectionExclusion, Route, RouteRules};
pub use routes::{PatternPathError, Routes};
pub use rules::{RuleSet, RulesApplied, RulesRefused};
pub use settings::{
    Cors, CorsError, CorsSettings, DetectionSettings, GuardLimits, GuardSettings, HeaderError,
    Hsts, RouteEntry, SecurityHeaderSettings, SecurityHeaders, SettingsError, ThreatBan,
};
pub use time_window::{TimeWindow, TimeWindowError, Zone};
