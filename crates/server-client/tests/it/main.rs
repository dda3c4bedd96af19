//! The client against real sockets: what a server may answer, well or badly.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod answers;
mod server;
