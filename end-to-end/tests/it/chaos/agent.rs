//! The program `chaos-agent`, with a disk of its own that can be full.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::chaos_counts::ChaosCounts;
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::host_agent::HostAgent;
use ringwall_end_to_end::small_disk::SmallDisk;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// The agent's disk; its spool may take more than that.
const DISK_BYTES: u64 = 1 << 20;
/// Less than a few seconds of events: without a server it overflows.
const SPOOL_BYTES_MAX: u64 = 400 << 10;
/// Retries wait up to fifteen seconds, of requests that take up to fifteen.
const FINISH_TIMEOUT: Duration = Duration::from_secs(90);

pub(crate) struct ChaosAgent {
    name: &'static str,
    url: String,
    seed_file: PathBuf,
    child: Option<Child>,
    ballast: Option<PathBuf>,
    /// None where this process may not mount: then its disk is never full.
    disk: Option<SmallDisk>,
    folder: Folder,
}

impl ChaosAgent {
    pub(crate) fn start(name: &'static str, identity: &HostAgent, url: &str) -> Result<Self> {
        let folder = Folder::new()?;
        let disk = SmallDisk::mount(DISK_BYTES)?;
        if disk.is_none() {
            eprintln!("skipped: full disks, as this process may not mount a file system");
        }
        let seed_file = folder.private_file("seed", &identity.seed)?;
        let url = url.to_owned();
        let mut agent = Self { name, url, seed_file, child: None, ballast: None, disk, folder };
        agent.start_again()?;
        Ok(agent)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn start_again(&mut self) -> Result<()> {
        let state = self.disk.as_ref().map_or(self.folder.path().to_owned(), SmallDisk::path);
        let log = self.folder.path().join("agent.log");
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let child = Command::new(env!("CARGO_BIN_EXE_chaos-agent"))
            .args([&self.url, self.name])
            .args([self.seed_file.clone(), state.join("spool")])
            .arg(SPOOL_BYTES_MAX.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGKILL, and waits until nothing of it is left.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        ensure!(child.try_wait()?.is_none(), "it ended by itself:\n{}", self.log());
        Ok(child.kill().await?)
    }

    /// Takes all the room there is, now and until [`ChaosAgent::make_room`].
    pub(crate) fn fill_disk(&mut self) -> Result<()> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let path = disk.path().join("ballast");
        let mut file = File::create(&path)?;
        // The agent may take the last of it, so it is full when writing fails.
        let chunk = [1; 4096];
        while file.write_all(&chunk).is_ok() {}
        self.ballast = Some(path);
        Ok(())
    }

    pub(crate) fn make_room(&mut self) -> Result<()> {
        if let Some(ballast) = self.ballast.take() {
            std::fs::remove_file(ballast)?;
        }
        Ok(())
    }

    /// Asks it to bring everything to an end, and for its counts.
    pub(crate) async fn finish(&mut self) -> Result<ChaosCounts> {
        let child = self.child.take().context("it does not run")?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).context("it ended by itself")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let output = tokio::time::timeout(FINISH_TIMEOUT, child.wait_with_output())
            .await
            .with_context(|| format!("it does not come to an end:\n{}", self.log()))??;
        ensure!(output.status.success(), "{}:\n{}", output.status, self.log());
        serde_json::from_slice(&output.stdout).with_context(|| self.log())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }
}
