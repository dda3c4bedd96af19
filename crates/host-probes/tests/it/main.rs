//! The probe and the hands against real processes of this host.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod blocking;
mod hands;
mod programs;
mod watching;
