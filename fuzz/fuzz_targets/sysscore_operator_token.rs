//! Bearer tokens of operators: nothing that is not signed is ever accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::verify_operator_token;
use ringwall_event::Timestamp;
use ringwall_signing::Secret;

fuzz_target!(|token: &str| {
    let now = Timestamp::from_micros(1_768_471_201_000_000);
    let secret = Secret::from("a secret that the fuzzer is not told of: 7f3a9c");
    assert!(verify_operator_token(token, &secret, now).is_err());
});
