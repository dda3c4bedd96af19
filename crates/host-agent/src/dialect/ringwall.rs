//! Speaks to a Ringwall server: signed reports, signed commands.

use crate::chance;
use crate::commands::Commands;
use crate::execution::Executor;
use crate::kill::Hands;
use crate::own_health::{self, OwnHealth, Usage};
use crate::report;
use crate::reporting::Reports;
use crate::rotation::Rotation;
use crate::settings::Settings;
use crate::state_dir;
use crate::verified_command::Verifier;
use crate::watching::Watching;
use anyhow::Context as _;
use bytes::Bytes;
use ringwall_delivery::{BatchBounds, Item, MemorySpool, Spool as _};
use ringwall_host_probes::Observation;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_api::ProblemKind;
use ringwall_server_client::{AgentClient, ClientError, Presence};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};

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
    let (reports, sender) = Reports::open(client.clone(), &settings.spool())?;
    let hands = Hands::new(settings.host.protected, settings.host.patience);
    let collect_bytes_max = settings.host.collect_bytes_max;
    let executor = Executor::new(hands, &settings.state_dir, collect_bytes_max, client.clone());
    let verifier = Verifier::new(&settings.agent_name, settings.server_public_key);
    let presence = Presence { run, machine: settings.machine };
    let commands = Commands::new(client, presence, verifier, executor, &settings.state_dir).await;
    let own_health = OwnHealth::new(settings.host.cpu_percent_max);
    let (end, ended) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let stop = ended.clone();
    tasks.spawn(async move {
        sender.run(stop).await;
    });
    tasks.spawn(rotation.run(ended.clone()));
    tasks.spawn(commands.run(ended));
    // Returns when asked to stop; the probe may end before.
    let collected = collect(watching, &reports, own_health, &mut shutdown).await;
    // What is under way may end, what waits may be sent; then patience is over.
    end.send_replace(true);
    let drained = timeout(DRAIN, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("stopped before everything was sent");
    }
    collected
}

/// A name for this run of the agent, by which the server tells two agents of one name apart.
fn run_id() -> anyhow::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).context("no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn collect(
    mut watching: Watching,
    reports: &Reports,
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
                let waiting = reports.waiting();
                let (state, throttled) = (watching.state(), watching.take_throttled());
                let now = Instant::now();
                let told = own_health.look(&state, throttled, waiting, Usage::now(), now);
                if let Some(told) = told {
                    reports.add(vec![told]).await;
                }
            }
            batch = watching.next() => match batch {
                Some(observations) => reports.add(observations).await,
                None => anyhow::bail!("watching this host has come to an end"),
            },
            _ = shutdown.wait_for(|asked| *asked) => return Ok(()),
        }
    }
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
    backoff.failed(chance(), after_refusal(error))
}

/// How long the server asks to be left alone, or should be.
pub(crate) fn after_refusal(error: &ClientError) -> Option<Duration> {
    match error {
        _ if is_refused_key(error) => Some(REFUSED_WAIT),
        ClientError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    }
}

pub(crate) fn tell_trouble(error: &ClientError, what: &str) {
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
pub(crate) async fn check_report(observation: Observation) -> anyhow::Result<Bytes> {
    let event = report::event(observation).context("the picture cannot be written")?;
    // Its name is drawn for this one report, which is then like no other.
    let spool = MemorySpool::new(u64::MAX)?;
    spool.append(vec![Item::new(event)]).await?;
    let label = crate::host_name();
    let batch = spool.next_batch(&BatchBounds::default(), label.as_bytes()).await?;
    let body = batch.and_then(|batch| report::body(&batch));
    body.context("the report cannot be written")
}
