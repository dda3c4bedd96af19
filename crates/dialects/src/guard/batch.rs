use super::ascii_json::{ObjectWriter, push_list};
use super::left_out::{ItemKind, LeftOut, LeftOutReason};
use super::text::printed_field;
use super::{Event, ITEMS_MAX, Metric, NAME_BYTES_MAX, TimeForm};
use crate::validation::{Json, Members, SyntaxError, without_non_numbers};
use ringwall_event::Timestamp;

/// What one POST to `/api/v1/events` or `/api/v1/metrics` carries, or the plaintext of an
/// [`Envelope`](super::Envelope), where all but the two lists is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What the sender calls its project. Never to be trusted: the key decides.
    pub project_id: Option<Box<str>>,
    /// What happened.
    pub events: Vec<Event>,
    /// What was measured.
    pub metrics: Vec<Metric>,
    /// The same for every attempt to send this batch.
    pub batch_id: Option<Box<str>>,
    /// When the batch was put together.
    pub created_at: Option<Timestamp>,
    /// The sender's version.
    pub agent_version: Option<Box<str>>,
    /// The version of the middleware.
    pub guard_version: Option<Box<str>>,
    /// The version of the middleware's engine.
    pub guard_core_version: Option<Box<str>>,
    /// What could not be read; not written.
    pub left_out: LeftOut,
}

/// Why nothing of a batch can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Not JSON, even after the repairs.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// JSON, but not an object.
    #[error("a batch is an object")]
    NotAnObject,
    /// More than one batch may hold. Half of it may be fine, so a server answers 413.
    #[error("{items} events and metrics in one batch, at most {ITEMS_MAX}")]
    TooManyItems {
        /// How many there are.
        items: usize,
    },
}

/// Reads a batch, leniently: see [`Batch`] and [`LeftOut`].
///
/// # Errors
/// Where the body is not a JSON object, or holds more than [`ITEMS_MAX`] items.
pub fn read_batch(bytes: &[u8]) -> Result<Batch, BatchError> {
    match Json::read(bytes) {
        Ok(json) => read(json),
        // Python's words for what is no number are not JSON: worth a second try, and a second pass
        // over the bytes, only where the first one failed.
        Err(error) => match without_non_numbers(bytes) {
            Some(repaired) => read(Json::read(&repaired)?),
            None => Err(error.into()),
        },
    }
}

fn read(json: Json<'_>) -> Result<Batch, BatchError> {
    let members = json.model().map_err(|_| BatchError::NotAnObject)?;
    let mut left_out = LeftOut::default();
    let events = list(&members, "events", ItemKind::Event, &mut left_out);
    let metrics = list(&members, "metrics", ItemKind::Metric, &mut left_out);
    let items = events.len() + metrics.len();
    if items > ITEMS_MAX {
        return Err(BatchError::TooManyItems { items });
    }
    let name = |field| printed_field(&members, field, NAME_BYTES_MAX);
    Ok(Batch {
        project_id: name("project_id"),
        events: read_all(events, ItemKind::Event, &mut left_out, Event::read),
        metrics: read_all(metrics, ItemKind::Metric, &mut left_out, Metric::read),
        batch_id: name("batch_id"),
        created_at: members.given("created_at").and_then(|json| json.date_time().ok()),
        agent_version: name("agent_version"),
        guard_version: name("guard_version"),
        guard_core_version: name("guard_core_version"),
        left_out,
    })
}

fn list<'a>(
    members: &Members<'a>,
    name: &'static str,
    kind: ItemKind,
    left_out: &mut LeftOut,
) -> Vec<Json<'a>> {
    let Some(json) = members.given(name) else { return Vec::new() };
    json.list().unwrap_or_else(|_| {
        left_out.item(kind, 0, LeftOutReason::NotAList(name), json);
        Vec::new()
    })
}

fn read_all<T>(
    items: Vec<Json<'_>>,
    kind: ItemKind,
    left_out: &mut LeftOut,
    read: impl Fn(Json<'_>) -> Result<(T, u64), LeftOutReason>,
) -> Vec<T> {
    let mut all = Vec::with_capacity(items.len());
    for (position, json) in items.into_iter().enumerate() {
        match read(json) {
            Ok((item, values_cut)) => {
                left_out.values_cut += values_cut;
                all.push(item);
            }
            Err(reason) => left_out.item(kind, position, reason, json),
        }
    }
    all
}

impl Batch {
    /// The body of a POST, as agents of the 3.x line write it. A metric that is not a finite number
    /// is left out.
    pub fn write(&self, times: TimeForm) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("project_id", self.project_id.as_deref().unwrap_or("default"));
        push_list(object.field("events"), &self.events, |out, event| event.push_json(out, times));
        push_list(object.field("metrics"), self.finite_metrics(), |out, metric| {
            metric.push_json(out, times);
        });
        object.text_or_null("batch_id", self.batch_id.as_deref());
        match self.created_at {
            Some(moment) => times.push_json(object.field("created_at"), moment),
            None => object.null("created_at"),
        }
        object.field("compressed").extend_from_slice(b"false");
        object.text_or_null("agent_version", self.agent_version.as_deref());
        object.text_or_null("guard_version", self.guard_version.as_deref());
        object.text_or_null("guard_core_version", self.guard_core_version.as_deref());
        object.end();
        out
    }

    /// The plaintext of an [`Envelope`](super::Envelope): the two lists alone, times with a `T`.
    pub fn write_plaintext(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        push_list(object.field("events"), &self.events, |out, event| {
            event.push_json(out, TimeForm::Iso);
        });
        push_list(object.field("metrics"), self.finite_metrics(), |out, metric| {
            metric.push_json(out, TimeForm::Iso);
        });
        object.end();
        out
    }

    fn finite_metrics(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().filter(|metric| metric.value.is_finite())
    }
}

#[cfg(test)]
mod tests;
