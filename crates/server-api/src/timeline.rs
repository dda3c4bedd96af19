use crate::{schemas, source_text};
use ringwall_event::{Severity, Source, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::{IntoParams, ToSchema};

/// How many series a timeline has at most, the one of the rest not counted.
pub const TIMELINE_SERIES_MAX: usize = 20;

/// How many events the server received, bucket by bucket. Read from counts kept by the minute, the
/// hour and the day: as cheap for a year as for an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// How wide a bucket is, in seconds: whole minutes, hours or days.
    pub step_seconds: u64,
    /// The beginning of the first bucket. By time of receipt, not by the time that senders claim:
    /// what comes in late is counted when it comes in.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The end of the last bucket.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// What has a series of its own.
    pub by: TimelineGroup,
    /// The largest series, the largest first, at most 20; then the sum of all others as `other`, where
    /// there are any. What was not received at all has no series, except without groups.
    pub series: Vec<TimelineSeries>,
    /// All events that are counted here.
    pub total: u64,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineSeries {
    /// The kind, the severity or the source (`dialect:name`) that is counted; `all` without groups;
    /// `other` for the rest.
    pub key: String,
    /// How many events were received in each bucket, oldest first.
    pub counts: Vec<u64>,
}

/// What has a series of its own in a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimelineGroup {
    /// Nothing: all events are one series.
    #[default]
    None,
    /// Each kind of event.
    Kind,
    /// Each severity.
    Severity,
    /// Each sender.
    Source,
}

impl TimelineGroup {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Kind, Self::Severity, Self::Source];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kind => "kind",
            Self::Severity => "severity",
            Self::Source => "source",
        }
    }
}

impl fmt::Display for TimelineGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which events are counted, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Those received at this moment or later, rounded down to a whole bucket; 24 hours before
    /// `until` where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Those received before this moment, rounded up to a whole bucket; now where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How wide a bucket is, in seconds. Widened to a part of an hour, a part of a day or whole days,
    /// so far that there are at most 2,000 buckets and the counts are fine enough: of sources over
    /// more than some hours they are kept by the hour, over more than a month by the day. About a
    /// hundred buckets where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub step: Option<u32>,
    /// What has a series of its own; nothing where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub by: Option<TimelineGroup>,
    /// Those of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Those of this severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<schemas::Severity>)]
    pub severity: Option<Severity>,
    /// Those of this host: `dialect:name`.
    #[serde(default, with = "source_text::option", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub host: Option<Source>,
}
