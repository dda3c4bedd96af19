//! The one reliable sender: what must arrive waits in a spool, goes out in batches, is tried again until
//! it is taken, and is counted where it is not.
//!
//! A [`Spool`] keeps items: [`MemorySpool`] while the process lives, [`DiskSpool`] across its death,
//! and `RedisSpool` (feature `redis`) on another machine. A [`Sink`] knows how to bring one batch to one
//! peer. A [`Sender`] stands between the two.
//!
//! Two promises hold for every spool and at every moment, a kill included:
//!
//! - **Nothing goes uncounted**: `accepted = delivered + dead + dropped + waiting` ([`Counters`]).
//! - **Nothing is told apart wrongly**: a batch keeps its [`BatchId`] and its bytes until it is settled,
//!   also across restarts, so that the peer recognises one that it took when only its answer was lost.
//!
//! ```
//! use ringwall_delivery::{BatchBounds, Item, MemorySpool, Settlement, Spool};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ringwall_delivery::SpoolError> {
//! let spool = MemorySpool::new(1 << 20)?;
//! spool.append(vec![Item::new("one"), Item::new("two")]).await?;
//! let batch = spool.next_batch(&BatchBounds::default(), b"web-1").await?.expect("two items wait");
//! assert_eq!(batch.items.len(), 2);
//! spool.settle(batch.id, Settlement::Delivered).await?;
//! assert_eq!(spool.status().counters.delivered, 2);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod compression;
pub mod disk;
mod item;
mod local;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod sender;
mod sink;
mod spool;

#[cfg(feature = "redis")]
pub use self::redis::{RedisSettings, RedisSpool};
pub use compression::{CompressionError, Encoding, compress};
pub use disk::{DiskSettings, DiskSpool, Durability, WhenDiskFull};
pub use item::{Batch, BatchBounds, BatchId, Counters, Item, SpoolId};
pub use local::LocalSpool;
pub use memory::{MemorySpool, TakenOut};
pub use sender::{Ended, Outbox, Sender, SenderSettings, SenderStatus};
pub use sink::{Outcome, Parcel, Sink};
pub use spool::{Appended, Settlement, Spool, SpoolError, SpoolStatus};
