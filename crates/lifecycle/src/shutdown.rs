//! The wish to stop, from a signal to everyone who must know.

use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the program is asked to stop. Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Nobody asked yet, and no signal will.
    pub fn new() -> Self {
        Self { sender: Arc::new(watch::Sender::new(false)) }
    }

    /// Asked by SIGTERM or SIGINT. A second one of either ends the program at once with
    /// [`Exit::NoAnswer`](crate::Exit::NoAnswer).
    ///
    /// # Errors
    /// Where the system refuses to hand over the signals.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self::new();
        let asked = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if asked.is_asked() {
                    tracing::warn!(signal = name, "stopping at once");
                    std::process::exit(i32::from(crate::Exit::NoAnswer.number()));
                }
                tracing::info!(signal = name, "asked to stop");
                asked.ask();
            }
        });
        Ok(shutdown)
    }

    /// Asks.
    pub fn ask(&self) {
        self.sender.send_replace(true);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns once somebody asks.
    pub async fn asked(&self) {
        // An error would mean that the sender is gone, which this value holds.
        drop(self.sender.subscribe().wait_for(|asked| *asked).await);
    }

    /// Turns true when somebody asks.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_clones_hear_of_it() {
        let shutdown = Shutdown::new();
        let (other, mut receiver) = (shutdown.clone(), shutdown.receiver());
        let waiting = tokio::spawn(async move { other.asked().await });
        assert!(!shutdown.is_asked());
        shutdown.ask();
        waiting.await.unwrap();
        assert!(*receiver.wait_for(|asked| *asked).await.unwrap());
        shutdown.asked().await;
    }
}
