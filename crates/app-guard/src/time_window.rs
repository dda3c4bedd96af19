//! Times of day at which a route is open.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use ringwall_inspection::Moment;

/// From one time of day up to and including the minute of another, in a zone; over midnight where the end is
/// before the start.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeWindow {
    start_minute: u16,
    end_minute: u16,
    zone: Zone,
}

/// Whose time of day is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Coordinated universal time.
    Utc,
    /// Always so many seconds east of UTC.
    Fixed(i32),
    /// A zone of the IANA database by its name, such as `Europe/Berlin`, and its rules once somebody who may
    /// read files has looked them up. Without rules a window cannot be evaluated, and is closed.
    Named(String, Option<TimeZone>),
}

/// Why there is no such window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeWindowError {
    /// Not a time of day.
    #[error("`{0}` is not a time of day between 00:00 and 23:59")]
    NotATime(String),
}

impl TimeWindow {
    /// The window between two times written `HH:MM`.
    ///
    /// # Errors
    /// Where one of them is no time of day.
    pub fn new(start: &str, end: &str, zone: Zone) -> Result<Self, TimeWindowError> {
        Ok(Self { start_minute: minute(start)?, end_minute: minute(end)?, zone })
    }

    /// Whether it is open; `None` where that cannot be told.
    #[must_use]
    pub fn is_open(&self, now: Moment) -> Option<bool> {
        let seconds = i64::try_from(now.unix_seconds()).ok()?;
        let at = Timestamp::from_second(seconds).ok()?;
        let zone = match &self.zone {
            Zone::Utc => TimeZone::UTC,
            Zone::Fixed(seconds) => Offset::from_seconds(*seconds).ok()?.to_time_zone(),
            Zone::Named(_, rules) => rules.clone()?,
        };
        let local = zone.to_datetime(at);
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).ok()?;
        Some(if self.start_minute <= self.end_minute {
            (self.start_minute..=self.end_minute).contains(&minute)
        } else {
            minute >= self.start_minute || minute <= self.end_minute
        })
    }

    /// Gives a named zone its rules.
    pub fn resolve_zone(&mut self, look_up: impl FnOnce(&str) -> Option<TimeZone>) {
        if let Zone::Named(name, rules @ None) = &mut self.zone {
            *rules = look_up(name);
        }
    }

    /// The zone.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }
}

impl Zone {
    /// The zone that a text names: `UTC`, an offset such as `+02:00`, otherwise an IANA name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Self::Utc;
        }
        let sign = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Self::Named(text.to_owned(), None),
        };
        match text.get(1..).map(minute) {
            Some(Ok(minutes)) => Self::Fixed(sign * i32::from(minutes) * 60),
            _ => Self::Named(text.to_owned(), None),
        }
    }
}

fn minute(text: &str) -> Result<u16, TimeWindowError> {
    let number = |digits: &str, max: u16| {
        let two = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|number| two && *number <= max)
    };
    let parts = text.trim().split_once(':');
    parts
        .and_then(|(hour, minute)| Some(number(hour, 23)? * 60 + number(minute, 59)?))
        .ok_or_else(|| TimeWindowError::NotATime(text.to_owned()))
}
