//! The host agent of this machine, as a child of `up`.

use crate::discovery::trust_of;
use anyhow::{Context, Result};
use ringwall_host_agent::{Enrolment, Identity};
use ringwall_lifecycle::{Exit, Failure, ReadyFile, Shutdown};
use ringwall_server_api::EnrolmentRequest;
use ringwall_server_client::{AgentClient, Client, Trust};
use ringwall_signing::request_signature::AGENT_CHARS_MAX;
use rustix::process::{Pid, Signal, kill_process};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Keeps one running for as long as `up` runs.
pub(super) struct LocalAgent {
    name: String,
    server: String,
    /// Who vouches for it over https.
    ca: Option<String>,
    tls_name: Option<String>,
    trust: Trust,
    token: String,
    key_file: PathBuf,
    state_dir: PathBuf,
}

const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// Whoever lived so long is started again at once.
const LIVED_WELL: Duration = Duration::from_secs(60);
/// How long it may take to bring its last report.
const END_TIMEOUT: Duration = Duration::from_secs(5);

impl LocalAgent {
    pub(super) fn new(ready: &ReadyFile, name: String) -> Result<Self> {
        Ok(Self {
            name,
            server: ready.main.clone(),
            ca: ready.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
            tls_name: ready.tls_name.clone(),
            trust: trust_of(ready)?,
            token: ready.admin_token.clone(),
            key_file: ready.data_dir.join("host-agent.key.json"),
            state_dir: ready.data_dir.join("host-agent"),
        })
    }

    /// By which name this machine reports: its node name, without what a name cannot hold.
    pub(super) fn name() -> String {
        let uname = rustix::system::uname();
        let name: String = uname
            .nodename()
            .to_string_lossy()
            .chars()
            .filter(|c| !c.is_control() && !c.is_whitespace())
            .take(AGENT_CHARS_MAX)
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
        self.enrol().await.context("no identity for the host agent")?;
        let program = std::env::current_exe().context("own program not found")?;
        let mut command = Command::new(program);
        command.arg("host-agent").args(["--server", &self.server]);
        if let Some(ca) = &self.ca {
            command.args(["--ca", ca]);
        }
        if let Some(name) = &self.tls_name {
            command.args(["--tls-name", name]);
        }
        // Also where `up` is killed the hard way, nothing of it stays behind.
        command.arg("--state-dir").arg(&self.state_dir).arg("--exit-with-parent");
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

    /// Makes sure that there is an identity, and that the server knows it.
    async fn enrol(&self) -> Result<()> {
        let known = Identity::load(&self.state_dir)?;
        if let Some(identity) = &known
            && self.is_known(identity).await?
        {
            return Ok(());
        }
        let client = Client::trusting(&self.server, &self.token, &self.trust)?;
        // The same machine keeps its name. A name that another machine has stays there: this one takes a
        // local name then, which only this program gives.
        let first = self.enrol_as(&client, EnrolmentRequest::default()).await;
        let identity = match first {
            Err(error) if is_conflict(&error) => {
                let name = local_name(&self.name);
                let is_taken =
                    client.identities().take(usize::MAX).await?.iter().any(|row| row.name == name);
                let request = EnrolmentRequest {
                    replaces: is_taken.then(|| name.clone()),
                    name: Some(name),
                    ..EnrolmentRequest::default()
                };
                self.enrol_as(&client, request).await?
            }
            other => other?,
        };
        if let Some(known) = known {
            let (name, was) = (identity.name, known.name);
            tracing::warn!(%name, was, "the server did not know the host agent; it is enrolled anew");
        }
        // From before agents had keys of their own; what it holds opens nothing.
        match std::fs::remove_file(&self.key_file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, file = %self.key_file.display(), "an old key stays behind");
            }
            _ => {}
        }
        Ok(())
    }

    async fn enrol_as(&self, client: &Client, request: EnrolmentRequest) -> Result<Identity> {
        let leave = client.create_enrolment(&request).await?;
        let enrolment = Enrolment {
            server: self.server.clone(),
            state_dir: self.state_dir.clone(),
            ca: self.ca.clone(),
            tls_name: self.tls_name.clone(),
            again: true,
            ..Enrolment::default()
        };
        let enrolled = enrolment.enrol(leave.token.expose()).await;
        if enrolled.is_err()
            && let Err(error) = client.delete_enrolment(&leave.id).await
        {
            tracing::debug!(%error, "an enrolment stays until it expires");
        }
        enrolled
    }

    /// Whether the server knows the identity, in whatever state: one that was revoked stays so.
    async fn is_known(&self, identity: &Identity) -> Result<bool> {
        let key = identity.signing_key()?;
        let agent = AgentClient::trusting(&self.server, &identity.name, key, &self.trust)?;
        match agent.commands(Duration::ZERO, None).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_status(403) => Ok(true),
            Err(error) if error.is_status(401) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the name belongs to another machine.
fn is_conflict(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.exit == Exit::No)
}

/// The name of this machine where another host has the one that it would have.
fn local_name(name: &str) -> String {
    const SUFFIX: &str = "-local";
    // The server takes no longer name.
    let room = AGENT_CHARS_MAX - SUFFIX.len();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(room)
        .collect();
    if name.is_empty() { "host-local".to_owned() } else { name + SUFFIX }
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
    fn a_local_name_is_one_that_the_server_takes() {
        for (name, expected) in [
            ("laptop", "laptop-local"),
            ("Adas Läptop", "Adas-L-ptop-local"),
            ("-é", "host-local"),
            (&"x".repeat(500), &format!("{}-local", "x".repeat(122))),
        ] {
            assert_eq!(local_name(name), expected);
            assert!(ringwall_signing::request_signature::is_agent_name(expected));
        }
    }
}
