//! One run of the real server: started, killed, started again on the same data.

use crate::environment;
use crate::folder::Folder;
use crate::http_client::Http;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A start with a fresh data folder takes well under a second; a machine under load takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often we look for what the program says.
const LOOK: Duration = Duration::from_millis(5);

/// How to start a server, and the folder it lives in.
#[derive(Debug)]
pub struct Setup {
    folder: Folder,
    program: PathBuf,
    host_agent: bool,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    agent_keys: BTreeMap<String, String>,
    before: Option<String>,
    data: Option<PathBuf>,
    configured_ports: bool,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    // Dropped first: the process, then the folder that it writes to.
    running: Running,
    setup: Setup,
    ready: Ready,
}

/// The process; it does not outlive this value.
#[derive(Debug)]
struct Running {
    child: Child,
    log: PathBuf,
}

/// A server that does not run; its data is as it left it.
#[derive(Debug)]
pub struct Stopped {
    setup: Setup,
}

/// What the server says when everything listens.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// The dashboard and our API.
    pub main: String,
    /// The root of each dialect.
    pub dialects: BTreeMap<String, String>,
    /// A token that may do everything.
    pub admin_token: String,
    /// The password of the user `admin`.
    pub admin_password: String,
    /// Where the data lies.
    pub data_dir: PathBuf,
    /// The process.
    pub pid: u32,
}

impl Setup {
    /// `ringwall up` without a host agent, on ports that the system gives.
    ///
    /// # Errors
    ///
    /// When the binary was not built, or no folder could be made.
    pub fn new() -> Result<Self> {
        Ok(Self {
            folder: Folder::new()?,
            program: environment::ringwall()?,
            host_agent: false,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            agent_keys: BTreeMap::new(),
            before: None,
            data: None,
            configured_ports: false,
        })
    }

    /// With a host agent on this machine; hold [`crate::machine::alone`] meanwhile.
    #[must_use]
    pub fn with_host_agent(mut self) -> Self {
        self.host_agent = true;
        self
    }

    /// With a further argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a SysScore agent whose secret comes from `AGENT_KEYS`.
    #[must_use]
    pub fn sysscore_agent(mut self, id: &str, secret: &str) -> Self {
        self.agent_keys.insert(id.to_owned(), secret.to_owned());
        self
    }

    /// Runs this line of shell in the process that then becomes the server.
    #[must_use]
    pub fn before(mut self, shell: &str) -> Self {
        self.before = Some(shell.to_owned());
        self
    }

    /// On the addresses and ports of its configuration, in place of free ports of loopback.
    #[must_use]
    pub fn on_configured_ports(mut self) -> Self {
        self.configured_ports = true;
        self
    }

    /// With this configuration file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn config(mut self, text: &str) -> Result<Self> {
        let path = self.folder.private_file("ringwall.toml", text.as_bytes())?;
        self.arguments.extend(["--config".into(), path.into()]);
        Ok(self)
    }

    /// On data that lies elsewhere; it stays there.
    #[must_use]
    pub fn data_in(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// The folder that holds the data folder and what the test adds.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server keeps everything.
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// The tool for people, pointed at this data folder.
    pub fn tool(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("RINGWALL_DATA_DIR", self.data()).stdin(Stdio::null());
        command.env_remove("RINGWALL_URL").env_remove("RINGWALL_TOKEN").env_remove("RINGWALL_CA");
        // A host agent of a test keeps nothing where that of this machine has its own.
        command.env("RINGWALL_AGENT_STATE_DIR", self.folder.path().join("agent-state"));
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// Starts the process and waits until everything listens.
    ///
    /// # Errors
    ///
    /// With the end of its log, when it ended or was not ready in time.
    pub async fn start(self) -> Result<Server> {
        let mut running = self.spawn()?;
        let ready = self
            .wait_until_ready(&mut running.child)
            .await
            .with_context(|| format!("the server's log ends:\n{}", tail(&self.log())))?;
        Ok(Server { running, setup: self, ready })
    }

    /// Starts the process and kills it after this time, ready or not.
    ///
    /// # Errors
    ///
    /// When it could not be started, or ended by itself before.
    pub async fn start_and_kill(self, after: Duration) -> Result<Self> {
        let mut running = self.spawn()?;
        sleep(after).await;
        let ended = running.child.try_wait()?;
        drop(running);
        match ended {
            None => Ok(self),
            Some(status) => bail!("ended by itself ({status}):\n{}", tail(&self.log())),
        }
    }

    fn spawn(&self) -> Result<Running> {
        let ready_file = self.ready_file();
        if ready_file.exists() {
            fs::remove_file(&ready_file)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = match &self.before {
            None => Command::new(&self.program),
            Some(shell) => {
                let mut command = Command::new("bash");
                command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(&self.program);
                command
            }
        };
        command.arg("up").arg("--data-dir").arg(self.data());
        command.arg("--ready-file").arg(&ready_file);
        if !self.configured_ports {
            command.arg("--ephemeral-ports");
        }
        if !self.host_agent {
            command.arg("--no-host-agent");
        }
        command.args(&self.arguments);
        // What the caller's shell has set for a server of its own is none of ours.
        for name in ["RINGWALL_URL", "RINGWALL_TOKEN", "RINGWALL_DATA_DIR"] {
            command.env_remove(name);
        }
        if !self.agent_keys.is_empty() {
            command.env("AGENT_KEYS", serde_json::to_string(&self.agent_keys)?);
        }
        command.envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running { child, log: self.log() })
    }

    async fn wait_until_ready(&self, child: &mut Child) -> Result<Ready> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(text) = fs::read(self.ready_file()) {
                let ready: Ready = serde_json::from_slice(&text)
                    .with_context(|| format!("ready file: {}", String::from_utf8_lossy(&text)))?;
                return Ok(ready);
            }
            if let Some(status) = child.try_wait()? {
                bail!("the server ended before it was ready ({status})");
            }
            if Instant::now() > deadline {
                bail!("the server was not ready within {START_TIMEOUT:?}");
            }
            sleep(LOOK).await;
        }
    }
}

impl Server {
    /// What it said when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// The file it keeps its words in.
    pub fn log(&self) -> String {
        fs::read_to_string(self.setup.log()).unwrap_or_default()
    }

    /// The folder of this run; the data lies below it.
    pub fn folder(&self) -> &Path {
        self.setup.folder()
    }

    /// The file with [`Ready`], for programs that read it themselves.
    pub fn ready_file(&self) -> PathBuf {
        self.setup.ready_file()
    }

    /// Our API, as administrator; paths begin with `/api/v1`.
    pub fn api(&self) -> Http {
        Http::new(&self.ready.main).bearer(&self.ready.admin_token)
    }

    /// The root of a dialect.
    ///
    /// # Errors
    ///
    /// When the server did not name it.
    pub fn dialect(&self, name: &str) -> Result<&str> {
        let url = self.ready.dialects.get(name);
        url.map(String::as_str).with_context(|| format!("no dialect {name} in the ready file"))
    }

    /// The tool for people, pointed at this server.
    pub fn tool(&self) -> Command {
        self.setup.tool()
    }

    /// Runs the tool for people; returns its stdout.
    ///
    /// # Errors
    ///
    /// With its stderr, when it did not end well.
    pub async fn ringwall(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::from(self.tool());
        let output = command.args(arguments).output().await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("ringwall {} ended with {}: {words}", arguments.join(" "), output.status);
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The same with `--json`, parsed.
    ///
    /// # Errors
    ///
    /// As [`Server::ringwall`], and when it is not JSON.
    pub async fn ringwall_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.ringwall(&[arguments, &["--json"]].concat()).await?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// SIGKILL: nothing of the program runs any more, at whatever instant it was.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn kill(mut self) -> Result<Stopped> {
        self.running.child.kill().context("cannot kill the server")?;
        self.wait().await?;
        Ok(Stopped { setup: self.setup })
    }

    /// SIGTERM, and waits for a clean end.
    ///
    /// # Errors
    ///
    /// When it did not end in time, or not with success.
    pub async fn stop(mut self) -> Result<Stopped> {
        let pid = i32::try_from(self.running.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no pid")?, Signal::TERM).context("cannot signal the server")?;
        let status = self.wait().await?;
        if !status.success() {
            bail!("the server ended with {status}:\n{}", tail(&self.setup.log()));
        }
        Ok(Stopped { setup: self.setup })
    }

    async fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = self.running.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("the server did not end in {STOP_TIMEOUT:?}:\n{}", tail(&self.setup.log()));
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            copy_to_stderr(&self.log);
        }
    }
}

impl Stopped {
    /// Starts it again and kills it after this time, ready or not.
    ///
    /// # Errors
    ///
    /// As [`Setup::start_and_kill`].
    pub async fn start_and_kill(self, after: Duration) -> Result<Self> {
        Ok(Self { setup: self.setup.start_and_kill(after).await? })
    }

    /// Where its data lies.
    pub fn data(&self) -> PathBuf {
        self.setup.data()
    }

    /// The tool for people, pointed at its data.
    pub fn tool(&self) -> Command {
        self.setup.tool()
    }

    /// Starts it again on the same data.
    ///
    /// # Errors
    ///
    /// As [`Setup::start`].
    pub async fn start(self) -> Result<Server> {
        self.setup.start().await
    }
}

fn copy_to_stderr(log: &Path) {
    let Ok(mut log) = File::open(log) else { return };
    std::io::copy(&mut log, &mut std::io::stderr()).ok();
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}
