//! A folder for one test, removed when the test is done with it.

use anyhow::{Context, Result};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh folder of our own. Kept for a look inside when the test panics.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// When the system's folder for temporary files cannot be written to.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringwall-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A test of an earlier boot may have had our pid.
        if path.exists() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that only its owner may read, as keys are kept.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn private_file(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&path).and_then(|mut file| file.write_all(content))?;
        Ok(path)
    }
}

/// The bytes of all files in a folder and below it.
///
/// # Errors
///
/// When it cannot be read.
pub fn bytes(folder: &Path) -> Result<u64> {
    let error = || format!("cannot read {}", folder.display());
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(error)? {
        let entry = entry.with_context(error)?;
        let metadata = entry.metadata().with_context(error)?;
        sum += if metadata.is_dir() { bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

/// The folder for what is large and can be made again: `RINGWALL_CACHE`, else `~/.cache/ringwall`.
///
/// # Errors
///
/// When there is no home folder.
pub fn cache() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os("RINGWALL_CACHE") {
        return Ok(cache.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set; set RINGWALL_CACHE")?;
    Ok(Path::new(&home).join(".cache/ringwall"))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What is left behind lies among the temporary files; it must not fail a passed test.
            fs::remove_dir_all(&self.0).ok();
        }
    }
}
