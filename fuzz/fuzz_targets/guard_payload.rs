//! Values and bodies of requests, as the guard inside of an application sees them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_app_guard::payload::{
    Detector, DetectorSettings, EXCERPT_CHARACTERS_MAX, HELD_BYTES_MAX, Place,
};
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::new(&DetectorSettings::default()).unwrap());

const CONTENT_TYPES: [Option<&str>; 6] = [
    Some("application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=b"),
    Some("text/plain"),
    Some("application/xml"),
    None,
];

fuzz_target!(|data: &[u8]| {
    let Some((&kind, value)) = data.split_first() else { return };
    let mut found = Vec::new();
    let places = [
        Place::QueryParameter("file"),
        Place::QueryName,
        Place::Path,
        Place::Header("cookie"),
        Place::BodyField("callback"),
        Place::FileName("f"),
        Place::FileContent("f"),
    ];
    for place in places {
        let steps = DETECTOR.scan_counting(place, value, &mut found);
        assert!(steps <= 4_096 + value.len() as u64 * 400, "{steps} steps for {place}");
    }
    let content_type =
        CONTENT_TYPES.get(usize::from(kind) % CONTENT_TYPES.len()).copied().flatten();
    let cut = usize::from(kind / 5) * value.len() / 52;
    let (whole, pieces) = (body(content_type, &[value]), {
        let (first, second) = value.split_at(cut.min(value.len()));
        body(content_type, &[first, second])
    });
    assert_eq!(whole, pieces);
    for finding in found.iter().chain(&whole) {
        assert!(finding.excerpt.chars().count() <= EXCERPT_CHARACTERS_MAX);
    }
});

fn body(content_type: Option<&str>, chunks: &[&[u8]]) -> Vec<ringwall_app_guard::payload::Finding> {
    let mut found = Vec::new();
    let mut body = DETECTOR.body(content_type);
    for chunk in chunks {
        body.feed(chunk, &mut found);
        assert!(body.held_bytes() <= HELD_BYTES_MAX);
    }
    body.finish(&mut found);
    found
}
