use super::ascii_json::{ObjectWriter, push_members, push_number, push_text};
use super::left_out::LeftOutReason;
use super::text::printed;
use super::{NAME_BYTES_MAX, TAGS_MAX, TEXT_BYTES_MAX, TimeForm};
use crate::validation::Json;
use ringwall_event::Timestamp;
use std::collections::BTreeMap;

/// The seven types of the original, which knows no other.
pub const KNOWN_METRIC_TYPES: [&str; 7] = [
    "request_count",
    "response_time",
    "error_rate",
    "bandwidth_usage",
    "threat_level",
    "block_rate",
    "cache_hit_rate",
];

/// The largest number, above or below zero, that is taken for a measurement.
pub(super) const METRIC_VALUE_MAX: f64 = 1e15;

/// One number that a guard measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// When, by the sender's clock.
    pub timestamp: Timestamp,
    /// One of [`KNOWN_METRIC_TYPES`]; another is kept as well.
    pub metric_type: Box<str>,
    /// Finite.
    pub value: f64,
    /// The path it belongs to; the original middleware writes it into `tags.endpoint` instead.
    pub endpoint: Option<Box<str>>,
    /// What it belongs to besides.
    pub tags: BTreeMap<Box<str>, Box<str>>,
}

impl Metric {
    /// The path it belongs to, wherever the sender wrote it.
    pub fn path(&self) -> Option<&str> {
        self.endpoint.as_deref().or_else(|| self.tags.get("endpoint").map(|path| &**path))
    }

    /// Reads one item of `metrics`, and says how many of its tags were left out.
    pub(super) fn read(json: Json<'_>) -> Result<(Self, u64), LeftOutReason> {
        let members = json.model().map_err(|_| LeftOutReason::NotAnObject)?;
        let time = members.given("timestamp").ok_or(LeftOutReason::Missing("timestamp"))?;
        let timestamp = time.date_time().map_err(|_| LeftOutReason::BadTimestamp)?;
        let kind = members.given("metric_type").ok_or(LeftOutReason::Missing("metric_type"))?;
        let value = members.get("value").ok_or(LeftOutReason::Missing("value"))?;
        let value = value.number().map_err(|_| LeftOutReason::NotANumber)?;
        if value.abs() > METRIC_VALUE_MAX {
            return Err(LeftOutReason::ValueTooLarge);
        }
        let mut metric = Self {
            timestamp,
            metric_type: printed(kind, NAME_BYTES_MAX).unwrap_or_default(),
            value,
            endpoint: members.get("endpoint").and_then(|json| printed(json, TEXT_BYTES_MAX)),
            tags: BTreeMap::new(),
        };
        let mut left_out = 0;
        if let Some(Ok(tags)) = members.get("tags").map(Json::dictionary) {
            for (name, json) in tags.iter() {
                if metric.tags.len() >= TAGS_MAX || name.len() > NAME_BYTES_MAX {
                    left_out += 1;
                } else if let Some(text) = printed(json, TEXT_BYTES_MAX) {
                    metric.tags.insert(name.into(), text);
                }
            }
        }
        Ok((metric, left_out))
    }

    /// Appends the JSON object, as agents of the 3.x line write it. A value that is not finite
    /// becomes `null`; [`Batch::write`](super::Batch::write) leaves such a metric out.
    pub fn push_json(&self, out: &mut Vec<u8>, times: TimeForm) {
        let mut object = ObjectWriter::new(out);
        times.push_json(object.field("timestamp"), self.timestamp);
        object.text("metric_type", &self.metric_type);
        push_number(object.field("value"), self.value);
        object.text_or_null("endpoint", self.endpoint.as_deref());
        push_members(object.field("tags"), self.tags.iter(), |out, (name, text)| {
            push_text(out, name);
            out.push(b':');
            push_text(out, text);
        });
        object.end();
    }
}
