//! The disk fills: senders are told to come back, what was acknowledged stays, and the rest
//! arrives once there is room.

use crate::stored;
use anyhow::{Result, bail, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::small_disk::SmallDisk;
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use ringwall_end_to_end::tour;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::Command;

/// Files may not grow over this; a fresh data folder is smaller.
const FILE_BYTES_MAX: u64 = 3 << 20;
const DISK_BYTES: u64 = 24 << 20;

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
    let number = send_until_refused(&http, &agent, 0, &mut acknowledged).await?;
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
    let stored = stored::sysscore_ids(server).await?;
    let lost = acknowledged.difference(&stored).count();
    ensure!(lost == 0, "{lost} of {} acknowledged events are lost", acknowledged.len());
    let unknown = stored.difference(acknowledged).count();
    ensure!(unknown == 0, "{unknown} events are there that were refused");
    Ok(())
}

/// Sends numbered batches until one is refused, which must be by "come back"; the number of that one.
async fn send_until_refused(
    http: &Http,
    agent: &Agent,
    first: u64,
    acknowledged: &mut BTreeSet<String>,
) -> Result<u64> {
    for number in first..first + 2_000 {
        let (key, body) = large_batch(number);
        let answer = agent.send(http, &key, &body).await?;
        if answer.status != 207 {
            assert_eq!(answer.status, 503, "{}", answer.text());
            let kind = answer.header("content-type");
            assert_eq!(kind, "application/problem+json", "{}", answer.text());
            assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
            return Ok(number);
        }
        let receipt = Receipt::read(answer)?;
        ensure!(receipt.errors == 0, "{receipt:?}");
        acknowledged.extend(receipt.ids);
    }
    bail!("the disk never filled")
}

/// Sends a batch that was refused, until it is taken.
async fn send_again(
    http: &Http,
    agent: &Agent,
    number: u64,
    acknowledged: &mut BTreeSet<String>,
) -> Result<()> {
    let (key, body) = large_batch(number);
    let receipt =
        tour::until(tour::SOON, async || Receipt::read(agent.send(http, &key, &body).await?))
            .await?;
    ensure!(receipt.errors == 0, "{receipt:?}");
    acknowledged.extend(receipt.ids);
    Ok(())
}

/// Files that can not be written any more are given up whole, and written when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn the_archive_waits_for_room() -> Result<()> {
    let agent = Agent::new("agent-1", "secret");
    let server = Setup::new()?
        .config(&hasty(1 << 20))?
        .before("trap '' XFSZ")
        .sysscore_agent("agent-1", "secret")
        .start()
        .await?;
    let http = Http::new(server.dialect("sysscore")?);
    let mut acknowledged = BTreeSet::new();
    // What is merged of many files becomes larger than a file may be, long before the journal does.
    limit_files(&server, Some(FILE_BYTES_MAX))?;
    let mut refused = None;
    for number in 0..400 {
        let (key, body) = large_batch(number);
        let answer = agent.send(&http, &key, &body).await?;
        match answer.status {
            207 => acknowledged.extend(Receipt::read(answer)?.ids),
            503 => {
                refused = Some(number);
                break;
            }
            other => bail!("status {other}: {}", answer.text()),
        }
    }
    eprintln!("{} events acknowledged, refused at batch {refused:?}", acknowledged.len());
    tour::until(tour::SOON, async || {
        let health = server.api().get_json("/api/v1/health").await?;
        ensure!(health["status"] == "degraded", "{health}");
        Ok(())
    })
    .await?;
    check_stored(&server, &acknowledged).await?;

    limit_files(&server, None)?;
    if let Some(number) = refused {
        send_again(&http, &agent, number, &mut acknowledged).await?;
    }
    all_is_archived(&server, &acknowledged).await
}

/// A real file system that is full to the last block.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_a_free_block_refuses_and_recovers() -> Result<()> {
    let Some(disk) = SmallDisk::mount(DISK_BYTES)? else {
        eprintln!("skipped: nothing may be mounted here; as root it is run");
        return Ok(());
    };
    let agent = Agent::new("agent-1", "secret");
    let ballast = disk.leave(DISK_BYTES / 3)?;
    let server = on_disk(&disk)?.start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    let mut acknowledged = BTreeSet::new();
    let number = send_until_refused(&http, &agent, 0, &mut acknowledged).await?;
    Http::new(&server.ready().main).get("/api/v1/health").await?.expect(200)?;
    check_stored(&server, &acknowledged).await?;

    // There is room again, without a restart.
    std::fs::remove_file(&ballast)?;
    send_again(&http, &agent, number, &mut acknowledged).await?;
    let number = send_until_refused(&http, &agent, number + 1, &mut acknowledged).await?;
    check_stored(&server, &acknowledged).await?;

    // The worst: killed while it was full, and started while it is. Either it runs, or it says why not.
    let stopped = server.kill().await?;
    match stopped.start().await {
        Ok(server) => check_stored(&server, &acknowledged).await?,
        Err(error) => {
            let words = format!("{error:#}");
            ensure!(words.contains("hint: free some space on that disk"), "{words}");
        }
    }
    let bigger = format!("remount,size={}", 4 * DISK_BYTES);
    let status = Command::new("mount").args(["-o", &bigger]).arg(disk.path()).status()?;
    ensure!(status.success(), "remount ended with {status}");
    let server = on_disk(&disk)?.start().await?;
    check_stored(&server, &acknowledged).await?;
    stored::is_sound(server.tool()).await?;
    let http = Http::new(server.dialect("sysscore")?);
    send_again(&http, &agent, number, &mut acknowledged).await?;
    all_is_archived(&server, &acknowledged).await?;
    server.stop().await?;
    drop(disk);
    Ok(())
}

fn on_disk(disk: &SmallDisk) -> Result<Setup> {
    let setup = Setup::new()?.config(&hasty(10_000))?.data_in(&disk.path().join("data"));
    Ok(setup.sysscore_agent("agent-1", "secret"))
}

/// Everything comes into the archive in time, and nothing is left over.
async fn all_is_archived(server: &Server, acknowledged: &BTreeSet<String>) -> Result<()> {
    tour::until(tour::SOON * 2, async || {
        let archived = stored::archived(server).await?;
        ensure!(archived == acknowledged.len() as u64, "{archived} of {}", acknowledged.len());
        let health = server.api().get_json("/api/v1/health").await?;
        ensure!(health["status"] == "ok", "{health}");
        Ok(())
    })
    .await?;
    check_stored(server, acknowledged).await?;
    for entry in std::fs::read_dir(server.ready().data_dir.join("archive"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(!name.ends_with(".tmp"), "{name} is left behind");
    }
    stored::is_sound(server.tool()).await
}

fn hasty(file_events_max: u64) -> String {
    format!(
        "[archive]\nafter_seconds = 0\nintake_events_min = 1\nfile_events_max = {file_events_max}\n"
    )
}
