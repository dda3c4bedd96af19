//! A spool in a real Redis, on a socket of its own, with kills of both sides.

use crate::folder::Folder;
use crate::model::{Ledger, Step, all, number, run, steps};
use proptest::prelude::*;
use ringwall_delivery::{
    BatchBounds, Item, RedisSettings, RedisSpool, Settlement, Spool, SpoolError,
};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Redis {
    child: Child,
    folder: Folder,
}

impl Redis {
    /// None where the program is not installed; `./x test` installs it.
    #[expect(
        clippy::print_stderr,
        clippy::panic,
        reason = "a test that is skipped says so, or fails"
    )]
    pub(crate) fn start() -> Option<Self> {
        let folder = Folder::new();
        match Self::spawn(&folder) {
            Ok(child) => Some(Self { child, folder }),
            Err(error) if std::env::var_os("RINGWALL_SHARED").is_none() => {
                eprintln!("skipped: redis-server cannot be started: {error}");
                None
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        }
    }

    fn spawn(folder: &Folder) -> std::io::Result<Child> {
        Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket", "redis.sock"])
            .args(["--appendonly", "yes", "--appendfsync", "no", "--daemonize", "no"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
    }

    /// SIGKILL, and a new one on the same files.
    fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.folder).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn settings(&self, bytes_max: u64) -> RedisSettings {
        let url = format!("unix://{}/redis.sock", self.folder.path().display());
        RedisSettings::new(url, "agent-1", bytes_max)
    }

    pub(crate) async fn open(&self, bytes_max: u64) -> Result<RedisSpool, SpoolError> {
        self.open_with(self.settings(bytes_max)).await
    }

    /// Waits for Redis to come up.
    async fn open_with(&self, settings: RedisSettings) -> Result<RedisSpool, SpoolError> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match RedisSpool::open(settings.clone()).await {
                Err(SpoolError::Remote(_)) if Instant::now() < deadline => pause().await,
                opened => return opened,
            }
        }
    }

    /// As if so long had gone by that the lease is over.
    pub(crate) fn end_lease(&self) {
        self.cli(&["DEL", "{agent-1}:owner"]);
    }

    fn cli(&self, words: &[&str]) -> String {
        let output =
            Command::new("redis-cli").arg("-s").arg(self.socket()).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Until Redis is up again.
async fn reconnected(spool: &RedisSpool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = spool.sync().await {
        assert!(matches!(error, SpoolError::Remote(_)), "{error}");
        assert!(Instant::now() < deadline, "{error}");
        pause().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn redis_counts_everything_across_kills(steps in steps(60), bytes_max in 1_000u64..40_000) {
        let Some(mut redis) = Redis::start() else { return Ok(()) };
        run(async {
            let mut spool = redis.open(bytes_max).await.unwrap();
            let mut ledger = Ledger::default();
            for (at, step) in steps.iter().enumerate() {
                if matches!(step, Step::Kill) {
                    let before = spool.status();
                    // Redis, the process that has the spool, or both.
                    if at % 3 != 1 {
                        redis.kill_and_restart();
                        reconnected(&spool).await;
                    }
                    if at % 3 != 0 {
                        assert!(matches!(redis.open(bytes_max).await, Err(SpoolError::InUse(_))));
                        drop(spool);
                        redis.end_lease();
                        spool = redis.open(bytes_max).await.unwrap();
                    }
                    assert_eq!(spool.status(), before);
                }
                ledger.take(&spool, step).await;
            }
            ledger.drain(&spool).await;
            assert_eq!(spool.status().bytes, 0);
        });
    }
}

#[test]
fn what_gives_way_goes_first_here_too() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        // An item costs its payload, the time before it (14 bytes) and 64 bytes.
        let spool = redis.open(3 * (8 + 14 + 64)).await.unwrap();
        let items = Ledger::default().items(&[(8, false), (8, true), (8, true), (8, false)]);
        spool.append(items).await.unwrap();
        assert_eq!(all(&spool).await, [0, 2, 3]);
    });
}

#[test]
fn overflow_drops_the_oldest_and_what_cannot_fit() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        let spool = redis.open(20_000).await.unwrap();
        let mut ledger = Ledger::default();
        let appended = spool.append(ledger.items(&[(30_000, false), (19_990, true)])).await;
        assert_eq!(appended.unwrap().dropped, 2);
        // More than goes in one piece.
        let appended = spool.append(ledger.items(&vec![(22, false); 10_100])).await.unwrap();
        assert_eq!((appended.kept, appended.dropped), (10_100, 0));
        spool.count_lost(5).await.unwrap();
        let status = spool.status();
        assert!(status.counters.balance() && status.bytes <= 20_000, "{status:?}");
        assert_eq!((status.counters.accepted, status.counters.waiting), (10_107, 200));
        // What is under way stays, whatever comes.
        let bounds = BatchBounds { count_max: 150, bytes_max: 1 << 20 };
        let batch = spool.next_batch(&bounds, b"").await.unwrap().unwrap();
        spool.append(ledger.items(&vec![(22, false); 1_000])).await.unwrap();
        let again = spool.next_batch(&bounds, b"other").await.unwrap().unwrap();
        assert_eq!(again, batch);
        assert_eq!(number(&batch.items[0]), 9_902);
        // A smaller bound holds from the next item on.
        spool.close().await.unwrap();
        let spool = redis.open(16_000).await.unwrap();
        spool.append(ledger.items(&[(22, false)])).await.unwrap();
        assert!(spool.status().bytes <= 16_000, "{:?}", spool.status());
        spool.settle(batch.id, Settlement::Delivered).await.unwrap();
        assert_eq!(all(&spool).await.len(), 10);
        assert!(spool.status().counters.balance());
    });
}

#[test]
fn dead_letters_are_kept_within_a_bound() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        let settings = RedisSettings { dead_bytes_max: 260, ..redis.settings(20_000) };
        let spool = redis.open_with(settings).await.unwrap();
        for item in ["first", "second", "third"] {
            spool.append(vec![Item::new(item.repeat(6))]).await.unwrap();
            let batch = spool.next_batch(&BatchBounds::default(), b"").await.unwrap().unwrap();
            let dead = Settlement::Dead { reason: "not\nthis".to_owned() };
            spool.settle(batch.id, dead).await.unwrap();
        }
        assert_eq!(redis.cli(&["LLEN", "{agent-1}:dead"]), "2");
        let oldest = redis.cli(&["LINDEX", "{agent-1}:dead", "0"]);
        assert_eq!(oldest, format!("not this\n{}", "second".repeat(6)));
        assert_eq!(spool.status().counters.dead, 3);
    });
}

#[test]
fn one_process_has_it_while_its_lease_lasts() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        let settings = redis.settings(20_000);
        let first = redis.open_with(settings.clone()).await.unwrap();
        let refused = redis.open_with(settings.clone()).await.unwrap_err();
        assert_eq!(refused.to_string(), "agent-1 is in use by another process");
        first.append(vec![Item::new("one")]).await.unwrap();
        let batch = first.next_batch(&BatchBounds::default(), b"").await.unwrap().unwrap();
        // It is away for too long.
        let left: u64 = redis.cli(&["PTTL", "{agent-1}:owner"]).parse().unwrap();
        assert!((1..=30_000).contains(&left), "{left}");
        redis.end_lease();
        let second = redis.open_with(settings.clone()).await.unwrap();
        let again = second.next_batch(&BatchBounds::default(), b"").await.unwrap().unwrap();
        assert_eq!(again, batch);
        // The first one stays out, even when the spool is free again.
        for _ in 0..2 {
            let late = first.settle(batch.id, Settlement::Delivered).await;
            assert!(matches!(late, Err(SpoolError::InUse(_))), "{late:?}");
            redis.end_lease();
        }
        second.settle(batch.id, Settlement::Delivered).await.unwrap();
        second.close().await.unwrap();
        let third = redis.open_with(settings).await.unwrap();
        assert_eq!(third.status().counters.delivered, 1);
    });
}

#[test]
fn a_spool_that_lacks_keys_or_is_another_one_is_refused() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        let spool = redis.open(20_000).await.unwrap();
        spool.append(vec![Item::new("one")]).await.unwrap();
        redis.cli(&["DEL", "{agent-1}:items"]);
        let error = spool.sync().await.unwrap_err();
        assert!(error.to_string().contains("keys of the spool are missing"), "{error}");
        redis.cli(&["FLUSHALL"]);
        let error = spool.append(vec![Item::new("two")]).await.unwrap_err();
        assert!(error.to_string().contains("the spool that was opened is gone"), "{error}");
        redis.cli(&["SET", "{agent-1}:state", "of something else"]);
        assert!(matches!(spool.sync().await, Err(SpoolError::Remote(_))));
        assert_eq!(redis.cli(&["GET", "{agent-1}:state"]), "of something else");
    });
}

#[test]
fn a_call_that_comes_again_or_late_is_not_done_twice() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        let settings =
            RedisSettings { timeout: Duration::from_millis(300), ..redis.settings(20_000) };
        let spool = redis.open_with(settings).await.unwrap();
        // Redis stands still: both tries are in its sockets, unread, when it goes on.
        let signal = |name: &str| {
            let pid = redis.child.id().to_string();
            assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        };
        signal("-STOP");
        let lost = spool.append(vec![Item::new("one"), Item::new("two")]).await;
        assert!(matches!(lost, Err(SpoolError::Remote(_))), "{lost:?}");
        signal("-CONT");
        reconnected(&spool).await;
        let counters = spool.status().counters;
        assert!(counters.balance(), "{counters:?}");
        assert!([0, 2].contains(&counters.accepted), "{counters:?}");
    });
}

#[test]
fn a_server_that_says_too_much_or_nonsense_is_refused() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let answers: [&[u8]; 5] = [
                b"*1\r\n:1\r\n",
                b"+OK\r\n",
                b"*7\r\n:1\r\n:2\r\n:0\r\n:0\r\n:0\r\n:0\r\n$1\r\nx\r\n",
                b"-ERR no\r\n",
                b"$1000000000\r\n",
            ];
            for at in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers[usize::min(at, answers.len() - 1)];
                tokio::spawn(babble(stream, answer, at + 1 >= answers.len()));
            }
        });
        let expected =
            ["no counts", "no list", "impossible counts", "ResponseError", "file too large"];
        for expected in expected {
            let settings = RedisSettings {
                timeout: Duration::from_secs(3),
                ..RedisSettings::new(&url, "agent-1", 20_000)
            };
            let error = RedisSpool::open(settings).await.unwrap_err();
            assert!(matches!(error, SpoolError::Remote(_)), "{error}");
            let text = error.to_string();
            assert!(text.len() < 700 && text.contains(expected), "{expected}: {text}");
        }
        served.abort();
    });
}

/// Answers everything in the same way, and to the last one goes on without end.
async fn babble(stream: tokio::net::TcpStream, answer: &[u8], endless: bool) {
    let mut seen = Vec::new();
    // The client's greeting is answered as it should be, so that the script gets its turn.
    loop {
        stream.readable().await.unwrap();
        let mut buffer = [0; 65_536];
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(_) => continue,
        }
        let text = String::from_utf8_lossy(&seen);
        let greetings = text.matches("SETINFO").count();
        let evals = text.matches("EVAL").count();
        seen.clear();
        let mut reply = b"+OK\r\n".repeat(greetings);
        if evals > 0 {
            reply.extend_from_slice(answer);
        }
        drop(stream.try_write(&reply));
        if evals == 0 || !endless {
            continue;
        }
        loop {
            if stream.writable().await.is_err() {
                return;
            }
            match stream.try_write(&[b'x'; 65_536]) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

#[test]
fn an_address_that_does_not_answer_is_told_without_its_password() {
    run(async {
        for url in ["redis://:hunter2@127.0.0.1:1/", "hunter2", "rediss://:hunter2@127.0.0.1/"] {
            let settings = RedisSettings::new(url, "x", 1000);
            assert!(!format!("{settings:?}").contains("hunter2"));
            let error = RedisSpool::open(settings).await.unwrap_err();
            assert!(matches!(error, SpoolError::Remote(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for name in ["", "a}b", "a b"] {
            let settings = RedisSettings::new("redis://127.0.0.1:1/", name, 1000);
            let error = RedisSpool::open(settings).await.unwrap_err();
            assert!(error.to_string().contains("bad name"), "{error}");
        }
    });
}

const CLIENT: &str = "RINGWALL_TEST_REDIS_CLIENT";
/// The number of its first item.
const CLIENT_FIRST: &str = "RINGWALL_TEST_REDIS_FIRST";

/// Not a test by itself: the process that `a_client_is_killed_in_the_middle` kills. It says what was
/// acknowledged.
#[test]
fn client_to_be_killed() {
    let Ok(url) = std::env::var(CLIENT) else { return };
    run(async {
        let spool = RedisSpool::open(RedisSettings::new(url, "agent-1", 10 << 20)).await.unwrap();
        let mut ledger = Ledger::default();
        ledger.next = std::env::var(CLIENT_FIRST).unwrap().parse().unwrap();
        let bounds = BatchBounds { count_max: 5, bytes_max: 1 << 20 };
        let mut out = std::io::stdout();
        loop {
            // A Redis that is killed meanwhile comes again.
            let first = ledger.next;
            match spool.append(ledger.items(&[(40, false); 7])).await {
                Ok(_) => {
                    (first..ledger.next).for_each(|at| writeln!(out, "+appended {at}").unwrap())
                }
                Err(_) => pause().await,
            }
            let Ok(Some(batch)) = spool.next_batch(&bounds, b"").await else { continue };
            if spool.settle(batch.id, Settlement::Delivered).await.is_ok() {
                for item in &batch.items {
                    writeln!(out, "+settled {}", number(item)).unwrap();
                }
            }
        }
    });
}

#[test]
fn a_client_is_killed_in_the_middle() {
    let Some(mut redis) = Redis::start() else { return };
    run(async {
        drop(redis.open(10 << 20).await.unwrap());
        redis.end_lease();
        let (mut appended, mut settled) = (BTreeSet::new(), BTreeSet::new());
        for round in 0..6 {
            let from = redis.open(10 << 20).await.unwrap();
            let before = from.status().counters;
            from.close().await.unwrap();
            let mut client = Command::new(std::env::current_exe().unwrap())
                .args(["spool::client_to_be_killed", "--exact", "--nocapture"])
                .env(CLIENT, redis.settings(0).url)
                .env(CLIENT_FIRST, (round * 1_000_000).to_string())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let lines = BufReader::new(client.stdout.take().unwrap()).lines();
            let mut count = 0;
            for line in lines.map_while(Result::ok) {
                let Some((what, at)) = line.split_once(' ') else { continue };
                let Ok(at) = at.parse::<u64>() else { continue };
                match what {
                    "+appended" => assert!(appended.insert(at)),
                    "+settled" => assert!(settled.insert(at), "{at} was delivered twice"),
                    _ => continue,
                }
                count += 1;
                if round % 2 == 1 && count == 100 {
                    redis.kill_and_restart();
                }
                if count == 300 + round * 37 {
                    // What it said before it died is read to the end.
                    client.kill().unwrap();
                }
            }
            client.wait().unwrap();
            redis.end_lease();
            let spool = redis.open(10 << 20).await.unwrap();
            let counters = spool.status().counters;
            assert!(counters.balance() && counters.dropped == 0, "{counters:?}");
            assert!(counters.accepted >= before.accepted + 100, "{counters:?}");
            assert!(counters.accepted >= appended.len() as u64, "{counters:?}");
            // At most one answer of each kill was lost on its way.
            assert!(counters.delivered >= settled.len() as u64, "{counters:?}");
            assert!(
                counters.delivered <= settled.len() as u64 + 5 * 2 * (round + 1),
                "{counters:?}"
            );
            let left: BTreeSet<u64> = all(&spool).await.into_iter().collect();
            assert_eq!(left.len() as u64, counters.waiting, "an item waits twice");
            assert!(left.is_disjoint(&settled), "an item that was delivered came again");
            settled.extend(left);
            let missing = appended.difference(&settled).count();
            assert!(missing as u64 <= 5 * 2 * (round + 1), "{missing} accepted items are nowhere");
            spool.close().await.unwrap();
        }
    });
}
