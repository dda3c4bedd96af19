//! Power fails while the disk writes: the journal ends in the middle of a page, or in what was never
//! written, and pages that were on their way into the database are half old, half new.
//!
//! Whatever was acknowledged had been synced before, so only what comes after may be torn.
//! `RINGWALL_SEED` repeats the choices of a run.

use crate::stored;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::journal::Journal;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::Agent;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

const EVENTS_OF_A_BATCH: u64 = 20;
const BACKGROUND: u64 = 3;

/// How the end of the journal, or a page of the database, is damaged.
#[derive(Clone, Copy, Debug)]
enum Tear {
    /// The file ends early.
    Cut,
    /// Half of a page was written, the rest is zeros.
    HalfPage,
    /// Something else lies where the end should be.
    Garbage,
    /// A page of long ago lies there, whole.
    OldFrame,
    /// Pages that were being taken up into the database are half written.
    HalfCheckpoint,
}

const TEARS: [Tear; 5] =
    [Tear::Cut, Tear::HalfPage, Tear::Garbage, Tear::OldFrame, Tear::HalfCheckpoint];

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_journal_takes_nothing_that_was_acknowledged() -> Result<()> {
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("RINGWALL_SEED={seed}");
    let mut setup = Setup::new()?.sysscore_agent("ledger", "secret");
    for number in 0..BACKGROUND {
        setup = setup.sysscore_agent(&format!("background-{number}"), "secret");
    }
    let mut server = setup.start().await?;
    let mut acknowledged = BTreeSet::new();
    let mut batch = 0;
    for tear in TEARS.into_iter().chain(TEARS) {
        let up = Duration::from_millis(random.within(100..400));
        let safe = send_until(Instant::now() + up, &server, &mut batch, &mut acknowledged).await?;
        let stopped = server.kill().await?;
        let torn = tear.apply(&stopped.data(), safe.as_ref(), &mut random);
        eprintln!("{}", torn.with_context(|| format!("{tear:?}"))?);
        server = stopped.start().await.with_context(|| format!("after {tear:?}"))?;
        stored::nothing_lost(&server, &acknowledged)
            .await
            .with_context(|| format!("after {tear:?}"))?;
        stored::is_sound(server.tool()).await.with_context(|| format!("after {tear:?}"))?;
    }
    ensure!(acknowledged.len() > 200, "only {} events were acknowledged", acknowledged.len());
    server.stop().await?;
    Ok(())
}

/// Sends beside others until `end`; returns the journal as it was after the last acknowledgement.
async fn send_until(
    end: Instant,
    server: &Server,
    batch: &mut u64,
    acknowledged: &mut BTreeSet<String>,
) -> Result<Option<Journal>> {
    let url = server.dialect("sysscore")?.to_owned();
    let background: Vec<_> = (0..BACKGROUND)
        .map(|number| {
            let http = Http::new(&url);
            let agent = Agent::new(&format!("background-{number}"), "secret");
            let first = *batch;
            tokio::spawn(async move {
                // Nobody asks what becomes of these; they keep the journal growing.
                for number in first.. {
                    if stored::send(&http, &agent, number, EVENTS_OF_A_BATCH).await.is_err() {
                        break;
                    }
                }
            })
        })
        .collect();
    let http = Http::new(&url);
    let agent = Agent::new("ledger", "secret");
    let path = journal_in(&server.ready().data_dir);
    let mut safe = Journal::read(&path)?;
    loop {
        *batch += 1;
        let sent = stored::send(&http, &agent, *batch, EVENTS_OF_A_BATCH);
        let Ok(answer) = timeout_at(end, sent).await else { break };
        if let Some(ids) = answer? {
            acknowledged.extend(ids);
            safe = Journal::read(&path)?;
        }
    }
    for task in background {
        task.abort();
    }
    // What the others were up to counts on from where the slowest of us is.
    *batch += 100_000;
    Ok(safe)
}

fn journal_in(data: &Path) -> std::path::PathBuf {
    data.join("ringwall.db-wal")
}

impl Tear {
    /// Damages what was not safe; says what it did.
    fn apply(self, data: &Path, safe: Option<&Journal>, random: &mut Random) -> Result<String> {
        let path = journal_in(data);
        let found = Journal::read(&path)?.context("there is no journal")?;
        // A journal that began anew did so when all before was in the database, and synced there.
        let safe = safe.filter(|safe| safe.salts == found.salts);
        let safe_frames = safe.map_or(0, Journal::committed);
        let from = if safe.is_some() { found.end_of(safe_frames) } else { 0 };
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let end = found.end_of(found.frames.len());
        let at = random.within(from..end + 1);
        match self {
            Self::Cut => file.set_len(at)?,
            Self::HalfPage => {
                file.write_all_at(&vec![0; found.page_bytes as usize / 2], at)?;
                file.set_len(end.max(at + found.page_bytes / 2))?;
            }
            Self::Garbage => file.write_all_at(&garbage(random, 3 * found.page_bytes), at)?,
            Self::OldFrame if found.frames.is_empty() => {
                return Ok("OldFrame: the journal has just begun anew, with no page in it".into());
            }
            Self::OldFrame => {
                let frame_bytes = (found.end_of(1) - found.end_of(0)) as usize;
                let mut old = vec![0; frame_bytes];
                let frame = random.within(0..found.frames.len() as u64) as usize;
                file.read_exact_at(&mut old, found.end_of(frame))?;
                let whole_frames = safe_frames
                    + random.within(0..(found.frames.len() - safe_frames) as u64 + 1) as usize;
                file.write_all_at(&old, found.end_of(whole_frames))?;
            }
            Self::HalfCheckpoint => {
                let database = data.join("ringwall.db");
                return tear_pages(&database, &found, safe_frames, random);
            }
        }
        Ok(format!("{self:?} at {at}, safe up to {from}, journal up to {end}"))
    }
}

/// Spoils the second halves of pages that the journal holds, whole and synced.
fn tear_pages(
    database: &Path,
    journal: &Journal,
    frames: usize,
    random: &mut Random,
) -> Result<String> {
    let file: File = OpenOptions::new().write(true).open(database)?;
    let half = journal.page_bytes / 2;
    let pages: BTreeSet<u32> = journal.frames.iter().take(frames).map(|frame| frame.page).collect();
    let there = file.metadata()?.len() / journal.page_bytes;
    let mut torn = 0;
    for page in pages.into_iter().filter(|page| u64::from(*page) <= there) {
        if random.once_in(2) {
            let start = (u64::from(page) - 1) * journal.page_bytes;
            file.write_all_at(&garbage(random, half), start + half)?;
            torn += 1;
        }
    }
    Ok(format!("{torn} of {there} pages of the database torn, {frames} frames are safe"))
}

fn garbage(random: &mut Random, bytes: u64) -> Vec<u8> {
    (0..bytes).map(|_| random.number() as u8).collect()
}
