//! Keeps what guards sent within its bounds.

use crate::engine::TakeError;
use crate::guard_rules::automatic::HOUR;
use crate::listen::asked_to_stop;
use crate::server::Server;
use ringwall_event::Timestamp;
use ringwall_store::{
    GuardBanStore, GuardMetricStore, ItemKeyStore, OwnBanStore, Session, StoreError,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(30);
/// Rows at once, so that the writer is free again soon.
const AT_ONCE: usize = 2000;
/// How often in a row; more than that comes with the next time.
const TIMES_MAX: usize = 200;
const DAY_SECONDS: i64 = 86_400;

/// Forgets what is too old or too much, until the server stops.
pub(crate) async fn run(server: Arc<Server>, mut shutdown: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = asked_to_stop(&mut shutdown) => return,
        }
        if let Err(error) = tidy(&server).await {
            tracing::warn!(%error, "what guards sent could not be kept within its bounds");
        }
    }
}

async fn tidy(server: &Server) -> Result<(), TakeError> {
    let now = server.now();
    let config = &server.config;
    let items_since = now.plus_seconds(-config.limits.repeated_batch_seconds);
    let items_max = config.guard.repeated_items_max;
    repeat(server, move |session| session.forget_item_keys(items_since, items_max, AT_ONCE))
        .await?;
    let causes_since = now.plus_seconds(-HOUR);
    repeat(server, move |session| session.forget_ban_causes(causes_since, AT_ONCE)).await?;
    // For a day more it is known that an own ban is over: as long as what we told may still hold.
    let own_since = days_ago(now, 1);
    repeat(server, move |session| session.forget_own_bans(own_since, AT_ONCE)).await?;
    let minutes_since = days_ago(now, config.guard.minutes_days);
    repeat(server, move |session| session.merge_guard_metrics(minutes_since, AT_ONCE)).await?;
    if config.archive.retention_days > 0 {
        let since = days_ago(now, config.archive.retention_days);
        repeat(server, move |session| session.forget_guard_metrics(since, AT_ONCE)).await?;
    }
    Ok(())
}

async fn repeat(
    server: &Server,
    job: impl Fn(&Session<'_>) -> Result<usize, StoreError> + Clone + Send + 'static,
) -> Result<(), TakeError> {
    for _ in 0..TIMES_MAX {
        let job = job.clone();
        if server.engine.write(move |writing| job(writing.session)).await? < AT_ONCE {
            break;
        }
    }
    Ok(())
}

fn days_ago(now: Timestamp, days: u32) -> Timestamp {
    now.plus_seconds(-i64::from(days) * DAY_SECONDS)
}
