//! The body of `POST /events`, to events and to the rows that readers get.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::{Batch, EventContext, EventRow, ITEMS_MAX, first_equals};
use ringwall_event::Timestamp;

fuzz_target!(|body: &[u8]| {
    let batch = match Batch::read(body) {
        Ok(batch) => batch,
        Err(refusals) => {
            // What is sent back must be JSON, whatever was received.
            serde_json::from_str::<&serde_json::value::RawValue>(&refusals.to_body()).unwrap();
            return;
        }
    };
    assert!(batch.items.len() <= ITEMS_MAX);
    assert_eq!(first_equals(&batch.items).len(), batch.items.len());
    let context = EventContext::new("agent-1", Timestamp::from_micros(1_768_471_201_000_000));
    for item in batch.items.into_iter().flatten() {
        let event = context.event(item);
        event.to_ocsf();
        let row = EventRow::new(&event).unwrap();
        let row = serde_json::to_string(&row).unwrap();
        serde_json::from_str::<&serde_json::value::RawValue>(&row).unwrap();
    }
});
