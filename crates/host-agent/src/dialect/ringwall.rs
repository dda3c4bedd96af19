//! Speaks to a Ringwall server: signed reports, signed commands.

use crate::buffer::{Batch, Buffer};
use crate::chance;
use crate::commands::Commands;
use crate::execution::Executor;
use crate::kill::Hands;
use crate::own_health::{self, OwnHealth, Usage};
use crate::report;
use crate::rotation::Rotation;
use crate::settings::Settings;
use crate::state_dir;
use crate::verified_command::Verifier;
use crate::watching::{Watching, is_picture};
use anyhow::Context as _;
use bytes::Bytes;
use parking_lot::Mutex;
use ringwall_host_probes::Observation;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_api::ProblemKind;
use ringwall_server_client::{AgentClient, ClientError, Presence};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, sleep, timeout};

/// The waits between attempts.
pub(crate) const RETRY: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(250), Duration::from_secs(10));
/// Where the key is not accepted, trying again soon would help nobody.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
/// At the end, so long for what is still to be sent.
const DRAIN: Duration = Duration::from_secs(4);

/// Runs until asked to stop.
///
/// # Errors
/// Where this host cannot be watched, or the server's address is unusable.
pub(crate) async fn run(
    settings: Settings,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    state_dir::prepare(&settings.state_dir)?;
    let (url, name) = (&settings.server_url, &settings.agent_name);
    let client = AgentClient::trusting(url, name, settings.key.clone(), &settings.trust)?;
    let watching =
        Watching::start(settings.host.probe()).await.context("cannot watch this host")?;
    tracing::info!(server = client.url(), agent = settings.agent_name, "host agent started");
    let run = run_id()?;
    let rotation = Rotation {
        client: client.clone(),
        state_dir: settings.state_dir.clone(),
        every: settings.rotate_key_every,
    };
    let outbox = Arc::new(Outbox::new(settings.host.buffer_bytes_max));
    let sender = Sender {
        client: client.clone(),
        outbox: Arc::clone(&outbox),
        run: run.clone(),
        hostname: crate::host_name(),
        sequence: 0,
    };
    let hands = Hands::new(settings.host.protected, settings.host.patience);
    let collect_bytes_max = settings.host.collect_bytes_max;
    let executor = Executor::new(hands, &settings.state_dir, collect_bytes_max, client.clone());
    let verifier = Verifier::new(&settings.agent_name, settings.server_public_key);
    let presence = Presence { run, machine: settings.machine };
    let commands = Commands::new(client, presence, verifier, executor, &settings.state_dir).await;
    let own_health = OwnHealth::new(settings.host.cpu_percent_max);
    let (end, ended) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(sender.run(ended.clone()));
    tasks.spawn(rotation.run(ended.clone()));
    tasks.spawn(commands.run(ended));
    // Returns when asked to stop; the probe may end before.
    let collected = collect(watching, &outbox, own_health, &mut shutdown).await;
    // What is under way may end, what waits may be sent; then patience is over.
    end.send_replace(true);
    let drained = timeout(DRAIN, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("stopped before everything was sent");
    }
    collected
}

/// A name for this run of the agent: with it the server tells its reports from those of earlier runs.
fn run_id() -> anyhow::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What waits to be sent.
struct Outbox {
    buffer: Mutex<Buffer>,
    filled: Notify,
}

impl Outbox {
    fn new(bytes_max: usize) -> Self {
        Self { buffer: Mutex::new(Buffer::new(bytes_max)), filled: Notify::new() }
    }

    fn add(&self, observations: Vec<Observation>) {
        for observation in observations {
            let is_picture = is_picture(&observation);
            let event = report::event(observation);
            let mut buffer = self.buffer.lock();
            match event {
                Some(event) => buffer.push(event, is_picture),
                None => buffer.count_dropped(1),
            }
        }
        self.filled.notify_one();
    }
}

async fn collect(
    mut watching: Watching,
    outbox: &Outbox,
    mut own_health: OwnHealth,
    shutdown: &mut watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut looks = tokio::time::interval(own_health::LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once; there is nothing to tell before there was some time.
    looks.tick().await;
    loop {
        tokio::select! {
            _ = looks.tick() => {
                let waiting = outbox.buffer.lock().waiting();
                let (state, throttled) = (watching.state(), watching.take_throttled());
                let now = Instant::now();
                let told = own_health.look(&state, throttled, waiting, Usage::now(), now);
                if let Some(told) = told {
                    outbox.add(vec![told]);
                }
            }
            batch = watching.next() => match batch {
                Some(observations) => outbox.add(observations),
                None => anyhow::bail!("watching this host has come to an end"),
            },
            _ = shutdown.wait_for(|asked| *asked) => return Ok(()),
        }
    }
}

/// Sends what waits, one report after the other.
struct Sender {
    client: AgentClient,
    outbox: Arc<Outbox>,
    run: String,
    hostname: String,
    sequence: u64,
}

/// What became of a report.
enum Sent {
    Taken,
    /// Too large for this server.
    TooLarge,
    /// Nobody will ever take it.
    Refused,
    /// Not taken when the time was up.
    Unsent,
}

impl Sender {
    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut parts: VecDeque<Batch> = VecDeque::new();
        loop {
            if parts.is_empty() {
                if self.outbox.buffer.lock().is_empty() {
                    if *shutdown.borrow() {
                        return;
                    }
                    tokio::select! {
                        () = self.outbox.filled.notified() => {}
                        _ = shutdown.wait_for(|asked| *asked) => {}
                    }
                    continue;
                }
                let (events, bytes) = (report::REPORT_EVENTS_MAX, report::REPORT_BYTES_MAX);
                parts.push_back(self.outbox.buffer.lock().take(events, bytes));
            }
            let Some(batch) = parts.pop_front() else {
                continue;
            };
            match self.send(&batch, &mut shutdown).await {
                Sent::Taken => {}
                Sent::TooLarge if batch.events.len() > 1 => {
                    let (first, second) = halves(batch);
                    parts.push_front(second);
                    parts.push_front(first);
                }
                Sent::TooLarge | Sent::Refused => {
                    let lost = batch.dropped + batch.events.len() as u64;
                    tracing::error!(events = batch.events.len(), "events were refused and dropped");
                    self.outbox.buffer.lock().count_dropped(lost);
                }
                Sent::Unsent => {
                    let waiting = self.outbox.buffer.lock().len() + batch.events.len();
                    tracing::warn!(events = waiting, "stopped with events that were not sent");
                    return;
                }
            }
        }
    }

    /// Sends a batch until the server has it: the same bytes under the same number each time, so that
    /// the server knows a report that it took when only its answer was lost.
    async fn send(&mut self, batch: &Batch, shutdown: &mut watch::Receiver<bool>) -> Sent {
        self.sequence += 1;
        let Some(body) = report::body(&self.run, self.sequence, &self.hostname, batch) else {
            return Sent::Refused;
        };
        let mut backoff = Backoff::new(RETRY);
        loop {
            let error = match self.client.report(body.clone()).await {
                Ok(answer) => {
                    if backoff.failures() > 0 {
                        tracing::info!("the server takes reports again");
                    }
                    tracing::debug!(
                        sequence = self.sequence,
                        bytes = body.len(),
                        accepted = answer.accepted,
                        duplicates = answer.duplicates,
                        "report taken"
                    );
                    return Sent::Taken;
                }
                Err(error) => error,
            };
            if error.is_status(413) {
                return Sent::TooLarge;
            }
            if is_final(&error) {
                tracing::error!(%error, "the server refuses a report for good");
                return Sent::Refused;
            }
            if backoff.failures() == 0 {
                tell_trouble(&error, "reports cannot be delivered: events are kept");
            }
            let wait = wait_after(&error, &mut backoff);
            if *shutdown.borrow() {
                return Sent::Unsent;
            }
            tokio::select! {
                () = sleep(wait) => {}
                _ = shutdown.wait_for(|asked| *asked) => {}
            }
        }
    }
}

fn halves(mut batch: Batch) -> (Batch, Batch) {
    let second = batch.events.split_off(batch.events.len() / 2);
    (batch, Batch { events: second, dropped: 0 })
}

/// Whether the same bytes will never be taken. A key that is not accepted may be by and by, and
/// whatever does not speak as our server does may be a proxy whose server is not up yet.
pub(crate) fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { problem, .. } => {
            matches!(problem.status, 400..=499) && !matches!(problem.status, 401 | 403 | 404 | 429)
        }
        ClientError::Unwritable(_) => true,
        _ => false,
    }
}

fn is_refused_key(error: &ClientError) -> bool {
    error.is_status(401) || error.is_status(403)
}

pub(crate) fn wait_after(error: &ClientError, backoff: &mut Backoff) -> Duration {
    let retry_after = match error {
        ClientError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    let retry_after = if is_refused_key(error) { Some(REFUSED_WAIT) } else { retry_after };
    backoff.failed(chance(), retry_after)
}

fn tell_trouble(error: &ClientError, what: &str) {
    let kind = error.problem().and_then(|problem| problem.kind());
    if kind == Some(ProblemKind::IdentityRevoked) {
        tracing::error!(%error, "this agent was revoked: nothing is sent, events are kept");
    } else if kind == Some(ProblemKind::IdentitySuspended) {
        tracing::error!(%error, "this agent is suspended: nothing is sent, events are kept");
    } else if is_refused_key(error) {
        tracing::error!(
            %error,
            hint = "is this agent still enrolled there, and this host's clock right?",
            "the server does not accept this agent: events are kept"
        );
    } else {
        tracing::warn!(%error, "{what}");
    }
}

/// The body of a single report, for the check.
pub(crate) fn check_report(observation: Observation) -> anyhow::Result<Bytes> {
    let event = report::event(observation).context("the picture cannot be written")?;
    let batch = Batch { events: vec![event], dropped: 0 };
    report::body(&run_id()?, 1, &crate::host_name(), &batch).context("the report cannot be written")
}
