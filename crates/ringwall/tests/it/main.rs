//! The binary as a shell sees it: data on stdout, words on stderr, and the exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;
mod exits;
mod generate;
