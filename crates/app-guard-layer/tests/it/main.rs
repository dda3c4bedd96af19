//! The guard around a real application on a real socket.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod application;
mod attacks;
mod bodies;
mod country_file;
mod endings;
mod files;
mod grpc;
mod handle;
mod peers;
mod statuses;
