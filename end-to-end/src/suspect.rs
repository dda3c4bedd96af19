//! A harmless process under a name that is known as bad: a copy of `sleep`.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The program file; start as many processes of it as you like.
#[derive(Clone, Debug)]
pub struct Suspect(PathBuf);

/// One process of it, killed when dropped.
#[derive(Debug)]
pub struct SuspectProcess(Child);

impl Suspect {
    /// Copies `sleep` to `name` in `folder`.
    ///
    /// # Errors
    ///
    /// When it cannot be copied.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        // Through a link such as busybox's a copy would not know its own name.
        let sleep = Path::new("/bin/sleep").canonicalize().context("no /bin/sleep here")?;
        let path = folder.join(name);
        fs::copy(&sleep, &path)
            .with_context(|| format!("cannot copy sleep to {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where the copy is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The name of the copy.
    pub fn name(&self) -> &str {
        self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Starts one that would sleep for ten minutes.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(&self) -> Result<SuspectProcess> {
        let child = Command::new(&self.0)
            .arg("600")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.0.display()))?;
        Ok(SuspectProcess(child))
    }
}

impl SuspectProcess {
    /// Its process id; 0 once it has ended.
    pub fn pid(&self) -> u32 {
        self.0.id().unwrap_or_default()
    }

    /// Waits until somebody has ended it.
    ///
    /// # Errors
    ///
    /// When nobody did in time.
    pub async fn gone(&mut self, limit: Duration) -> Result<ExitStatus> {
        match timeout(limit, self.0.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("process {} still runs after {limit:?}", self.pid()),
        }
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }
}
