//! Host agents that watch nothing: each has its own identity, holds its request for commands open, and
//! reports what a quiet server would.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ringwall_end_to_end::server::Server;
use ringwall_end_to_end::tour;
use ringwall_event::{
    Activity, AgentHealth, Connection, Inventory, Process, ProcessRef, Timestamp,
};
use ringwall_server_api::{
    AgentEnrolRequest, AgentEvent, AgentReport, CommandOutcome, CommandPayload, CommandResult,
};
use ringwall_server_client::{AgentClient, Trust};
use ringwall_signing::SigningKey;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep};

/// From one report of changes to the next: a start and an end every two seconds.
const CHANGES_INTERVAL: Duration = Duration::from_secs(2);
/// From one full picture to the next, as agents take them.
const PICTURE_INTERVAL: Duration = Duration::from_secs(15);
/// How an agent is doing is told once a minute.
const HEALTH_INTERVAL: Duration = Duration::from_secs(60);
/// How long the server may hold a request for commands.
const COMMAND_WAIT: Duration = Duration::from_secs(25);
/// Processes and connections in a picture.
const PROCESSES: i64 = 120;
const CONNECTIONS: u16 = 30;
/// Requests that are under way while agents are enrolled.
const ENROLMENTS_AT_ONCE: u64 = 16;

/// All agents.
pub(super) struct Fleet {
    agents: Vec<Agent>,
    counts: Arc<Counts>,
}

/// What all agents did together.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) reports: AtomicU64,
    pub(super) events: AtomicU64,
    /// Requests that did not end well.
    pub(super) failures: AtomicU64,
}

/// When commands arrived, by their ids.
type Arrivals = HashMap<String, Instant>;

/// One agent.
#[derive(Clone)]
pub(super) struct Agent {
    name: String,
    number: u64,
    client: AgentClient,
    arrivals: Arc<watch::Sender<Arrivals>>,
    counts: Arc<Counts>,
}

/// The tasks of the agents, until they are stopped.
pub(super) struct Tasks {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

impl Fleet {
    /// So many agents, each with a key of its own.
    pub(super) async fn enrol(server: &Server, agents: u64) -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let mut enrolled = Vec::new();
        let mut next = 0;
        while next < agents {
            let some = next..(next + ENROLMENTS_AT_ONCE).min(agents);
            next = some.end;
            let mut under_way = JoinSet::new();
            for number in some {
                under_way.spawn(Agent::enrol(
                    server.ready().main.clone(),
                    server.api(),
                    number,
                    Arc::clone(&counts),
                ));
            }
            while let Some(agent) = under_way.join_next().await {
                enrolled.push(agent??);
            }
        }
        Ok(Self { agents: enrolled, counts })
    }

    /// Lets all of them run.
    pub(super) fn start(&self) -> Tasks {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let all = self.agents.len().max(1);
        for (position, agent) in self.agents.iter().enumerate() {
            // Spread over the time of a picture, as agents are that were not started by one hand.
            let share = position as f64 / all as f64;
            tasks.spawn(agent.clone().report(PICTURE_INTERVAL.mul_f64(share), stopped.clone()));
            tasks.spawn(agent.clone().fetch_commands(stopped.clone()));
        }
        Tasks { stop, tasks }
    }

    /// Waits until the server has a picture of each.
    pub(super) async fn until_all_are_there(&self, server: &Server) -> Result<()> {
        let all = self.agents.len();
        tour::until(PICTURE_INTERVAL * 4, async || {
            let overview = server.api().get_json("/api/v1/overview").await?;
            let hosts = overview.pointer("/hosts/total").and_then(Value::as_u64);
            let reports = self.counts.reports.load(Ordering::Relaxed);
            ensure!(reports >= all as u64, "{reports} of {all} reported");
            ensure!(hosts.is_none_or(|hosts| hosts >= all as u64), "{overview}");
            Ok(())
        })
        .await
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Any of them.
    pub(super) fn any(&self) -> Result<&Agent> {
        let all = self.agents.len() as u64;
        let position = usize::try_from(getrandom::u64()? % all.max(1))?;
        self.agents.get(position).context("no agents")
    }
}

impl Tasks {
    /// Asks all to end, and waits for it.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Agent {
    async fn enrol(
        url: String,
        api: ringwall_end_to_end::http_client::Http,
        number: u64,
        counts: Arc<Counts>,
    ) -> Result<Self> {
        let name = format!("fleet-{number}");
        let leave = json!({ "name": name });
        let answer = api.post("/api/v1/enrolments", &leave).await?.expect(201)?.json()?;
        let token = answer.get("token").and_then(Value::as_str).context("no token")?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let key = SigningKey::from_seed(&seed);
        let request = AgentEnrolRequest {
            public_key: key.public_key().to_base64(),
            name: None,
            machine: None,
            hostname: name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        ringwall_server_client::enrol(&url, token, &key, &request, &Trust::default()).await?;
        let client = AgentClient::new(&url, &name, key)?;
        let arrivals = Arc::new(watch::channel(Arrivals::new()).0);
        Ok(Self { name, number, client, arrivals, counts })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The pid and name of a process of its picture.
    pub(super) fn process(&self) -> (i64, &'static str) {
        (100, name_of(100))
    }

    /// To wait for commands.
    pub(super) fn arrivals(&self) -> watch::Receiver<Arrivals> {
        self.arrivals.subscribe()
    }

    async fn report(self, begin: Duration, mut stop: watch::Receiver<bool>) -> Result<()> {
        let mut sequence = 0;
        tokio::select! {
            () = sleep(begin) => {}
            _ = stop.wait_for(|asked| *asked) => return Ok(()),
        }
        let start = tokio::time::Instant::now();
        let mut pictures = interval_at(start, PICTURE_INTERVAL);
        let mut changes = interval_at(start + CHANGES_INTERVAL, CHANGES_INTERVAL);
        let mut health = interval_at(start + CHANGES_INTERVAL, HEALTH_INTERVAL);
        loop {
            let activities = tokio::select! {
                _ = pictures.tick() => vec![self.picture()],
                _ = changes.tick() => self.change(sequence),
                _ = health.tick() => vec![self.health()],
                _ = stop.wait_for(|asked| *asked) => return Ok(()),
            };
            sequence += 1;
            self.send(sequence, activities).await?;
        }
    }

    async fn send(&self, sequence: u64, activities: Vec<Activity>) -> Result<()> {
        let count = activities.len() as u64;
        let time = now();
        let event = |activity| AgentEvent { time, severity: None, activity };
        let report = AgentReport {
            spool_id: "1".to_owned(),
            sequence,
            hostname: self.name.clone(),
            dropped_total: 0,
            events: activities.into_iter().map(event).collect(),
        };
        let body = Bytes::from(serde_json::to_vec(&report)?);
        match self.client.report(body).await {
            Ok(_) => {
                self.counts.reports.fetch_add(1, Ordering::Relaxed);
                self.counts.events.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => self.failed(&error),
        }
        Ok(())
    }

    fn failed(&self, error: &ringwall_server_client::ClientError) {
        if self.counts.failures.fetch_add(1, Ordering::Relaxed) == 0 {
            println!("failure   {error}");
        }
    }

    async fn fetch_commands(self, mut stop: watch::Receiver<bool>) -> Result<()> {
        loop {
            let answer = tokio::select! {
                answer = self.client.commands(COMMAND_WAIT, None) => answer,
                _ = stop.wait_for(|asked| *asked) => return Ok(()),
            };
            let arrived = Instant::now();
            let commands = match answer {
                Ok(answer) => answer.commands,
                Err(error) => {
                    self.failed(&error);
                    sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            for command in commands {
                let id = id_of(&command.payload)?;
                self.arrivals.send_modify(|arrivals| {
                    arrivals.insert(id.clone(), arrived);
                });
                let result = CommandResult {
                    state: CommandOutcome::Failed,
                    result: "there is no such process: a bench".to_owned(),
                };
                if let Err(error) = self.client.command_result(&id, &result).await {
                    self.failed(&error);
                }
            }
        }
    }

    fn picture(&self) -> Activity {
        let processes = (1..=PROCESSES).map(|pid| process(pid, now())).collect();
        let connections = (0..CONNECTIONS).map(|number| Connection {
            protocol: "tcp".into(),
            local_address: "192.0.2.10".into(),
            local_port: 40_000 + number,
            remote_address: Some(format!("198.51.100.{}", self.number % 200).into()),
            remote_port: Some(443),
            status: "ESTABLISHED".into(),
            pid: Some(i64::from(number) + 1),
            process_name: Some(name_of(i64::from(number) + 1).into()),
        });
        let inventory =
            Inventory { processes, connections: connections.collect(), ..Inventory::default() };
        Activity::Inventory(Box::new(inventory))
    }

    /// A process that starts, and the one from before, which ends.
    fn change(&self, sequence: u64) -> Vec<Activity> {
        let pid = |sequence: u64| 1000 + i64::try_from(sequence % 20_000).unwrap_or_default();
        let started = process(pid(sequence), now());
        let ended = ProcessRef { pid: pid(sequence.wrapping_sub(1)), ..ProcessRef::default() };
        vec![
            Activity::ProcessStarted(started),
            Activity::ProcessEnded { process: ended, exit_code: Some(0) },
        ]
    }

    fn health(&self) -> Activity {
        let health = AgentHealth {
            version: "0.1.0".into(),
            started: Some(now()),
            rss_bytes: 6 << 20,
            cpu_percent: 0.3,
            ..AgentHealth::default()
        };
        Activity::AgentHealth(Box::new(health))
    }
}

/// Programs of a quiet server.
fn name_of(pid: i64) -> &'static str {
    const NAMES: [&str; 8] =
        ["systemd", "sshd", "nginx", "postgres", "cron", "bash", "python3", "node"];
    let position = usize::try_from(pid.unsigned_abs() % NAMES.len() as u64).unwrap_or_default();
    NAMES.get(position).copied().unwrap_or("init")
}

fn process(pid: i64, time: Timestamp) -> Process {
    let name = name_of(pid);
    Process {
        pid,
        // Those of the picture run since long; the others began just now.
        start_time: Some(if pid <= PROCESSES {
            Timestamp::from_micros(pid * 1_000_000)
        } else {
            time
        }),
        name: name.into(),
        parent_pid: Some(1),
        user: Some("www-data".into()),
        executable: Some(format!("/usr/sbin/{name}").into()),
        command_line: Some(
            format!("/usr/sbin/{name} --worker {pid} --config /etc/{name}.conf").into(),
        ),
        executable_sha256: Some(
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        ),
        cpu_percent: Some(0.5),
        memory_percent: Some(0.2),
        container: None,
    }
}

fn id_of(payload: &str) -> Result<String> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.decode(payload)?;
    let payload: CommandPayload = serde_json::from_slice(&text)?;
    Ok(payload.id)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
