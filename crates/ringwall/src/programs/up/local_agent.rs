//! The host agent of this machine, as a child of `up`.

use anyhow::{Context, Result, bail};
use ringwall_lifecycle::{ReadyFile, Shutdown, private_file};
use ringwall_server_api::{KeyKind, KeyRequest};
use ringwall_server_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Keeps one running for as long as `up` runs.
pub(super) struct LocalAgent {
    name: String,
    server: String,
    token: String,
    key_file: PathBuf,
}

const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// Whoever lived so long is started again at once.
const LIVED_WELL: Duration = Duration::from_secs(60);
/// How long it may take to bring its last report.
const END_TIMEOUT: Duration = Duration::from_secs(5);

impl LocalAgent {
    pub(super) fn new(ready: &ReadyFile, name: String) -> Self {
        Self {
            name,
            server: ready.main.clone(),
            token: ready.admin_token.clone(),
            key_file: ready.data_dir.join("host-agent.key.json"),
        }
    }

    /// By which name this machine reports: its node name, without what a name cannot hold.
    pub(super) fn name() -> String {
        let uname = rustix::system::uname();
        let name: String = uname
            .nodename()
            .to_string_lossy()
            .chars()
            .filter(|c| !c.is_control() && !c.is_whitespace())
            .take(128)
            .collect();
        if name.is_empty() { "localhost".to_owned() } else { name }
    }

    /// Starts it, and again whenever it ends, until `asked`; then ends it.
    pub(super) async fn supervise(self, asked: &Shutdown) {
        let mut pause = PAUSE_FIRST;
        loop {
            let started = Instant::now();
            match self.start().await {
                Ok(mut child) => tokio::select! {
                    ended = child.wait() => match ended {
                        Ok(status) => tracing::warn!(%status, "host agent ended; it is started again"),
                        Err(error) => tracing::error!(%error, "host agent cannot be waited for"),
                    },
                    () = asked.asked() => return end(child).await,
                },
                Err(error) => {
                    tracing::error!(error = %format!("{error:#}"), "host agent not started")
                }
            }
            if started.elapsed() >= LIVED_WELL {
                pause = PAUSE_FIRST;
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_LAST),
                () = asked.asked() => return,
            }
        }
    }

    async fn start(&self) -> Result<Child> {
        self.enrol().await.context("no key for the host agent")?;
        let program = std::env::current_exe().context("own program not found")?;
        let mut command = Command::new(program);
        command.arg("host-agent").args(["--server", &self.server, "--name", &self.name]);
        // Also where `up` is killed the hard way, nothing of it stays behind.
        command.arg("--key-file").arg(&self.key_file).arg("--exit-with-parent");
        // What opens the server to people and agents is none of its business.
        for secret in ["RINGWALL_TOKEN", "AGENT_KEYS", "OAUTH2_SECRET_KEY", "HMAC_SECRET_KEY"] {
            command.env_remove(secret);
        }
        if std::env::var_os("RINGWALL_LOG").is_none() {
            command.env("RINGWALL_LOG", "warn");
        }
        // A group of its own: Ctrl-C goes to the parent alone, which ends things in order.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command.spawn().context("cannot run")
    }

    /// Makes sure that there is a key, and that the server knows it.
    async fn enrol(&self) -> Result<()> {
        let client = Client::new(&self.server, &self.token)?;
        let known = client
            .keys()
            .take(usize::MAX)
            .await?
            .iter()
            .any(|key| key.kind == KeyKind::HostAgent && key.name == self.name);
        if known && self.key_file.exists() {
            return Ok(());
        }
        if known {
            // Its secret is lost: the file was removed, or another agent took this machine's name.
            tracing::warn!(name = %self.name, "host agent's key file is missing; making a new key");
            client.delete_key(KeyKind::HostAgent, &self.name).await?;
        }
        let request =
            KeyRequest { kind: KeyKind::HostAgent, name: self.name.clone(), secret: None };
        let key = client.create_key(&request).await?;
        let Some(server_public_key) = key.server_public_key else {
            bail!("the server did not tell its public key");
        };
        let text = serde_json::to_vec_pretty(&json!({
            "name": self.name,
            "secret": key.secret,
            "server_public_key": server_public_key,
        }))?;
        private_file::write(&self.key_file, &text)
            .with_context(|| format!("cannot write {}", self.key_file.display()))
    }
}

async fn end(mut child: Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "host agent cannot be asked to stop");
    }
    match timeout(END_TIMEOUT, child.wait()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "host agent cannot be waited for"),
        Err(_) => {
            tracing::warn!("host agent did not stop in time; it is killed");
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "host agent cannot be killed");
            }
        }
    }
}
