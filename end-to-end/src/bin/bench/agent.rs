//! What a host agent costs a machine on which nothing happens.

use anyhow::{Context, Result, bail, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::machine;
use ringwall_end_to_end::process_stat;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::suspect::{Suspect, SuspectProcess};
use ringwall_end_to_end::tour;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::time::sleep;

const NAME: &str = "bench-host";

pub(crate) async fn run(duration: Duration, processes: u64) -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let folder = Folder::new()?;
    let idle = Suspect::new(folder.path(), "idle")?;
    let here = running_processes()?;
    let more = processes.saturating_sub(here);
    let crowd: Vec<SuspectProcess> = (0..more).map(|_| idle.start()).collect::<Result<_>>()?;

    let mut agent = start_agent(&server, &folder).await?;
    let pid = agent.id().context("the host agent ended")?;
    tour::until(tour::SOON * 3, async || {
        let hosts = server.api().get_json("/api/v1/hosts").await?;
        anyhow::ensure!(hosts.pointer("/data/0/processes").is_some_and(|n| n != 0), "{hosts}");
        Ok(())
    })
    .await?;
    // The first picture hashes program files and fills caches; what is asked is the time after it.
    sleep(Duration::from_secs(5)).await;

    let started_before = process_stat::started()?;
    let before = process_stat::cpu_time(pid)?;
    let start = Instant::now();
    let mut resident_max = 0;
    while start.elapsed() < duration {
        sleep(Duration::from_secs(1)).await;
        resident_max = resident_max.max(process_stat::resident_bytes(pid)?);
    }
    let cpu = process_stat::cpu_time(pid)? - before;
    let share = 100.0 * cpu.as_secs_f64() / start.elapsed().as_secs_f64();
    let started = process_stat::started()? - started_before;
    let processes = running_processes()?;
    if let Some(status) = agent.try_wait()? {
        bail!("the host agent ended with {status}");
    }
    agent.kill().await?;
    server.stop().await?;
    drop(crowd);

    let seconds = duration.as_secs_f64();
    println!("load      {processes} processes, {started} starts by others in {seconds:.0} s");
    println!("resident  {:.1} MiB at most", resident_max as f64 / 1048576.0);
    println!("processor {share:.2} % of a core");
    Ok(())
}

/// The agent as it is installed on other machines: alone, where it was built so.
async fn start_agent(server: &Server, folder: &Folder) -> Result<Child> {
    let leave = server.api().post("/api/v1/enrolments", &json!({"name": NAME})).await?;
    let leave = leave.expect(201)?.json()?;
    let token = leave.get("token").and_then(Value::as_str).context("no token")?.to_owned();
    let ringwall = environment::ringwall()?;
    let alone: PathBuf = ringwall.with_file_name("ringwall-host-agent");
    let (program, arguments): (PathBuf, &[&str]) = if alone.exists() {
        println!("program   {}", alone.display());
        (alone, &[])
    } else {
        (ringwall, &["host-agent"])
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    command.arg("--state-dir").arg(folder.path().join("state"));
    let mut enrol = Command::new(&program);
    enrol.args(arguments).args(["enrol", "--server", &server.ready().main]);
    enrol.arg("--state-dir").arg(folder.path().join("state"));
    let enrolled = enrol.env("RINGWALL_ENROLMENT_TOKEN", token).output().await?;
    ensure!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let log = File::create(folder.path().join("agent.log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn().context("cannot start the host agent")
}

fn running_processes() -> Result<u64> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        if entry?.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            count += 1;
        }
    }
    Ok(count)
}
