use super::body::Json;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::InQuery;
use crate::server::Server;
use axum::extract::State;
use ringwall_server_api::{AuditOutcome, AuditRow, Page, PageQuery};
use ringwall_store::{AuditRecord, StateStore};
use std::sync::Arc;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<AuditRow>>, ApiError> {
    let wanted: Wanted<'_, i64> =
        Wanted::read(&server, "audit", &(), query.limit, query.cursor.as_deref())?;
    let (before, fetch) = (wanted.after, wanted.fetch());
    let records = server.engine.read(move |session| session.audit(before, fetch)).await?;
    let Page { data, next_cursor } = wanted.page(records, |(number, _)| *number)?;
    let data = data.into_iter().map(|(number, record)| row(number, record)).collect();
    Ok(Json(Page { data, next_cursor }))
}

fn row(number: i64, record: AuditRecord) -> AuditRow {
    // A command that ran out or was taken back was not carried out.
    let outcome = AuditOutcome::from_name(&record.outcome).unwrap_or(AuditOutcome::Failed);
    AuditRow {
        id: number.to_string(),
        time: record.time,
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        outcome,
        reason: (!record.reason.is_empty()).then_some(record.reason),
    }
}
