//! An event as it waits: compact, as each costs memory until the server has it.
//!
//! A byte for the version, two for what is there, eight for the time; then each text with its length.
//! In a spool, the 16 bytes of the idempotency key stand before it.

use crate::sink::GuardEvent;
use ringwall_dialects::guard::Event;
use ringwall_event::Timestamp;
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: u8 = 1;

/// No text of an event waits that is longer, in bytes; the rest is cut off.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// No metadata waits that is longer as JSON, in bytes.
const METADATA_BYTES_MAX: usize = 64 << 10;

const TEXTS: usize = 12;
const STATUS_BIT: u16 = 1 << 12;
const RESPONSE_TIME_BIT: u16 = 1 << 13;
const METADATA_BIT: u16 = 1 << 14;

/// What an event says, borrowed from wherever it is.
struct Fields<'a> {
    micros: i64,
    texts: [Option<&'a str>; TEXTS],
    status_code: Option<u16>,
    response_time: Option<f64>,
    metadata: &'a Map<String, Value>,
}

/// The fields of an event, here or as it goes over the wire: both call them the same. [`read`] takes the
/// texts in this order.
macro_rules! fields {
    ($event:ident, $micros:expr, $response_time:expr) => {
        Fields {
            micros: $micros,
            texts: [
                Some(&$event.event_type),
                Some(&$event.ip_address),
                $event.country.as_deref(),
                $event.user_agent.as_deref(),
                Some(&$event.action_taken),
                Some(&$event.reason),
                $event.endpoint.as_deref(),
                $event.method.as_deref(),
                $event.decorator_type.as_deref(),
                $event.rule_type.as_deref(),
                $event.pattern_matched.as_deref(),
                $event.handler_name.as_deref(),
            ],
            status_code: $event.status_code,
            response_time: $response_time,
            metadata: &$event.metadata,
        }
    };
}

/// Appends the event as it comes.
pub(super) fn push_guard_event(out: &mut Vec<u8>, event: &GuardEvent) {
    let seconds = event.response_time.map(|time| time.as_secs_f64());
    push(out, &fields!(event, micros(event.time), seconds));
}

/// Appends the event as it waits in a spool.
pub(super) fn push_event(out: &mut Vec<u8>, key: [u8; 16], event: &Event) {
    out.extend_from_slice(&key);
    push(out, &fields!(event, event.timestamp.as_micros(), event.response_time));
}

/// Reads an item of a spool.
pub(super) fn read_item(bytes: &[u8]) -> Option<Event> {
    let (key, rest) = bytes.split_first_chunk::<16>()?;
    let mut event = read(rest)?;
    event.idempotency_key = Some(uuid_v4(*key).into());
    Some(event)
}

/// Reads what [`push_guard_event`] wrote.
pub(super) fn read(bytes: &[u8]) -> Option<Event> {
    let (&[version], rest) = bytes.split_first_chunk()?;
    let (flags, rest) = rest.split_first_chunk()?;
    let (micros, rest) = rest.split_first_chunk()?;
    let flags = u16::from_le_bytes(*flags);
    let mut rest = (version == VERSION).then_some(rest)?;
    let mut texts: [Option<Box<str>>; TEXTS] = Default::default();
    for (bit, text) in texts.iter_mut().enumerate() {
        if flags & 1 << bit != 0 {
            *text = Some(std::str::from_utf8(take_bytes(&mut rest)?).ok()?.into());
        }
    }
    let status_code = match flags & STATUS_BIT {
        0 => None,
        _ => Some(u16::from_le_bytes(take(&mut rest)?)),
    };
    let response_time = match flags & RESPONSE_TIME_BIT {
        0 => None,
        _ => Some(f64::from_le_bytes(take(&mut rest)?)),
    };
    let metadata = match flags & METADATA_BIT {
        0 => Map::new(),
        _ => serde_json::from_slice(take_bytes(&mut rest)?).ok()?,
    };
    if !rest.is_empty() {
        return None;
    }
    let [
        event_type,
        ip_address,
        country,
        user_agent,
        action_taken,
        reason,
        endpoint,
        method,
        decorator_type,
        rule_type,
        pattern_matched,
        handler_name,
    ] = texts;
    Some(Event {
        idempotency_key: None,
        timestamp: Timestamp::from_micros(i64::from_le_bytes(*micros)),
        event_type: event_type?,
        ip_address: ip_address?,
        country,
        user_agent,
        action_taken: action_taken?,
        reason: reason?,
        endpoint,
        method,
        status_code,
        response_time,
        decorator_type,
        rule_type,
        pattern_matched,
        handler_name,
        metadata,
        extra: Map::new(),
    })
}

/// The moment in microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    }
}

/// The bytes as a UUID of version 4 (RFC 9562 §5.4).
pub(super) fn uuid_v4(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{number:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

fn push(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(VERSION);
    let flags_at = out.len();
    let mut flags = 0u16;
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&fields.micros.to_le_bytes());
    for (bit, text) in fields.texts.iter().enumerate() {
        if let Some(text) = text {
            flags |= 1 << bit;
            let end = match text.len() {
                0..=TEXT_BYTES_MAX => text.len(),
                _ => text.floor_char_boundary(TEXT_BYTES_MAX),
            };
            push_bytes(out, text.as_bytes().get(..end).unwrap_or_default());
        }
    }
    if let Some(status) = fields.status_code {
        flags |= STATUS_BIT;
        out.extend_from_slice(&status.to_le_bytes());
    }
    if let Some(seconds) = fields.response_time.filter(|seconds| seconds.is_finite()) {
        flags |= RESPONSE_TIME_BIT;
        out.extend_from_slice(&seconds.to_le_bytes());
    }
    if !fields.metadata.is_empty() {
        flags |= METADATA_BIT;
        push_metadata(out, fields.metadata);
    }
    for (to, from) in out.iter_mut().skip(flags_at).zip(flags.to_le_bytes()) {
        *to = from;
    }
}

/// Written in place behind a length that is filled in afterwards: no copy, no allocation.
fn push_metadata(out: &mut Vec<u8>, metadata: &Map<String, Value>) {
    const LENGTH_BYTES: usize = 3;
    let at = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let written = serde_json::to_writer(&mut *out, metadata);
    let length = out.len() - at - LENGTH_BYTES;
    if written.is_err() || length > METADATA_BYTES_MAX {
        out.truncate(at);
        push_bytes(out, br#"{"truncated":true}"#);
        return;
    }
    // Three groups of seven bits, the first two marked as not the last: as `push_length` has it, but of
    // a width that is known before.
    let groups = [length & 0x7f | 0x80, length >> 7 & 0x7f | 0x80, length >> 14];
    for (to, group) in out.iter_mut().skip(at).zip(groups) {
        *to = u8::try_from(group).unwrap_or(u8::MAX);
    }
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length > 0x7f {
        out.push(u8::try_from(length & 0x7f | 0x80).unwrap_or(u8::MAX));
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0usize;
    for shift in [0, 7, 14] {
        let [byte] = take(rest)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    fn event() -> GuardEvent {
        let mut event = GuardEvent::new("penetration_attempt", "request_blocked", "SQL injection");
        event.user_agent = Some("sqlmap/1.8".into());
        event.status_code = Some(400);
        event.metadata.insert("threats".into(), json!(["sqli", {"score": 1.5}]));
        event
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let mut out = Vec::new();
        push_guard_event(&mut out, &event());
        let read = read(&out).unwrap();
        assert_eq!(&*read.reason, "SQL injection");
        assert_eq!(read.status_code, Some(400));
        assert_eq!(read.metadata["threats"][1]["score"], 1.5);
        let mut item = Vec::new();
        push_event(&mut item, [0xff; 16], &read);
        let again = read_item(&item).unwrap();
        assert_eq!(again.idempotency_key.as_deref(), Some("ffffffff-ffff-4fff-bfff-ffffffffffff"));
        assert_eq!(Event { idempotency_key: None, ..again }, read);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let mut event = event();
        event.reason = "é".repeat(10_000).into();
        event.metadata.insert("long".into(), "x".repeat(100_000).into());
        let mut out = Vec::new();
        push_guard_event(&mut out, &event);
        let read = read(&out).unwrap();
        assert_eq!(read.reason.len(), TEXT_BYTES_MAX);
        assert_eq!(Value::Object(read.metadata), json!({"truncated": true}));
    }

    proptest! {
        #[test]
        fn every_event_is_read_back(
            texts in (any::<String>(), any::<String>(), any::<Option<String>>()),
            micros in -1_000_000_000_000i64..4_000_000_000_000_000,
            status: Option<u16>,
            seconds in option::of(0.0..1e6f64),
            long in 0usize..70_000,
        ) {
            let mut metadata = Map::new();
            if long > 0 {
                metadata.insert("a".into(), "x".repeat(long.min(65_000)).into());
            }
            let event = Event {
                timestamp: Timestamp::from_micros(micros),
                event_type: texts.0.into(),
                reason: texts.1.into(),
                endpoint: texts.2.map(Into::into),
                status_code: status,
                response_time: seconds,
                metadata,
                ..Event::default()
            };
            let mut item = Vec::new();
            push_event(&mut item, [7; 16], &event);
            let read = read_item(&item).unwrap();
            prop_assert_eq!(Event { idempotency_key: None, ..read }, event);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at in 0usize..100, byte: u8) {
            prop_assert!(read(&bytes).is_none_or(|event| event.extra.is_empty()));
            let mut out = Vec::new();
            push_guard_event(&mut out, &event());
            let length = out.len();
            out[at % length] = byte;
            prop_assert!(read(&out).is_none_or(|event| event.extra.is_empty()));
        }
    }
}
