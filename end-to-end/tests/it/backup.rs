//! Backups of a server under load, and the way back, killed at random moments: what has the name of a
//! backup or of a data directory is whole.
//!
//! `RINGWALL_KILLS` says how many times each (10), `RINGWALL_SEED` repeats the choices of a run.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, Receipt, batch, item};
use ringwall_end_to_end::{environment, pages, tour};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Batches before the first backup: enough for it to take its time.
const BATCHES_BEFORE: usize = 150;
const EVENTS_A_BATCH: u64 = 50;
/// Batches are archived at once, and files merged soon: they come and go while they are copied.
const BUSY: &str = "\
[archive]
after_seconds = 0
intake_events_min = 1
file_events_max = 4000
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_on_the_way_is_not_there_and_what_is_there_is_whole() -> Result<()> {
    let kills: u64 = match std::env::var("RINGWALL_KILLS") {
        Ok(kills) => kills.parse().with_context(|| format!("RINGWALL_KILLS `{kills}`"))?,
        Err(_) => 10,
    };
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("{kills} kills of each, RINGWALL_SEED={seed}");

    let server = Setup::new()?.config(BUSY)?.sysscore_agent("agent-1", "secret").start().await?;
    let mut load = Load::start(&server)?;
    load.until(BATCHES_BEFORE * EVENTS_A_BATCH as usize).await?;
    let place = server.folder().join("backups");
    std::fs::create_dir(&place)?;
    let tool = Tool { place, data_dir: server.ready().data_dir.clone() };

    let verify = ["backup", "verify", "backup"];
    tool.kill_again_and_again(&["backup", "backup"], "backup", &verify, kills, &mut random).await?;
    let acknowledged = load.acknowledged();
    let made = tool.run(&["backup", "backup", "--json"], 0).await?;
    let manifest: Value = serde_json::from_str(&made)?;
    let events = manifest.get("intake_events").zip(manifest.get("archived_events"));
    let (intake, archived) = events.with_context(|| made.clone())?;
    let events = intake.as_u64().zip(archived.as_u64()).map(|(one, other)| one + other);
    ensure!(events >= Some(acknowledged.len() as u64), "{made}");
    tool.run(&verify, 0).await?;
    ensure!(tool.names()? == ["backup"], "left behind: {:?}", tool.names()?);
    // Beside the server at work, the store is sound.
    tool.run(&["store", "verify"], 0).await?;
    load.stop().await?;
    let sent = stored(&server).await?;
    // It lives in the folder of the server.
    let _stopped = server.stop().await?;

    let restore = ["restore", "backup", "--data-dir", "restored"];
    let verify = ["store", "verify", "--data-dir", "restored"];
    tool.kill_again_and_again(&restore, "restored", &verify, kills, &mut random).await?;
    tool.run(&restore, 0).await?;
    ensure!(tool.names()? == ["backup", "restored"], "left behind: {:?}", tool.names()?);
    // Nothing is ever restored over something.
    tool.run(&restore, 2).await?;

    let server = Setup::new()?.data_in(&tool.place.join("restored")).start().await?;
    let stored = stored(&server).await?;
    let lost = acknowledged.difference(&stored).count();
    ensure!(lost == 0, "{lost} of {} events are not in the backup", acknowledged.len());
    let unknown = stored.difference(&sent).count();
    ensure!(unknown == 0, "{unknown} events are in the backup that the server did not have");
    ensure!(Some(stored.len() as u64) == events, "the backup says {events:?}");
    server.stop().await?;
    Ok(())
}

/// The tool for people, at work in one folder.
struct Tool {
    place: PathBuf,
    data_dir: PathBuf,
}

impl Tool {
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(environment::ringwall()?);
        command.args(arguments).current_dir(&self.place).env("RINGWALL_DATA_DIR", &self.data_dir);
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// Runs it to its end; returns its stdout.
    async fn run(&self, arguments: &[&str], exit: i32) -> Result<String> {
        let output = self.command(arguments)?.output().await?;
        let (out, words) =
            (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        let ended = output.status.code();
        ensure!(ended == Some(exit), "ringwall {arguments:?} ended with {ended:?}: {out}{words}");
        Ok(out)
    }

    /// Runs it `kills` times and kills it on the way; what it made then stands the test.
    async fn kill_again_and_again(
        &self,
        arguments: &[&str],
        makes: &str,
        verify: &[&str],
        kills: u64,
        random: &mut Random,
    ) -> Result<()> {
        let made = self.place.join(makes);
        let mut took = Duration::MAX;
        for _ in 0..2 {
            let started = Instant::now();
            self.run(arguments, 0).await?;
            took = took.min(started.elapsed());
            std::fs::remove_dir_all(&made)?;
        }
        // Somewhat longer than it takes: now and then it gets to its end.
        let longest = took.mul_f64(1.1).as_micros().try_into()?;
        let mut survivors = 0;
        for _ in 0..kills {
            let mut child =
                self.command(arguments)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            sleep(Duration::from_micros(random.within(1..longest))).await;
            // It may have ended just now.
            child.start_kill().ok();
            child.wait().await?;
            if made.exists() {
                survivors += 1;
                self.run(verify, 0).await?;
                std::fs::remove_dir_all(&made)?;
            }
        }
        eprintln!("{makes}: {survivors} of {kills} got to their end, and were whole");
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.place)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

/// An agent that sends batch after batch.
struct Load {
    sending: JoinHandle<Result<()>>,
    stop: watch::Sender<bool>,
    acknowledged: watch::Receiver<BTreeSet<String>>,
}

impl Load {
    fn start(server: &Server) -> Result<Self> {
        let http = Http::new(server.dialect("sysscore")?);
        let agent = Agent::new("agent-1", "secret");
        let (stop, stopped) = watch::channel(false);
        let (tell, acknowledged) = watch::channel(BTreeSet::new());
        let sending = tokio::spawn(async move {
            for number in 0.. {
                if *stopped.borrow() {
                    break;
                }
                let (key, body) = numbered_batch(number);
                let answer = agent.send(&http, &key, &body).await?;
                if answer.status == 503 {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
                let receipt = Receipt::read(answer)?;
                ensure!(receipt.errors == 0, "{receipt:?}");
                tell.send_modify(|ids| ids.extend(receipt.ids));
            }
            Ok(())
        });
        Ok(Self { sending, stop, acknowledged })
    }

    async fn until(&mut self, events: usize) -> Result<()> {
        self.acknowledged.wait_for(|ids| ids.len() >= events).await?;
        Ok(())
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.borrow().clone()
    }

    async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.sending.await?
    }
}

/// Events that do not compress well, about 20 kB.
fn numbered_batch(number: u64) -> (String, Vec<u8>) {
    let items: Vec<Value> = (0..EVENTS_A_BATCH)
        .map(|index| {
            let serial = number * EVENTS_A_BATCH + index;
            let mut noise = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let path: String = (0..24)
                .map(|_| {
                    noise = noise.rotate_left(13).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ serial;
                    format!("{noise:016x}")
                })
                .collect();
            let time = 1_780_000_000_000_000 + serial.cast_signed();
            item(serial.cast_signed() + 2, "openat", time, json!({ "path": path }))
        })
        .collect();
    (format!("backup-{number}"), batch(&items))
}

async fn stored(server: &Server) -> Result<BTreeSet<String>> {
    let reader = tour::sysscore_reader(server)?;
    let rows = pages::of_sysscore(&reader, "/api/v1/events?limit=1000").await?;
    let mut ids = BTreeSet::new();
    for row in &rows {
        ensure!(ids.insert(pages::text(row, "/id")?.to_owned()), "twice: {row}");
    }
    Ok(ids)
}
