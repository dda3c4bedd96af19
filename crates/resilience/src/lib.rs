//! When to try, when to wait, when to send: the state machines behind everything that talks to a peer
//! which may be slow, full or gone.
//!
//! All of it is pure: the present moment and numbers by chance are arguments, decisions are answers.
//! Nothing here sleeps, spawns or reads a clock, so that a test walks through an hour in a loop.
//!
//! ```
//! use ringwall_resilience::{Admission, Backoff, BackoffPolicy, BreakerSettings, CircuitBreaker};
//! use std::time::{Duration, Instant};
//!
//! let second = Duration::from_secs(1);
//! let mut backoff = Backoff::new(BackoffPolicy::new(second, 30 * second));
//! let mut breaker = CircuitBreaker::new(BreakerSettings { failures_max: 2, ..Default::default() });
//!
//! let mut now = Instant::now();
//! for _ in 0..2 {
//!     let Admission::Admit(permit) = breaker.admit(now) else { panic!("closed at first") };
//!     // … the request fails …
//!     breaker.failed(permit, now);
//!     now += backoff.failed(u32::MAX, None);
//! }
//! assert!(matches!(breaker.admit(now), Admission::Refuse { .. }));
//! ```
#![forbid(unsafe_code)]

mod backoff;
mod circuit_breaker;
mod flush_policy;
mod token_bucket;

pub use backoff::{Backoff, BackoffPolicy};
pub use circuit_breaker::{Admission, BreakerSettings, BreakerState, CircuitBreaker, Permit};
pub use flush_policy::{Flush, FlushPolicy};
pub use token_bucket::TokenBucket;
