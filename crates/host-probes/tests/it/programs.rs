//! Harmless programs to watch and to end.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running program that is ended when the test is over.
pub(crate) struct Program {
    child: Child,
    folder: PathBuf,
}

impl Program {
    /// A copy of `sleep` under this file name.
    pub(crate) fn sleep_named(name: &str) -> Self {
        Self::copy_of("/bin/sleep", name, &["1000"])
    }

    /// A copy of a program under this file name, with these arguments.
    pub(crate) fn copy_of(program: &str, name: &str, arguments: &[&str]) -> Self {
        let folder = folder();
        let path = folder.join(name);
        std::fs::copy(program, &path).unwrap();
        let mut command = Command::new(&path);
        command.args(arguments);
        Self::spawn(command, folder, name)
    }

    /// A copy of `sleep` under this file name, grown to so many bytes.
    pub(crate) fn grown(name: &str, bytes: u64) -> Self {
        let folder = folder();
        let path = folder.join(name);
        std::fs::copy("/bin/sleep", &path).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(bytes).unwrap();
        let mut command = Command::new(&path);
        command.arg("1000");
        Self::spawn(command, folder, name)
    }

    /// A shell that ignores SIGTERM. Returns when it does so.
    pub(crate) fn deaf(name: &str) -> Self {
        let folder = folder();
        let path = folder.join(name);
        let ready = folder.join("ready");
        let text = format!(
            "#!/bin/sh\ntrap '' TERM\n: > {}\nwhile :; do /bin/sleep 0.2; done\n",
            ready.display()
        );
        std::fs::write(&path, text).unwrap();
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(&path, permissions).unwrap();
        let program = Self::spawn(Command::new(&path), folder, name);
        wait_for("the shell ignores SIGTERM", || ready.exists());
        program
    }

    fn spawn(mut command: Command, folder: PathBuf, name: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A file that was written a moment ago may still be open in a child forked by another test.
        let child = loop {
            match command.spawn() {
                Ok(child) => break child,
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("cannot start {name}: {error}"),
            }
        };
        let program = Self { child, folder };
        wait_for("the program runs", || {
            let found = ringwall_host_probes::hands::identity(program.pid());
            found.is_some_and(|(_, found)| &*found == name)
        });
        program
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended by the test already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A fresh folder.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("ringwall-probes-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
