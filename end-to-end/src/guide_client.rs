//! The client of the SysScore guide, run from the guide's own text by `python/guide_client.py`.

use crate::environment;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running client; it ends when dropped.
#[derive(Debug)]
pub struct GuideClient {
    _child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Progress {
    /// Events queued so far.
    pub queued: u64,
    /// Events that the client believes delivered.
    pub sent: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Why the last of them failed.
    pub last_failure: Option<String>,
    /// Events that the client still holds.
    pub left: u64,
}

impl GuideClient {
    /// Starts it with the class of the guide at `guide`; `url` is the root of the dialect.
    ///
    /// # Errors
    ///
    /// When Python cannot be started.
    pub fn start(guide: &Path, url: &str, agent: &str, secret: &str) -> Result<Self> {
        let mut child = Command::new(environment::python())
            .arg(environment::python_program("guide_client.py"))
            .arg(guide)
            .args([&format!("{url}/api/v1"), agent, secret])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start Python")?;
        let orders = child.stdin.take().context("no stdin")?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Self { _child: child, orders, answers })
    }

    /// Queues events as fast as it can.
    ///
    /// # Errors
    ///
    /// When the client has ended.
    pub async fn queue(&mut self, count: u32) -> Result<Progress> {
        self.order(&format!("queue {count}")).await
    }

    /// Waits until its next key differs from its last: the second has to change.
    ///
    /// # Errors
    ///
    /// When the client has ended.
    pub async fn wait_for_next_key(&mut self) -> Result<Progress> {
        self.order("wait 1.05").await
    }

    async fn order(&mut self, order: &str) -> Result<Progress> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        let answer = self.answers.next_line().await?.context("the guide's client has ended")?;
        serde_json::from_str(&answer).with_context(|| format!("not an answer: {answer}"))
    }
}
