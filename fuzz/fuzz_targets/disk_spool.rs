//! The files of a disk spool, as a crash, a bad disk or somebody else left them.
//!
//! Checksums are put right here and there, as no fuzzer guesses them: what lies behind must hold by
//! itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_delivery::disk::record::{
    RECORD_HEADER_BYTES, Records, segment_header, segment_spool,
};
use ringwall_delivery::disk::state::{SLOT_BYTES, State};
use twox_hash::XxHash64;

fuzz_target!(|input: &[u8]| {
    let Some((repair, file)) = input.split_first() else { return };
    let mut slot = file.to_vec();
    slot.resize(SLOT_BYTES, 0);
    if repair & 1 != 0 {
        slot[..8].copy_from_slice(b"rwstate1");
        let check = XxHash64::oneshot(0, &slot[..SLOT_BYTES - 8]);
        slot[SLOT_BYTES - 8..].copy_from_slice(&check.to_le_bytes());
    }
    let Some(state) = State::latest(&slot) else { return };
    assert_eq!(State::decode(&state.encode()), Some(state.clone()));

    let mut segment = file.to_vec();
    if repair & 2 != 0 {
        segment.splice(..0, segment_header(state.spool));
        let seed = u64::from_le_bytes(segment[8..16].try_into().unwrap());
        let mut at = 32;
        // Records of up to 255 bytes, one behind the other.
        while let Some(rest) =
            segment.get_mut(at..).filter(|rest| rest.len() >= RECORD_HEADER_BYTES)
        {
            let (header, payload) = rest.split_at_mut(RECORD_HEADER_BYTES);
            let payload = &payload[..payload.len().min(usize::from(header[0]))];
            let number = u64::from_le_bytes(header[8..16].try_into().unwrap());
            header[24..32].copy_from_slice(&XxHash64::oneshot(number, payload).to_le_bytes());
            header[1..4].fill(0);
            header[4] &= 1;
            header[5..8].fill(0);
            let check = XxHash64::oneshot(seed, &header[..32]);
            header[32..].copy_from_slice(&check.to_le_bytes());
            at += RECORD_HEADER_BYTES + usize::from(header[0]);
        }
    }
    let (mut end, mut last) = (0, None);
    let mut records = Records::new(&segment, segment_spool(&segment).unwrap_or(state.spool));
    for record in records.by_ref() {
        assert!(record.offset >= end, "records overlap");
        end = record.offset + RECORD_HEADER_BYTES + record.payload.len();
        assert!(end <= segment.len());
        assert!(last.is_none_or(|last| record.header.number > last), "numbers do not rise");
        assert!(record.header.fits(record.payload));
        last = Some(record.header.number);
    }
    assert!(last.is_none() || records.end() == end);
});
