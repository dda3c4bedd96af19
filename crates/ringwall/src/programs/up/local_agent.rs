//! The host agent of this machine, as a child of `up`.

use anyhow::{Context, Result, bail};
use ringwall_lifecycle::{ReadyFile, Shutdown, private_file};
use ringwall_server_api::{KeyKind, KeyRequest};
use ringwall_server_client::{AgentClient, Client};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
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
    state_dir: PathBuf,
}

/// No name of a host agent is longer, in characters.
const NAME_CHARS_MAX: usize = 128;
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
            state_dir: ready.data_dir.join("host-agent"),
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
            .take(NAME_CHARS_MAX)
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
        let name = self.enrol().await.context("no key for the host agent")?;
        let program = std::env::current_exe().context("own program not found")?;
        let mut command = Command::new(program);
        command.arg("host-agent").args(["--server", &self.server, "--name", &name]);
        // Also where `up` is killed the hard way, nothing of it stays behind.
        command.arg("--key-file").arg(&self.key_file).arg("--exit-with-parent");
        command.arg("--state-dir").arg(&self.state_dir);
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

    /// Makes sure that there is a key, and that the server accepts it. Under which name.
    async fn enrol(&self) -> Result<String> {
        let client = Client::new(&self.server, &self.token)?;
        let enrolment = match self.kept_key()? {
            Some(key) if self.is_accepted(&key).await? => return Ok(key.name),
            Some(key) if key.name != self.name && key.name != local_name(&self.name) => bail!(
                "{}: the server does not accept the key of host agent `{}`; remove the file to have \
                 a new one made",
                self.key_file.display(),
                key.name
            ),
            // The key was removed, or made anew without this file.
            Some(key) => {
                Enrolment { replaces: is_known(&client, &key.name).await?, name: key.name }
            }
            None => {
                let local_name = local_name(&self.name);
                Enrolment::without_file(
                    &self.name,
                    is_known(&client, &self.name).await?,
                    is_known(&client, &local_name).await?,
                )
            }
        };
        let name = enrolment.name;
        if enrolment.replaces {
            tracing::warn!(%name, "host agent's key is lost; a new one is made in its place");
            client.delete_key(KeyKind::HostAgent, &name).await?;
        }
        let request = KeyRequest { kind: KeyKind::HostAgent, name: name.clone(), secret: None };
        let key = client.create_key(&request).await?;
        let Some(server_public_key) = key.server_public_key else {
            bail!("the server did not tell its public key");
        };
        let text = serde_json::to_vec_pretty(&json!({
            "name": name,
            "secret": key.secret,
            "server_public_key": server_public_key,
        }))?;
        private_file::write(&self.key_file, &text)
            .with_context(|| format!("cannot write {}", self.key_file.display()))?;
        Ok(name)
    }

    /// The key of an earlier run.
    fn kept_key(&self) -> Result<Option<KeptKey>> {
        if !self.key_file.exists() {
            return Ok(None);
        }
        let text = private_file::read(&self.key_file, KEY_FILE_BYTES_MAX)?;
        let key = serde_json::from_slice(&text)
            .with_context(|| format!("cannot read {}", self.key_file.display()))?;
        Ok(Some(key))
    }

    async fn is_accepted(&self, key: &KeptKey) -> Result<bool> {
        let agent = AgentClient::new(&self.server, &key.name, key.secret.as_str().into())?;
        match agent.commands(Duration::ZERO).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_status(401) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is needed of the key file.
#[derive(Deserialize)]
struct KeptKey {
    name: String,
    secret: String,
}

/// No key file is longer.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// The name of a key that is to be made.
#[derive(Debug, PartialEq, Eq)]
struct Enrolment {
    name: String,
    /// Whether the key that has the name goes.
    replaces: bool,
}

impl Enrolment {
    /// Where there is no file: a key that has this machine's name may be that of a host elsewhere, and
    /// stays. Only this program makes keys of the local name.
    fn without_file(name: &str, is_taken: bool, is_local_taken: bool) -> Self {
        if is_taken {
            Self { name: local_name(name), replaces: is_local_taken }
        } else {
            Self { name: name.to_owned(), replaces: false }
        }
    }
}

/// The name of this machine where another host has the one that it would have.
fn local_name(name: &str) -> String {
    const SUFFIX: &str = "-local";
    // The server takes no longer name.
    let room = NAME_CHARS_MAX - SUFFIX.len();
    name.chars().take(room).chain(SUFFIX.chars()).collect()
}

async fn is_known(client: &Client, name: &str) -> Result<bool> {
    let keys = client.keys().take(usize::MAX).await?;
    Ok(keys.iter().any(|key| key.kind == KeyKind::HostAgent && key.name == name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_another_host_is_never_replaced() {
        check(false, false, "web-1", false);
        check(false, true, "web-1", false);
        check(true, false, "web-1-local", false);
        check(true, true, "web-1-local", true);
    }

    #[track_caller]
    fn check(is_taken: bool, is_local_taken: bool, name: &str, replaces: bool) {
        let expected = Enrolment { name: name.to_owned(), replaces };
        assert_eq!(Enrolment::without_file("web-1", is_taken, is_local_taken), expected);
    }

    #[test]
    fn a_local_name_is_no_longer_than_names_may_be() {
        let name = local_name(&"é".repeat(NAME_CHARS_MAX));
        assert_eq!(name.chars().count(), NAME_CHARS_MAX);
        assert!(name.ends_with("é-local"));
    }
}
