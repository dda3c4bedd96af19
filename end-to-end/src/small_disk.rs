//! A disk that is full soon: a file system in memory, mounted for one test.

use crate::folder::Folder;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system; unmounted when it is dropped. Stop first what uses it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: Folder,
}

impl SmallDisk {
    /// Mounts one of this many bytes.
    ///
    /// None where this process may not mount: then the caller skips, and says so.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn mount(bytes: u64) -> Result<Option<Self>> {
        let folder = Folder::new()?;
        let path = folder.path().join("disk");
        std::fs::create_dir(&path)?;
        let options = format!("size={bytes},mode=0700,nosuid,nodev");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "ringwall-test"])
            .arg(&path)
            .output();
        Ok(match mounted {
            Ok(output) if output.status.success() => Some(Self { folder }),
            // Not root, no such capability, or no such program.
            Ok(_) | Err(_) => None,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Fills all but this many bytes with a file; its path, to be removed when there shall be room.
    ///
    /// # Errors
    ///
    /// When there is less room than is to be left.
    pub fn leave(&self, bytes: u64) -> Result<PathBuf> {
        let free = free_bytes(&self.path())?;
        let ballast = free.checked_sub(bytes).context("there is not so much room")?;
        let path = self.path().join("ballast");
        let chunk = vec![1; 1 << 16];
        let mut file = std::fs::File::create(&path)?;
        let mut left = ballast as usize;
        while left > 0 {
            let part = chunk.get(..left.min(chunk.len())).unwrap_or_default();
            std::io::Write::write_all(&mut file, part)?;
            left -= part.len();
        }
        Ok(path)
    }
}

/// Bytes that are free on the file system of this path.
///
/// # Errors
///
/// When the system does not tell.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let told = rustix::fs::statvfs(path)?;
    Ok(told.f_bavail * told.f_frsize)
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            // Something still has a file open there; it goes when that ends.
            Command::new("umount").arg("--lazy").arg(self.path()).status().ok();
        }
    }
}
