//! A disk that forgets: bytes of archive files change, files become shorter. The server runs on and
//! takes events, and whoever asks is told, never answered wrongly.

use crate::stored;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::Agent;
use ringwall_end_to_end::tour;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Few events a file, so that there are several.
const CONFIG: &str = "\
[archive]
after_seconds = 0
intake_events_min = 1
file_events_max = 400
";

/// Asks for every value that could be wrong.
const EVERYTHING: &str = "SELECT count(*), sum(metadata_sequence), sum(process_pid), \
    group_concat(attrs), group_concat(raw_data), min(time), max(time), \
    group_concat(DISTINCT kernel_name), group_concat(DISTINCT device_hostname) FROM events";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_named_and_intake_goes_on() -> Result<()> {
    let agent = Agent::new("agent-1", "secret");
    let server = Setup::new()?.config(CONFIG)?.sysscore_agent("agent-1", "secret").start().await?;
    archive_some(&server, &agent).await?;
    let stopped = server.stop().await?;
    let files = parquet_files(&stopped.data())?;
    let [flipped, shortened, ..] = files.as_slice() else {
        anyhow::bail!("{} files are too few", files.len());
    };
    flip(flipped, std::fs::metadata(flipped)?.len() / 3)?;
    let half = std::fs::metadata(shortened)?.len() / 2;
    OpenOptions::new().write(true).open(shortened)?.set_len(half)?;

    let server = stopped.start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    let taken = stored::send(&http, &agent, 9_000, 20).await?;
    ensure!(taken.is_some_and(|ids| ids.len() == 20), "intake stands still");
    tour::until(tour::SOON, async || {
        let health = server.api().get_json("/api/v1/health").await?;
        ensure!(health["status"] == "degraded", "{health}");
        ensure!(health["problems"].to_string().contains(&name(shortened)), "{health}");
        Ok(())
    })
    .await?;

    let (code, found) = stored::verify(server.tool()).await?;
    ensure!(code == Some(1), "store verify ended with {code:?}: {found}");
    let found = found.to_string();
    for file in [flipped, shortened] {
        ensure!(found.contains(&name(file)), "{} is not named in {found}", name(file));
    }

    let words = refused(&server, EVERYTHING).await?.context("a query over a shortened file")?;
    ensure!(words.contains(&name(shortened)) || words.contains(&name(flipped)), "{words}");
    server.stop().await?;
    Ok(())
}

/// Bit by bit, all over a file: the answer is the right one, or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_gives_no_wrong_answer() -> Result<()> {
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("RINGWALL_SEED={seed}");
    let agent = Agent::new("agent-1", "secret");
    let server = Setup::new()?.config(CONFIG)?.sysscore_agent("agent-1", "secret").start().await?;
    archive_some(&server, &agent).await?;
    let stopped = server.stop().await?;
    // As it is, without being touched by the archiver any more.
    let still = "[archive]\nenabled = false\n";
    std::fs::write(stopped.data().with_file_name("ringwall.toml"), still)?;
    let mut server = stopped.start().await?;
    let right = stored::query(&server, EVERYTHING).await?;
    let files = parquet_files(&server.ready().data_dir)?;
    let file = files.first().context("no file")?;
    let length = std::fs::metadata(file)?.len();
    let mut wrong = Vec::new();
    let mut refusals = 0;
    for _ in 0..40 {
        let place = random.within(0..length);
        flip(file, place)?;
        // Another process: what the one before has opened stays as it was.
        server = server.stop().await?.start().await?;
        match refused(&server, EVERYTHING).await? {
            Some(_) => refusals += 1,
            None if stored::query(&server, EVERYTHING).await? != right => wrong.push(place),
            None => {}
        }
        flip(file, place)?;
    }
    let (code, found) = stored::verify(server.tool()).await?;
    ensure!(code == Some(0), "all is as it was, but: {found}");
    eprintln!("{refusals} of 40 changed bytes are refused");
    ensure!(wrong.is_empty(), "wrong answers with these of {length} bytes changed: {wrong:?}");
    server.stop().await?;
    Ok(())
}

/// Sends until there are a few files, each large enough not to be merged any more.
async fn archive_some(server: &Server, agent: &Agent) -> Result<()> {
    let http = Http::new(server.dialect("sysscore")?);
    let mut sent = 0;
    for file in 0..4 {
        for number in 0..10 {
            let ids = stored::send(&http, agent, file * 10 + number, 50).await?;
            sent += ids.context("refused")?.len() as u64;
        }
        tour::until(tour::SOON, async || {
            let archived = stored::archived(server).await?;
            ensure!(archived == sent, "{archived} of {sent} are archived");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn parquet_files(data: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data.join("archive"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn flip(file: &Path, place: u64) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place)?;
    file.write_all_at(&[byte[0] ^ 0x10], place)?;
    Ok(())
}

/// The words of the refusal of a query; none where it was answered.
async fn refused(server: &Server, sql: &str) -> Result<Option<String>> {
    let answer = server.api().post("/api/v1/query", &json!({ "sql": sql })).await?;
    let body: Value = answer.json()?;
    Ok((answer.status != 200).then(|| body.to_string()))
}
