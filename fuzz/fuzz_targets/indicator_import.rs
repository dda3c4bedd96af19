//! Lists of indicators, as text and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_detection::{IndicatorKind, import_json, import_text};
use ringwall_event::Timestamp;

fuzz_target!(|text: &str| {
    let now = Timestamp::from_micros(1_768_471_201_000_000);
    let _: Result<_, _> = import_json(text, now);
    for kind in [
        IndicatorKind::Process,
        IndicatorKind::Path,
        IndicatorKind::Hash,
        IndicatorKind::Address,
        IndicatorKind::Domain,
    ] {
        if let Ok(import) = import_text(kind, text, now) {
            assert!(import.indicators.len() + import.refused_count <= text.lines().count());
        }
    }
});
