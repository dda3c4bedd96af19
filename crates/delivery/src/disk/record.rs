//! How items lie in a segment file.
//!
//! A segment begins with a header of 32 bytes: the mark `rwspool1`, the spool's id, and a checksum. Then
//! come records, each a header of 40 bytes and the payload:
//!
//! | bytes | what, little endian |
//! |---|---|
//! | 0..4 | length of the payload |
//! | 4 | 1 if it gives way, else 0 |
//! | 5..8 | zeros |
//! | 8..16 | number of the item in its spool, from 0, always rising |
//! | 16..24 | when it came, milliseconds since 1970 |
//! | 24..32 | XXH64 of the payload, seeded with the number |
//! | 32..40 | XXH64 of the 32 bytes before, seeded from the spool's id |
//!
//! The header has a checksum of its own, so that a damaged payload costs one item only. Where a header
//! is damaged, the next one is searched byte by byte; that its checksum is seeded with what only the
//! spool knows keeps whoever writes an item's content from planting a record in it.

use crate::item::{Item, SpoolId};
use twox_hash::XxHash64;

/// The length of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 32;
/// The length of a record's header.
pub const RECORD_HEADER_BYTES: usize = 40;
/// No payload is longer.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

const MARK: [u8; 8] = *b"rwspool1";

/// The first bytes of a segment of this spool.
pub fn segment_header(spool: SpoolId) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    let mark = MARK.iter().chain(&spool.0);
    header.iter_mut().zip(mark).for_each(|(to, from)| *to = *from);
    let check = XxHash64::oneshot(0, header.first_chunk::<24>().unwrap_or(&[0; 24]));
    header.iter_mut().skip(24).zip(check.to_le_bytes()).for_each(|(to, from)| *to = from);
    header
}

/// Whose segment this is; none where its header is damaged.
pub fn segment_spool(bytes: &[u8]) -> Option<SpoolId> {
    let header = bytes.first_chunk::<SEGMENT_HEADER_BYTES>()?;
    let id = SpoolId(*header.get(8..)?.first_chunk::<16>()?);
    (segment_header(id) == *header).then_some(id)
}

/// Adds a record to the bytes of a write.
pub fn encode(item: &Item, number: u64, time_ms: u64, spool: SpoolId, into: &mut Vec<u8>) {
    let start = into.len();
    let length = u32::try_from(item.payload.len()).unwrap_or(u32::MAX);
    into.extend(length.to_le_bytes());
    into.extend([u8::from(item.gives_way), 0, 0, 0]);
    into.extend(number.to_le_bytes());
    into.extend(time_ms.to_le_bytes());
    into.extend(XxHash64::oneshot(number, &item.payload).to_le_bytes());
    let check = XxHash64::oneshot(spool.seed(), into.get(start..).unwrap_or_default());
    into.extend(check.to_le_bytes());
    into.extend_from_slice(&item.payload);
}

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The length of the payload.
    pub payload_bytes: usize,
    /// See [`Item::gives_way`].
    pub gives_way: bool,
    /// Its number in the spool.
    pub number: u64,
    /// When it came, in milliseconds since 1970.
    pub time_ms: u64,
    payload_check: u64,
}

impl RecordHeader {
    /// Reads a header; none where it is damaged.
    pub fn decode(bytes: &[u8], seed: u64) -> Option<Self> {
        let header = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
        let word = |at: usize| {
            header
                .get(at..)
                .and_then(|rest| rest.first_chunk::<8>())
                .map(|word| u64::from_le_bytes(*word))
        };
        if XxHash64::oneshot(seed, header.get(..32)?) != word(32)? {
            return None;
        }
        let payload_bytes =
            usize::try_from(u32::from_le_bytes(*header.first_chunk::<4>()?)).ok()?;
        let gives_way = match header.get(4..8)? {
            [0, 0, 0, 0] => false,
            [1, 0, 0, 0] => true,
            _ => return None,
        };
        (payload_bytes <= PAYLOAD_BYTES_MAX).then_some(Self {
            payload_bytes,
            gives_way,
            number: word(8)?,
            time_ms: word(16)?,
            payload_check: word(24)?,
        })
    }

    /// Whether this is the payload that was written.
    pub fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes
            && XxHash64::oneshot(self.number, payload) == self.payload_check
    }

    /// The length of the whole record.
    pub fn record_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload_bytes
    }
}

/// A record as it lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What its header says.
    pub header: RecordHeader,
    /// Where it begins in the segment.
    pub offset: usize,
    /// The item's bytes.
    pub payload: &'a [u8],
}

/// Walks through the records of a segment that are whole, past all that is damaged.
#[derive(Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
    seed: u64,
    /// Numbers rise; whatever does not is a copy that a merge left behind.
    last: Option<u64>,
}

impl<'a> Records<'a> {
    /// All records of a segment, its header included in `bytes`. `spool` is believed to be its owner
    /// where its own header is damaged.
    pub fn new(bytes: &'a [u8], spool: SpoolId) -> Self {
        let seed = segment_spool(bytes).unwrap_or(spool).seed();
        Self { bytes, offset: SEGMENT_HEADER_BYTES, seed, last: None }
    }

    /// The records in bytes from the midst of a segment, whose checksums have this seed.
    pub(super) fn behind_header(bytes: &'a [u8], seed: u64) -> Self {
        Self { bytes, offset: 0, seed, last: None }
    }

    /// Where what was read so far ends: behind the last record that was given.
    pub fn end(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let mut offset = self.offset;
        while let Some(rest) =
            self.bytes.get(offset..).filter(|rest| rest.len() >= RECORD_HEADER_BYTES)
        {
            let Some(header) = RecordHeader::decode(rest, self.seed) else {
                offset += 1;
                continue;
            };
            let Some(payload) = rest.get(RECORD_HEADER_BYTES..header.record_bytes()) else {
                // Torn off, or a header that lies: behind it there may be others.
                offset += 1;
                continue;
            };
            let is_next = self.last.is_none_or(|last| header.number > last);
            if !is_next || !header.fits(payload) {
                // The header is sound, so its length is: the damage is within.
                offset += header.record_bytes();
                continue;
            }
            self.offset = offset + header.record_bytes();
            self.last = Some(header.number);
            return Some(Record { header, offset, payload });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPOOL: SpoolId = SpoolId([7; 16]);

    fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = segment_header(SPOOL).to_vec();
        for (number, payload) in (0..).zip(payloads) {
            let item = Item { payload: payload.clone().into(), gives_way: number % 3 == 0 };
            encode(&item, number, 1000 + number, SPOOL, &mut bytes);
        }
        bytes
    }

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        Records::new(bytes, SPOOL).map(|record| record.header.number).collect()
    }

    #[test]
    fn a_planted_record_is_not_believed() {
        // A record with the checksum of another spool, within the payload of a damaged one.
        let mut planted = Vec::new();
        encode(&Item::new("planted"), 9, 0, SpoolId([8; 16]), &mut planted);
        let mut bytes = segment(&[planted, b"true".to_vec()]);
        if let Some(byte) = bytes.get_mut(SEGMENT_HEADER_BYTES) {
            *byte ^= 1;
        }
        assert_eq!(numbers(&bytes), [1]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..20),
        ) {
            let bytes = segment(&payloads);
            let read: Vec<_> = Records::new(&bytes, SPOOL).collect();
            prop_assert_eq!(read.len(), payloads.len());
            for (number, (record, payload)) in (0u64..).zip(read.iter().zip(&payloads)) {
                prop_assert_eq!(record.payload, &payload[..]);
                prop_assert_eq!(record.header.number, number);
                prop_assert_eq!(record.header.time_ms, 1000 + number);
                prop_assert_eq!(record.header.gives_way, number % 3 == 0);
            }
        }

        /// One damaged byte costs at most one item, and never gives a wrong one.
        #[test]
        fn a_damaged_byte_costs_one_item(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..12),
            at: prop::sample::Index,
            flip in 1u8..,
        ) {
            let whole = segment(&payloads);
            let mut bytes = whole.clone();
            let at = SEGMENT_HEADER_BYTES + at.index(whole.len() - SEGMENT_HEADER_BYTES);
            bytes[at] ^= flip;
            let read: Vec<_> = Records::new(&bytes, SPOOL).collect();
            prop_assert!(read.len() + 1 >= payloads.len());
            for record in read {
                let number = usize::try_from(record.header.number).unwrap();
                prop_assert_eq!(record.payload, &payloads[number][..]);
            }
        }

        #[test]
        fn a_torn_end_costs_what_was_torn(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..12),
            cut: prop::sample::Index,
        ) {
            let whole = segment(&payloads);
            let cut = cut.index(whole.len());
            let read = numbers(&whole[..cut]);
            let expected = Records::new(&whole, SPOOL)
                .filter(|record| record.offset + record.header.record_bytes() <= cut)
                .map(|record| record.header.number);
            prop_assert_eq!(read, expected.collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(numbers(&bytes).len() <= bytes.len() / RECORD_HEADER_BYTES);
        }
    }
}
