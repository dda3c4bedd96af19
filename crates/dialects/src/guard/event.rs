use super::ascii_json::{ObjectWriter, push_display, push_number, push_text, push_value};
use super::left_out::LeftOutReason;
use super::text::{BoundedObject, printed, value};
use super::{
    EXTRA_BYTES_MAX, EventClass, IDEMPOTENCY_KEY_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX,
    TEXT_BYTES_MAX, TimeForm, class_of, severity_of,
};
use crate::validation::{Integer, Json};
use ringwall_event::{Severity, Timestamp};
use serde_json::{Map, Value};

/// One thing that a guard saw or did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Says that two copies are the same event; agents before 2.4 send none.
    pub idempotency_key: Option<Box<str>>,
    /// When it happened, by the sender's clock.
    pub timestamp: Timestamp,
    /// One of [`KNOWN_EVENT_TYPES`](super::KNOWN_EVENT_TYPES), or any other: the set is open.
    pub event_type: Box<str>,
    /// The client's address; `system` or empty for what has no client.
    pub ip_address: Box<str>,
    /// ISO 3166 code of the client's country.
    pub country: Option<Box<str>>,
    /// The client's `User-Agent`.
    pub user_agent: Option<Box<str>>,
    /// What the guard did, as in `request_blocked`.
    pub action_taken: Box<str>,
    /// Why, in words.
    pub reason: Box<str>,
    /// The path of the request.
    pub endpoint: Option<Box<str>>,
    /// The method of the request.
    pub method: Option<Box<str>>,
    /// The status of the answer.
    pub status_code: Option<u16>,
    /// Seconds.
    pub response_time: Option<f64>,
    /// Which rule of the route it was.
    pub decorator_type: Option<Box<str>>,
    /// Which rule it was.
    pub rule_type: Option<Box<str>>,
    /// The pattern that was found.
    pub pattern_matched: Option<Box<str>>,
    /// Which part of the guard speaks.
    pub handler_name: Option<Box<str>>,
    /// Details, by type.
    pub metadata: Map<String, Value>,
    /// Fields that this list does not know, and known ones whose value could not be read (under
    /// `unread_NAME`).
    pub extra: Map<String, Value>,
}

impl Event {
    /// The class of its type.
    pub fn class(&self) -> EventClass {
        class_of(&self.event_type)
    }

    /// How grave it is, by its type and what was done.
    pub fn severity(&self) -> Severity {
        severity_of(&self.event_type, &self.action_taken)
    }

    /// Reads one item of `events`, and says how many of its values had to be cut.
    pub(super) fn read(json: Json<'_>) -> Result<(Self, u64), LeftOutReason> {
        let members = json.model().map_err(|_| LeftOutReason::NotAnObject)?;
        let mut event = Self::default();
        let mut timestamp = Err(LeftOutReason::Missing("timestamp"));
        let mut metadata = (Map::new(), 0);
        let mut extra = BoundedObject::new(EXTRA_BYTES_MAX);
        for (name, json) in members.iter() {
            let short = || printed(json, NAME_BYTES_MAX);
            let long = || printed(json, TEXT_BYTES_MAX);
            match name {
                "timestamp" => {
                    timestamp = json.date_time().map_err(|_| LeftOutReason::BadTimestamp);
                }
                "event_type" => event.event_type = short().unwrap_or_default(),
                "idempotency_key" => event.idempotency_key = read_key(json),
                "ip_address" => event.ip_address = short().unwrap_or_default(),
                "country" => event.country = short(),
                "user_agent" => event.user_agent = long(),
                "action_taken" => event.action_taken = short().unwrap_or_default(),
                "reason" => event.reason = long().unwrap_or_default(),
                "endpoint" => event.endpoint = long(),
                "method" => event.method = short(),
                "status_code" => {
                    event.status_code = read_status(json);
                    if event.status_code.is_none() && !json.is_null() {
                        extra.add("unread_status_code", json);
                    }
                }
                "response_time" => {
                    event.response_time = json.number().ok();
                    if event.response_time.is_none() && !json.is_null() {
                        extra.add("unread_response_time", json);
                    }
                }
                "decorator_type" => event.decorator_type = short(),
                "rule_type" => event.rule_type = short(),
                "pattern_matched" => event.pattern_matched = long(),
                "handler_name" => event.handler_name = short(),
                "metadata" => metadata = read_metadata(json),
                _ => extra.add(name, json),
            }
        }
        event.timestamp = timestamp?;
        if event.event_type.is_empty() {
            return Err(LeftOutReason::Missing("event_type"));
        }
        let (metadata, metadata_cut) = metadata;
        let (extra, extra_cut) = extra.finish();
        Ok((Self { metadata, extra, ..event }, metadata_cut + extra_cut))
    }

    /// Appends the JSON object, as agents of the 3.x line write it.
    pub fn push_json(&self, out: &mut Vec<u8>, times: TimeForm) {
        let mut object = ObjectWriter::new(out);
        if let Some(key) = &self.idempotency_key {
            object.text("idempotency_key", key);
        }
        times.push_json(object.field("timestamp"), self.timestamp);
        object.text("event_type", &self.event_type);
        object.text("ip_address", &self.ip_address);
        object.text_or_null("country", self.country.as_deref());
        object.text_or_null("user_agent", self.user_agent.as_deref());
        object.text("action_taken", &self.action_taken);
        object.text("reason", &self.reason);
        object.text_or_null("endpoint", self.endpoint.as_deref());
        object.text_or_null("method", self.method.as_deref());
        object.display_or_null("status_code", self.status_code);
        match self.response_time {
            Some(seconds) => push_number(object.field("response_time"), seconds),
            None => object.null("response_time"),
        }
        object.text_or_null("decorator_type", self.decorator_type.as_deref());
        object.text_or_null("rule_type", self.rule_type.as_deref());
        object.text_or_null("pattern_matched", self.pattern_matched.as_deref());
        object.text_or_null("handler_name", self.handler_name.as_deref());
        push_object(object.field("metadata"), &self.metadata);
        for (name, value) in &self.extra {
            push_value(object.field(name), value);
        }
        object.end();
    }
}

fn push_object(out: &mut Vec<u8>, members: &Map<String, Value>) {
    super::ascii_json::push_members(out, members.iter(), |out, (name, value)| {
        push_text(out, name);
        out.push(b':');
        push_value(out, value);
    });
}

/// A key that is too long is kept as its digest: cut, two different ones could become the same, and
/// one of the events would be lost.
fn read_key(json: Json<'_>) -> Option<Box<str>> {
    if json.is_null() {
        return None;
    }
    let text = json.text();
    let key = text.as_deref().unwrap_or(json.as_text());
    if key.len() <= IDEMPOTENCY_KEY_BYTES_MAX {
        return (!key.is_empty()).then(|| key.into());
    }
    let mut digest = b"sha256:".to_vec();
    push_display(&mut digest, &ringwall_signing::sha256_hex(key.as_bytes()));
    String::from_utf8(digest).ok().map(Into::into)
}

fn read_status(json: Json<'_>) -> Option<u16> {
    match json.integer() {
        Ok(Integer::Fits(status)) => u16::try_from(status).ok(),
        _ => None,
    }
}

fn read_metadata(json: Json<'_>) -> (Map<String, Value>, u64) {
    let mut object = BoundedObject::new(METADATA_BYTES_MAX);
    match json.dictionary() {
        Ok(members) => {
            for (name, json) in members.iter() {
                object.add(name, json);
            }
        }
        Err(_) if json.is_null() => {}
        // Not what was agreed, but somebody wrote it for a reason.
        Err(_) => object.add("value", json),
    }
    object.finish()
}

impl From<&Event> for Value {
    /// The event as one object, times with a `T`.
    fn from(event: &Event) -> Self {
        let mut out = Vec::new();
        event.push_json(&mut out, TimeForm::Iso);
        // What the writer makes is JSON; the reading repairs nothing here.
        Json::read(&out).map(value).unwrap_or_default()
    }
}
