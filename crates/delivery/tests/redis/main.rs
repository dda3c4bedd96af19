//! The spool in Redis. It has a program of its own, as its tests start others: between fork and exec those
//! hold the locks of the disk spools that are tested beside them, and a spool just closed seems in use.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../it/folder.rs"]
#[expect(dead_code, reason = "nobody looks for files here")]
mod folder;
mod lost_answer;
#[path = "../it/model.rs"]
mod model;
mod spool;
