//! Speaks to a Ringwall server: signed reports, signed commands.

use crate::buffer::{Batch, Buffer};
use crate::chance;
use crate::command_memory::{CommandMemory, Seen};
use crate::execution::carry_out;
use crate::kill::Hands;
use crate::own_health::{self, OwnHealth, Usage};
use crate::report;
use crate::settings::Settings;
use crate::state_dir;
use crate::verified_command::Verifier;
use crate::watching::{Watching, is_picture};
use anyhow::Context as _;
use bytes::Bytes;
use parking_lot::Mutex;
use ringwall_host_probes::Observation;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_api::{CommandResult, SignedCommand};
use ringwall_server_client::{AgentClient, ClientError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, sleep, timeout};

/// How long the server may hold a request for commands.
const COMMAND_WAIT: Duration = Duration::from_secs(25);
/// The waits between attempts.
const RETRY: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(250), Duration::from_secs(10));
/// Where the key is not accepted, trying again soon would help nobody.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
/// At the end, so long for what is still to be sent.
const DRAIN: Duration = Duration::from_secs(4);
/// Commands that are remembered.
const COMMANDS_REMEMBERED: usize = 4096;
/// Commands of one answer that are looked at; the server hands the others out again.
const COMMANDS_AT_ONCE: usize = 256;
/// A result that the server would not take in this time is of no use to it any more.
const RESULT_PATIENCE: Duration = Duration::from_secs(600);

/// Runs until asked to stop.
///
/// # Errors
/// Where this host cannot be watched, or the server's address is unusable.
pub(crate) async fn run(
    settings: Settings,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    state_dir::prepare(&settings.state_dir)?;
    let client =
        AgentClient::new(&settings.server_url, &settings.agent_name, settings.secret.clone())?;
    let watching =
        Watching::start(settings.host.probe()).await.context("cannot watch this host")?;
    tracing::info!(server = client.url(), agent = settings.agent_name, "host agent started");
    let outbox = Arc::new(Outbox::new(settings.host.buffer_bytes_max));
    let sender = Sender {
        client: client.clone(),
        outbox: Arc::clone(&outbox),
        run: run_id()?,
        hostname: crate::host_name(),
        sequence: 0,
    };
    let commands = Commands {
        client,
        verifier: Verifier::new(&settings.agent_name, settings.server_public_key),
        hands: Hands::new(settings.host.protected, settings.host.patience),
        memory: Arc::new(Mutex::new(CommandMemory::new(COMMANDS_REMEMBERED))),
    };
    let own_health = OwnHealth::new(settings.host.cpu_percent_max);
    let (end, ended) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(sender.run(ended.clone()));
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
fn is_final(error: &ClientError) -> bool {
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

fn wait_after(error: &ClientError, backoff: &mut Backoff) -> Duration {
    let retry_after = match error {
        ClientError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    let retry_after = if is_refused_key(error) { Some(REFUSED_WAIT) } else { retry_after };
    backoff.failed(chance(), retry_after)
}

fn tell_trouble(error: &ClientError, what: &str) {
    if is_refused_key(error) {
        tracing::error!(
            %error,
            hint = "is the key of this agent still enrolled, and this host's clock right?",
            "the server does not accept this agent: events are kept"
        );
    } else {
        tracing::warn!(%error, "{what}");
    }
}

/// Fetches commands and carries them out.
struct Commands {
    client: AgentClient,
    verifier: Verifier,
    hands: Hands,
    memory: Arc<Mutex<CommandMemory<CommandResult>>>,
}

impl Commands {
    async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(RETRY);
        let mut under_way = JoinSet::new();
        loop {
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.client.commands(COMMAND_WAIT) => answer,
                _ = shutdown.wait_for(|asked| *asked) => break,
            };
            while under_way.try_join_next().is_some() {}
            let wait = match answer {
                Ok(answer) => {
                    backoff.succeeded();
                    let mut began_any = false;
                    for command in answer.commands.iter().take(COMMANDS_AT_ONCE) {
                        began_any |= self.take(command, &mut under_way);
                    }
                    // Who answers at once with nothing new must not be asked without end.
                    let hasty = !began_any && asked.elapsed() < Duration::from_secs(1);
                    if hasty { Duration::from_secs(1) } else { Duration::ZERO }
                }
                Err(error) => {
                    if backoff.failures() == 0 {
                        tracing::debug!(%error, "commands cannot be fetched");
                    }
                    wait_after(&error, &mut backoff)
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                _ = shutdown.wait_for(|asked| *asked) => break,
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Begins what a command orders; whether it was a new one.
    fn take(&self, command: &SignedCommand, under_way: &mut JoinSet<()>) -> bool {
        let command = match self.verifier.verify(command) {
            Ok(command) => command,
            Err(error) => {
                tracing::error!(%error, "a command is not believed");
                return false;
            }
        };
        let seen = self.memory.lock().begin(command.id());
        let client = self.client.clone();
        match seen {
            Seen::UnderWay => false,
            // Whoever repeats a command without end must not fill the memory with answers to it.
            Seen::Done(_) if under_way.len() >= COMMANDS_AT_ONCE => false,
            Seen::Done(result) => {
                // The server did not hear of the result.
                let id = command.id().to_owned();
                under_way.spawn(async move { report_result(&client, &id, &result).await });
                false
            }
            Seen::Never => {
                let (hands, memory) = (self.hands.clone(), Arc::clone(&self.memory));
                under_way.spawn(async move {
                    let result = carry_out(&command, &hands).await;
                    memory.lock().finish(command.id(), result.clone());
                    report_result(&client, command.id(), &result).await;
                });
                true
            }
        }
    }
}

async fn report_result(client: &AgentClient, id: &str, result: &CommandResult) {
    let mut backoff = Backoff::new(RETRY);
    let start = Instant::now();
    loop {
        let Err(error) = client.command_result(id, result).await else {
            return;
        };
        let is_final = is_final(&error) || error.is_status(404);
        if is_final || start.elapsed() > RESULT_PATIENCE {
            tracing::warn!(command = id, %error, "the result of a command was not taken");
            return;
        }
        sleep(wait_after(&error, &mut backoff)).await;
    }
}

/// The body of a single report, for the check.
pub(crate) fn check_report(observation: Observation) -> anyhow::Result<Bytes> {
    let event = report::event(observation).context("the picture cannot be written")?;
    let batch = Batch { events: vec![event], dropped: 0 };
    report::body(&run_id()?, 1, &crate::host_name(), &batch).context("the report cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ringwall_event::{Order, ProcessTarget};
    use ringwall_host_probes::hands::{Patience, Protected};
    use ringwall_server_api::{CommandOutcome, CommandPayload};
    use ringwall_signing::{SigningKey, canonical_json};

    #[tokio::test]
    async fn a_command_that_expires_while_it_waits_is_not_carried_out() {
        let now = crate::now();
        let payload = CommandPayload {
            id: "cmd_1".to_owned(),
            host: "web-1".to_owned(),
            order: Order::KillProcess(ProcessTarget {
                pid: i64::MAX,
                start_time: Some(now),
                name: "x".into(),
            }),
            reason: "a test".to_owned(),
            issued: now,
            expires: now.plus_micros(100_000),
        };
        let key = SigningKey::from_seed(&[3; 32]);
        let text = canonical_json(&serde_json::to_value(&payload).unwrap());
        let signature = key.sign_command(text.as_bytes());
        let command = SignedCommand { payload: STANDARD.encode(text), signature };
        let command = Verifier::new("web-1", key.public_key()).verify(&command).unwrap();

        let hands = Hands::new(Protected::default(), Patience::default());
        let mut places = Vec::new();
        for _ in 0..crate::kill::AT_ONCE {
            places.push(hands.place().await);
        }
        let waiting = tokio::spawn(async move { carry_out(&command, &hands).await });
        sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        drop(places);
        let result = waiting.await.unwrap();
        assert_eq!(result.state, CommandOutcome::Failed);
        assert!(result.result.contains("expired"), "{}", result.result);
    }
}
