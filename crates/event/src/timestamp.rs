use jiff::{SignedDuration, Timestamp as JiffTimestamp, civil, tz};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment: microseconds since 1970-01-01T00:00:00Z, in the years 1 to 9999.
///
/// Prints as RFC 3339 in UTC with a `Z`; the JSON face is that text, the stored form is the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Neither RFC 3339 nor ISO 8601 without an offset.
    #[error("not a date and time: `{0}`")]
    Unreadable(String),
    /// Outside the years 1 to 9999.
    #[error("outside the years 1 to 9999")]
    OutOfRange,
}

const MICROS_MIN: i64 = -62_135_596_800_000_000;
const MICROS_MAX: i64 = 253_402_207_199_999_999;

impl Timestamp {
    /// The moment this many microseconds after 1970, held within the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < MICROS_MIN {
            Self(MICROS_MIN)
        } else if micros > MICROS_MAX {
            Self(MICROS_MAX)
        } else {
            Self(micros)
        }
    }

    /// The moment this many milliseconds after 1970, held within range.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whether the moment has a fraction of a second.
    pub const fn has_fraction(self) -> bool {
        self.0.rem_euclid(1_000_000) != 0
    }

    /// This many microseconds later (earlier where negative), held within range.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This many seconds later (earlier where negative), held within range.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds from `earlier` to this; negative where `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339, or ISO 8601 without an offset, which then means UTC.
    ///
    /// # Errors
    /// Where the text is neither, or the moment lies outside the years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let unreadable = || TimestampError::Unreadable(text.chars().take(64).collect());
        if text.len() > 64 {
            return Err(unreadable());
        }
        if let Ok(moment) = text.parse::<JiffTimestamp>() {
            return Self::from_jiff(moment);
        }
        let civil = text.parse::<civil::DateTime>().map_err(|_| unreadable())?;
        let moment = civil.to_zoned(tz::TimeZone::UTC).map_err(|_| unreadable())?;
        Self::from_jiff(moment.timestamp())
    }

    /// The moment as naive ISO 8601 in UTC; the fraction is left out when it is zero.
    pub fn to_naive_iso(self) -> String {
        let moment = self.to_jiff().to_zoned(tz::TimeZone::UTC).datetime();
        let micros = self.0.rem_euclid(1_000_000);
        if micros == 0 {
            moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        } else {
            format!("{}.{micros:06}", moment.strftime("%Y-%m-%dT%H:%M:%S"))
        }
    }

    fn from_jiff(moment: JiffTimestamp) -> Result<Self, TimestampError> {
        let micros = moment.as_microsecond();
        if (MICROS_MIN..=MICROS_MAX).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimestampError::OutOfRange)
        }
    }

    fn to_jiff(self) -> JiffTimestamp {
        JiffTimestamp::UNIX_EPOCH
            .checked_add(SignedDuration::from_micros(self.0))
            .unwrap_or(JiffTimestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.to_naive_iso())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_converted_and_naive_means_utc() {
        check("2026-01-15T10:00:00", Some("2026-01-15T10:00:00Z"));
        check("2026-01-15 10:00:00", Some("2026-01-15T10:00:00Z"));
        check("2026-01-15T10:00:00.000001", Some("2026-01-15T10:00:00.000001Z"));
        check("2026-01-15T10:00:00+05:30", Some("2026-01-15T04:30:00Z"));
        check("2026-01-15T10:00:00.5Z", Some("2026-01-15T10:00:00.500000Z"));
        check("yesterday", None);
        check("", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            Timestamp::parse(text).ok().map(|moment| moment.to_string()).as_deref(),
            expected,
            "text {text:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn what_prints_is_read_back(micros in MICROS_MIN..=MICROS_MAX) {
            let moment = Timestamp::from_micros(micros);
            proptest::prop_assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
            proptest::prop_assert_eq!(Timestamp::parse(&moment.to_naive_iso()), Ok(moment));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Timestamp::parse(&text);
        }
    }
}
