//! A Watcher agent on psutil, run by `python/watcher_agent.py`.

use crate::environment;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use tokio::process::Command;

/// A Watcher agent of this machine.
#[derive(Clone, Debug)]
pub struct WatcherAgent {
    /// The root of the dialect.
    pub url: String,
    /// The name that it gives itself.
    pub hostname: String,
    /// It kills only programs that lie in this folder.
    pub folder: PathBuf,
}

impl WatcherAgent {
    /// Sends one full picture of this machine.
    ///
    /// # Errors
    ///
    /// When it was refused.
    pub async fn collect(&self) -> Result<Value> {
        self.run("collect").await
    }

    /// Asks for commands and does nothing with them.
    ///
    /// # Errors
    ///
    /// When the server did not answer.
    pub async fn poll(&self) -> Result<Vec<Value>> {
        array(self.run("poll").await?)
    }

    /// Asks for commands and carries them out.
    ///
    /// # Errors
    ///
    /// When the server did not answer.
    pub async fn execute(&self) -> Result<Vec<Value>> {
        array(self.run("execute").await?)
    }

    async fn run(&self, action: &str) -> Result<Value> {
        let output = Command::new(environment::python())
            .arg(environment::python_program("watcher_agent.py"))
            .args([&self.url, action])
            .env("RINGWALL_TEST_HOSTNAME", &self.hostname)
            .env("RINGWALL_TEST_FOLDER", &self.folder)
            .output()
            .await
            .context("cannot start Python")?;
        if !output.status.success() {
            bail!("watcher agent: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        other => bail!("not an array: {other}"),
    }
}
