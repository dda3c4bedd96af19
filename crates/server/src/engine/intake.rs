//! A batch on the writer's thread: what was here before, ids for the rest, and what follows from it.

use super::answer::Answer;
use super::losses::{LossCount, Losses};
use super::{Derived, StreamItem, Writing, conclude};
use crate::guard::GuardReport;
use ringwall_event::{Activity, Event, EventId, Severity, Source, Timestamp};
use ringwall_store::{EncodedBatch, EventStore, ItemKeyStore, Mark, StateStore, StoreError};
use std::collections::HashMap;
use std::sync::Arc;

/// Events of one sender that were authenticated, unpacked and parsed.
#[derive(Debug, Default)]
pub struct IntakeBatch {
    /// Who sent them; none is only for the default value.
    pub source: Option<Source>,
    /// What makes this batch the same as an earlier one: a digest over sender, key and body.
    pub mark: Option<[u8; 32]>,
    /// The events. Ids and times of receipt are given by the engine.
    pub events: Vec<Event>,
    /// For each event its identity, if it may come again in another batch (SysScore contract,
    /// section 17.3); empty if none may.
    pub items: Vec<Option<u128>>,
    /// For each event what makes it the same as one of another batch, remembered on the disk; empty if
    /// none may come again.
    pub keys: Vec<Option<[u8; 16]>>,
    /// What the guard of an application sent beside its events.
    pub(crate) guard: Option<Box<GuardReport>>,
    /// The size of the request body, for the bound on memory.
    pub bytes: usize,
    /// What its sender has taken of what all share.
    pub(crate) held: Held,
    /// What the sender says that it lost. What is new in it is stored as one more event of this batch.
    pub losses: Option<LossCount>,
}

/// What is given back once a batch is finished, stored or not: not before, also where the client hangs up
/// while it still waits for the disk, which drops what waits for the answer.
#[derive(Default)]
pub(crate) struct Held(Option<Box<dyn Send>>);

impl Held {
    /// Holds places and room.
    pub(crate) fn new(places: impl Send + 'static) -> Self {
        Self(Some(Box::new(places)))
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Held").field(&self.0.is_some()).finish()
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// For each event its id, and whether it was there before.
    pub outcomes: Vec<Outcome>,
    /// Whether the whole batch was there before; the ids are those of the first time.
    pub replayed: bool,
    /// Whether measurements of an application's guard were there before.
    pub(crate) measured_before: bool,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The event's id.
    pub id: EventId,
    /// Whether it was stored before.
    pub duplicate: bool,
}

pub(super) fn intake(
    writing: &mut Writing<'_>,
    mut batch: IntakeBatch,
    mut encoded: EncodedBatch,
) -> Result<Taken, StoreError> {
    if let Some(mark) = &batch.mark
        && let Some(mark) = writing.session.mark(mark)?
    {
        return Answer::read(&mark.answer).map(Answer::replayed);
    }
    let source = batch.source.unwrap_or_else(|| Source::new("unknown", "unknown"));
    let received = writing.now;
    if let Some(event) =
        batch.losses.and_then(|count| lost(writing.derived, &source, count, received))
    {
        batch.events.push(event);
        encoded = encode(&batch.events)?;
    }
    let base = writing.derived.next_base(received);
    let known = known_items(writing, &batch.keys)?;
    let (answer, events, kept_all) =
        number(writing.derived, base, received, batch.events, &batch.items, &known);
    for (key, outcome) in batch.keys.iter().zip(&answer.outcomes) {
        if let (Some(key), false) = (key, outcome.duplicate) {
            writing.session.put_item_key(key, outcome.id, received)?;
        }
    }
    let encoded = if kept_all { encoded } else { encode(&events)? };
    if !encoded.is_empty() {
        let seq = writing.session.append_batch(&source, base, received, &encoded)?;
        let proposals = writing.derived.absorb(seq, &source, received, &events, writing.rules);
        conclude::act(writing, &source, &events, proposals)?;
        writing.note_own_bans(&source, &events)?;
        writing.ban_after_events(&source, &events)?;
    }
    if let Some(mark) = &batch.mark {
        writing.session.put_mark(mark, &Mark { received, answer: answer.write() })?;
    }
    let measured_before = match &batch.guard {
        Some(report) => !writing.take_guard_report(report, &events)?,
        None => false,
    };
    if !events.is_empty() {
        writing.publish(StreamItem::Host(source));
        writing.publish(StreamItem::Events(Arc::new(events)));
    }
    Ok(Taken { measured_before, ..answer.first_time() })
}

fn encode(events: &[Event]) -> Result<EncodedBatch, StoreError> {
    EncodedBatch::encode(events, |_| true)
        .map_err(|error| StoreError::Unreadable { what: "batch", why: error.to_string() })
}

/// The event that tells what is new in a count of losses.
fn lost(derived: &Derived, source: &Source, count: LossCount, now: Timestamp) -> Option<Event> {
    let lost = match derived.hosts.get(source) {
        Some(host) => host.losses.new_in(&count),
        None => Losses::default().new_in(&count),
    }?;
    tracing::warn!(%source, events = lost.count, total = lost.total, "a host agent lost events");
    Some(Event {
        id: EventId::default(),
        time: now,
        received: now,
        source: source.clone(),
        host: count.host,
        severity: Severity::Low,
        activity: Activity::EventsLost(Box::new(lost)),
        original: None,
    })
}

/// For each event, in the order of the batch, the one that was taken under its key before; one of this
/// very batch stands for its place.
fn known_items(writing: &Writing<'_>, keys: &[Option<[u8; 16]>]) -> Result<Vec<Known>, StoreError> {
    let mut places: HashMap<[u8; 16], usize> = HashMap::new();
    let mut known = Vec::with_capacity(keys.len());
    for (position, key) in keys.iter().enumerate() {
        known.push(match key {
            None => Known::No,
            Some(key) => match (places.get(key), writing.session.item_key(key)?) {
                (_, Some(id)) => Known::As(id),
                (Some(place), None) => Known::At(*place),
                (None, None) => {
                    places.insert(*key, position);
                    Known::No
                }
            },
        });
    }
    Ok(known)
}

/// Whether an event was taken before.
#[derive(Clone, Copy)]
enum Known {
    No,
    /// As the event with this id.
    As(EventId),
    /// In the same batch, at this place.
    At(usize),
}

/// Gives ids to the events that are new, in order, and drops those that were there before.
fn number(
    derived: &mut Derived,
    base: EventId,
    received: Timestamp,
    events: Vec<Event>,
    items: &[Option<u128>],
    known: &[Known],
) -> (Answer, Vec<Event>, bool) {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(events.len());
    let mut kept = Vec::with_capacity(events.len());
    let sent = events.len();
    for (position, mut event) in events.into_iter().enumerate() {
        let item = items.get(position).copied().flatten();
        let before = match known.get(position) {
            Some(Known::As(id)) => Some(*id),
            Some(Known::At(place)) => outcomes.get(*place).map(|outcome| outcome.id),
            Some(Known::No) | None => None,
        };
        if let Some(id) = before {
            outcomes.push(Outcome { id, duplicate: true });
            continue;
        }
        if let Some(id) = item.and_then(|item| derived.items.find(item)) {
            outcomes.push(Outcome { id, duplicate: true });
            continue;
        }
        let id = base.at(u16::try_from(kept.len()).unwrap_or(u16::MAX));
        if let Some(item) = item {
            derived.items.remember(item, id, received);
        }
        outcomes.push(Outcome { id, duplicate: false });
        event.id = id;
        event.received = received;
        kept.push(event);
    }
    let kept_all = kept.len() == sent;
    (Answer { base, outcomes }, kept, kept_all)
}
