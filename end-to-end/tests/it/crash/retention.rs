//! Kills while old events are given up for want of room: what goes are whole files, the oldest, each
//! with an audit entry; what is held stays.

use super::HASTY;
use crate::stored;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Ready, Server, Setup};
use ringwall_end_to_end::sysscore::Agent;
use ringwall_event::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const KILLS: u64 = 6;
const EVENTS_OF_A_BATCH: u64 = 50;
/// Of the whole archive: what is held takes a part of it.
const BYTES_MAX: u64 = 200_000;

/// The id of each acknowledged event, and when it was sent at the latest and the earliest.
type Sent = BTreeMap<String, (i64, i64)>;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_are_the_oldest_files_whole() -> Result<()> {
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("RINGWALL_SEED={seed}");
    let agent = Agent::new("steady", "secret");
    let config = format!("{HASTY}bytes_max = {BYTES_MAX}\n");
    let mut server =
        Setup::new()?.config(&config)?.sysscore_agent("steady", "secret").start().await?;

    // What was received until now is evidence.
    let http = Http::new(server.dialect("sysscore")?);
    let mut held = Sent::new();
    for number in 0..10 {
        send_one(&http, &agent, number, stored::now_us()?, &mut held).await?;
    }
    let hold = json!({
        "name": "case-1", "until": Timestamp::from_micros(stored::now_us()?), "reason": "a test",
    });
    server.api().post("/api/v1/holds", &hold).await?.expect(201)?;

    let (up, ready) = watch::channel(server.ready().clone());
    let (stop, stopped) = watch::channel(false);
    let sender: JoinHandle<Result<Sent>> = tokio::spawn(send_all(ready, stopped, agent));
    for _ in 0..KILLS {
        sleep(Duration::from_millis(random.within(300..900))).await;
        server = server.kill().await?.start().await?;
        up.send(server.ready().clone())?;
    }
    // However slow the machine is: at least one run of the upkeep that found too much.
    let deadline = Instant::now() + Duration::from_secs(60);
    while retirements(&server).await?.is_empty() {
        ensure!(Instant::now() < deadline, "nothing is ever given up");
        sleep(Duration::from_millis(50)).await;
    }
    stop.send(true)?;
    let sent = sender.await??;

    check(&server, &held, &sent).await?;
    let server = server.kill().await?.start().await?;
    check(&server, &held, &sent).await?;
    stored::is_sound(server.tool()).await?;
    server.stop().await?;
    Ok(())
}

/// Sends batch after batch, each until it is acknowledged.
async fn send_all(
    ready: watch::Receiver<Ready>,
    stopped: watch::Receiver<bool>,
    agent: Agent,
) -> Result<Sent> {
    let mut sent = Sent::new();
    for number in 1000.. {
        if *stopped.borrow() {
            break;
        }
        // Of the first attempt: it may have been taken and only its answer lost.
        let earliest = stored::now_us()?;
        loop {
            let url = ready.borrow().dialects.get("sysscore").cloned().unwrap_or_default();
            match send_one(&Http::new(&url), &agent, number, earliest, &mut sent).await {
                Ok(true) => break,
                Ok(false) | Err(_) => sleep(Duration::from_millis(10)).await,
            }
            ensure!(stopped.has_changed().is_ok(), "the test is over");
        }
    }
    Ok(sent)
}

/// Whether the batch was taken.
async fn send_one(
    http: &Http,
    agent: &Agent,
    number: u64,
    earliest: i64,
    sent: &mut Sent,
) -> Result<bool> {
    let Some(ids) = stored::send(http, agent, number, EVENTS_OF_A_BATCH).await? else {
        return Ok(false);
    };
    let latest = stored::now_us()?;
    sent.extend(ids.into_iter().map(|id| (id, (earliest, latest))));
    Ok(true)
}

/// The audit entries of what was given up.
async fn retirements(server: &Server) -> Result<Vec<Value>> {
    let mut entries = pages::of_api(&server.api(), "/api/v1/audit?limit=1000").await?;
    entries.retain(|entry| entry["action"] == "retire_events");
    Ok(entries)
}

async fn check(server: &Server, held: &Sent, sent: &Sent) -> Result<()> {
    let stored = stored::sysscore_ids(server).await?;
    let lost = held.keys().filter(|id| !stored.contains(*id)).count();
    ensure!(lost == 0, "{lost} of {} events are gone that are held", held.len());
    let gone: Vec<&(i64, i64)> =
        sent.iter().filter(|(id, _)| !stored.contains(*id)).map(|(_, times)| times).collect();

    let mut retired = 0;
    let mut last = i64::MIN;
    for entry in retirements(server).await? {
        let (events, until) = retirement(pages::text(&entry, "/reason")?)?;
        retired += events;
        last = last.max(until);
    }
    eprintln!("{} events held, {} sent, {} given up", held.len(), sent.len(), gone.len());
    ensure!(!gone.is_empty(), "nothing was given up");
    ensure!(retired == gone.len() as u64, "{} gone, the audit tells of {retired}", gone.len());
    // A file that is given up is older than those that stay: whatever came after it is there.
    let newer = gone.iter().filter(|(earliest, _)| *earliest > last).count();
    ensure!(newer == 0, "{newer} events are gone that came after every file that was given up");
    let total = (held.len() + sent.len() - gone.len()) as u64;
    ensure!(stored.len() as u64 == total, "{} stored, {total} expected", stored.len());
    let by_sql = stored::number(server.tool(), "SELECT count(*) AS n FROM events").await?;
    ensure!(by_sql as u64 == total, "{by_sql} by SQL, {total} expected");
    Ok(())
}

/// `N events received from T to T: …`
fn retirement(reason: &str) -> Result<(u64, i64)> {
    let words: Vec<&str> = reason.split([' ']).collect();
    let number = words.first().context("no number")?.parse()?;
    let place = words.iter().position(|word| *word == "to").context("no end")?;
    let until = words.get(place + 1).context("no end")?.trim_end_matches(':');
    let until: Timestamp = serde_json::from_value(json!(until))?;
    Ok((number, until.as_micros()))
}
