//! A spool in a real Redis, on a socket of its own.

use crate::folder::Folder;
use crate::model::{Ledger, Step, all, steps};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ringwall_delivery::{RedisSpool, Spool, SpoolError};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Redis {
    child: Child,
    folder: Folder,
}

impl Redis {
    /// None where the program is not installed; `./x test` installs it.
    fn start() -> Option<Self> {
        let folder = Folder::new();
        let started = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match started {
            Ok(child) => Some(Self { child, folder }),
            Err(error) if std::env::var_os("RINGWALL_SHARED").is_none() => {
                eprintln!("skipped: redis-server cannot be started: {error}");
                None
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        }
    }

    async fn open(&self, bytes_max: u64) -> Result<RedisSpool, SpoolError> {
        let url = format!("unix://{}/redis.sock", self.folder.path().display());
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match RedisSpool::open(&url, "agent-1", bytes_max).await {
                Err(SpoolError::Remote(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
    }

    /// As if so long had gone by that the lease is over, and nothing but the spool were left.
    fn end_lease(&self) {
        self.cli(&["DEL", "{agent-1}:owner"]);
    }

    fn cli(&self, words: &[&str]) {
        let socket = self.folder.path().join("redis.sock");
        let status = Command::new("redis-cli")
            .arg("-s")
            .arg(socket)
            .args(words)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn redis_counts_everything_across_kills() {
    let Some(redis) = Redis::start() else { return };
    let mut runner = TestRunner::default();
    for _ in 0..25 {
        let steps = steps(60).new_tree(&mut runner).unwrap().current();
        let mut spool = redis.open(20_000).await.unwrap();
        let mut ledger = Ledger::default();
        for step in &steps {
            if matches!(step, Step::Kill) {
                let before = spool.status();
                assert!(matches!(redis.open(20_000).await, Err(SpoolError::InUse(_))));
                redis.end_lease();
                spool = redis.open(20_000).await.unwrap();
                assert_eq!(spool.status(), before);
                redis.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            }
            ledger.take(&spool, step).await;
        }
        ledger.drain(&spool).await;
        redis.cli(&["FLUSHALL"]);
    }
}

#[tokio::test]
async fn what_gives_way_goes_first_here_too() {
    let Some(redis) = Redis::start() else { return };
    // An item costs its payload, the time before it (14 bytes) and 64 bytes.
    let spool = redis.open(3 * (8 + 14 + 64)).await.unwrap();
    let items = Ledger::default().items(&[(8, false), (8, true), (8, true), (8, false)]);
    spool.append(items).await.unwrap();
    assert_eq!(all(&spool).await, [0, 2, 3]);
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_told_without_its_password() {
    let error = RedisSpool::open("redis://:hunter2@127.0.0.1:1/", "x", 1000).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let error = RedisSpool::open("hunter2", "x", 1000).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
