//! Speaks to an original SysScore server: its contract, sections 2 to 4, 13 and 14, and the advice of
//! section 17.7.

use crate::chance;
use crate::settings::HostSettings;
use crate::syscall_view::{Load, SyscallView};
use crate::watching::Watching;
use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringwall_event::{Activity, Connection, Timestamp};
use ringwall_host_probes::{Observation, ProbeSettings};
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_client::{ClientError, HttpAnswer, HttpClient};
use ringwall_signing::{Secret, mac_base64};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// The request timeout of the guide's client.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Items in one batch: as many as the guide's client sends.
const ITEMS_AT_ONCE: usize = 50;
/// Items that wait; beyond them the oldest is dropped, and counted.
const ITEMS_MAX: usize = 20_000;
/// An item waits so long for others to travel with.
const GATHER: Duration = Duration::from_millis(500);
/// An item that the server failed to store so many times is given up.
const ATTEMPTS_MAX: u8 = 3;
const RETRY: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(500), Duration::from_secs(30));
/// At the end, so long for what is still to be sent.
const DRAIN: Duration = Duration::from_secs(4);

/// Runs until asked to stop.
///
/// # Errors
/// Where this host cannot be watched, or the server's address is unusable.
pub(crate) async fn run(
    server_url: &str,
    agent_id: &str,
    secret: Secret,
    host: HostSettings,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let server = SysscoreServer::new(server_url, agent_id, secret)?;
    let probe = ProbeSettings { system_calls: true, executable_digests: false, ..host.probe() };
    let mut watching = Watching::start(probe).await.context("cannot watch this host")?;
    tracing::info!(server = server_url, agent = agent_id, "host agent started, dialect sysscore");
    let mut view = HostView::default();
    let mut queue = Queue::default();
    let mut keys = BatchKeys::new(agent_id)?;
    // A batch that is not delivered yet: it is repeated as it is, under its key.
    let mut under_way: Option<Batch> = None;
    let mut backoff = Backoff::new(RETRY);
    let mut due = Instant::now();
    let collected = loop {
        if under_way.is_none() && !queue.items.is_empty() {
            under_way = Some(Batch { key: keys.next(), items: queue.take() });
            due = due.max(Instant::now());
        }
        tokio::select! {
            batch = watching.next() => match batch {
                Some(observations) => {
                    if queue.items.is_empty() && under_way.is_none() {
                        due = due.max(Instant::now() + GATHER);
                    }
                    for observation in observations {
                        queue.add(view.items(observation));
                    }
                }
                None => break Err(anyhow::anyhow!("watching this host has come to an end")),
            },
            () = tokio::time::sleep_until(due), if under_way.is_some() => {
                if let Some(batch) = under_way.take() {
                    match server.post(&batch).await {
                        Ok(failed) => {
                            backoff.succeeded();
                            queue.repeat(failed);
                        }
                        Err(error) if error.is_final() => {
                            let events = batch.items.len();
                            tracing::error!(%error, events, "events were refused and dropped");
                        }
                        Err(error) => {
                            if backoff.failures() == 0 {
                                tracing::warn!(%error, "events cannot be delivered: they are kept");
                            }
                            due = Instant::now() + backoff.failed(chance(), error.retry_after());
                            under_way = Some(batch);
                        }
                    }
                }
            }
            _ = shutdown.wait_for(|asked| *asked) => break Ok(()),
        }
    };
    let drained = timeout(DRAIN, async {
        loop {
            let batch = match under_way.take() {
                Some(batch) => batch,
                None if queue.items.is_empty() => return,
                None => Batch { key: keys.next(), items: queue.take() },
            };
            match server.post(&batch).await {
                Ok(failed) => queue.repeat(failed),
                Err(error) if error.is_final() => {}
                Err(_) => {
                    under_way = Some(batch);
                    sleep(RETRY.first).await;
                }
            }
        }
    });
    if drained.await.is_err() {
        tracing::warn!("stopped before everything was sent");
    }
    collected
}

/// Keys that no other batch of any agent has: the original server knows one space of keys for all.
struct BatchKeys {
    prefix: String,
    next: u64,
}

impl BatchKeys {
    fn new(agent_id: &str) -> anyhow::Result<Self> {
        let run = getrandom::u64().context("no randomness")?;
        Ok(Self { prefix: format!("{agent_id}-{run:016x}"), next: 0 })
    }

    fn next(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.prefix, self.next)
    }
}

/// Items that are sent together.
#[derive(Debug)]
struct Batch {
    key: String,
    items: Vec<Item>,
}

/// What waits to be sent.
#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    dropped: u64,
}

impl Queue {
    fn add(&mut self, items: Option<Item>) {
        self.items.extend(items);
        while self.items.len() > ITEMS_MAX {
            self.items.pop_front();
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> Vec<Item> {
        if self.dropped > 0 {
            tracing::warn!(dropped = self.dropped, "the buffer was full: events were dropped");
            self.dropped = 0;
        }
        let count = self.items.len().min(ITEMS_AT_ONCE);
        self.items.drain(..count).collect()
    }

    /// Puts items that were not stored back to the front, for a batch under a new key.
    fn repeat(&mut self, failed: Vec<Item>) {
        for mut item in failed.into_iter().rev() {
            item.attempts += 1;
            if item.attempts >= ATTEMPTS_MAX {
                tracing::error!(
                    pid = item.pid,
                    syscall = item.syscall,
                    "an event was refused and dropped"
                );
            } else {
                self.items.push_front(item);
            }
        }
    }
}

/// One event: section 13 of the contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Item {
    pid: i64,
    syscall: &'static str,
    timestamp: String,
    metadata: Metadata,
    #[serde(skip)]
    attempts: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Metadata {
    risk_score: f64,
    anomaly_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    process_name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_address: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_port: Option<u16>,
}

/// Turns what is seen into the calls that show in it.
#[derive(Debug, Default)]
struct HostView {
    calls: SyscallView,
    loads: HashMap<i64, Load>,
    /// The moment of the latest item: equal items of a batch would be taken for one.
    latest: Option<Timestamp>,
}

impl HostView {
    /// The item that an observation makes, where it shows a call.
    fn items(&mut self, observation: Observation) -> Option<Item> {
        if let Activity::Inventory(picture) = &observation.activity {
            self.loads = picture
                .processes
                .iter()
                .filter_map(|process| {
                    let load = Load {
                        cpu_percent: process.cpu_percent?,
                        memory_percent: process.memory_percent?,
                    };
                    Some((process.pid, load))
                })
                .collect();
            return None;
        }
        let call = observation.system_call?;
        let pid = observation.activity.pid()?;
        let time = match self.latest {
            Some(latest) => observation.time.max(latest.plus_micros(1)),
            None => observation.time,
        };
        self.latest = Some(time);
        let load = self.loads.get(&pid).copied();
        let scores = self.calls.score(pid, call, load, time.as_micros());
        let mut metadata = Metadata {
            risk_score: scores.risk,
            anomaly_score: scores.anomaly,
            process_name: None,
            executable: None,
            remote_address: None,
            remote_port: None,
        };
        match observation.activity {
            Activity::ProcessStarted(process) => {
                metadata.process_name = Some(process.name);
                metadata.executable = process.executable;
            }
            Activity::ProcessEnded { process, .. } => {
                metadata.process_name = Some(process.name);
                self.calls.forget(pid);
            }
            Activity::SystemCall { process, .. } => metadata.process_name = Some(process.name),
            Activity::ConnectionOpened(connection) => {
                let Connection { process_name, remote_address, remote_port, .. } = connection;
                metadata.process_name = process_name;
                metadata.remote_address = remote_address;
                metadata.remote_port = remote_port;
            }
            _ => {}
        }
        metadata.process_name = metadata.process_name.filter(|name| !name.is_empty());
        Some(Item { pid, syscall: call, timestamp: naive_micros(time), metadata, attempts: 0 })
    }
}

/// Naive UTC with six digits of the second, also where they are zero.
fn naive_micros(time: Timestamp) -> String {
    let text = time.to_naive_iso();
    if time.has_fraction() { text } else { text + ".000000" }
}

/// A SysScore server.
#[derive(Clone, Debug)]
pub(crate) struct SysscoreServer {
    http: HttpClient,
    /// The same server without the base path of its API.
    root: HttpClient,
    agent_id: String,
    secret: Secret,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SysscoreError {
    /// There was no answer.
    #[error(transparent)]
    NoAnswer(#[from] ClientError),
    /// The server refused.
    #[error("the server answers {status}")]
    Refused {
        /// With this HTTP status.
        status: u16,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The batch cannot be written.
    #[error("batch cannot be written: {0}")]
    Unwritable(String),
}

impl SysscoreError {
    fn of(answer: &HttpAnswer) -> Self {
        let retry_after = answer.headers.get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Self::Refused {
            status: answer.status.as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same batch will never be taken. A key that is not accepted may be by and by.
    fn is_final(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 400 | 409 | 413 | 422),
            Self::Unwritable(_) => true,
            Self::NoAnswer(_) => false,
        }
    }
}

impl SysscoreServer {
    /// The server at this address, which ends in `/api/v1`. Nothing is sent yet.
    pub(crate) fn new(url: &str, agent_id: &str, secret: Secret) -> Result<Self, ClientError> {
        let base = url.trim().trim_end_matches('/');
        let root = base.strip_suffix("/api/v1").unwrap_or(base);
        Ok(Self {
            http: HttpClient::new(base, TIMEOUT)?,
            root: HttpClient::new(root, TIMEOUT)?,
            agent_id: agent_id.to_owned(),
            secret,
        })
    }

    /// Whether it lives.
    pub(crate) async fn health(&self) -> Result<(), SysscoreError> {
        let answer = self.root.send(Method::GET, "/health", HeaderMap::new(), Bytes::new()).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(SysscoreError::of(&answer))
    }

    /// Posts what a picture shows, for the check: how many events it was.
    pub(crate) async fn post_one(&self, observation: Observation) -> Result<usize, SysscoreError> {
        let keys = BatchKeys::new(&self.agent_id);
        let mut keys = keys.map_err(|error| SysscoreError::Unwritable(error.to_string()))?;
        let items: Vec<_> = HostView::default().items(observation).into_iter().collect();
        let sent = items.len();
        let failed = self.post(&Batch { key: keys.next(), items }).await?;
        Ok(sent - failed.len())
    }

    /// Posts a batch; the items that the server failed to store, which its success hides.
    async fn post(&self, batch: &Batch) -> Result<Vec<Item>, SysscoreError> {
        #[derive(Serialize)]
        struct Body<'a> {
            events: &'a [Item],
        }
        let unwritable =
            |error: &dyn std::fmt::Display| SysscoreError::Unwritable(error.to_string());
        let body = serde_json::to_vec(&Body { events: &batch.items });
        let body = Bytes::from(body.map_err(|error| unwritable(&error))?);
        let signature = mac_base64(&self.secret, &body);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (HeaderName::from_static("x-agent-id"), self.agent_id.as_str()),
            (HeaderName::from_static("x-agent-signature"), signature.as_str()),
            (HeaderName::from_static("idempotency-key"), batch.key.as_str()),
            (CONTENT_TYPE, "application/json"),
        ] {
            let value = HeaderValue::from_str(value).map_err(|error| unwritable(&error))?;
            headers.insert(name, value);
        }
        let answer = self.http.send(Method::POST, "/events", headers, body).await?;
        if !answer.status.is_success() {
            return Err(SysscoreError::of(&answer));
        }
        Ok(not_stored(&batch.items, &answer.body))
    }
}

/// The items of a batch that the answer counts as errors; all of them where it counts errors and does
/// not say which.
fn not_stored(items: &[Item], answer: &[u8]) -> Vec<Item> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        errors: u64,
        #[serde(default)]
        results: Vec<ItemResult>,
    }
    #[derive(Deserialize)]
    struct ItemResult {
        status: String,
    }
    // Any success clears the buffer of the guide's client; an answer of another form is no error.
    let Ok(answer) = serde_json::from_slice::<Answer>(answer) else {
        return Vec::new();
    };
    if answer.errors == 0 {
        return Vec::new();
    }
    if answer.results.len() != items.len() {
        return items.to_vec();
    }
    let failed = answer.results.iter().zip(items).filter(|(result, _)| result.status == "error");
    failed.map(|(_, item)| item.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{Process, ProcessRef};

    fn started(pid: i64, micros: i64) -> Observation {
        Observation {
            time: Timestamp::from_micros(micros),
            activity: Activity::ProcessStarted(Process {
                pid,
                name: "x".into(),
                ..Process::default()
            }),
            system_call: Some("execve"),
        }
    }

    #[test]
    fn items_have_scores_and_moments_of_their_own() {
        let mut view = HostView::default();
        let first = view.items(started(7, 1_000_000)).unwrap();
        assert_eq!(
            serde_json::to_value(&first).unwrap(),
            serde_json::json!({
                "pid": 7, "syscall": "execve", "timestamp": "1970-01-01T00:00:01.000000",
                "metadata": {"risk_score": 23.0, "anomaly_score": 0.0, "process_name": "x"},
            })
        );
        let second = view.items(started(7, 1_000_000)).unwrap();
        assert_eq!(second.timestamp, "1970-01-01T00:00:01.000001");
        let ended = Observation {
            time: Timestamp::from_micros(5),
            activity: Activity::ProcessEnded { process: ProcessRef::default(), exit_code: None },
            system_call: Some("exit_group"),
        };
        let third = view.items(ended).unwrap();
        assert_eq!(
            (third.syscall, third.timestamp.as_str()),
            ("exit_group", "1970-01-01T00:00:01.000002")
        );
        let silent = Observation { system_call: None, ..started(7, 2) };
        assert_eq!(view.items(silent), None);
    }

    #[test]
    fn what_the_server_failed_to_store_is_sent_again_and_given_up_in_the_end() {
        let mut view = HostView::default();
        let items: Vec<_> = (1..4).filter_map(|pid| view.items(started(pid, pid))).collect();
        let answer = br#"{"accepted":2,"duplicates":0,"errors":1,"results":[
            {"id":"a","status":"accepted","error":null},{"id":"","status":"error","error":"x"},
            {"id":"b","status":"accepted","error":null}]}"#;
        let failed = not_stored(&items, answer);
        assert_eq!(failed, [items[1].clone()]);
        assert_eq!(not_stored(&items, br#"{"errors":2,"results":[]}"#).len(), 3);
        assert_eq!(not_stored(&items, br#"{"accepted":3,"errors":0}"#).len(), 0);
        assert_eq!(not_stored(&items, b"fine").len(), 0);

        let mut queue = Queue::default();
        queue.add(Some(items[2].clone()));
        queue.repeat(failed);
        let again = queue.take();
        assert_eq!(again.iter().map(|item| item.pid).collect::<Vec<_>>(), [2, 3]);
        queue.repeat(vec![again[0].clone()]);
        let again = queue.take();
        assert_eq!(again.len(), 1);
        queue.repeat(again);
        assert!(queue.items.is_empty());
    }

    #[test]
    fn keys_are_never_the_same() {
        let mut one = BatchKeys::new("agent-1").unwrap();
        let mut other = BatchKeys::new("agent-1").unwrap();
        let keys = [one.next(), one.next(), other.next(), other.next()];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert!(keys.iter().all(|key| key.starts_with("agent-1-")));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut view = HostView::default();
        let mut queue = Queue::default();
        for number in 0..ITEMS_MAX as i64 + 10 {
            queue.add(view.items(started(number % 100, number)));
        }
        assert_eq!((queue.items.len(), queue.dropped), (ITEMS_MAX, 10));
    }
}
