//! The state file: what the segments themselves do not tell.
//!
//! It has two slots of fixed size at fixed places, written in turn and in place: neither a write that
//! was torn nor a full disk can lose the state. Each carries a generation and a checksum; the sound one
//! with the higher generation holds.

use crate::item::SpoolId;
use crate::spool::LABEL_BYTES_MAX;
use bytes::Bytes;
use twox_hash::XxHash64;

/// The length of a slot.
pub const SLOT_BYTES: usize = 1024;
/// From one slot to the next: each in a page of its own.
pub const SLOT_STRIDE: u64 = 4096;
/// The length of the whole file.
pub const STATE_BYTES: u64 = 2 * SLOT_STRIDE;

const MARK: [u8; 8] = *b"rwstate1";

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Rises with each write.
    pub generation: u64,
    /// The spool's name.
    pub spool: SpoolId,
    /// The number of the first item that this state counts: 0, but after an earlier state was lost.
    pub base: u64,
    /// The number of the next item. All below were accepted.
    pub next: u64,
    /// The number of the oldest item that is neither in a batch under way nor settled.
    pub head: u64,
    /// Items that give way and are below this number were dropped.
    pub gave_way: u64,
    /// Items that were delivered.
    pub delivered: u64,
    /// Items that were refused for good.
    pub dead: u64,
    /// The number of the last batch that was begun.
    pub ordinal: u64,
    /// The batch under way.
    pub pinned: Option<Pinned>,
}

/// Items that were taken for batches: the first part of them is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The first item's number.
    pub first: u64,
    /// The number after the last item of all.
    pub end: u64,
    /// What [`State::gave_way`] was when they were taken.
    pub gave_way: u64,
    /// How many of the items are under way, from the first.
    pub part: u64,
    /// The digest of those.
    pub digest: u64,
    /// The batch's share of the loss counts: see [`crate::Batch::lost_total`].
    pub lost_total: u64,
    /// What the sink keeps with the batch.
    pub label: Bytes,
}

impl State {
    /// The first state of a new spool.
    pub fn new(spool: SpoolId) -> Self {
        Self {
            generation: 0,
            spool,
            base: 0,
            next: 0,
            head: 0,
            gave_way: 0,
            delivered: 0,
            dead: 0,
            ordinal: 0,
            pinned: None,
        }
    }

    /// The bytes of a slot.
    pub fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend(MARK);
        bytes.extend(self.spool.0);
        let numbers = [
            self.generation,
            self.base,
            self.next,
            self.head,
            self.gave_way,
            self.delivered,
            self.dead,
            self.ordinal,
            u64::from(self.pinned.is_some()),
        ];
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        if let Some(pinned) = &self.pinned {
            let label = pinned.label.get(..LABEL_BYTES_MAX).unwrap_or(&pinned.label);
            let numbers = [
                pinned.first,
                pinned.end,
                pinned.gave_way,
                pinned.part,
                pinned.digest,
                pinned.lost_total,
                label.len() as u64,
            ];
            numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend_from_slice(label);
        }
        bytes.resize(SLOT_BYTES - 8, 0);
        bytes.extend(XxHash64::oneshot(0, &bytes).to_le_bytes());
        let mut slot = [0; SLOT_BYTES];
        slot.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        slot
    }

    /// Reads a slot; none where it is damaged or was never written.
    pub fn decode(slot: &[u8]) -> Option<Self> {
        let slot = slot.first_chunk::<SLOT_BYTES>()?;
        let (content, check) = slot.split_last_chunk::<8>()?;
        if XxHash64::oneshot(0, content).to_le_bytes() != *check {
            return None;
        }
        let mut reader = Reader(content);
        if *reader.array::<8>()? != MARK {
            return None;
        }
        let spool = SpoolId(*reader.array()?);
        let generation = reader.number()?;
        let mut state = Self { generation, ..Self::new(spool) };
        for field in [
            &mut state.base,
            &mut state.next,
            &mut state.head,
            &mut state.gave_way,
            &mut state.delivered,
            &mut state.dead,
            &mut state.ordinal,
        ] {
            *field = reader.number()?;
        }
        if reader.number()? == 1 {
            state.pinned = Some(Pinned {
                first: reader.number()?,
                end: reader.number()?,
                gave_way: reader.number()?,
                part: reader.number()?,
                digest: reader.number()?,
                lost_total: reader.number()?,
                label: reader.label()?,
            });
        }
        state.is_sound().then_some(state)
    }

    /// What is added and subtracted without a look elsewhere.
    fn is_sound(&self) -> bool {
        let settled =
            self.base.checked_add(self.delivered).and_then(|sum| sum.checked_add(self.dead));
        let pinned = self.pinned.as_ref().is_none_or(|pinned| {
            pinned.part > 0 && pinned.first < pinned.end && pinned.end <= self.head
        });
        settled.is_some_and(|settled| settled <= self.next)
            && self.base <= self.head
            && self.head <= self.next
            && self.next < u64::MAX / 2
            && self.ordinal < u64::MAX / 2
            && pinned
    }

    /// The state that holds, of the content of a state file.
    pub fn latest(file: &[u8]) -> Option<Self> {
        let stride = usize::try_from(SLOT_STRIDE).unwrap_or(usize::MAX);
        let slots = [file.get(..), file.get(stride..)];
        slots.into_iter().flatten().filter_map(Self::decode).max_by_key(|state| state.generation)
    }

    /// Where the slot of this generation lies.
    pub fn place(&self) -> u64 {
        (self.generation % 2) * SLOT_STRIDE
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn label(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.number()?).ok()?;
        if length > LABEL_BYTES_MAX {
            return None;
        }
        self.0.get(..length).map(Bytes::copy_from_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> State {
        State {
            generation: 9,
            base: 2,
            next: 100,
            head: 50,
            gave_way: 20,
            delivered: 30,
            dead: 3,
            ordinal: 7,
            pinned: Some(Pinned {
                first: 40,
                end: 50,
                gave_way: 10,
                part: 4,
                digest: 99,
                lost_total: 5,
                label: Bytes::from_static(b"web-1"),
            }),
            ..State::new(SpoolId([3; 16]))
        }
    }

    #[test]
    fn the_higher_generation_holds_and_a_damaged_slot_does_not() {
        let (older, newer) = (State { generation: 8, ..state() }, state());
        let mut file = vec![0; STATE_BYTES as usize];
        for one in [&older, &newer] {
            let place = one.place() as usize;
            file[place..place + SLOT_BYTES].copy_from_slice(&one.encode());
        }
        assert_eq!(State::latest(&file), Some(newer.clone()));
        assert_eq!(State::latest(&file[..5000]), Some(older.clone()));
        file[newer.place() as usize + 30] ^= 1;
        assert_eq!(State::latest(&file), Some(older));
        assert_eq!(State::latest(&[]), None);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_nothing_else(at in 0..SLOT_BYTES, flip in 1u8..) {
            let mut slot = state().encode();
            prop_assert_eq!(State::decode(&slot), Some(state()));
            slot[at] ^= flip;
            prop_assert_eq!(State::decode(&slot), None);
        }
    }
}
