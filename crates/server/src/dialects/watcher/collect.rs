//! `POST /collect`.

use super::refusal::Refusal;
use super::room::NO_ROOM_SECONDS;
use super::{Watcher, json};
use crate::body;
use crate::engine::IntakeBatch;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use ringwall_dialects::validation::Refusals;
use ringwall_dialects::watcher::Payload;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) async fn collect(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
) -> Result<Response, Refusal> {
    let is_json = is_json(request.headers());
    let body_bytes_max = watcher.server.config.limits.body_bytes_max;
    let body = body::read(request.into_body(), body_bytes_max).await?;
    if !is_json {
        return Err(Payload::refuse_media_type(&body).into());
    }
    let bytes = body.len();
    let payload = parse(body).await.map_err(Refusal::internal)??;
    let event = payload.into_event(watcher.server.now());
    if !watcher.room.take(&watcher.server, &event.source, bytes) {
        return Err(Refusal::Later("Too many hosts report too much", NO_ROOM_SECONDS));
    }
    let batch = IntakeBatch {
        source: Some(event.source.clone()),
        events: vec![event],
        bytes,
        ..IntakeBatch::default()
    };
    watcher.server.engine.take(batch).await?;
    let stored = watcher.payloads.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    Ok(json(StatusCode::OK, format!(r#"{{"status":"processed","events_stored":{stored}}}"#)))
}

/// From here on parsing would keep other requests waiting.
const LARGE_BYTES: usize = 64 << 10;

async fn parse(body: Bytes) -> Result<Result<Payload, Refusals>, tokio::task::JoinError> {
    if body.len() < LARGE_BYTES {
        return Ok(Payload::read(&body));
    }
    tokio::task::spawn_blocking(move || Payload::read(&body)).await
}

/// The framework reads `application/json` and `application/…+json`. A request without a type is
/// refused: a web page of anyone's can make a browser send one.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(media_type)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}
