//! The tower layer around the app guard, its shared state, and its telemetry.
#![forbid(unsafe_code)]

pub mod sink;
