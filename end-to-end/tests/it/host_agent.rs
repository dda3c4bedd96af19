//! The host agent alone: against our server, and against servers that speak only a dialect.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::relay::{Network, Relay, address};
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::suspect::Suspect;
use ringwall_end_to_end::{machine, pages, tour};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const NAME: &str = "test-host";

/// The five checks of the Watcher guide's test suite: collection, connectivity, transmission,
/// polling, ending a child of its own.
#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_works_here() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let key = Folder::new()?;
    let key = enrol(&server, &key).await?;
    let key = key.to_str().context("not a path")?;
    let url = server.ready().main.as_str();
    let told =
        server.ringwall(&["host-agent", "check", "--server", url, "--state-dir", key]).await?;
    ensure!(told.lines().count() >= 5, "{told}");
    let watcher = server.dialect("watcher")?;
    let asked = ["host-agent", "check", "--dialect", "watcher", "--server", watcher];
    server.ringwall(&asked).await?;
    Ok(())
}

/// A Watcher server that knows nothing else: its unsigned order is carried out, within one poll.
#[tokio::test(flavor = "multi_thread")]
async fn it_obeys_a_watcher_server() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let suspect = tour::listed_suspect(&server, &server.folder().join("suspect")).await?;
    let watcher = server.dialect("watcher")?.to_owned();
    let intervals = ["--collection-interval", "1", "--command-poll-interval", "1"];
    let dialect = ["--dialect", "watcher", "--server", &watcher, "--name", NAME];
    let _agent = start(&server, &[dialect.as_slice(), &intervals].concat())?;
    suspect.start()?.gone(tour::SOON).await?;
    tour::until(tour::SOON, async || {
        let commands = pages::of_api(&server.api(), "/api/v1/commands").await?;
        let state = commands.first().map(|command| &command["state"]);
        ensure!(state == Some(&json!("succeeded")), "{commands:?}");
        Ok(())
    })
    .await
}

/// A SysScore server that knows nothing else gets system calls with scores.
#[tokio::test(flavor = "multi_thread")]
async fn it_reports_to_a_sysscore_server() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.sysscore_agent("agent-1", "secret-key-1").start().await?;
    let folder = Folder::new()?;
    let secret = folder.private_file("secret", b"secret-key-1")?;
    let api = format!("{}/api/v1", server.dialect("sysscore")?);
    let secret = secret.to_str().context("not a path")?;
    let mut arguments = vec!["--dialect", "sysscore", "--server", &api, "--agent-id", "agent-1"];
    arguments.extend(["--secret-file", secret, "--collection-interval", "1"]);
    let _agent = start(&server, &arguments)?;
    let calm = Suspect::new(server.folder(), "calm")?;
    let reader = tour::sysscore_reader(&server)?;
    tour::until(tour::SOON, async || {
        // Started while the agent watches, however long it takes to begin.
        let mut process = calm.start()?;
        let pid = process.pid();
        let path = format!("/api/v1/events?process_id=agent-1:{pid}");
        let row = tour::until(Duration::from_secs(10), async || {
            let rows = pages::of_sysscore(&reader, &path).await?;
            let start = rows.into_iter().find(|row| row["syscall"] == "execve");
            start.context("no execve yet")
        })
        .await?;
        let scores = ["risk_score", "anomaly_score"].map(|name| row["metadata"][name].as_f64());
        ensure!(scores.iter().all(Option::is_some), "{row}");
        ensure!(process.runs()?, "nobody ordered to end it");
        Ok(())
    })
    .await
}

/// What happens while the server is away is reported when it is back, once.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_loses_nothing() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let folder = Folder::new()?;
    let key = enrol(&server, &folder).await?;
    let relay = Relay::start(Network::Through(address(&server.ready().main)?)).await?;
    let key = key.to_str().context("not a path")?;
    let mut agent = start(&server, &["--server", relay.url(), "--state-dir", key])?;
    seen(&server, std::process::id()).await?;

    relay.set(Network::Down);
    let server = server.kill().await?;
    let calm = Suspect::new(folder.path(), "calm")?;
    let mut pids = Vec::new();
    for _ in 0..20 {
        let process = calm.start()?;
        pids.push(process.pid());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let server = server.start().await?;
    relay.set(Network::Through(address(&server.ready().main)?));

    for pid in pids {
        let path = format!("/api/v1/events?host=host-agent:{NAME}&pid={pid}&kind=process_started");
        tour::until(tour::SOON * 2, async || {
            let rows = pages::of_api(&server.api(), &path).await?;
            let named = |row: &&Value| row["ocsf"]["process"]["name"] == "calm";
            let count = rows.iter().filter(named).count();
            // Between fork and exec it still has its parent's name; where the kernel drops the notice
            // of the exec, the next picture has the new one.
            ensure!(!rows.is_empty() && count <= 1, "process {pid}: {rows:?}");
            Ok(())
        })
        .await?;
    }
    ensure!(agent.try_wait()?.is_none(), "the host agent ended");
    Ok(())
}

/// Enrols this machine as the program does it, into a state directory of its own.
async fn enrol(server: &Server, folder: &Folder) -> Result<PathBuf> {
    let leave = server.api().post("/api/v1/enrolments", &json!({"name": NAME})).await?;
    let leave = leave.expect(201)?.json()?;
    let token =
        folder.private_file("token", leave["token"].as_str().context("no token")?.as_bytes())?;
    let state = folder.path().join("state");
    let path = |path: &PathBuf| path.to_str().map(str::to_owned).context("not a path");
    let (token, state_dir) = (path(&token)?, path(&state)?);
    let url = server.ready().main.as_str();
    let enrol = ["host-agent", "enrol", "--server", url, "--token-file", &token];
    server.ringwall(&[enrol.as_slice(), &["--state-dir", &state_dir]].concat()).await?;
    Ok(state)
}

fn start(server: &Server, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::from(server.tool());
    command.arg("host-agent").args(arguments).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().context("cannot start the host agent")
}

async fn seen(server: &Server, pid: u32) -> Result<()> {
    let path = format!("/api/v1/hosts/host-agent:{NAME}/processes");
    tour::until(tour::SOON, async || {
        let processes = server.api().get_json(&path).await?;
        let all = processes["data"].as_array().context("no data")?;
        ensure!(all.iter().any(|process| process["pid"] == pid), "not seen: {pid}");
        Ok(())
    })
    .await
}
