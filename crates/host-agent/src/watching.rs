//! Runs a probe on a thread of its own, so that what the network does never delays what is seen.

use parking_lot::Mutex;
use ringwall_event::Activity;
use ringwall_host_probes::{
    Batch, Capabilities, LinuxProbe, Observation, Probe, ProbeError, ProbeSettings, ProcessChanges,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// So many looks in a row may fail before watching ends: a host that is out of memory or descriptors
/// may well recover.
const FAILURES_MAX: u32 = 60;
/// After a failed look.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// A running probe.
#[derive(Debug)]
pub(crate) struct Watching {
    batches: mpsc::Receiver<Vec<Observation>>,
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

/// How the probe is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeState {
    pub(crate) capabilities: Capabilities,
    /// Connections that are open and not followed, as there are too many.
    pub(crate) connections_left_out: u64,
}

impl ProbeState {
    fn take_in(&mut self, capabilities: &Capabilities, connections_left_out: u64) {
        if self.capabilities != *capabilities {
            self.capabilities = capabilities.clone();
        }
        if (self.connections_left_out == 0) != (connections_left_out == 0) {
            tracing::warn!(
                left_out = connections_left_out,
                "how many open connections are not followed, as there are too many"
            );
        }
        self.connections_left_out = connections_left_out;
    }
}

/// What the thread of the probe tells beside what it sees.
#[derive(Debug)]
struct Shared {
    state: Mutex<ProbeState>,
    /// Whether anything was put off since it was asked for.
    throttled: AtomicBool,
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
        let shared = answer.await.map_err(|_| ended())??;
        tell(&shared.state.lock().capabilities);
        Ok(Self { batches, stop, shared })
    }

    /// What can be seen here, as of now.
    pub(crate) fn state(&self) -> ProbeState {
        self.shared.state.lock().clone()
    }

    /// Whether anything was put off since the last call, for the sake of the agent's budget.
    pub(crate) fn take_throttled(&self) -> bool {
        self.shared.throttled.swap(false, Ordering::Relaxed)
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
    started: oneshot::Sender<Result<Arc<Shared>, ProbeError>>,
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
    let capabilities = probe.capabilities().clone();
    let state = ProbeState { capabilities, connections_left_out: 0 };
    let shared = Arc::new(Shared { state: Mutex::new(state), throttled: AtomicBool::new(false) });
    drop(started.send(Ok(Arc::clone(&shared))));
    watch(&mut probe, stop, batches, &shared, FAILURE_PAUSE);
}

/// Hands over what the probe sees until asked to stop, nobody takes it, or looking fails for good.
fn watch(
    probe: &mut impl Probe,
    stop: &AtomicBool,
    batches: &mpsc::Sender<Vec<Observation>>,
    shared: &Shared,
    failure_pause: Duration,
) {
    let mut batch = Batch::default();
    let mut failures = 0;
    while !stop.load(Ordering::Relaxed) {
        match probe.next_batch(STOP_WITHIN, &mut batch) {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures > FAILURES_MAX {
                    tracing::error!(%error, failures, "watching has come to an end");
                    return;
                }
                tracing::warn!(%error, failures, "a look at this host failed; it is repeated");
                std::thread::sleep(failure_pause);
                continue;
            }
        }
        if std::mem::take(&mut batch.throttled) {
            shared.throttled.store(true, Ordering::Relaxed);
        }
        shared.state.lock().take_in(probe.capabilities(), batch.connections_left_out);
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

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::Timestamp;

    /// Fails so often before each look that succeeds.
    struct Flaky<'a> {
        capabilities: Capabilities,
        rows: std::slice::Iter<'a, u32>,
        failures_left: u32,
    }

    impl Probe for Flaky<'_> {
        fn start(&mut self) -> Result<(), ProbeError> {
            Ok(())
        }

        fn next_batch(&mut self, _: Duration, batch: &mut Batch) -> Result<(), ProbeError> {
            if self.failures_left > 0 {
                self.failures_left -= 1;
                return Err(ProbeError::Procfs("too many open files".to_owned()));
            }
            self.failures_left = self.rows.next().copied().unwrap_or(u32::MAX);
            batch.observations.push(Observation {
                time: Timestamp::from_micros(1),
                activity: Activity::Inventory(Box::default()),
                system_call: None,
            });
            Ok(())
        }

        fn capabilities(&self) -> &Capabilities {
            &self.capabilities
        }
    }

    #[test]
    fn looks_may_fail_but_not_for_ever() {
        check(&[], 1);
        check(&[1, FAILURES_MAX, FAILURES_MAX], 4);
        check(&[1, FAILURES_MAX + 1, 1], 2);
    }

    #[track_caller]
    fn check(rows: &[u32], expected: usize) {
        let probe = LinuxProbe::new(ProbeSettings::default()).unwrap();
        let capabilities = probe.capabilities().clone();
        let mut probe = Flaky { capabilities, rows: rows.iter(), failures_left: 0 };
        let (sender, mut batches) = mpsc::channel(BATCHES_MAX);
        let capabilities = probe.capabilities().clone();
        let state = ProbeState { capabilities, connections_left_out: 0 };
        let shared = Shared { state: Mutex::new(state), throttled: AtomicBool::new(false) };
        watch(&mut probe, &AtomicBool::new(false), &sender, &shared, Duration::ZERO);
        drop(sender);
        let mut found = 0;
        while batches.try_recv().is_ok() {
            found += 1;
        }
        assert_eq!(found, expected, "rows of failures {rows:?}");
    }
}
