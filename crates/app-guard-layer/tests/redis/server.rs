//! A real Redis on a socket of its own.

use ringwall_app_guard_layer::state::redis::{RedisSettings, RedisState};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) struct Redis {
    child: Option<Child>,
    folder: PathBuf,
}

impl Redis {
    /// None where the program is not installed; `./x test` installs it.
    #[expect(
        clippy::print_stderr,
        clippy::panic,
        reason = "a test that is skipped says so, or fails"
    )]
    pub(crate) fn start() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringwall-guard-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut redis = Self { child: None, folder };
        match redis.spawn() {
            Ok(()) => Some(redis),
            Err(error) if std::env::var_os("RINGWALL_SHARED").is_none() => {
                eprintln!("skipped: redis-server cannot be started: {error}");
                None
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        }
    }

    fn spawn(&mut self) -> std::io::Result<()> {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket", "redis.sock"])
            .args(["--appendonly", "yes", "--appendfsync", "no", "--daemonize", "no"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(self.folder.join("redis.sock")).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        // It listens before it has read its files.
        while self.ask::<String>(&["PING"]).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A new one on the same files.
    pub(crate) fn restart(&mut self) {
        self.spawn().unwrap();
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        let url = format!("unix://{}/redis.sock", self.folder.display());
        // The machine of the tests is busy.
        RedisSettings { timeout: Duration::from_secs(10), ..RedisSettings::new(url) }
    }

    /// A worker's state.
    pub(crate) fn state(&self) -> RedisState {
        RedisState::new(self.settings()).unwrap()
    }

    /// Speaks to it as another client does.
    pub(crate) fn say<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.ask(words).unwrap()
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.settings().url.as_str())?;
        let mut connection = client.get_connection()?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut connection)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        // Left-over files of a test do no harm.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
