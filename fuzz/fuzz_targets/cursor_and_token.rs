//! Texts that clients hand back to us: cursors and tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_access::{PresentedToken, open_cursor, seal_cursor};
use ringwall_signing::Secret;

fuzz_target!(|text: &str| {
    let key = Secret::from("a secret that the fuzzer is not told of: 7f3a9c");
    assert!(open_cursor(&key, "events", text).is_err());
    if let Ok(cursor) = seal_cursor(&key, "events", text.as_bytes()) {
        assert_eq!(open_cursor(&key, "events", &cursor).unwrap(), text.as_bytes());
        assert!(open_cursor(&key, "alerts", &cursor).is_err());
    }
    PresentedToken::parse(text);
});
