//! Where the guard keeps what it counts: in the process, or in Redis for several workers.

#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
mod shared;

#[cfg(feature = "redis")]
pub(crate) use shared::HAND_IN_EVERY;
#[cfg(feature = "redis")]
pub use shared::{SharedState, WhenAway, WhenAwayPolicy};
