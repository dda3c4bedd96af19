//! What a host agent does with what it saw, without a host: makes up numbered events and sends them
//! through the very spool and requests of the real one.
//!
//! `chaos-agent URL NAME SEED_FILE SPOOL_FOLDER SPOOL_BYTES_MAX`, the seed being that of its key. Each event's time is its number among all
//! that the spool ever accepted, in microseconds after [`FIRST_MICROS`]: one that is lost or stored twice
//! shows. On SIGTERM it makes no more, waits until everything is settled, and prints its counts as JSON.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::chaos_counts::{ChaosCounts, FIRST_MICROS};
use ringwall_event::{Activity, Inventory, Process, Timestamp};
use ringwall_host_agent::reporting::{Reports, SpoolSettings};
use ringwall_host_probes::Observation;
use ringwall_server_client::AgentClient;
use ringwall_signing::SigningKey;
use std::io::Write;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

/// From one handful of events to the next.
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    ringwall_lifecycle::logging::start(
        ringwall_lifecycle::logging::LogFormat::Text,
        tracing::Level::INFO,
    )
    .map_err(anyhow::Error::msg)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, name, seed_file, folder, bytes_max] = &*arguments else {
        anyhow::bail!("URL NAME SEED_FILE SPOOL_FOLDER SPOOL_BYTES_MAX");
    };
    let seed = std::fs::read(seed_file).context("seed")?;
    let seed: &[u8; 32] = seed.as_slice().try_into().context("a seed has 32 bytes")?;
    let client = AgentClient::new(url, name, SigningKey::from_seed(seed))?;
    let settings = SpoolSettings {
        folder: folder.into(),
        bytes_max: bytes_max.parse()?,
        memory_bytes_max: 1 << 20,
    };
    let mut asked = signal(SignalKind::terminate())?;
    let (reports, sender) = Reports::open(client, &settings)?;
    ensure!(reports.status().spool.is_durable, "no spool on the disk");
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(sender.run(stopped));
    loop {
        reports.add(handful(&reports)).await;
        tokio::select! {
            () = sleep(PAUSE) => {}
            _ = asked.recv() => break,
        }
    }
    settled(&reports).await;
    // One more report, which tells of all that was lost before it.
    loop {
        let before = reports.status().spool.counters.lost();
        reports.add(vec![event(&reports, 0)]).await;
        settled(&reports).await;
        if reports.status().spool.counters.lost() == before {
            break;
        }
    }
    stop.send_replace(true);
    sending.await?;
    let counters = reports.status().spool.counters;
    ensure!(counters.balance() && counters.waiting == 0, "{counters:?}");
    let counts = ChaosCounts {
        accepted: counters.accepted,
        delivered: counters.delivered,
        lost: counters.lost(),
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&counts)?)?;
    Ok(())
}

/// A few events, and now and then a picture.
fn handful(reports: &Reports) -> Vec<Observation> {
    let first = reports.status().spool.counters.accepted;
    (0..1 + first % 17).map(|offset| event(reports, offset)).collect()
}

fn event(reports: &Reports, offset: u64) -> Observation {
    let number = reports.status().spool.counters.accepted + offset;
    let micros = i64::try_from(number).unwrap_or(i64::MAX);
    let time = Timestamp::from_micros(FIRST_MICROS + micros);
    let process = |pid| Process {
        pid,
        name: "chaos".into(),
        command_line: Some(format!("event {number}").into()),
        ..Process::default()
    };
    let activity = if number.is_multiple_of(29) {
        let processes = (1..100).map(process).collect();
        Activity::Inventory(Box::new(Inventory { processes, ..Inventory::default() }))
    } else {
        Activity::ProcessStarted(process(1000 + micros % 1000))
    };
    Observation { time, activity, system_call: None }
}

async fn settled(reports: &Reports) {
    while reports.status().spool.counters.waiting > 0 {
        sleep(PAUSE).await;
    }
}
