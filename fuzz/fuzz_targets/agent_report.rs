//! The reports of our own host agents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_event::{Event, EventId, Severity, Source};
use ringwall_server_api::AgentReport;

fuzz_target!(|body: &[u8]| {
    let Ok(report) = serde_json::from_slice::<AgentReport>(body) else { return };
    let text = serde_json::to_string(&report).unwrap();
    for event in serde_json::from_str::<AgentReport>(&text).unwrap().events {
        let event = Event {
            id: EventId::default(),
            time: event.time,
            received: event.time,
            source: Source::new(Source::HOST_AGENT, "web-1"),
            host: "web-1".into(),
            severity: event.severity.unwrap_or(Severity::Informational),
            activity: event.activity,
            original: None,
        };
        serde_json::to_string(&event.to_ocsf()).unwrap();
    }
});
