//! The guard from outside, driven as the layer drives it.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod addresses;
mod application;
mod attacks;
mod bans;
mod behaviour;
mod core_rule_set;
mod cors;
mod evasions;
mod inspector;
mod keys;
mod order;
mod paths;
mod payload_corpus;
mod payload_laws;
mod properties;
mod quiet;
mod rates;
mod rules;
mod settings;
mod telling;
