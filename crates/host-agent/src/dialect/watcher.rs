//! Speaks to an original AI-Eye Watcher server: its contract, section 11, and the advice of 15.5.

use crate::chance;
use crate::command_memory::CommandMemory;
use crate::kill::{self, Hands};
use crate::settings::HostSettings;
use crate::watching::Watching;
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use ringwall_event::{Activity, Inventory, Timestamp};
use ringwall_host_probes::hands::KillOrder;
use ringwall_host_probes::{Observation, ProbeSettings};
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_api::paths::encode;
use ringwall_server_client::{ClientError, HttpAnswer, HttpClient};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep};

/// The request timeout of the original agent.
const TIMEOUT: Duration = Duration::from_secs(10);
const RETRY: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(15));
/// Commands that are remembered.
const COMMANDS_REMEMBERED: usize = 4096;
/// Commands of one answer that are carried out.
const COMMANDS_AT_ONCE: usize = 256;

/// Runs until asked to stop.
///
/// # Errors
/// Where this host cannot be watched, or the server's address is unusable.
pub(crate) async fn run(
    server_url: &str,
    host: HostSettings,
    command_poll_interval: Duration,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let server = WatcherServer::new(server_url)?;
    // This server wants pictures and nothing else.
    let probe = ProbeSettings { executable_digests: false, ..host.probe() };
    let mut watching = Watching::start(probe).await.context("cannot watch this host")?;
    let hostname = crate::host_name();
    tracing::info!(server = server_url, host = hostname, "host agent started, dialect watcher");
    tracing::warn!(
        "this server's commands are not signed: whoever answers at its address commands this agent"
    );
    let reported = Arc::new(Mutex::new(Reported::default()));
    let (pictures, latest) = watch::channel(None);
    let sending = tokio::spawn(send_pictures(server.clone(), hostname.clone(), latest));
    let commands = Commands {
        server,
        hostname,
        hands: Hands::new(host.protected, host.patience),
        memory: CommandMemory::new(COMMANDS_REMEMBERED),
        reported: Arc::clone(&reported),
        under_way: JoinSet::new(),
    };
    let obeying = tokio::spawn(commands.run(command_poll_interval, shutdown.clone()));
    let result = loop {
        tokio::select! {
            batch = watching.next() => match batch {
                Some(observations) => {
                    if let Some((time, picture)) = latest_picture(observations) {
                        reported.lock().note(&picture);
                        pictures.send_replace(Some(Arc::new((time, *picture))));
                    }
                }
                None => break Err(anyhow::anyhow!("watching this host has come to an end")),
            },
            _ = shutdown.wait_for(|asked| *asked) => break Ok(()),
        }
    };
    sending.abort();
    obeying.abort();
    result
}

fn latest_picture(observations: Vec<Observation>) -> Option<(Timestamp, Box<Inventory>)> {
    observations.into_iter().rev().find_map(|observation| match observation.activity {
        Activity::Inventory(picture) => Some((observation.time, picture)),
        _ => None,
    })
}

type Picture = Arc<(Timestamp, Inventory)>;

/// Sends each picture until the server has it or there is a newer one.
async fn send_pictures(
    server: WatcherServer,
    hostname: String,
    mut latest: watch::Receiver<Option<Picture>>,
) {
    let mut backoff = Backoff::new(RETRY);
    while latest.changed().await.is_ok() {
        let Some(picture) = latest.borrow_and_update().clone() else {
            continue;
        };
        loop {
            match server.collect(&hostname, picture.0, &picture.1).await {
                Ok(stored) => {
                    tracing::debug!(stored, "picture taken");
                    backoff.succeeded();
                    break;
                }
                Err(error) => {
                    if backoff.failures() == 0 {
                        tracing::warn!(%error, "the picture cannot be delivered");
                    }
                    tokio::select! {
                        () = sleep(backoff.failed(chance(), None)) => {}
                        // A newer picture takes the place of the one that nobody took.
                        _ = latest.changed() => {
                            latest.mark_changed();
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// The processes of the latest two pictures: what a command can be about.
#[derive(Debug, Default)]
struct Reported {
    latest: HashMap<i64, (Timestamp, Box<str>)>,
    before: HashMap<i64, (Timestamp, Box<str>)>,
}

impl Reported {
    fn note(&mut self, picture: &Inventory) {
        let processes = picture
            .processes
            .iter()
            .filter_map(|process| Some((process.pid, (process.start_time?, process.name.clone()))));
        self.before = std::mem::replace(&mut self.latest, processes.collect());
    }

    /// What to end: the process that was reported under this number, and under this name where the
    /// command has one. None where there was no such process: what bears the number by now is another.
    fn order(&self, pid: i64, name: Option<&str>) -> Option<KillOrder> {
        let agrees = |known: &&(Timestamp, Box<str>)| name.is_none_or(|name| *name == *known.1);
        let known = self.latest.get(&pid).filter(agrees);
        let (start_time, name) = known.or_else(|| self.before.get(&pid).filter(agrees))?;
        Some(KillOrder { pid, start_time: Some(*start_time), name: Some(name.clone()) })
    }
}

struct Commands {
    server: WatcherServer,
    hostname: String,
    hands: Hands,
    memory: CommandMemory,
    reported: Arc<Mutex<Reported>>,
    under_way: JoinSet<()>,
}

impl Commands {
    async fn run(mut self, every: Duration, mut shutdown: watch::Receiver<bool>) {
        // The first poll comes one interval after the start, as with the original agent.
        let mut turns = interval_at(tokio::time::Instant::now() + every, every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = turns.tick() => {}
                _ = shutdown.wait_for(|asked| *asked) => return,
            }
            while self.under_way.try_join_next().is_some() {}
            match self.server.commands(&self.hostname).await {
                Ok(commands) => {
                    for command in commands.into_iter().take(COMMANDS_AT_ONCE) {
                        self.take(command);
                    }
                }
                Err(error) => tracing::warn!(%error, "commands cannot be fetched"),
            }
        }
    }

    /// What a command orders, where it is to be carried out.
    fn accept(&mut self, command: Command) -> Option<KillOrder> {
        let id = command.command_id.as_deref();
        if command.action.as_deref() != Some("kill_process") {
            tracing::warn!(command = id, action = ?command.action, "unknown action");
            return None;
        }
        let Some(pid) = command.target.as_ref().and_then(Target::pid) else {
            tracing::warn!(command = id, "the target of a command is no process id");
            return None;
        };
        let name = command.parameters.as_ref().and_then(|it| it.process_name.as_deref());
        let Some(order) = self.reported.lock().order(pid, name) else {
            tracing::warn!(
                command = id,
                pid,
                name,
                "a command is about a process that was not reported of late"
            );
            return None;
        };
        // The original server repeats a command for each picture in which the process still stood.
        let repeat = format!("{pid} {:?}", order.start_time);
        let is_new = id.is_none_or(|id| self.memory.is_new(&format!("id {id}")));
        let is_first = self.memory.is_new(&repeat);
        if !is_new || !is_first {
            tracing::debug!(command = id, pid, "a command was repeated");
            return None;
        }
        Some(order)
    }

    fn take(&mut self, command: Command) {
        let id = command.command_id.clone();
        let Some(order) = self.accept(command) else {
            return;
        };
        let pid = order.pid;
        let hands = self.hands.clone();
        self.under_way.spawn(async move {
            match hands.kill(order).await {
                Ok(killed) => {
                    tracing::info!(
                        command = id,
                        pid,
                        result = kill::describe(&killed),
                        "command carried out"
                    );
                }
                Err(error) => {
                    tracing::warn!(command = id, pid, %error, "command not carried out");
                }
            }
        });
    }
}

/// A Watcher server.
#[derive(Clone, Debug)]
pub(crate) struct WatcherServer {
    http: HttpClient,
}

/// Why a Watcher server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatcherError {
    /// There was no answer.
    #[error(transparent)]
    NoAnswer(#[from] ClientError),
    /// It did not do what was asked.
    #[error("the server answers {0}")]
    Status(u16),
    /// The answer is not of the form that was expected.
    #[error("answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// A command as the server hands it out.
#[derive(Debug, Deserialize)]
pub(crate) struct Command {
    command_id: Option<String>,
    action: Option<String>,
    target: Option<Target>,
    parameters: Option<Parameters>,
}

/// The target of a command: a number, as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Target {
    Text(String),
    Number(i64),
}

impl Target {
    fn pid(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) => Some(*number),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Parameters {
    process_name: Option<String>,
}

impl WatcherServer {
    /// The server at this address. Nothing is sent yet.
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        Ok(Self { http: HttpClient::new(url, TIMEOUT)? })
    }

    /// Whether it lives.
    pub(crate) async fn health(&self) -> Result<(), WatcherError> {
        let request = self.http.send(Method::GET, "/health", HeaderMap::new(), Bytes::new());
        successful(request.await?).map(drop)
    }

    /// Brings a picture; how many payloads the server holds now.
    pub(crate) async fn collect(
        &self,
        hostname: &str,
        time: Timestamp,
        picture: &Inventory,
    ) -> Result<u64, WatcherError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            events_stored: u64,
        }
        let body = serde_json::to_vec(&Payload::new(hostname, time, picture))?;
        let path = "/api/v1/collect";
        let answer = self.http.send(Method::POST, path, HeaderMap::new(), body.into()).await?;
        // The original agent reads nothing from the answer, so nothing in it can be wrong.
        let answer = successful(answer)?;
        let answer = serde_json::from_slice(&answer.body).unwrap_or(Answer { events_stored: 0 });
        Ok(answer.events_stored)
    }

    /// Fetches the commands for a host. They are gone from the server then.
    pub(crate) async fn commands(&self, hostname: &str) -> Result<Vec<Command>, WatcherError> {
        let path = format!("/api/v1/commands?host={}", encode(hostname));
        let answer = self.http.send(Method::GET, &path, HeaderMap::new(), Bytes::new()).await?;
        Ok(serde_json::from_slice(&successful(answer)?.body)?)
    }
}

fn successful(answer: HttpAnswer) -> Result<HttpAnswer, WatcherError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(WatcherError::Status(answer.status.as_u16()))
}

/// The body of `POST /api/v1/collect`: section 11 of the contract.
#[derive(Serialize)]
struct Payload<'a> {
    hostname: &'a str,
    timestamp: String,
    processes: Vec<Process<'a>>,
    connections: Vec<Connection<'a>>,
    system_info: System<'a>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: i64,
    name: &'a str,
    command_line: Option<&'a str>,
    user: Option<&'a str>,
    cpu_percent: f64,
    memory_percent: f64,
}

#[derive(Serialize)]
struct Connection<'a> {
    local_address: &'a str,
    local_port: u16,
    remote_address: Option<&'a str>,
    remote_port: Option<u16>,
    status: &'a str,
    pid: Option<i64>,
}

#[derive(Serialize)]
struct System<'a> {
    cpu_count: Option<u32>,
    memory_total: Option<u64>,
    memory_available: Option<u64>,
    boot_time: Option<f64>,
    platform: Option<&'a str>,
}

impl<'a> Payload<'a> {
    fn new(hostname: &'a str, time: Timestamp, picture: &'a Inventory) -> Self {
        let processes = picture.processes.iter().map(|process| Process {
            pid: process.pid,
            name: if process.name.is_empty() { "unknown" } else { &process.name },
            command_line: process.command_line.as_deref(),
            user: process.user.as_deref(),
            cpu_percent: process.cpu_percent.unwrap_or(0.0),
            memory_percent: process.memory_percent.unwrap_or(0.0),
        });
        let established = picture.connections.iter().filter(|connection| {
            &*connection.protocol == "tcp" && &*connection.status == "ESTABLISHED"
        });
        let connections = established.map(|connection| Connection {
            local_address: &connection.local_address,
            local_port: connection.local_port,
            remote_address: connection.remote_address.as_deref(),
            remote_port: connection.remote_port,
            status: &connection.status,
            pid: connection.pid,
        });
        let system = &picture.system;
        Self {
            hostname,
            // The server does not read it. UTC, and says so, where the original sends local time.
            timestamp: time.to_string(),
            processes: processes.collect(),
            connections: connections.collect(),
            system_info: System {
                cpu_count: system.cpu_count,
                memory_total: system.memory_total,
                memory_available: system.memory_available,
                boot_time: system.boot_time.map(|boot| boot.as_micros() as f64 / 1e6),
                platform: system.platform.as_deref(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_host_probes::hands::{Patience, Protected};
    use serde_json::{Value, json};

    fn picture() -> Inventory {
        let text = json!({
            "processes": [
                {"pid": 7, "start_time": "2026-01-01T00:00:07Z", "name": "evil.sh"},
                {"pid": 8, "start_time": "2026-01-01T00:00:08Z", "name": "", "cpu_percent": 150.5,
                 "command_line": "x y", "user": "joe", "memory_percent": 1.25},
            ],
            "connections": [
                {"protocol": "tcp", "local_address": "127.0.0.1", "local_port": 80, "status": "LISTEN"},
                {"protocol": "tcp", "local_address": "127.0.0.1", "local_port": 80, "pid": 7,
                 "remote_address": "127.0.0.2", "remote_port": 9, "status": "ESTABLISHED"},
                {"protocol": "udp", "local_address": "127.0.0.1", "local_port": 53,
                 "remote_address": "127.0.0.2", "remote_port": 9, "status": "ESTABLISHED"},
            ],
            "system": {"platform": "Linux", "cpu_count": 2, "memory_total": 10,
                       "memory_available": 5, "boot_time": "2024-01-13T05:24:16Z"},
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn the_payload_is_that_of_the_original_agent() {
        let picture = picture();
        let payload = Payload::new("host", Timestamp::from_micros(1_500_000), &picture);
        let expected: Value = json!({
            "hostname": "host",
            "timestamp": "1970-01-01T00:00:01.500000Z",
            "processes": [
                {"pid": 7, "name": "evil.sh", "command_line": null, "user": null,
                 "cpu_percent": 0.0, "memory_percent": 0.0},
                {"pid": 8, "name": "unknown", "command_line": "x y", "user": "joe",
                 "cpu_percent": 150.5, "memory_percent": 1.25},
            ],
            "connections": [
                {"local_address": "127.0.0.1", "local_port": 80, "remote_address": "127.0.0.2",
                 "remote_port": 9, "status": "ESTABLISHED", "pid": 7},
            ],
            "system_info": {"cpu_count": 2, "memory_total": 10, "memory_available": 5,
                            "boot_time": 1_705_123_456.0, "platform": "Linux"},
        });
        assert_eq!(serde_json::to_value(&payload).unwrap(), expected);
    }

    #[test]
    fn an_order_is_about_the_process_that_was_reported() {
        let mut reported = Reported::default();
        reported.note(&picture());
        let start = Timestamp::parse("2026-01-01T00:00:07Z").ok();
        let order = |reported: &Reported, pid, name: Option<&str>| {
            reported.order(pid, name).map(|order| (order.start_time, order.name.map(String::from)))
        };
        let evil = Some((start, Some("evil.sh".to_owned())));
        assert_eq!(order(&reported, 7, Some("evil.sh")), evil);
        assert_eq!(order(&reported, 7, None), evil);
        assert_eq!(order(&reported, 7, Some("x")), None);
        assert_eq!(order(&reported, 9, None), None);
        assert_eq!(order(&reported, 9, Some("evil.sh")), None);
        reported.note(&Inventory::default());
        assert_eq!(order(&reported, 7, Some("evil.sh")), evil);
        reported.note(&Inventory::default());
        assert_eq!(order(&reported, 7, Some("evil.sh")), None);
        assert_eq!(order(&reported, 7, None), None);
    }

    #[test]
    fn a_command_is_accepted_once_for_each_process_that_was_reported() {
        let mut reported = Reported::default();
        reported.note(&picture());
        let mut commands = Commands {
            server: WatcherServer::new("http://127.0.0.1:1").unwrap(),
            hostname: "host".to_owned(),
            hands: Hands::new(Protected::default(), Patience::default()),
            memory: CommandMemory::new(16),
            reported: Arc::new(Mutex::new(reported)),
            under_way: JoinSet::new(),
        };
        let mut accepts = |id: Option<&str>, pid: i64, name: &str| {
            let command = json!({
                "command_id": id, "action": "kill_process", "target": pid.to_string(),
                "parameters": {"process_name": name},
            });
            let order = commands.accept(serde_json::from_value(command).unwrap());
            order.map(|order| (order.pid, order.start_time.is_some()))
        };
        // Never reported, or not under this name: whatever runs there now was not meant.
        assert_eq!(accepts(Some("cmd_1"), 9, "evil.sh"), None);
        assert_eq!(accepts(Some("cmd_2"), 7, "other"), None);
        // Commands without an id are no repetitions of each other.
        assert_eq!(accepts(None, 7, "evil.sh"), Some((7, true)));
        assert_eq!(accepts(None, 8, ""), Some((8, true)));
        assert_eq!(accepts(None, 8, ""), None);
        assert_eq!(accepts(Some("cmd_3"), 7, "evil.sh"), None);
    }

    #[test]
    fn commands_are_read_as_the_original_agent_reads_them() {
        let read = |text: &str| -> Vec<Option<i64>> {
            let commands: Vec<Command> = serde_json::from_str(text).unwrap();
            commands.iter().map(|command| command.target.as_ref().and_then(Target::pid)).collect()
        };
        assert_eq!(read("[]"), []);
        let text = r#"[{"command_id": "cmd_1.5", "action": "kill_process", "target": "1234",
                        "parameters": {"process_name": "x", "reason": "y"}, "more": 1},
                       {"target": 5}, {"target": "x"}, {"target": null}]"#;
        assert_eq!(read(text), [Some(1234), Some(5), None, None]);
    }
}
