//! The program under test.

use std::process::{ExitStatus, Stdio};
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
    command
}

/// Runs the program to its end: exit code, stdout, stderr.
pub(crate) async fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command().args(arguments).stdin(Stdio::null()).output();
    let output = timeout(Duration::from_secs(30), output).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
