//! What was told to webhooks, or is to be, with every attempt.

use super::body::{Json, json};
use super::caller::Caller;
use super::decide::permit;
use super::page::Wanted;
use super::problem::ApiError;
use super::query::{InPath, InQuery, not_found};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ringwall_access::Change;
use ringwall_server_api::{
    AttemptRow, DeliveryDetail, DeliveryQuery, DeliveryRow, DeliveryState as WireState, Page,
    ProblemKind,
};
use ringwall_store::{Attempt, Delivery, DeliveryFilter, DeliveryState, OutboxStore, Replay};
use std::sync::Arc;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    InQuery(query): InQuery<DeliveryQuery>,
) -> Result<Json<Page<DeliveryRow>>, ApiError> {
    let purpose = (&query.webhook, query.state, &query.subject);
    let wanted: Wanted<'_, String> =
        Wanted::read(&server, "deliveries", &purpose, query.limit, query.cursor.as_deref())?;
    let filter = DeliveryFilter {
        state: query.state.map(ours),
        webhook: query.webhook,
        subject: query.subject,
    };
    let (before, fetch) = (wanted.after.clone(), wanted.fetch());
    let deliveries = server
        .engine
        .read(move |session| session.deliveries(&filter, before.as_deref(), fetch))
        .await?;
    let rows = deliveries.into_iter().map(row).collect();
    Ok(Json(wanted.page(rows, |row: &DeliveryRow| row.id.clone())?))
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
) -> Result<Json<DeliveryDetail>, ApiError> {
    let missing = not_found("delivery", &id);
    let found = server
        .engine
        .read(move |session| {
            let delivery = session.delivery(&id)?;
            let payload = session.delivery_payload(&id)?;
            Ok((delivery, payload, session.attempts(&id)?))
        })
        .await?;
    let (Some(delivery), Some(payload), attempts) = found else { return Err(missing) };
    let payload = serde_json::from_slice(&payload).map_err(|error| ApiError::internal(&error))?;
    Ok(Json(DeliveryDetail {
        state: wire(delivery.state),
        id: delivery.id,
        webhook: delivery.webhook,
        event_type: delivery.event_type,
        subject: delivery.subject,
        attempts: attempts.into_iter().map(attempt_row).collect(),
        next_attempt: delivery.next_attempt,
        created: delivery.created,
        finished: delivery.finished,
        last_error: delivery.last_error,
        payload,
    }))
}

pub(super) async fn replay(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, ApiError> {
    let action = Change::ReplayDelivery { delivery: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let webhooks = server.webhooks();
    let delivery = server
        .engine
        .write(move |writing| {
            writing.audit(permit.audit_entry())?;
            let conflict = |detail: &str| Ok(Err(ApiError::new(ProblemKind::Conflict, detail)));
            let Some(delivery) = writing.session.delivery(&id)? else {
                return Ok(Err(not_found("delivery", &id)));
            };
            if webhooks.webhook(&delivery.webhook).is_none() {
                return conflict("its webhook was removed");
            }
            match writing.session.replay(&id, writing.now)? {
                Replay::Done(webhook) => {
                    writing.after_commit(move || webhooks.ring(&webhook));
                    let again = writing.session.delivery(&id)?;
                    Ok(again.ok_or_else(|| not_found("delivery", &id)))
                }
                Replay::Waits => conflict("it waits for its next attempt anyway"),
                Replay::Missing => Ok(Err(not_found("delivery", &id))),
            }
        })
        .await??;
    Ok(json(StatusCode::ACCEPTED, &row(delivery)))
}

pub(super) fn row(delivery: Delivery) -> DeliveryRow {
    DeliveryRow {
        state: wire(delivery.state),
        id: delivery.id,
        webhook: delivery.webhook,
        event_type: delivery.event_type,
        subject: delivery.subject,
        attempts: delivery.attempts,
        next_attempt: delivery.next_attempt,
        created: delivery.created,
        finished: delivery.finished,
        last_error: delivery.last_error,
    }
}

fn attempt_row(attempt: Attempt) -> AttemptRow {
    AttemptRow {
        at: attempt.at,
        status: attempt.status,
        error: attempt.error,
        duration_ms: attempt.duration_ms,
        answer: attempt.answer,
    }
}

const fn wire(state: DeliveryState) -> WireState {
    match state {
        DeliveryState::Pending => WireState::Pending,
        DeliveryState::Failed => WireState::Failed,
        DeliveryState::Success => WireState::Success,
        DeliveryState::DeadLetter => WireState::DeadLetter,
    }
}

const fn ours(state: WireState) -> DeliveryState {
    match state {
        WireState::Pending => DeliveryState::Pending,
        WireState::Failed => DeliveryState::Failed,
        WireState::Success => DeliveryState::Success,
        WireState::DeadLetter => DeliveryState::DeadLetter,
    }
}
