//! What an exchange has to know from elsewhere, and the answers to it.
//!
//! An exchange never waits. It says what it wants to know; whoever drives it answers from
//! [`LocalState`](crate::LocalState), from Redis, from a database of countries or by asking the application.

use crate::address::Network;
use ringwall_inspection::Moment;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A question of an exchange; each names the [`Answer`] that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Is this address, or a network that it is in, banned? → [`Answer::Banned`]
    Banned {
        /// The client.
        address: IpAddr,
    },
    /// Count one, unless there are `limit` within the window already. → [`Answer::Hit`]
    Hit(Hit),
    /// How many are within the window, without counting one? → [`Answer::Hit`]
    Count {
        /// The counter.
        key: CounterKey,
        /// The window.
        window: Duration,
    },
    /// Ban this network, and forget what was counted against it. → [`Answer::Done`]
    Ban(BanOrder),
    /// Is the client throttled at this endpoint, and for how long still? → [`Answer::Throttled`]
    Throttled(CounterKey),
    /// Throttle the client at this endpoint for so long. → [`Answer::Done`]
    Throttle {
        /// Whom and where.
        key: CounterKey,
        /// How long.
        time: Duration,
    },
    /// The country of this address. → [`Answer::Country`]
    Country {
        /// The client.
        address: IpAddr,
    },
    /// Is this credential good? → [`Answer::Accepted`]
    Credential(Credential),
    /// What does the application's own check of this name say? → [`Answer::Checked`]
    Check {
        /// The name that settings or rules of the route give.
        name: Arc<str>,
    },
}

impl Question {
    /// Whether the state that workers share answers it, rather than the application or a database.
    #[must_use]
    pub const fn is_about_state(&self) -> bool {
        match self {
            Self::Banned { .. }
            | Self::Hit(_)
            | Self::Count { .. }
            | Self::Ban(_)
            | Self::Throttled(_)
            | Self::Throttle { .. } => true,
            Self::Country { .. } | Self::Credential(_) | Self::Check { .. } => false,
        }
    }
}

/// One thing to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What is counted, and for whom.
    pub key: CounterKey,
    /// So many are fine within the window.
    pub limit: u32,
    /// The window; it slides.
    pub window: Duration,
}

/// What a counter counts, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The kind of counter.
    pub kind: CounterKind,
    /// Whom it is about: an IPv4 address, or an IPv6 network (see `ipv6_prefix`).
    pub client: Network,
    /// Where: a path or a route's pattern; nothing for counters of the whole application.
    pub endpoint: Option<Arc<str>>,
    /// What: the pattern of a behaviour rule, a category of attacks.
    pub detail: Option<Arc<str>>,
    /// The seconds of the window, where behaviour rules count the same in several windows and this one is
    /// not the longest. Two windows in one counter would count everything twice.
    pub window_seconds: Option<u32>,
}

/// The kinds of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CounterKind {
    /// Requests.
    Rate,
    /// Handshakes of web sockets, which have a budget of their own.
    RateWebSocket,
    /// Attacks; `detail` is the category, or nothing for all of them.
    Detection,
    /// Requests refused by a rate limit.
    RateRefusal,
    /// Calls that behaviour rules count.
    BehaviourUsage,
    /// Answers that a behaviour rule counts; `detail` is the pattern.
    BehaviourReturn,
    /// A client throttled at an endpoint.
    Throttle,
}

/// A ban to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanOrder {
    /// The address, or the network of an IPv6 address.
    pub network: Network,
    /// The address that gave cause.
    pub address: IpAddr,
    /// How long.
    pub time: Duration,
    /// Why: `penetration_attempt`, `rate_limit_exceeded`, `behavioral_violation`, `dynamic_rule`, perhaps
    /// with `:category`.
    pub reason: Arc<str>,
}

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who is banned.
    pub network: Network,
    /// When it ends, in milliseconds since 1970.
    pub expires_unix_ms: u64,
    /// Why, where that is known.
    pub reason: Option<Arc<str>>,
}

impl Ban {
    /// How long it lasts still; nothing once it is over.
    #[must_use]
    pub fn remaining(&self, now: Moment) -> Option<Duration> {
        let ms = self.expires_unix_ms.checked_sub(now.unix_ms).filter(|ms| *ms > 0)?;
        Some(Duration::from_millis(ms))
    }
}

/// Something with which a client says who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `bearer`, `basic`, another scheme of `Authorization`, or `api_key`.
    pub scheme: Arc<str>,
    /// The name of the application's verifier.
    pub verifier: Arc<str>,
    /// What the client sent, without the scheme. Never shown by `Debug`.
    pub value: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("scheme", &self.scheme)
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The ban that holds the address.
    Banned(Option<Ban>),
    /// What counting gave.
    Hit(HitResult),
    /// How long the client is still throttled.
    Throttled(Option<Duration>),
    /// The country, where the source knows one.
    Country(Option<Country>),
    /// Whether the credential is good.
    Accepted(bool),
    /// What the application's check says: nothing, or its refusal.
    Checked(Option<CheckRefusal>),
    /// It is done.
    Done,
    /// It could not be answered.
    Failed(AnswerFailure),
}

/// What counting one gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitResult {
    /// Whether it was within the limit, and so counted.
    pub within: bool,
    /// How many there are in the window now.
    pub count: u32,
    /// When there is room again, where there was none.
    pub retry_after: Duration,
}

/// What an application's check answers in place of the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRefusal {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerFailure {
    /// The shared state has never been reached since the start.
    StateNeverReached,
    /// The shared state cannot be reached now.
    StateAway,
    /// The source or the check itself failed.
    Failed,
}

/// A country by its two letters of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The country of these two letters, in either case.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                Some(Self([first.to_ascii_uppercase(), second.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The constructor takes ASCII letters only.
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
