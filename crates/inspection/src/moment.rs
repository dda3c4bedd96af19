use std::time::{Duration, Instant};

/// The present, read once by whoever may read clocks: a steady clock for windows and deadlines, and the
/// time of day for what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The steady clock.
    pub instant: Instant,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
}

impl Moment {
    /// The two readings of one moment.
    #[must_use]
    pub const fn new(instant: Instant, unix_ms: u64) -> Self {
        Self { instant, unix_ms }
    }

    /// So much later, on both clocks.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { instant: self.instant + time, unix_ms: self.unix_ms.saturating_add(ms) }
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.unix_ms / 1000
    }
}
