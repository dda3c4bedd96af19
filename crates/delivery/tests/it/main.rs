//! Spools and senders, with everything that goes wrong.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod compression;
mod disk;
mod folder;
mod full_disk;
mod laws;
mod memory;
mod model;
mod sender;
