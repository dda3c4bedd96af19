//! `POST /api/v1/events`, `/api/v1/metrics` and `/api/v1/events/encrypted`: three doors to one room.

use super::batch_body::{self, Room};
use super::caller::Caller;
use super::refusal::Refusal;
use crate::dialects::description::json;
use crate::engine::{Held, IntakeBatch};
use crate::guard::{AgentFacts, GuardReport, ItemKeys, Repeats, Trouble, buckets};
use crate::server::Server;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_dialects::guard::{
    Batch, BatchError, EncryptionKey, Envelope, EnvelopeError, EventContext, read_batch,
};
use ringwall_event::Timestamp;
use ringwall_signing::Secret;
use serde_json::json as value;
use std::sync::Arc;

/// Takes a batch of events. Metrics in it are taken, too.
pub(super) async fn events(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    plain(&server, request).await
}

/// Takes a batch of metrics. Events in it are taken, too.
pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    plain(&server, request).await
}

/// Takes an encrypted batch of either.
pub(super) async fn encrypted(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = Arc::new(Caller::of(&server, &parts)?);
    let keys: Vec<Secret> = caller.project.encryption_keys(server.now()).cloned().collect();
    let has_key = !keys.is_empty();
    let preparing = Preparing::new(&server, &caller);
    let job = move |text: &[u8]| open(text, &keys).map(|batch| preparing.ready(&batch, text.len()));
    let looked = batch_body::read(&server, &caller, parts.headers, body, job).await?;
    let trouble = match looked.found {
        Ok(ready) => return take(&server, caller, ready, looked.room).await,
        Err(EnvelopeError::WrongKey) if has_key => Trouble::WrongEncryption,
        Err(EnvelopeError::WrongKey) => Trouble::UnknownEncryption,
        Err(EnvelopeError::Plaintext(error)) => return Err(unreadable(&error)),
        Err(error) => return Err(Refusal::Unreadable(error.to_string())),
    };
    drop(looked.room);
    // Answered 422, newer agents would throw the batch away: it may be this side that has the wrong key.
    let troubles = &server.guard_troubles;
    troubles.tell(&server.engine, &caller.project, trouble, &caller.address).await;
    Err(Refusal::NotReady("the batch is encrypted with a key that is not known"))
}

async fn plain(server: &Server, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = Arc::new(Caller::of(server, &parts)?);
    let preparing = Preparing::new(server, &caller);
    let job = move |text: &[u8]| read_batch(text).map(|batch| preparing.ready(&batch, text.len()));
    let looked = batch_body::read(server, &caller, parts.headers, body, job).await?;
    let ready = looked.found.map_err(|error| unreadable(&error))?;
    take(server, caller, ready, looked.room).await
}

/// The batch within, opened with whichever key fits.
fn open(text: &[u8], keys: &[Secret]) -> Result<Batch, EnvelopeError> {
    let envelope = Envelope::read(text)?;
    for key in keys {
        let key = std::str::from_utf8(key.expose()).unwrap_or_default();
        let Ok(key) = EncryptionKey::parse(key) else { continue };
        match envelope.open(&key) {
            Err(EnvelopeError::WrongKey) => {}
            other => return other,
        }
    }
    Err(EnvelopeError::WrongKey)
}

fn unreadable(error: &BatchError) -> Refusal {
    match error {
        BatchError::TooManyItems { .. } => Refusal::TooLarge(error.to_string()),
        _ => Refusal::Unreadable(error.to_string()),
    }
}

/// A batch as the engine takes it, and what its sender is told of it.
struct Ready {
    batch: IntakeBatch,
    sent: usize,
    metrics: usize,
    set_aside: u64,
}

async fn take(
    server: &Server,
    caller: Arc<Caller>,
    ready: Ready,
    room: Room,
) -> Result<Response, Refusal> {
    let Ready { batch, sent, metrics, set_aside } = ready;
    let batch = IntakeBatch { held: Held::new((caller, room)), ..batch };
    let taken = server.engine.take(batch).await?;
    // What tells of items that were set aside stands behind those that were sent.
    let repeated = taken.outcomes.iter().take(sent).filter(|outcome| outcome.duplicate).count();
    let (accepted, duplicates) = match taken.measured_before {
        true => (sent - repeated, repeated + metrics),
        false => (sent - repeated + metrics, repeated),
    };
    let answer = value!({
        "success": true,
        "errors": [],
        "accepted": accepted,
        "duplicates": duplicates,
        "set_aside": set_aside,
    });
    Ok(json(StatusCode::OK, answer.to_string()))
}

/// What must be known of a request to make its batch ready.
struct Preparing {
    caller: Arc<Caller>,
    now: Timestamp,
    installs_max: u64,
}

impl Preparing {
    fn new(server: &Server, caller: &Arc<Caller>) -> Self {
        Self {
            caller: Arc::clone(caller),
            now: server.now(),
            installs_max: server.config.guard.installs_per_key_max,
        }
    }

    fn ready(&self, batch: &Batch, bytes: usize) -> Ready {
        Ready {
            batch: self.prepared(batch, bytes),
            sent: batch.events.len(),
            metrics: batch.metrics.len(),
            set_aside: batch.left_out.items_total,
        }
    }

    fn prepared(&self, batch: &Batch, bytes: usize) -> IntakeBatch {
        let Self { caller, now, installs_max } = self;
        let project = &caller.project;
        let context = EventContext::new(&project.name, caller.install_id.as_deref(), *now);
        let item_keys = ItemKeys::new(&project.stored.id, batch);
        let mut repeats = Repeats::default();
        let mut events = Vec::with_capacity(batch.events.len());
        let mut keys = Vec::with_capacity(batch.events.len());
        for event in &batch.events {
            keys.push(item_keys.event(event, &mut repeats));
            events.push(context.event(event));
        }
        if let Some(event) = context.set_aside(&batch.left_out) {
            keys.push(item_keys.set_aside(batch));
            events.push(event);
        }
        let facts = AgentFacts {
            agent_version: batch.agent_version.clone(),
            guard_version: batch.guard_version.clone(),
            guard_core_version: batch.guard_core_version.clone(),
            status: None,
        };
        IntakeBatch {
            source: Some(project.source()),
            events,
            keys,
            guard: Some(Box::new(GuardReport {
                project: project.name.clone(),
                project_id: project.stored.id.clone(),
                sighting: caller.sighting(facts),
                metrics: buckets(&batch.metrics, *now),
                metrics_key: item_keys.metrics(batch),
                installs_max: *installs_max,
            })),
            bytes,
            ..IntakeBatch::default()
        }
    }
}
