//! The state machines, walked through with made-up clocks.
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod backoff;
mod circuit_breaker;
mod flush_policy;
mod token_bucket;
