//! Through a running server, as many host agents.

use super::Outcome;
use super::meter::Meter;
use crate::output::{now, say};
use crate::tool::Asking;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use ringwall_event_generator::{Batch, Generator};
use ringwall_lifecycle::{Failure, Shutdown};
use ringwall_server_api::{
    AgentEnrolRequest, AgentEvent, AgentReport, EnrolmentCreated, EnrolmentRequest,
};
use ringwall_server_client::{AgentClient, Client, ClientError, Trust};
use ringwall_signing::SigningKey;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How it is sent.
pub(super) struct Way {
    /// How many requests are under way at once.
    pub(super) connections: u16,
    /// At most so many events a second.
    pub(super) rate: Option<u64>,
    /// Whether keys of these names may be replaced.
    pub(super) replace_keys: bool,
}

/// How many reports wait for their turn on a connection.
const WAITING_MAX: usize = 2;
/// How long a server may be busy or away.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Sends all events, or those until somebody asks to stop.
pub(super) async fn run(
    asking: &Asking,
    generator: &Generator,
    way: &Way,
    meter: &Arc<Meter>,
    stop: &Shutdown,
) -> Result<Outcome> {
    let mut keys = Keys {
        client: asking.client.clone(),
        url: asking.server.url.clone(),
        trust: asking.server.trust()?,
        leave: None,
        uses_left: 0,
        made: Vec::new(),
    };
    let sent = meter.watch(send(asking, generator, way, &mut keys, meter, stop)).await;
    keys.remove().await;
    sent
}

async fn send(
    asking: &Asking,
    generator: &Generator,
    way: &Way,
    keys: &mut Keys,
    meter: &Arc<Meter>,
    stop: &Shutdown,
) -> Result<Outcome> {
    let mut agents: HashMap<Box<str>, Agent> = HashMap::new();
    let mut first: Option<AgentClient> = None;
    for source in generator.sources() {
        if stop.is_asked() {
            break;
        }
        let key = keys.make(&source.name, way.replace_keys).await?;
        // All share their connections.
        let client = match &first {
            Some(client) => client.of_agent(&source.name, key)?,
            None => first
                .insert(AgentClient::trusting(
                    &asking.server.url,
                    &source.name,
                    key,
                    &asking.server.trust()?,
                )?)
                .clone(),
        };
        agents.insert(source.name.clone(), Agent { client, sequence: 0 });
    }
    let counts = Arc::<Counts>::default();
    let mut lanes = JoinSet::new();
    let mut queues = Vec::new();
    for _ in 0..way.connections {
        let (queue, mut waiting) = mpsc::channel::<Report>(WAITING_MAX);
        let (counts, meter) = (Arc::clone(&counts), Arc::clone(meter));
        lanes.spawn(async move {
            while let Some(report) = waiting.recv().await {
                deliver(&report, &counts).await?;
                meter.add(report.events);
            }
            Ok::<_, ClientError>(())
        });
        queues.push(queue);
    }
    let spool_id = format!("generate-{}", now().as_micros());
    let pace = Pace { started: Instant::now(), rate: way.rate };
    let mut dispatched = 0;
    for (number, batch) in generator.batches().enumerate() {
        tokio::select! {
            () = pace.wait(dispatched) => {}
            () = stop.asked() => break,
        }
        dispatched += batch.events.len() as u64;
        let Some(agent) = agents.get_mut(&batch.source.name) else { continue };
        let report = agent.report(batch, &spool_id)?;
        // Whichever lane is free; in turn, where all are busy.
        let mut report = Some(report);
        for queue in &queues {
            let Some(taken) = report.take() else { break };
            report = match queue.try_send(taken) {
                Ok(()) => None,
                Err(
                    mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back),
                ) => Some(back),
            };
        }
        if let Some(report) = report
            && let Some(queue) = queues.get(number % queues.len())
            && queue.send(report).await.is_err()
        {
            // That lane gave up: it says why below.
            break;
        }
    }
    drop(queues);
    while let Some(ended) = lanes.join_next().await {
        let ended = ended.context("the work ended in a panic")?;
        ended.map_err(|error| Failure::new(format!("the server takes no more: {error}")))?;
    }
    Ok(Outcome::Sent {
        reports: counts.reports.load(Ordering::Relaxed),
        duplicates: counts.duplicates.load(Ordering::Relaxed),
        repeated: counts.repeated.load(Ordering::Relaxed),
    })
}

struct Agent {
    client: AgentClient,
    sequence: u64,
}

/// A report, ready to be sent as often as it takes.
struct Report {
    client: AgentClient,
    body: Bytes,
    events: u64,
}

#[derive(Default)]
struct Counts {
    reports: AtomicU64,
    duplicates: AtomicU64,
    repeated: AtomicU64,
}

impl Agent {
    fn report(&mut self, batch: Batch, spool_id: &str) -> Result<Report> {
        self.sequence += 1;
        let report = AgentReport {
            spool_id: spool_id.to_owned(),
            sequence: self.sequence,
            hostname: batch.source.name.to_string(),
            dropped_total: 0,
            events: batch
                .events
                .into_iter()
                .map(|event| AgentEvent {
                    time: event.time,
                    severity: Some(event.severity),
                    activity: event.activity,
                })
                .collect(),
        };
        Ok(Report {
            client: self.client.clone(),
            events: report.events.len() as u64,
            body: serde_json::to_vec(&report)?.into(),
        })
    }
}

async fn deliver(report: &Report, counts: &Counts) -> Result<(), ClientError> {
    let begun = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let error = match report.client.report(report.body.clone()).await {
            Ok(answer) => {
                counts.reports.fetch_add(1, Ordering::Relaxed);
                counts.duplicates.fetch_add(answer.duplicates, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => error,
        };
        if !error.is_passing() || begun.elapsed() > PATIENCE {
            return Err(error);
        }
        counts.repeated.fetch_add(1, Ordering::Relaxed);
        let asked = match &error {
            ClientError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        };
        tokio::time::sleep(asked.unwrap_or(pause).min(PAUSE_MAX)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

struct Pace {
    started: Instant,
    rate: Option<u64>,
}

impl Pace {
    /// Until it is time for the event with this number.
    async fn wait(&self, number: u64) {
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(number as f64 / rate.max(1) as f64);
            tokio::time::sleep_until(self.started + due).await;
        }
    }
}

/// The host agents that were enrolled here, and go again.
struct Keys {
    client: Client,
    url: String,
    trust: Trust,
    /// Leave for those whose names are free.
    leave: Option<EnrolmentCreated>,
    /// How many more it enrols.
    uses_left: u32,
    made: Vec<String>,
}

/// One enrolment is for no more hosts.
const USES_MAX: u32 = 10_000;

impl Keys {
    async fn make(&mut self, name: &str, replace: bool) -> Result<SigningKey> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("no randomness")?;
        let key = SigningKey::from_seed(&seed);
        let leave = match self.leave.take() {
            Some(leave) if self.uses_left > 0 => leave,
            _ => {
                self.uses_left = USES_MAX;
                let request =
                    EnrolmentRequest { uses: Some(USES_MAX), ..EnrolmentRequest::default() };
                self.client.create_enrolment(&request).await?
            }
        };
        match self.enrol(&leave, name, &key).await {
            Err(error) if error.is_status(409) => {
                if !replace {
                    return Err(Failure::no(format!(
                        "a host agent called {name} is enrolled already"
                    ))
                    .hint("--host-prefix gives other names; --replace-keys replaces its key")
                    .into());
                }
                let request = EnrolmentRequest {
                    replaces: Some(name.to_owned()),
                    ..EnrolmentRequest::default()
                };
                let leave = self.client.create_enrolment(&request).await?;
                self.enrol(&leave, name, &key).await?;
            }
            other => {
                other?;
                self.uses_left -= 1;
            }
        }
        self.leave = Some(leave);
        self.made.push(name.to_owned());
        Ok(key)
    }

    async fn enrol(
        &self,
        leave: &EnrolmentCreated,
        name: &str,
        key: &SigningKey,
    ) -> Result<(), ClientError> {
        let request = AgentEnrolRequest {
            public_key: key.public_key().to_base64(),
            name: Some(name.to_owned()),
            // It does not exist.
            machine: None,
            hostname: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let token = leave.token.expose();
        ringwall_server_client::enrol(&self.url, token, key, &request, &self.trust).await?;
        Ok(())
    }

    async fn remove(&self) {
        let mut left = 0u64;
        let mut why = None;
        for name in &self.made {
            if let Err(error) = self.client.delete_identity(name).await {
                left += 1;
                why = Some(error);
            }
        }
        if let Some(why) = why {
            say(&format!("{left} host agents stay enrolled: {why}"));
        }
        if let Some(leave) = &self.leave
            && let Err(error) = self.client.delete_enrolment(&leave.id).await
        {
            say(&format!("enrolment {} stays until it expires: {error}", leave.id));
        }
    }
}
