use super::body::Json;
use super::problem::ApiError;
use crate::server::Server;
use axum::extract::State;
use ringwall_server_api::{STORE_DAYS_MAX, StoreArchive, StoreDay, StoreIntake, StoreStats};
use ringwall_store::maintenance::{DaySummary, Summary};
use std::sync::Arc;

pub(super) async fn show(State(server): State<Arc<Server>>) -> Result<Json<StoreStats>, ApiError> {
    let summary = server.engine.read(|session| session.summary(STORE_DAYS_MAX)).await?;
    Ok(Json(stats(summary, server.engine.size_bytes())))
}

fn stats(summary: Summary, database_bytes: u64) -> StoreStats {
    let day = |day: DaySummary| StoreDay { day: day.day, events: day.events, bytes: day.bytes };
    StoreStats {
        events: summary.events,
        intake: StoreIntake {
            batches: summary.intake_batches,
            events: summary.intake_events,
            waiting_since: summary.intake_since,
        },
        archive: StoreArchive {
            files: summary.archive_files,
            events: summary.archived_events,
            bytes: summary.archive_bytes,
            bytes_per_event: summary.bytes_per_event,
        },
        database_bytes,
        oldest: summary.oldest,
        newest: summary.newest,
        holds: summary.holds,
        days: summary.days.into_iter().map(day).collect(),
    }
}
