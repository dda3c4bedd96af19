use ringwall_event::form_1::Activity1;
use ringwall_event::{Activity, Event, EventId, Severity, Source, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// A batch of events, packed: what lies in one row.
///
/// Packing needs neither the ids nor the time of receipt, so it is done by the thread that took the
/// request, before the batch queues for the one writer.
#[derive(Clone, Debug)]
pub struct EncodedBatch {
    pub(crate) body: Vec<u8>,
    pub(crate) keys: Vec<u8>,
    pub(crate) time_min: Timestamp,
    pub(crate) time_max: Timestamp,
    pub(crate) events: usize,
}

/// Why a stored batch cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The first byte names a form that this program does not know.
    #[error("unknown form {0}")]
    UnknownForm(u8),
    /// The bytes are damaged.
    #[error("damaged: {0}")]
    Damaged(String),
}

/// `[form][length of the unpacked bytes, 4 bytes little endian][zstd of postcard of the events]`.
const FORM: u8 = 2;
/// As [`FORM`], but of activities as they were then: [`ringwall_event::form_1`].
const FORM_1: u8 = 1;
const HEADER_BYTES: usize = 5;
/// More than any intake limit lets through; a damaged length allocates no more than this.
const UNPACKED_BYTES_MAX: usize = 256 << 20;
const LEVEL: i32 = 1;

#[derive(Serialize)]
struct PackedRef<'a> {
    time: Timestamp,
    host: &'a str,
    severity: Severity,
    activity: &'a Activity,
    original: Option<&'a str>,
}

#[derive(Deserialize)]
struct Packed<A> {
    time: Timestamp,
    host: Box<str>,
    severity: Severity,
    activity: A,
    original: Option<Box<str>>,
}

thread_local! {
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

impl EncodedBatch {
    /// Packs the events that `keep` says of their position to keep.
    ///
    /// # Errors
    /// Where the events are too large for one row, or cannot be packed.
    pub fn encode(events: &[Event], keep: impl Fn(usize) -> bool) -> Result<Self, BatchError> {
        let kept: Vec<PackedRef<'_>> = events
            .iter()
            .enumerate()
            .filter(|(position, _)| keep(*position))
            .map(|(_, event)| PackedRef {
                time: event.time,
                host: &event.host,
                severity: event.severity,
                activity: &event.activity,
                original: event.original.as_deref(),
            })
            .collect();
        let plain = postcard::to_allocvec(&kept).map_err(damaged)?;
        let length = u32::try_from(plain.len())
            .ok()
            .filter(|length| *length as usize <= UNPACKED_BYTES_MAX)
            .ok_or_else(|| BatchError::Damaged("batch too large".into()))?;
        let packed = COMPRESSOR.with_borrow_mut(|slot| {
            let compressor = match slot {
                Some(compressor) => compressor,
                None => slot.insert(zstd::bulk::Compressor::new(LEVEL).map_err(damaged)?),
            };
            compressor.compress(&plain).map_err(damaged)
        })?;
        let mut body = Vec::with_capacity(HEADER_BYTES + packed.len());
        body.push(FORM);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&packed);
        let times = || kept.iter().map(|event| event.time);
        Ok(Self {
            body,
            keys: fingerprints(&kept),
            time_min: times().min().unwrap_or_default(),
            time_max: times().max().unwrap_or_default(),
            events: kept.len(),
        })
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }
}

pub(crate) fn decode(
    body: &[u8],
    source: &Source,
    base: EventId,
    received: Timestamp,
) -> Result<Vec<Event>, BatchError> {
    let Some((&[form, l0, l1, l2, l3], packed)) = body.split_first_chunk::<HEADER_BYTES>() else {
        return Err(BatchError::Damaged("too short".into()));
    };
    if !matches!(form, FORM | FORM_1) {
        return Err(BatchError::UnknownForm(form));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > UNPACKED_BYTES_MAX {
        return Err(BatchError::Damaged(format!("claims {length} bytes")));
    }
    let plain = zstd::bulk::decompress(packed, length).map_err(damaged)?;
    match form {
        FORM_1 => unpack::<Activity1>(&plain, source, base, received),
        _ => unpack::<Activity>(&plain, source, base, received),
    }
}

fn unpack<A: DeserializeOwned + Into<Activity>>(
    plain: &[u8],
    source: &Source,
    base: EventId,
    received: Timestamp,
) -> Result<Vec<Event>, BatchError> {
    let events: Vec<Packed<A>> = postcard::from_bytes(plain).map_err(damaged)?;
    Ok(events
        .into_iter()
        .enumerate()
        .map(|(position, event)| Event {
            id: base.at(u16::try_from(position).unwrap_or(u16::MAX)),
            time: event.time,
            received,
            source: source.clone(),
            host: event.host,
            severity: event.severity,
            activity: event.activity.into(),
            original: event.original,
        })
        .collect())
}

fn fingerprints(events: &[PackedRef<'_>]) -> Vec<u8> {
    let mut keys: Vec<u32> = Vec::with_capacity(16);
    for event in events {
        keys.push(kind_fingerprint(event.activity.kind()));
        keys.extend(event.activity.pid().map(pid_fingerprint));
    }
    keys.sort_unstable();
    keys.dedup();
    keys.iter().flat_map(|key| key.to_le_bytes()).collect()
}

pub(crate) fn pid_fingerprint(pid: i64) -> u32 {
    mix(pid.cast_unsigned() ^ 0x7069_6400)
}

pub(crate) fn kind_fingerprint(kind: &str) -> u32 {
    // FNV-1a: stable over versions, which a hasher of the standard library is not.
    mix(kind.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

#[expect(clippy::cast_possible_truncation, reason = "a fingerprint is the low half on purpose")]
fn mix(number: u64) -> u32 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)) as u32
}

/// Whether the sorted `keys` of a row hold `wanted`.
pub(crate) fn has_fingerprint(keys: &[u8], wanted: u32) -> bool {
    let (keys, _) = keys.as_chunks::<4>();
    keys.binary_search_by(|key| u32::from_le_bytes(*key).cmp(&wanted)).is_ok()
}

fn damaged(error: impl std::fmt::Display) -> BatchError {
    BatchError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::form_1::{Inventory1, Process1};

    #[test]
    fn what_the_first_version_stored_is_read() {
        #[derive(Serialize)]
        struct Packed1 {
            time: Timestamp,
            host: &'static str,
            severity: Severity,
            activity: Activity1,
            original: Option<&'static str>,
        }
        let process = || Process1 {
            pid: 42,
            name: "nginx".into(),
            memory_percent: Some(0.5),
            ..Process1::default()
        };
        let inventory =
            Inventory1 { processes: vec![process(), process()], ..Inventory1::default() };
        let activities =
            [Activity1::ProcessStarted(process()), Activity1::Inventory(Box::new(inventory))];
        let events: Vec<_> = activities
            .into_iter()
            .map(|activity| Packed1 {
                time: Timestamp::from_micros(7),
                host: "web-1",
                severity: Severity::Low,
                activity,
                original: Some("{}"),
            })
            .collect();
        let plain = postcard::to_allocvec(&events).unwrap();
        let mut body = vec![FORM_1];
        body.extend_from_slice(&u32::try_from(plain.len()).unwrap().to_le_bytes());
        body.extend_from_slice(&zstd::bulk::compress(&plain, LEVEL).unwrap());

        let source = Source::new(Source::HOST_AGENT, "web-1");
        let base = EventId::from_parts(1, 0, 0);
        let found = decode(&body, &source, base, Timestamp::from_micros(9)).unwrap();
        let expected: ringwall_event::Process = process().into();
        assert_eq!(found[0].activity, Activity::ProcessStarted(expected.clone()));
        let Activity::Inventory(picture) = &found[1].activity else { panic!("{found:?}") };
        assert_eq!(picture.processes, [expected.clone(), expected]);
        assert_eq!((&*found[1].host, found[1].original.as_deref()), ("web-1", Some("{}")));

        let again = EncodedBatch::encode(&found, |_| true).unwrap();
        assert_eq!(again.body[0], FORM);
        assert_eq!(decode(&again.body, &source, base, Timestamp::from_micros(9)).unwrap(), found);
        body[0] = 3;
        let refused = decode(&body, &source, base, Timestamp::from_micros(9)).unwrap_err();
        assert_eq!(refused, BatchError::UnknownForm(3));
    }
}
