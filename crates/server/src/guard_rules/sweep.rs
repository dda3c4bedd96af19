//! What ends by the clock: bans, edited rules with an end, and what applications are about to forget.

use crate::engine::Writing;
use crate::listen::asked_to_stop;
use crate::server::Server;
use ringwall_store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// An end is told within this time.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What failed is tried again after this.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Writing<'_> {
    /// Ends what is over and tells the applications.
    pub(crate) fn sweep_guard_rules(&mut self) -> Result<(), StoreError> {
        if self.rules.guard_rules.is_ban_over(self.now) {
            self.end_overdue_bans()?;
        }
        for project in self.rules.guard_rules.due(self.now) {
            self.publish_guard_rules(&project)?;
        }
        Ok(())
    }
}

/// Sweeps until the server stops. Looks at memory only, as long as nothing is over.
pub(crate) async fn run(server: Arc<Server>, mut shutdown: watch::Receiver<bool>) {
    let board = server.guard_rules();
    let mut pause = LOOK_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = asked_to_stop(&mut shutdown) => return,
        }
        pause = LOOK_EVERY;
        let now = server.now();
        if !board.is_ban_over(now) && board.due(now).is_empty() {
            continue;
        }
        if let Err(error) = server.engine.write(|writing| writing.sweep_guard_rules()).await {
            tracing::warn!(%error, "bans and rules that are over could not be ended");
            pause = PAUSE_AFTER_FAILURE;
        }
    }
}
