//! The stations of the tour that both the tests and `./x demo-check` make.

use crate::guide_client::GuideClient;
use crate::http_client::Http;
use crate::pages;
use crate::server::Server;
use crate::sse::{EventStream, StreamEvent};
use crate::suspect::{Suspect, SuspectProcess};
use crate::watcher_agent::WatcherAgent;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The agent of the SysScore guide, step 3.
pub const GUIDE_AGENT: (&str, &str) = ("agent-1", "secret-key-1");

/// How long a thing may take that is promised within a second or two: the machine may be busy.
pub const SOON: Duration = Duration::from_secs(40);

/// Our host agent's pictures come every 15 s.
const PICTURE: Duration = Duration::from_secs(40);

/// The guide's client queues 200 events at once; all are stored, each once.
///
/// Its keys have a resolution of one second, so that several batches share one.
///
/// # Errors
///
/// When it went otherwise.
pub async fn guide_client(server: &Server, guide: &Path) -> Result<()> {
    let (agent, secret) = GUIDE_AGENT;
    let url = server.dialect("sysscore")?;
    let progress = GuideClient::start(guide, url, agent, secret)?.queue(200).await?;
    ensure!(progress.sent == 200, "the client believes otherwise: {progress:?}");
    let numbers = guide_numbers(server, agent).await?;
    ensure!(numbers == (1..=200).collect::<Vec<_>>(), "stored are {numbers:?}");
    Ok(())
}

/// The numbers of the stored events of the guide's client, sorted.
///
/// # Errors
///
/// When they cannot be read.
pub async fn guide_numbers(server: &Server, agent: &str) -> Result<Vec<u64>> {
    let path = format!("/api/v1/events?agent_id={agent}&limit=70");
    let mut numbers = Vec::new();
    for row in pages::of_sysscore(&sysscore_reader(server)?, &path).await? {
        let number = row.pointer("/metadata/number").and_then(Value::as_u64);
        numbers.push(number.with_context(|| format!("no number in {row}"))?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The SysScore dialect, as somebody who may read.
///
/// # Errors
///
/// When the server does not speak it.
pub fn sysscore_reader(server: &Server) -> Result<Http> {
    Ok(Http::new(server.dialect("sysscore")?).bearer(&server.ready().admin_token))
}

/// A program under a name that is on the list of this server alone.
///
/// A name on everybody's list, such as `evil.sh`, would be ended by any host agent of this machine.
///
/// # Errors
///
/// When it cannot be made or listed.
pub async fn listed_suspect(server: &Server, folder: &Path) -> Result<Suspect> {
    let name = format!("rw-{:08x}", getrandom::u32()?);
    server.ringwall(&["indicators", "add", "process", &name]).await?;
    std::fs::create_dir_all(folder)?;
    Suspect::new(folder, &name)
}

/// A Watcher agent reports a process whose name is listed, gets the order, kills it; its next
/// report confirms.
///
/// # Errors
///
/// When it went otherwise.
pub async fn watcher_cycle(server: &Server) -> Result<()> {
    let folder = server.folder().join("watcher");
    let suspect = listed_suspect(server, &folder).await?;
    let name = suspect.name();
    let agent = WatcherAgent {
        url: server.dialect("watcher")?.to_owned(),
        hostname: format!("watched-{name}"),
        folder: folder.clone(),
    };
    let mut process = suspect.start()?;
    let pid = process.pid();
    let answer = agent.collect().await?;
    ensure!(answer.get("status") == Some(&json!("processed")), "collect answered {answer}");

    let commands = agent.execute().await?;
    let [command] = commands.as_slice() else { anyhow::bail!("commands {commands:?}") };
    let id = pages::text(command, "/command_id")?;
    ensure!(id.starts_with("cmd_"), "command {command}");
    ensure!(pages::text(command, "/action")? == "kill_process", "command {command}");
    ensure!(pages::text(command, "/target")? == pid.to_string(), "command {command}");
    ensure!(pages::text(command, "/parameters/process_name")? == name, "command {command}");
    let reason = pages::text(command, "/parameters/reason")?;
    ensure!(reason == "threat_intel_match", "command {command}");
    process.gone(SOON).await?;

    let again = agent.poll().await?;
    ensure!(again.is_empty(), "the second poll answers {again:?}");
    agent.collect().await?;
    command_ends(server, id, "succeeded").await?;

    // One alert for all sightings, in the Watcher UI's own words.
    let alerts = Http::new(&agent.url).get_json("/api/v1/alerts").await?;
    let mine = alerts.as_array().context("alerts are no array")?.iter();
    let mine: Vec<_> = mine.filter(|alert| alert["host"] == agent.hostname.as_str()).collect();
    let known_bad: Vec<_> =
        mine.iter().filter(|alert| alert["finding_type"] == "threat_intel_match_process").collect();
    ensure!(known_bad.len() == 1, "alerts {known_bad:?}");
    Ok(())
}

/// A command comes to this state.
///
/// # Errors
///
/// When it does not in time.
pub async fn command_ends(server: &Server, id: &str, state: &str) -> Result<Value> {
    let api = server.api();
    let path = format!("/api/v1/commands/{id}");
    until(SOON, async || {
        let command = api.get_json(&path).await?;
        ensure!(pages::text(&command, "/state")? == state, "command {command}");
        Ok(command)
    })
    .await
}

/// The times of one process that was found and ended.
#[derive(Clone, Copy, Debug)]
pub struct Reaction {
    /// From the start of the process to its alert on the stream.
    pub found: Duration,
    /// From its alert on the stream to its end.
    pub ended: Duration,
}

/// Starts the suspect and waits until our own host agent has found and ended it.
///
/// Returns the alert's row as well.
///
/// # Errors
///
/// When it went otherwise.
pub async fn suspect_found_and_ended(
    stream: &mut EventStream,
    suspect: &Suspect,
) -> Result<(Reaction, Value)> {
    let start = Instant::now();
    let mut process: SuspectProcess = suspect.start()?;
    let pid = process.pid();
    let alert = stream.wait_for(SOON, |event| is_alert_of(event, pid)).await?;
    let found = start.elapsed();
    process.gone(SOON).await?;
    let ended = start.elapsed() - found;
    Ok((Reaction { found, ended }, alert.data))
}

fn is_alert_of(event: &StreamEvent, pid: u32) -> bool {
    let alert_pid = event.data.pointer("/process/pid").and_then(Value::as_u64);
    event.name == "alert" && alert_pid == Some(pid.into())
}

/// This machine stands in the list of hosts, with its processes, and this program among them.
///
/// Returns the id of the host.
///
/// # Errors
///
/// When it does not in time.
pub async fn this_machine_is_seen(server: &Server) -> Result<String> {
    let api = server.api();
    until(PICTURE, async || {
        let hosts = pages::of_api(&api, "/api/v1/hosts").await?;
        let host = hosts.iter().find(|host| host["dialect"] == "host-agent");
        let host = host.with_context(|| format!("no host agent among {hosts:?}"))?;
        let id = pages::text(host, "/id")?;
        let path = format!("/api/v1/hosts/{}/processes", pages::percent_encoded(id));
        let processes = api.get_json(&path).await?;
        let processes = processes.get("data").and_then(Value::as_array).context("no data")?;
        let ours = processes.iter().any(|process| process["pid"] == std::process::id());
        ensure!(ours, "{} processes, this one is not among them", processes.len());
        Ok(id.to_owned())
    })
    .await
}

/// Asks again until the answer is the right one.
///
/// # Errors
///
/// The last answer, when the time ran out.
pub async fn until<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match ask().await {
            Err(error) if start.elapsed() > limit => {
                return Err(error.context(format!("not so after {limit:?}")));
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
            done => return done,
        }
    }
}
