//! Runs a probe on a thread of its own, so that what the network does never delays what is seen.

use ringwall_event::Activity;
use ringwall_host_probes::{
    Batch, Capabilities, LinuxProbe, Observation, Probe, ProbeError, ProbeSettings, ProcessChanges,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A running probe.
#[derive(Debug)]
pub(crate) struct Watching {
    batches: mpsc::Receiver<Vec<Observation>>,
    stop: Arc<AtomicBool>,
    capabilities: Capabilities,
}

/// Batches between the thread and its reader; the thread waits when there are so many.
const BATCHES_MAX: usize = 16;
/// How soon the thread notices that it should stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

impl Watching {
    /// Starts a probe and waits for its first picture.
    ///
    /// # Errors
    /// Where this host cannot be watched.
    pub(crate) async fn start(settings: ProbeSettings) -> Result<Self, ProbeError> {
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let (started, answer) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("probe".to_owned())
            .stack_size(512 << 10)
            .spawn(move || run(settings, &asked, &sender, started))
            .map_err(|error| ProbeError::Procfs(format!("no thread: {error}")))?;
        let ended = || ProbeError::Procfs("the probe ended before it began".to_owned());
        let capabilities = answer.await.map_err(|_| ended())??;
        tell(&capabilities);
        Ok(Self { batches, stop, capabilities })
    }

    /// What can be seen here.
    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What was seen since the last call; none when the probe has ended.
    pub(crate) async fn next(&mut self) -> Option<Vec<Observation>> {
        self.batches.recv().await
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn run(
    settings: ProbeSettings,
    stop: &AtomicBool,
    batches: &mpsc::Sender<Vec<Observation>>,
    started: oneshot::Sender<Result<Capabilities, ProbeError>>,
) {
    let begun = LinuxProbe::new(settings).and_then(|mut probe| probe.start().map(|()| probe));
    let mut probe = match begun {
        Ok(probe) => probe,
        Err(error) => {
            // Who asked is gone when nobody takes the answer.
            drop(started.send(Err(error)));
            return;
        }
    };
    drop(started.send(Ok(probe.capabilities().clone())));
    let mut batch = Batch::default();
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = probe.next_batch(STOP_WITHIN, &mut batch) {
            tracing::error!(%error, "watching has come to an end");
            return;
        }
        let losses = std::mem::take(&mut batch.losses);
        if losses > 0 {
            tracing::info!(losses, "the kernel lost notices of processes: all were looked at anew");
        }
        if batch.observations.is_empty() {
            continue;
        }
        if batches.blocking_send(std::mem::take(&mut batch.observations)).is_err() {
            return;
        }
    }
}

fn tell(capabilities: &Capabilities) {
    match &capabilities.process_changes {
        ProcessChanges::Scan(reason) => {
            tracing::info!(%reason, "processes are found by scanning: short ones may be missed");
        }
        _ => tracing::info!("the kernel tells of processes as they start and end"),
    }
    if !capabilities.other_users {
        tracing::info!("program files and sockets of other users are not visible: not run as root");
    }
}

/// Whether it is a full picture of the host.
pub(crate) fn is_picture(observation: &Observation) -> bool {
    matches!(observation.activity, Activity::Inventory(_))
}
