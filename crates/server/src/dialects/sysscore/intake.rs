//! `POST /events`.

use super::json;
use super::refusal::Refusal;
use crate::body;
use crate::engine::{IntakeBatch, Outcome};
use crate::keys::KeyKind;
use crate::server::Server;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ringwall_dialects::sysscore::{
    Batch, EventContext, IDEMPOTENCY_KEY_BYTES_MAX, Item, ItemError, ItemResult, Problem,
    first_equals, write_answer,
};
use ringwall_dialects::validation::{Fault, Json, Place, Refusals};
use ringwall_event::{Event, Source};
use ringwall_signing::{sha256, verify_mac_base64};
use std::sync::Arc;

const AGENT_ID: HeaderName = HeaderName::from_static("x-agent-id");
const AGENT_SIGNATURE: HeaderName = HeaderName::from_static("x-agent-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Takes a signed batch. The answer goes out after the commit.
pub(super) async fn post_events(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let (agent_id, signature) = credentials(&head.headers)?;
    let body = body::read(body, server.config.limits.body_bytes_max).await?;
    let agent_id = authenticate(&server, agent_id, signature, &body)?;
    is_json(&head.headers, &body)?;
    let mut batch = Batch::read(&body)?;
    let key = idempotency_key(&head.headers, &mut batch)?;

    let sorted = Sorted::new(&server, agent_id, batch.items);
    let taken = server
        .engine
        .take(IntakeBatch {
            source: Some(Source::new(Source::SYSSCORE, agent_id)),
            mark: Some(mark(agent_id, &key, &body)),
            events: sorted.events,
            items: sorted.identities,
            bytes: body.len(),
            ..IntakeBatch::default()
        })
        .await?;
    let results = results(&sorted.places, &taken.outcomes)?;
    Ok(json(StatusCode::MULTI_STATUS, write_answer(&results)))
}

/// Both headers, or the refusal that names the missing ones.
fn credentials(headers: &HeaderMap) -> Result<(&HeaderValue, &HeaderValue), Refusal> {
    match (headers.get(AGENT_ID), headers.get(AGENT_SIGNATURE)) {
        (Some(agent_id), Some(signature)) => Ok((agent_id, signature)),
        (agent_id, signature) => {
            let mut refusals = Refusals::default();
            let place = Place::of("header");
            if agent_id.is_none() {
                refusals.push(&place.field("X-Agent-ID"), &Fault::MISSING, "null");
            }
            if signature.is_none() {
                refusals.push(&place.field("X-Agent-Signature"), &Fault::MISSING, "null");
            }
            Err(refusals.into())
        }
    }
}

/// The agent whose secret signed these bytes. For an unknown agent the same work is done with a
/// secret that nobody has, and the answer is the same.
fn authenticate<'h>(
    server: &Server,
    agent_id: &'h HeaderValue,
    signature: &HeaderValue,
    body: &[u8],
) -> Result<&'h str, Refusal> {
    let agent_id = std::str::from_utf8(agent_id.as_bytes()).unwrap_or_default();
    let signature = signature.to_str().unwrap_or_default();
    let (secret, is_known) = server.keys.secret(KeyKind::SysScore, agent_id);
    let is_signed = verify_mac_base64(&secret, body, signature);
    if !(is_signed & is_known) {
        return Err(Problem::AGENT_REFUSED.into());
    }
    server.keys.used(KeyKind::SysScore, agent_id, server.now());
    Ok(agent_id)
}

/// A body of another type is to the framework a text, and a text is no batch.
fn is_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let content_type = content_type.to_str().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let (main, sub) = essence.split_once('/').unwrap_or_default();
    let is_json = main.eq_ignore_ascii_case("application")
        && (sub.eq_ignore_ascii_case("json") || sub.to_ascii_lowercase().ends_with("+json"));
    if is_json {
        return Ok(());
    }
    let mut refusals = Refusals::default();
    let text = String::from_utf8_lossy(body.get(..TEXT_SHOWN_BYTES_MAX).unwrap_or(body));
    refusals.push(&Place::of("body"), &Fault::NOT_AN_OBJECT, &Json::quote(&text));
    Err(refusals.into())
}

/// More of it is cut off anyway.
const TEXT_SHOWN_BYTES_MAX: usize = 1024;

/// The header's key, else the body's; an empty one counts as none.
fn idempotency_key(headers: &HeaderMap, batch: &mut Batch) -> Result<Vec<u8>, Refusal> {
    let header = headers.get(IDEMPOTENCY_KEY).filter(|key| !key.is_empty());
    if let Some(key) = header {
        if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            let text = String::from_utf8_lossy(key.as_bytes());
            let fault = Fault::too_long(IDEMPOTENCY_KEY_BYTES_MAX);
            return Err(Refusal::parameter("header", "Idempotency-Key", &fault, Some(&text)));
        }
        return Ok(key.as_bytes().to_vec());
    }
    match batch.idempotency_key.take() {
        Some(key) if !key.is_empty() => Ok(key.into_boxed_bytes().into_vec()),
        _ => Err(Problem::IDEMPOTENCY_KEY_REQUIRED.into()),
    }
}

/// What makes a batch the same as an earlier one: sender, key and bytes.
///
/// The key alone would swallow another batch under it, the guide's client sends such (contract,
/// section 15, flaw 2); and one agent must not void another's (flaw 3).
fn mark(agent_id: &str, key: &[u8], body: &[u8]) -> [u8; 32] {
    let mut text = b"sysscore batch\0".to_vec();
    for field in [agent_id.as_bytes(), key] {
        text.extend_from_slice(&field.len().to_le_bytes());
        text.extend_from_slice(field);
    }
    text.extend_from_slice(&sha256(body));
    sha256(&text)
}

/// The items of a batch: the events to store, and where each item's result is to be found.
struct Sorted {
    events: Vec<Event>,
    identities: Vec<Option<u128>>,
    places: Vec<ResultPlace>,
}

/// Where an item's result is to be found.
#[derive(Clone, Copy)]
enum ResultPlace {
    /// The outcome of this event.
    Event(usize),
    /// The same item came before in this batch, as this event.
    RepeatOf(usize),
    Failed(ItemError),
}

impl Sorted {
    fn new(server: &Server, agent_id: &str, items: Vec<Result<Item, ItemError>>) -> Self {
        let context = EventContext::new(agent_id, server.now());
        let identity = server.engine.identity();
        let firsts = first_equals(&items);
        let mut sorted = Self {
            events: Vec::with_capacity(items.len()),
            identities: Vec::with_capacity(items.len()),
            places: Vec::with_capacity(items.len()),
        };
        for ((position, item), first) in items.into_iter().enumerate().zip(firsts) {
            let place = match (item, sorted.places.get(first)) {
                (Err(error), _) => ResultPlace::Failed(error),
                (Ok(_), Some(ResultPlace::Event(event))) if first != position => {
                    ResultPlace::RepeatOf(*event)
                }
                (Ok(item), _) => {
                    let event = context.event(item);
                    sorted.identities.push(identity.identify(&event));
                    sorted.events.push(event);
                    ResultPlace::Event(sorted.events.len() - 1)
                }
            };
            sorted.places.push(place);
        }
        sorted
    }
}

fn results(places: &[ResultPlace], outcomes: &[Outcome]) -> Result<Vec<ItemResult>, Refusal> {
    let outcome = |event: usize| {
        outcomes.get(event).ok_or_else(|| Refusal::internal("fewer outcomes than events"))
    };
    places
        .iter()
        .map(|place| match *place {
            ResultPlace::Failed(error) => Ok(ItemResult::Failed(error)),
            ResultPlace::RepeatOf(event) => Ok(ItemResult::Duplicate(outcome(event)?.id)),
            ResultPlace::Event(event) => {
                let outcome = outcome(event)?;
                Ok(if outcome.duplicate {
                    ItemResult::Duplicate(outcome.id)
                } else {
                    ItemResult::Accepted(outcome.id)
                })
            }
        })
        .collect()
}
