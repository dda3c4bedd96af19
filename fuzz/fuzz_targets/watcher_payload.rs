//! The body of `POST /collect`, from whoever reaches the port.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::watcher::{Payload, original_event_extract, write_events};
use ringwall_event::Timestamp;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let payload = match Payload::read(body) {
        Ok(payload) => payload,
        Err(refusals) => {
            serde_json::from_str::<&RawValue>(&refusals.to_body()).unwrap();
            return;
        }
    };
    let event = payload.into_event(Timestamp::from_micros(1_768_471_201_000_000));
    event.to_ocsf();
    original_event_extract(&event, Some(7));
    let rows = write_events(&[event]);
    serde_json::from_str::<Vec<&RawValue>>(&rows).unwrap();
});
