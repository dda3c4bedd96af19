//! The times that SysScore agents write, and that they print again as the original does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::{parse_date_time, write_naive_iso};

fuzz_target!(|text: &str| {
    if let Ok(moment) = parse_date_time(text) {
        let mut written = String::new();
        write_naive_iso(&mut written, moment);
        assert_eq!(parse_date_time(&written), Ok(moment), "{text} -> {written}");
    }
});
