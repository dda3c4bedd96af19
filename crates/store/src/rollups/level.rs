use ringwall_event::Timestamp;

/// What kind of row it is; `level` in the table. The finer ones answer small questions cheaply, the
/// coarser ones large questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// One minute, by kind and severity.
    MinuteKinds,
    /// One hour, by source, kind and severity together.
    HourAll,
    /// One minute, by source.
    MinuteSources,
    /// One hour, by kind and severity.
    HourKinds,
    /// One hour, by source.
    HourSources,
    /// One day, by source, kind and severity together.
    DayAll,
}

pub(super) const HOUR: i64 = 60;
pub(super) const DAY: i64 = 24 * HOUR;

impl Level {
    pub(super) const ALL: [Self; 6] = [
        Self::MinuteKinds,
        Self::HourAll,
        Self::MinuteSources,
        Self::HourKinds,
        Self::HourSources,
        Self::DayAll,
    ];

    /// Its number in the table; never another one.
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::MinuteKinds => 0,
            Self::HourAll => 1,
            Self::MinuteSources => 2,
            Self::HourKinds => 3,
            Self::HourSources => 4,
            Self::DayAll => 5,
        }
    }

    /// How many minutes a row is about; `start` in the table counts in these since 1970.
    pub(super) const fn minutes(self) -> i64 {
        match self {
            Self::MinuteKinds | Self::MinuteSources => 1,
            Self::HourAll | Self::HourKinds | Self::HourSources => HOUR,
            Self::DayAll => DAY,
        }
    }

    /// Whether its cells tell sources apart.
    pub(super) const fn has_sources(self) -> bool {
        !matches!(self, Self::MinuteKinds | Self::HourKinds)
    }

    /// Whether its cells tell kinds and severities apart.
    pub(super) const fn has_kinds(self) -> bool {
        !matches!(self, Self::MinuteSources | Self::HourSources)
    }

    /// For error texts: `hour from 2026-01-15T10:00:00Z`.
    pub(super) fn name_of(self, start: i64) -> String {
        let width = match self.minutes() {
            1 => "minute",
            HOUR => "hour",
            _ => "day",
        };
        let micros = start.saturating_mul(self.minutes()).saturating_mul(60_000_000);
        format!("{width} from {}", Timestamp::from_micros(micros))
    }
}

/// Minutes since 1970.
pub(super) const fn minute_of(moment: Timestamp) -> i64 {
    moment.as_seconds().div_euclid(60)
}

/// The beginning of a minute since 1970.
pub(super) const fn moment_of(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute.saturating_mul(60_000_000))
}
