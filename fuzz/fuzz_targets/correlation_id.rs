//! What a caller says a request is called: it comes back in headers, bodies and logs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::{Problem, accept_correlation_id};

fuzz_target!(|header: &[u8]| {
    let Some(id) = accept_correlation_id(header) else { return };
    assert!(!id.chars().any(char::is_control));
    let body = Problem::process_not_found(id).to_body(id, id);
    serde_json::from_str::<&serde_json::value::RawValue>(&body).unwrap();
});
