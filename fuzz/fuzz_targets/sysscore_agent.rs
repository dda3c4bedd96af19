//! The body of `POST /agents`, and the webhook that its metadata may name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::sysscore::{Agent, AgentRegistration, AgentWebhook};
use ringwall_event::Timestamp;

fuzz_target!(|body: &[u8]| {
    match AgentRegistration::read(body) {
        Ok(registration) => {
            match AgentWebhook::read(&registration.metadata) {
                Ok(Some(webhook)) => {
                    assert!(webhook.threshold.is_none_or(|risk| (0.0..=100.0).contains(&risk)));
                }
                Ok(None) => {}
                Err(refusals) => {
                    serde_json::from_str::<&serde_json::value::RawValue>(&refusals.to_body())
                        .unwrap();
                }
            }
            let agent = Agent::new(registration, Timestamp::from_micros(1_768_471_201_000_000));
            serde_json::from_str::<&serde_json::value::RawValue>(&agent.to_row()).unwrap();
        }
        Err(refusals) => {
            serde_json::from_str::<&serde_json::value::RawValue>(&refusals.to_body()).unwrap();
        }
    }
});
