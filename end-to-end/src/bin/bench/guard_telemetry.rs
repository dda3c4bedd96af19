//! What telemetry costs: CPU time for taking an event, and memory while it waits.

use anyhow::{Context, Result, ensure};
use ringwall_app_guard_layer::sink::GuardEvent;
use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};
use ringwall_end_to_end::process_stat::resident_bytes;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::json;
use std::time::{Duration, Instant};

const TAKEN: u32 = 1_000_000;
const HELD: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run() -> Result<()> {
    let held = memory().await?;
    println!("held      {held:.0} bytes resident an event, {HELD} events waiting (bound 512)");
    let (taking, building, whole) = taking().await?;
    println!(
        "send      {:.2} million send_event a CPU second, {:.2} million with building the event (bound 1)",
        1.0 / taking,
        1.0 / building
    );
    println!(
        "whole     {:.2} million a CPU second of the process: building, redaction and spool",
        1.0 / whole
    );
    Ok(())
}

/// Bytes that each waiting event costs.
async fn memory() -> Result<f64> {
    let telemetry = telemetry().await?;
    // Whatever a first event costs once.
    telemetry.send_event(&event(0))?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = resident_bytes(std::process::id())?;
    for number in 1..=HELD {
        telemetry.send_event(&event(number))?;
        if number % 1000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let begun = Instant::now();
    // All of them are redacted and in the spool.
    while telemetry.waiting_to_be_kept() > 0 {
        ensure!(begun.elapsed() < PATIENCE, "events are not kept in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = resident_bytes(std::process::id())?;
    let status = telemetry.status();
    ensure!(status.dropped == Some(0), "events were dropped");
    ensure!(status.buffer_size == HELD + 1, "{} events wait", status.buffer_size);
    Ok(after.saturating_sub(before) as f64 / HELD as f64)
}

/// Microseconds of CPU time for taking an event, for building and taking it, and for these together with
/// what the background does until it is in the spool.
async fn taking() -> Result<(f64, f64, f64)> {
    let telemetry = telemetry().await?;
    let measured = tokio::task::spawn_blocking(move || {
        let built: Vec<GuardEvent> = (0..1000).map(event).collect();
        let without = measure(|number| {
            let event = built.get(number as usize % built.len()).context("a thousand")?;
            Ok(telemetry.send_event(event)?)
        })?;
        kept(&telemetry)?;
        let begun = clock_gettime(ClockId::ProcessCPUTime);
        let with_building = measure(|number| Ok(telemetry.send_event(&event(number.into()))?))?;
        kept(&telemetry)?;
        let whole = micros_each(begun, clock_gettime(ClockId::ProcessCPUTime))?;
        ensure!(telemetry.status().dropped == Some(0), "events were dropped");
        anyhow::Ok((without, with_building, whole))
    });
    measured.await?
}

fn measure(take: impl Fn(u32) -> Result<()>) -> Result<f64> {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    for number in 0..TAKEN {
        take(number)?;
    }
    micros_each(begun, clock_gettime(ClockId::ThreadCPUTime))
}

fn micros_each(begun: Timespec, ended: Timespec) -> Result<f64> {
    let taken = Duration::try_from(ended)? - Duration::try_from(begun)?;
    Ok(taken.as_secs_f64() * 1e6 / f64::from(TAKEN))
}

/// Waits until all events that were taken are redacted and in the spool.
fn kept(telemetry: &Telemetry) -> Result<()> {
    let begun = Instant::now();
    while telemetry.waiting_to_be_kept() > 0 {
        ensure!(begun.elapsed() < PATIENCE, "events are not kept in time");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// To a port where nobody listens: everything is kept.
async fn telemetry() -> Result<Telemetry> {
    let options = TelemetryOptions {
        flush_interval: 3600.0,
        buffer_size: u32::MAX,
        spool_bytes_max: 1 << 30,
        enable_dynamic_rules: false,
        install_id: Some("4b1c8a4e-6f0b-4c6c-9a53-0d5f3a2b1c00".to_owned()),
        ..TelemetryOptions::new("http://127.0.0.1:9", "a-key-for-nobody")
    };
    Ok(Telemetry::start(options).await?)
}

/// About 490 bytes as JSON, as the original's figures were taken with.
fn event(number: u64) -> GuardEvent {
    let mut event =
        GuardEvent::new("penetration_attempt", "request_blocked", "SQL injection in a parameter");
    event.ip_address = format!("203.0.113.{}", number % 256).into();
    event.user_agent = Some("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101".to_owned());
    event.endpoint = Some("/articles/search".to_owned());
    event.method = Some("GET".into());
    event.status_code = Some(400);
    event.response_time = Some(Duration::from_micros(120));
    event.handler_name = Some("middleware".into());
    event.metadata.insert("request_count".to_owned(), number.into());
    event.metadata.insert("trigger_info".to_owned(), json!("query_param:q"));
    event
}
