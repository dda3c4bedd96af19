//! The body of a guard agent's batch or status, behind a key that many applications may share.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::guard::{ITEMS_MAX, Status, TimeForm, read_batch};

fuzz_target!(|body: &[u8]| {
    if let Ok(status) = Status::read(body) {
        assert_eq!(Status::read(&status.write()).unwrap(), status);
    }
    let Ok(batch) = read_batch(body) else { return };
    assert!(batch.events.len() + batch.metrics.len() <= ITEMS_MAX);
    let again = read_batch(&batch.write(TimeForm::Space)).unwrap();
    assert_eq!(again.events.len(), batch.events.len());
    assert_eq!(again.metrics.len(), batch.metrics.len());
    for (event, again) in batch.events.iter().zip(&again.events) {
        assert_eq!(event.timestamp, again.timestamp);
        assert_eq!(event.severity(), again.severity());
    }
});
