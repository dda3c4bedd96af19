//! How the agent is, told to the server now and then.

use super::Shared;
use super::record::micros;
use super::rules::jittered;
use bytes::Bytes;
use ringwall_delivery::Outcome;
use ringwall_dialects::guard::Status;
use ringwall_event::Timestamp;
use ringwall_resilience::BreakerState;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::sleep;

/// The first one comes soon, so that a server shows an application that has just started.
const FIRST_AFTER: Duration = Duration::from_secs(2);

/// Sends a status every `interval` until `stop` turns true.
pub(super) async fn run(shared: Arc<Shared>, every: Duration, mut stop: watch::Receiver<bool>) {
    let tell = async {
        sleep(jittered(FIRST_AFTER)).await;
        loop {
            send(&shared).await;
            sleep(jittered(every)).await;
        }
    };
    tokio::select! {
        () = tell => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// One attempt: the next status tells all that this one does.
pub(super) async fn send(shared: &Shared) {
    let body = Bytes::from(status(shared).write());
    let outcome = shared.door.post("/api/v1/status", &body).await;
    if outcome != Outcome::Delivered {
        tracing::debug!(?outcome, "the status was not taken");
    }
}

pub(super) fn status(shared: &Shared) -> Status {
    let (events, metrics) = (shared.events.status(), shared.metrics.status());
    let waiting = events.spool.counters.waiting + metrics.spool.counters.waiting;
    let (found, found_metrics) = (shared.events.spool().found(), shared.metrics.spool().found());
    let sent = events.spool.counters.delivered.saturating_sub(found.delivered);
    let lost = events.spool.counters.lost() + metrics.spool.counters.lost();
    let failed = lost.saturating_sub(found.lost() + found_metrics.lost());
    let mut errors: Vec<Box<str>> = Vec::new();
    for sender in [&events, &metrics] {
        if sender.breaker == BreakerState::Open {
            errors.push("Transport circuit breaker is open".into());
        }
        let spool = &sender.spool;
        if spool.is_full || spool.bytes / 9 >= spool.bytes_max / 10 {
            errors.push("Buffer nearly full".into());
        }
        errors.extend(sender.trouble.as_deref().map(Box::from));
    }
    for outbox in [&shared.events, &shared.metrics] {
        errors.extend(outbox.spool().trouble().map(Box::from));
    }
    #[expect(clippy::cast_precision_loss, reason = "a share in per cent")]
    let share = 100.0 * failed as f64 / (sent + failed).max(1) as f64;
    if share > 10.0 {
        errors.push(format!("High failure rate: {share:.1}%").into());
    }
    errors.extend(shared.door.alarm().map(Box::from));
    errors.dedup();
    let delivered = [events.delivered_ms, metrics.delivered_ms].into_iter().flatten().max();
    let millis = delivered.and_then(|millis| i64::try_from(millis).ok());
    Status {
        timestamp: Some(Timestamp::from_micros(micros(SystemTime::now()))),
        status: if errors.is_empty() { "healthy" } else { "degraded" }.into(),
        uptime: shared.started.elapsed().as_secs_f64(),
        events_sent: sent,
        events_failed: failed,
        buffer_size: waiting + shared.waiting_to_be_kept(),
        last_flush: millis.map(Timestamp::from_millis),
        errors,
        dropped: Some(lost + shared.entrance.dropped()),
    }
}
