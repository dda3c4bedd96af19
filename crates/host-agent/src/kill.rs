//! Carries out an order on a process, away from the thread that talks to the server.

use ringwall_host_probes::hands::{
    EndedBy, KillError, KillOrder, Killed, Patience, Protected, kill_process,
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Ends processes, a few at a time.
#[derive(Clone, Debug)]
pub(crate) struct Hands {
    protected: Arc<Protected>,
    patience: Patience,
    places: Arc<Semaphore>,
}

/// So many processes are ended at the same time; further orders wait.
pub(crate) const AT_ONCE: usize = 8;

impl Hands {
    /// Hands that keep off what is protected.
    pub(crate) fn new(protected: Protected, patience: Patience) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { protected: Arc::new(protected), patience, places }
    }

    /// Waits for a place. What makes an order void with time is to be checked after that.
    pub(crate) async fn place(&self) -> Place {
        Place {
            // The semaphore is never closed.
            permit: Arc::clone(&self.places).acquire_owned().await.ok(),
            protected: Arc::clone(&self.protected),
            patience: self.patience,
        }
    }

    /// Ends a process once there is a place, and tells how that went.
    pub(crate) async fn kill(&self, order: KillOrder) -> Result<Killed, KillError> {
        self.place().await.kill(order).await
    }
}

/// The right to act on this host now.
#[derive(Debug)]
pub(crate) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    protected: Arc<Protected>,
    patience: Patience,
}

impl Place {
    /// Ends a process, and tells how that went.
    pub(crate) async fn kill(self, order: KillOrder) -> Result<Killed, KillError> {
        let pid = order.pid;
        let work = self.run(move |protected, patience| kill_process(&order, protected, patience));
        work.await.unwrap_or(Err(KillError::StillRunning(pid)))
    }

    /// Does what may take a while on a thread of its own, and keeps the place until it is done. None
    /// where it came to no end of its own.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Protected, Patience) -> T + Send + 'static,
    ) -> Option<T> {
        let work = tokio::task::spawn_blocking(move || {
            let result = work(&self.protected, self.patience);
            drop(self.permit);
            result
        });
        work.await.ok()
    }
}

/// One line about an end, for people.
pub(crate) fn describe(killed: &Killed) -> String {
    let signal = match killed.by {
        EndedBy::Kill => "SIGKILL",
        _ => "SIGTERM",
    };
    format!("ended by {signal} after {} ms", killed.after.as_millis())
}
