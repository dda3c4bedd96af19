//! The clients: each keeps a body until it is acknowledged, and writes down what was.

use super::ledger::Ledger;
use anyhow::{Result, bail, ensure};
use http::Method;
use ringwall_end_to_end::host_agent::{self, HostAgent};
use ringwall_end_to_end::http_client::{Answer, Http};
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::Ready;
use ringwall_end_to_end::sysscore::{self, Agent, Receipt};
use ringwall_event::{Activity, Process, Timestamp};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

pub(crate) const SECRET: &str = "crash-test-secret";
pub(crate) const HOST_AGENT: &str = "crash-host";
pub(crate) const WATCHER: &str = "crash.local";

/// A body that is not acknowledged within this time after the last restart never will be.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A kind of SysScore client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    keep_alive: bool,
    /// Now and then goes away in the middle of a request and never asks again.
    impatient: bool,
}

pub(crate) const SYSSCORE: &[Kind] = &[
    Kind { name: "steady-1", keep_alive: true, impatient: false },
    Kind { name: "steady-2", keep_alive: true, impatient: false },
    Kind { name: "fresh", keep_alive: false, impatient: false },
    Kind { name: "impatient", keep_alive: true, impatient: true },
];

/// The server, wherever it listens now, and the book that all write into.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) ready: watch::Receiver<Ready>,
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Target {
    fn is_over(&self) -> bool {
        *self.stopped.borrow()
    }

    fn dialect(&self, name: &str) -> String {
        self.ready.borrow().dialects.get(name).cloned().unwrap_or_default()
    }

    /// The answer, when it ends the matter: neither silence nor "come back". Else a moment later none,
    /// and the client tries again.
    async fn settled(&self, start: Instant, answer: Result<Answer>) -> Result<Option<Answer>> {
        let may_retry = !self.is_over() || start.elapsed() < GIVE_UP;
        match answer {
            Ok(answer) if ![429, 502, 503].contains(&answer.status) => return Ok(Some(answer)),
            Ok(_) | Err(_) if may_retry => sleep(Duration::from_millis(10)).await,
            Ok(answer) => bail!("status {}: {}", answer.status, answer.text()),
            Err(error) => return Err(error),
        }
        Ok(None)
    }
}

/// Makes connections as the kind of client does; a new server is a new place.
struct Connector {
    http: Http,
    keep_alive: bool,
}

impl Connector {
    fn new(keep_alive: bool) -> Self {
        Self { http: Http::new(""), keep_alive }
    }

    fn to(&mut self, base: &str) -> Http {
        if self.http.base() != base {
            self.http =
                if self.keep_alive { Http::new(base) } else { Http::without_keep_alive(base) };
        }
        self.http.clone()
    }
}

/// A SysScore agent: batches of 1 to 50 events, each with a serial of its own.
pub(crate) async fn sysscore(
    target: Target,
    kind: Kind,
    agent: Agent,
    mut random: Random,
) -> Result<()> {
    let mut connector = Connector::new(kind.keep_alive);
    let mut number = 0u64;
    let mut time_us = 0;
    while !target.is_over() {
        let mut serials = Vec::new();
        let mut items = Vec::new();
        for _ in 0..random.within(1..51) {
            number += 1;
            let serial = format!("{}-{number}", kind.name);
            let pid = 2 + random.within(0..40) as i64;
            let call = ["openat", "execve", "ptrace", "read"][random.within(0..4) as usize];
            // Equal items of one batch are one event (contract, section 4), so no two are equal.
            time_us = now_us()?.max(time_us + 1);
            items.push(sysscore::item(pid, call, time_us, json!({ "serial": serial })));
            serials.push(serial);
        }
        let key = format!("{}-{}", kind.name, random.hex());
        let body = sysscore::batch(&items);
        target.ledger.sent(&serials);
        if kind.impatient && random.once_in(3) {
            let http = connector.to(&target.dialect("sysscore"));
            let patience = Duration::from_micros(random.within(100..5_000));
            // Whether it was stored is not known, nor is it asked for.
            tokio::time::timeout(patience, agent.send(&http, &key, &body)).await.ok();
            continue;
        }
        let start = Instant::now();
        let answer = loop {
            let http = connector.to(&target.dialect("sysscore"));
            let answer = agent.send(&http, &key, &body).await;
            if let Some(answer) = target.settled(start, answer).await? {
                break answer;
            }
        };
        let receipt = Receipt::read(answer)?;
        ensure!(receipt.errors == 0, "{key}: {receipt:?}");
        target.ledger.acknowledged(kind.name, serials.into_iter().zip(receipt.ids))?;
        sleep(Duration::from_millis(random.within(0..6))).await;
    }
    Ok(())
}

/// A host agent of ours: each report has a sequence number, each process a pid of its own.
pub(crate) async fn host_agent(target: Target, agent: HostAgent, mut random: Random) -> Result<()> {
    let boot = random.hex();
    let mut connector = Connector::new(true);
    let mut pid = 1000;
    let mut sequence = 1u64;
    while !target.is_over() {
        let mut events = Vec::new();
        let mut pids = Vec::new();
        for _ in 0..random.within(1..30) {
            pid += 1;
            pids.push(pid);
            let time = Timestamp::from_micros(now_us()?);
            let process = Process {
                pid,
                start_time: Some(time),
                name: "worker".into(),
                ..Process::default()
            };
            events.push(json!({"time": time, "activity": Activity::ProcessStarted(process)}));
        }
        let report = json!({
            "spool_id": boot, "sequence": sequence, "hostname": HOST_AGENT, "dropped_total": 0,
            "events": events,
        });
        let body = report.to_string().into_bytes();
        let start = Instant::now();
        let answer = loop {
            let base = target.ready.borrow().main.clone();
            let http = connector.to(&base);
            let answer = agent.send(&http, Method::POST, host_agent::REPORTS, &body).await;
            // A server that was killed again at once refuses all that was signed before it was there.
            if matches!(&answer, Ok(answer) if answer.status == 401) && start.elapsed() < GIVE_UP {
                continue;
            }
            if let Some(answer) = target.settled(start, answer).await? {
                break answer;
            }
        };
        let body = answer.expect(200)?.json()?;
        let taken = body["accepted"].as_u64().zip(body["duplicates"].as_u64());
        ensure!(taken.map(|(new, known)| new + known) == Some(pids.len() as u64), "{body}");
        target.ledger.host_agent_acknowledged(&pids);
        sequence += 1;
        sleep(Duration::from_millis(random.within(0..20))).await;
    }
    Ok(())
}

/// A Watcher agent. Its contract knows no retry: what could not be sent is dropped.
pub(crate) async fn watcher(target: Target, mut random: Random) -> Result<()> {
    let mut connector = Connector::new(true);
    let mut number = 0u64;
    while !target.is_over() {
        number += 1;
        // The contract takes any text for a time, so it can carry a serial.
        let serial = format!("report {number}");
        let report = json!({
            "hostname": WATCHER,
            "timestamp": serial,
            "processes": [{"pid": 7, "name": "calm"}, {"pid": 8, "name": "quiet"}],
        });
        let http = connector.to(&target.dialect("watcher"));
        target.ledger.watcher_sent(&serial);
        match http.post("/api/v1/collect", &report).await {
            Ok(answer) if answer.status == 200 => target.ledger.watcher_acknowledged(&serial),
            Ok(answer) => ensure!([429, 503].contains(&answer.status), "{}", answer.text()),
            Err(_) => {}
        }
        sleep(Duration::from_millis(random.within(20..60))).await;
    }
    Ok(())
}

fn now_us() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}
