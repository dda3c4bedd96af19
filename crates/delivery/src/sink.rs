//! Where batches go.

use crate::compression::Encoding;
use crate::item::{Batch, BatchId};
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;

/// Brings batches to one peer.
pub trait Sink: Send + 'static {
    /// How the peer is called in the log.
    fn name(&self) -> &str;

    /// How bodies are packed.
    fn encoding(&self) -> Encoding {
        Encoding::Identity
    }

    /// What is kept with a new batch, so that [`Sink::write`] gives the same bytes after a restart: all
    /// that the body has beside the batch.
    fn label(&self) -> Bytes {
        Bytes::new()
    }

    /// The body for a batch. A function of the batch alone: the peer recognises a batch that it has
    /// taken by its id and these bytes. None where it cannot be written: the batch is a dead letter then.
    fn write(&self, batch: &Batch) -> Option<Bytes>;

    /// Brings one body. May be cancelled and called again with the same.
    fn deliver(&mut self, parcel: &Parcel) -> impl Future<Output = Outcome> + Send;
}

/// A batch as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Whose body it is.
    pub id: BatchId,
    /// Packed as `encoding` says.
    pub body: Bytes,
    /// What was done to the body.
    pub encoding: Encoding,
    /// How many items it carries.
    pub items: usize,
}

/// What the peer made of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has it, for good.
    Delivered,
    /// Not now.
    Retry {
        /// How long the peer asks to be left alone.
        after: Option<Duration>,
        /// Why, one line for the log.
        why: String,
    },
    /// Not now, though the peer works: it asked for patience, so this does not count towards leaving it
    /// alone.
    Later {
        /// How long the peer asks to be left alone.
        after: Option<Duration>,
        /// Why, one line for the log.
        why: String,
    },
    /// Smaller parcels might be taken.
    TooLarge {
        /// What the peer said.
        why: String,
    },
    /// These bytes will never be taken.
    Refused {
        /// What the peer said.
        why: String,
    },
}
