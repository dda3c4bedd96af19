//! The host agent as a program, against servers that follow a script.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod agent;
mod checking;
mod commanding;
mod help;
mod reporting;
mod ringwall_server;
mod suspect;
mod sysscore;
mod top;
mod watcher;
