//! The program under test.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running host agent, killed when the test is over.
pub(crate) struct Agent {
    child: Child,
}

impl Agent {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Kills it at once, and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().unwrap();
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        timeout(Duration::from_secs(10), self.child.wait()).await.unwrap().unwrap()
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringwall-host-agent"));
    command.kill_on_drop(true).env("RINGWALL_LOG", "debug").env_remove("COLUMNS");
    // No test finds what another one left behind, nor anything of this machine's own agent.
    command.env("RINGWALL_AGENT_STATE_DIR", state_dir());
    command
}

/// Runs the program to its end: exit code, stdout, stderr.
pub(crate) async fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command().args(arguments).stdin(Stdio::null()).output();
    let output = timeout(Duration::from_secs(30), output).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A folder that no agent of this run has used.
pub(crate) fn state_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("state-{}-{number}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
