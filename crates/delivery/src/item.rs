//! What is kept, in what pieces it goes, and how it is counted.

use bytes::Bytes;
use std::fmt;

/// One thing that must arrive: bytes whose meaning only the sink knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is delivered.
    pub payload: Bytes,
    /// Whether it makes way first where there is no room, as a later one of its kind tells more: a full
    /// picture, against an event. The latest such item stays as long as any other can go.
    pub gives_way: bool,
}

impl Item {
    /// An item that is dropped only when the oldest must go.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), gives_way: false }
    }

    /// An item that makes way for others.
    pub fn giving_way(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), gives_way: true }
    }
}

/// Names one spool, from its making until its end: 128 bits by chance, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpoolId(pub(crate) [u8; 16]);

impl SpoolId {
    /// A name that no other spool has.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The name that was written with these 32 digits.
    #[cfg(feature = "redis")]
    pub(crate) fn parse(digits: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 32)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        Some(Self(number.to_be_bytes()))
    }

    /// For checksums: who does not know the spool cannot forge its records from within an item.
    pub(crate) fn seed(self) -> u64 {
        let mut seed = [0; 8];
        for (to, from) in seed.iter_mut().zip(self.0) {
            *to = from;
        }
        u64::from_le_bytes(seed)
    }
}

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Names one batch for good: the same id always means the same items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchId {
    /// The spool it comes from.
    pub spool: SpoolId,
    /// Its number in that spool, from 1. Numbers may be left out, but never come again.
    pub ordinal: u64,
}

/// How large a batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchBounds {
    /// So many items.
    pub count_max: usize,
    /// So many bytes of payload, but for a single item that is larger.
    pub bytes_max: usize,
}

impl Default for BatchBounds {
    fn default() -> Self {
        Self { count_max: 2000, bytes_max: 1 << 20 }
    }
}

/// Items that go together, under one name until they are settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// The payloads, oldest first; at least one.
    pub items: Vec<Bytes>,
    /// How many items of this spool were lost for good (dropped or refused) when the batch was made.
    /// It only grows from batch to batch, so the peer learns of each loss exactly once.
    pub lost_total: u64,
    /// What the sink wanted to be kept with the batch, so that it writes the same bytes again after a
    /// restart under other circumstances.
    pub label: Bytes,
}

/// What became of all items of a spool since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Given to it.
    pub accepted: u64,
    /// Taken by the peer.
    pub delivered: u64,
    /// Refused by the peer for good.
    pub dead: u64,
    /// Lost for want of room, or to damage of the disk.
    pub dropped: u64,
    /// Still to be delivered, the batch under way included.
    pub waiting: u64,
}

impl Counters {
    /// The invariant: every item is in exactly one of the other four counts.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.dropped + self.waiting
    }

    /// What will never arrive.
    pub fn lost(&self) -> u64 {
        self.dropped + self.dead
    }
}
