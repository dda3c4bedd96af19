//! Makes the tour of the README unattended, one line a station; exit 0 when all of it went well.
//!
//! `demo-check [--dashboard FOLDER] [--screenshots FOLDER]`: with the dashboard's folder the browser
//! is driven too.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it prints its stations")]

use anyhow::{Context, Result, bail, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::machine;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::suspect::Suspect;
use ringwall_end_to_end::tour::{self, GUIDE_AGENT};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Instant;
use tokio::process::Command;

/// What the caller wants.
struct Arguments {
    dashboard: Option<PathBuf>,
    screenshots: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            println!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    match tour(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("  ✗ {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut dashboard = None;
    let mut screenshots = std::env::temp_dir().join("ringwall-screenshots");
    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().map(PathBuf::from).context("a folder has to follow");
        match word.to_str() {
            Some("--dashboard") => dashboard = Some(value()?),
            Some("--screenshots") => screenshots = value()?,
            _ => bail!("unknown argument `{}`", word.display()),
        }
    }
    Ok(Arguments { dashboard, screenshots })
}

async fn tour(arguments: &Arguments) -> Result<()> {
    println!("demo-check on {}", process_stat::machine());
    let _machine = machine::alone().await?;
    machine::is_not_watched()?;

    let mut station = Station::new("ringwall up: server, dialects, host agent, dashboard");
    let (agent, secret) = GUIDE_AGENT;
    let server = Setup::new()?.with_host_agent().sysscore_agent(agent, secret).start().await?;
    server.api().get("/").await?.expect(200)?;
    station.done();

    station.next("this machine's processes and connections are visible");
    let host = tour::this_machine_is_seen(&server).await?;
    connections_are_seen(&server, &host).await?;
    station.done();

    match environment::integration_guide()? {
        Some(guide) => {
            station.next("the SysScore guide's client queues 200 events, all 200 are stored");
            tour::guide_client(&server, &guide).await?;
            let scores = pages::of_api(&server.api(), "/api/v1/scores").await?;
            ensure!(!scores.is_empty(), "no scores");
            station.done();
        }
        None => println!("  - the SysScore guide's client: RINGWALL_SHARED is not set, skipped"),
    }

    station.next("a Watcher agent on psutil reports, is ordered to kill, and confirms");
    // On a server of its own: here our host agent would be faster, and nothing left to report.
    let other = Setup::new()?.start().await?;
    tour::watcher_cycle(&other).await?;
    other.stop().await?;
    station.done();

    station.next("a copy of sleep named evil.sh is found and ended");
    let mut stream = server.api().stream("/api/v1/stream?topics=alerts,commands").await?;
    let suspect = Suspect::new(server.folder(), "evil.sh")?;
    let (reaction, alert) = tour::suspect_found_and_ended(&mut stream, &suspect).await?;
    let alert = pages::text(&alert, "/id")?;
    let alert = server.api().get_json(&format!("/api/v1/alerts/{alert}")).await?;
    tour::command_ends(&server, pages::text(&alert, "/commands/0/id")?, "succeeded").await?;
    station.done();
    let [found, ended] = [reaction.found, reaction.ended].map(|time| time.as_millis());
    println!("      alert after {found} ms, ended {ended} ms after that");

    station.next("the tool for people shows the same");
    for list in ["hosts", "events", "alerts", "scores", "commands", "indicators", "keys"] {
        let arguments: &[&str] = match list {
            "indicators" | "keys" => &[list, "list"],
            _ => &[list],
        };
        server.ringwall_json(arguments).await?;
        let shown = server.ringwall(arguments).await?;
        ensure!(!shown.trim().is_empty(), "`ringwall {list}` prints nothing");
    }
    station.done();

    match &arguments.dashboard {
        Some(dashboard) => {
            station.next("the dashboard in a browser");
            browser(&server, dashboard, &arguments.screenshots).await?;
            station.done();
            println!("      screenshots in {}", arguments.screenshots.display());
        }
        None => println!("  - the dashboard in a browser: no --dashboard, skipped"),
    }

    station.next("a clean end, and all of it is there after the next start");
    let server = server.stop().await?.start().await?;
    let kept =
        server.api().get_json(&format!("/api/v1/alerts/{}", pages::text(&alert, "/id")?)).await?;
    ensure!(kept.get("process") == alert.get("process"), "the alert changed: {kept}");
    server.stop().await?;
    station.done();
    Ok(())
}

async fn connections_are_seen(server: &Server, host: &str) -> Result<()> {
    let path = format!("/api/v1/hosts/{}/connections", pages::percent_encoded(host));
    let main = server.ready().main.as_str();
    let port: u16 = main.rsplit(':').next().context("no port")?.parse()?;
    let api = server.api();
    tour::until(tour::SOON * 2, async || {
        let connections = api.get_json(&path).await?;
        let all = connections.get("data").and_then(Value::as_array).context("no data")?;
        let ours = all.iter().any(|one| {
            let ports = [one.get("local_port"), one.get("remote_port")];
            ports.into_iter().flatten().any(|one| *one == port)
        });
        ensure!(ours, "{} connections, none on port {port}", all.len());
        Ok(())
    })
    .await
}

/// The dashboard's own Playwright tests, in Debian's Chromium.
async fn browser(server: &Server, dashboard: &Path, screenshots: &Path) -> Result<()> {
    std::fs::create_dir_all(screenshots)
        .with_context(|| format!("cannot make {}", screenshots.display()))?;
    let output = Command::new("npm")
        .args(["run", "--silent", "test:e2e"])
        .current_dir(dashboard)
        .env("RINGWALL_READY_FILE", server.ready_file())
        .env("SCREENSHOT_DIR", screenshots)
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot start npm")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("npm run test:e2e ended with {}:\n{words}\n{errors}", output.status);
    }
    Ok(())
}

/// One line of the tour.
struct Station {
    name: &'static str,
    start: Instant,
}

impl Station {
    fn new(name: &'static str) -> Self {
        Self { name, start: Instant::now() }
    }

    fn next(&mut self, name: &'static str) {
        *self = Self::new(name);
    }

    fn done(&self) {
        println!("  ✓ {} ({:.1} s)", self.name, self.start.elapsed().as_secs_f64());
    }
}
