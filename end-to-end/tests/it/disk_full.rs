//! The disk fills: senders are told to come back, what was acknowledged stays, and the rest
//! arrives once there is room.

use anyhow::{Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use ringwall_end_to_end::tour;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::Command;

/// Files may not grow over this; a fresh data folder is smaller.
const FILE_BYTES_MAX: u64 = 3 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing() -> Result<()> {
    let agent = Agent::new("agent-1", "secret");
    // The kernel's signal for a file that would grow too large ends a program that does not know
    // of it; a disk that is full sends none. Ignored, the write fails as on a full disk.
    let server =
        Setup::new()?.before("trap '' XFSZ").sysscore_agent("agent-1", "secret").start().await?;
    limit_files(&server, Some(FILE_BYTES_MAX))?;
    let http = Http::new(server.dialect("sysscore")?);

    let mut acknowledged = BTreeSet::new();
    let mut refused = None;
    for number in 0..2_000 {
        let (key, body) = large_batch(number);
        let answer = agent.send(&http, &key, &body).await?;
        if answer.status == 207 {
            let receipt = Receipt::read(answer)?;
            ensure!(receipt.errors == 0, "{receipt:?}");
            acknowledged.extend(receipt.ids);
        } else {
            refused = Some((number, answer));
            break;
        }
    }
    let Some((number, answer)) = refused else { anyhow::bail!("the disk never filled") };
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    ensure!(number > 0, "refused from the start");

    // Reads go on, and what was acknowledged is there while the disk is full.
    Http::new(&server.ready().main).get("/api/v1/health").await?.expect(200)?;
    check_stored(&server, &acknowledged).await?;

    // The disk was full when the program ended, in the worst way; then there is room again.
    let server = server.kill().await?.start().await?;
    check_stored(&server, &acknowledged).await?;
    let http = Http::new(server.dialect("sysscore")?);
    let (key, body) = large_batch(number);
    let receipt = Receipt::read(agent.send(&http, &key, &body).await?)?;
    assert_eq!((receipt.accepted, receipt.errors), (50, 0), "refused means not stored");
    acknowledged.extend(receipt.ids);
    check_stored(&server, &acknowledged).await
}

/// Without a restart too: room comes back, and so does the service.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_comes_back_with_the_room() -> Result<()> {
    let agent = Agent::new("agent-1", "secret");
    let server =
        Setup::new()?.before("trap '' XFSZ").sysscore_agent("agent-1", "secret").start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    limit_files(&server, Some(FILE_BYTES_MAX))?;
    let mut number = 0;
    loop {
        let (key, body) = large_batch(number);
        let status = agent.send(&http, &key, &body).await?.status;
        if status != 207 {
            assert_eq!(status, 503);
            break;
        }
        number += 1;
        ensure!(number < 2_000, "the disk never filled");
    }
    limit_files(&server, None)?;
    let (key, body) = large_batch(number);
    let receipt =
        tour::until(tour::SOON, async || Receipt::read(agent.send(&http, &key, &body).await?))
            .await?;
    assert_eq!(receipt.errors, 0, "{receipt:?}");
    Ok(())
}

/// 50 events that do not compress well, about 60 kB.
fn large_batch(number: u64) -> (String, Vec<u8>) {
    let mut random = number.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1;
    let items: Vec<_> = (0..50)
        .map(|index| {
            let mut text = String::new();
            while text.len() < 1_000 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                text.push_str(&format!("{random:x}"));
            }
            let time = 1_780_000_000_000_000 + (number * 50 + index) as i64;
            item(index as i64 + 2, "openat", time, json!({ "path": text }))
        })
        .collect();
    (format!("disk-{number}"), batch(&items))
}

fn limit_files(server: &Server, bytes_max: Option<u64>) -> Result<()> {
    let limit = bytes_max.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    // Only the soft limit, which can be raised again by anybody.
    let status = Command::new("prlimit")
        .args([format!("--pid={}", server.pid()), format!("--fsize={limit}:unlimited")])
        .status()?;
    ensure!(status.success(), "prlimit ended with {status}");
    Ok(())
}

async fn check_stored(server: &Server, acknowledged: &BTreeSet<String>) -> Result<()> {
    let reader = tour::sysscore_reader(server)?;
    let rows = pages::of_sysscore(&reader, "/api/v1/events?limit=1000").await?;
    let mut stored = BTreeSet::new();
    for row in &rows {
        ensure!(stored.insert(pages::text(row, "/id")?.to_owned()), "twice: {row}");
    }
    let lost = acknowledged.difference(&stored).count();
    ensure!(lost == 0, "{lost} of {} acknowledged events are lost", acknowledged.len());
    let unknown = stored.difference(acknowledged).count();
    ensure!(unknown == 0, "{unknown} events are there that were refused");
    Ok(())
}
