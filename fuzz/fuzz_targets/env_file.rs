//! Files with `NAME=value` lines, as they lie about in other people's installations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_lifecycle::env_file;

fuzz_target!(|text: &str| {
    let Ok(variables) = env_file::parse(text) else { return };
    assert!(variables.keys().all(|name| !name.is_empty()));
});
