//! Looking after the archive: a thread of low priority that moves events there, merges small files,
//! gives up what is old, and removes what nobody reads any more.

mod steps;
#[cfg(test)]
mod tests;

use crate::listen::asked_to_stop;
use crate::server::Server;
use parking_lot::Mutex;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_store::{Database, ScanControl};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use steps::{Step, Steps};
use tokio::sync::watch;

/// What is wrong with the archive at present, by what was tried.
#[derive(Debug, Default)]
pub(crate) struct UpkeepState(Mutex<BTreeMap<String, String>>);

/// Between two looks whether there is something to do.
const PAUSE: Duration = Duration::from_secs(1);
/// The same where events shall be moved at once.
const PAUSE_SHORT: Duration = Duration::from_millis(100);
/// What failed is tried again after a pause that doubles up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
const NICENESS: i32 = 10;

impl UpkeepState {
    /// What somebody must look after, one line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.0.lock().values().cloned().collect()
    }

    fn tell(&self, subject: &str, problem: String) {
        self.0.lock().insert(subject.to_owned(), problem);
    }

    fn forget(&self, subject: &str) {
        self.0.lock().remove(subject);
    }
}

/// Looks after the archive until the server stops.
pub(crate) async fn run(
    server: Arc<Server>,
    database: Arc<Database>,
    mut shutdown: watch::Receiver<bool>,
) {
    let control = Arc::new(ScanControl::default());
    let (stop, stopped) = mpsc::channel::<()>();
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let runtime = tokio::runtime::Handle::current();
    let in_thread = Arc::clone(&control);
    let thread = std::thread::Builder::new().name("archive".into()).spawn(move || {
        // Intake and people come first.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "the archive is looked after with the priority of all else");
        }
        look_after(Steps::new(server, database, runtime, in_thread), &stopped);
        drop(ended);
    });
    if let Err(error) = thread {
        tracing::error!(%error, "the archive is not looked after");
        return;
    }
    asked_to_stop(&mut shutdown).await;
    // What is under way is given up where it stands: it leaves nothing half done behind.
    drop(stop);
    control.cancel();
    // It never sends: that it is gone is the message.
    drop(end.await);
}

fn look_after(mut steps: Steps, stopped: &mpsc::Receiver<()>) {
    let pause = if steps.is_hasty() { PAUSE_SHORT } else { PAUSE };
    let policy = BackoffPolicy::new(pause, BACKOFF_MAX);
    let mut troubles: BTreeMap<Step, Trouble> = BTreeMap::new();
    let is_stopped =
        |wait: Duration| !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
    loop {
        let mut went_on = false;
        for step in Step::ALL {
            if is_stopped(Duration::ZERO) {
                return;
            }
            if troubles.get(&step).is_some_and(|trouble| Instant::now() < trouble.until) {
                continue;
            }
            match steps.run(step) {
                Ok(done) => {
                    went_on |= done;
                    troubles.remove(&step);
                    steps.state().forget(step.name());
                }
                Err(error) => {
                    if is_stopped(Duration::ZERO) {
                        return;
                    }
                    let trouble = troubles.entry(step).or_insert_with(|| Trouble::new(policy));
                    // One thread on its own disk: there is nobody to be spread out from.
                    let wait = trouble.backoff.failed(u32::MAX, None);
                    trouble.until = Instant::now() + wait;
                    tracing::warn!(step = step.name(), %error, ?wait, "the archive is not as it should be");
                    steps.state().tell(step.name(), format!("archive: {}: {error}", step.name()));
                }
            }
        }
        if is_stopped(if went_on { Duration::ZERO } else { pause }) {
            return;
        }
    }
}

/// When a step that failed is tried again.
#[derive(Debug)]
struct Trouble {
    backoff: Backoff,
    until: Instant,
}

impl Trouble {
    fn new(policy: BackoffPolicy) -> Self {
        Self { backoff: Backoff::new(policy), until: Instant::now() }
    }
}
