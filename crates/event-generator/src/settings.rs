use ringwall_event::Timestamp;

/// What is to be made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The same seed and settings give the same events.
    pub seed: u64,
    /// How many hosts report, 1 to [`Settings::HOSTS_MAX`].
    pub hosts: u32,
    /// How many events there are in all; exactly so many are made.
    pub events: u64,
    /// No event is received before this.
    pub start: Timestamp,
    /// All events are received before this.
    pub end: Timestamp,
    /// Stands before each name of a host.
    pub host_prefix: String,
}

/// Why there can be no such events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Nobody to report, or too many.
    #[error("hosts must be 1 to {}", Settings::HOSTS_MAX)]
    Hosts,
    /// More than have ids of their own.
    #[error("events must be at most {}", Settings::EVENTS_MAX)]
    Events,
    /// The end is not after the start, or too long after it.
    #[error("the end must be after the start, by at most {} days", Settings::DAYS_MAX)]
    Span,
    /// Outside the years that are generated for.
    #[error("the start must be in the years 1971 to 9000")]
    Start,
}

impl Settings {
    /// The most hosts.
    pub const HOSTS_MAX: u32 = 50_000;
    /// The most events.
    pub const EVENTS_MAX: u64 = 100_000_000_000;
    /// The longest span, in days.
    pub const DAYS_MAX: u64 = 3660;

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        const YEAR_1971: i64 = 31_536_000;
        const YEAR_9000: i64 = 221_845_392_000;
        if !(1..=Self::HOSTS_MAX).contains(&self.hosts) {
            return Err(SettingsError::Hosts);
        }
        if self.events > Self::EVENTS_MAX {
            return Err(SettingsError::Events);
        }
        if !(YEAR_1971..YEAR_9000).contains(&self.start.as_seconds()) {
            return Err(SettingsError::Start);
        }
        let span = self.end.micros_since(self.start);
        if span <= 0 || span.cast_unsigned() > Self::DAYS_MAX * 86_400_000_000 {
            return Err(SettingsError::Span);
        }
        Ok(())
    }
}
