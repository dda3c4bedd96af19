//! What is done with Redis beside the requests: bans handed in after an outage, patterns of other workers
//! taken over.

use super::Stopping;
use crate::carrier::{Carrier, now};
use crate::state::{HAND_IN_EVERY, SharedState};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often it is looked whether other workers changed the patterns.
const PATTERNS_EVERY: Duration = Duration::from_secs(10);

pub(crate) async fn follow(
    carrier: Weak<Carrier>,
    shared: Arc<SharedState>,
    mut stopping: Stopping,
) {
    let mut patterns_due = Instant::now();
    loop {
        // Bans that are not taken wait for the next round; requests tell that Redis is away.
        if shared.hand_in(now()).await.is_ok() && Instant::now() >= patterns_due {
            let patterns = shared.redis().patterns().await;
            let Some(carrier) = carrier.upgrade() else { return };
            if let Ok(patterns) = patterns {
                carrier.take_patterns(&patterns);
                patterns_due = Instant::now() + PATTERNS_EVERY;
            }
        }
        if !stopping.pause(HAND_IN_EVERY).await {
            return;
        }
    }
}
