//! How fast events are made: `cargo run --release -p ringwall-event-generator --example speed`.
#![expect(clippy::print_stdout, reason = "what it is for")]

use ringwall_event::Timestamp;
use ringwall_event_generator::{Generator, Settings, SettingsError};
use std::time::Instant;

const EVENTS: u64 = 5_000_000;

fn main() -> Result<(), SettingsError> {
    let start = Timestamp::from_micros(1_792_368_000_000_000);
    let settings = Settings {
        seed: 1,
        hosts: 100,
        events: EVENTS,
        start,
        end: start.plus_seconds(7 * 86_400),
        host_prefix: String::new(),
    };
    let generator = Generator::new(settings)?;
    let begun = Instant::now();
    let (mut batches, mut events) = (0u64, 0u64);
    for batch in generator.batches() {
        batches += 1;
        events += batch.events.len() as u64;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = events as f64 / seconds / 1e6;
    println!("{events} events in {batches} batches, {seconds:.2} s: {rate:.2} million a second");
    Ok(())
}
