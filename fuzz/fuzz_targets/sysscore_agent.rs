//! The body of `POST /agents`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::{Agent, AgentRegistration};
use ringwall_event::Timestamp;

fuzz_target!(|body: &[u8]| {
    match AgentRegistration::read(body) {
        Ok(registration) => {
            let agent = Agent::new(registration, Timestamp::from_micros(1_768_471_201_000_000));
            serde_json::from_str::<&serde_json::value::RawValue>(&agent.to_row()).unwrap();
        }
        Err(refusals) => {
            serde_json::from_str::<&serde_json::value::RawValue>(&refusals.to_body()).unwrap();
        }
    }
});
