//! Harmless programs under names of their own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running copy of `sleep`, ended when the test is over.
pub(crate) struct Suspect {
    child: Child,
    _folder: Folder,
}

impl Suspect {
    pub(crate) fn named(name: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path.join(name);
        std::fs::copy("/bin/sleep", &path).unwrap();
        let child = loop {
            let mut command = Command::new(&path);
            match command.arg("1000").stdin(Stdio::null()).spawn() {
                Ok(child) => break child,
                // Still open in a child that another test is just forking.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("cannot start {name}: {error}"),
            }
        };
        Self { child, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) async fn ends_within(&mut self, wait: Duration) {
        let deadline = Instant::now() + wait;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "it still runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Suspect {
    fn drop(&mut self) {
        // Ended by the test already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A fresh folder that goes with the test.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringwall-host-agent-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        ringwall_lifecycle::private_file::write(&path, text.as_bytes()).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
