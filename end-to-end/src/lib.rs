//! Drives the real binaries: a fresh folder, ports that the system gives, no sleeping where the
//! program says when it is ready.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use ringwall_end_to_end::server::Setup;
//!
//! let server = Setup::new()?.sysscore_agent("agent-1", "secret-key-1").start().await?;
//! let health = server.api().get("/api/v1/health").await?;
//! assert_eq!(health.status, 200);
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod chaos_counts;
pub mod environment;
pub mod faulty_network;
pub mod folder;
pub mod guide_client;
pub mod host_agent;
pub mod http_client;
pub mod journal;
pub mod machine;
pub mod markdown;
pub mod measured;
pub mod original_guard;
pub mod pages;
pub mod process_stat;
pub mod random;
pub mod relay;
pub mod server;
pub mod small_disk;
pub mod sse;
pub mod suspect;
pub mod sysscore;
pub mod tour;
pub mod watcher_agent;
pub mod webhook_receiver;
