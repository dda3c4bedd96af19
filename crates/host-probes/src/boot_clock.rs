use crate::procfs::{ProcReader, boot_seconds};
use ringwall_event::Timestamp;
use std::sync::OnceLock;

/// Turns the kernel's counts of clock ticks into moments.
///
/// The moment of the boot is read once and kept: the kernel reckons it from a clock that people set,
/// and a process must have the same start time whenever it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootClock {
    boot: Timestamp,
    ticks_per_second: u64,
}

/// `/proc/stat` has a counter for every interrupt: tens of kilobytes on large machines.
const STAT_BYTES_MAX: usize = 4 << 20;

impl BootClock {
    /// The clock of this host; none where `/proc/stat` does not tell. One for the whole program: what
    /// the probe reports and what the hands compare must be the same moment.
    pub(crate) fn of_this_host(reader: &mut ProcReader) -> Option<Self> {
        static CLOCK: OnceLock<BootClock> = OnceLock::new();
        if let Some(clock) = CLOCK.get() {
            return Some(*clock);
        }
        let clock = Self::read(reader)?;
        Some(*CLOCK.get_or_init(|| clock))
    }

    fn read(reader: &mut ProcReader) -> Option<Self> {
        let seconds = boot_seconds(reader.read("stat", STAT_BYTES_MAX).ok()?)?;
        let boot = Timestamp::from_micros(i64::try_from(seconds).ok()?.checked_mul(1_000_000)?);
        Some(Self { boot, ticks_per_second: rustix::param::clock_ticks_per_second().max(1) })
    }

    /// When the host started.
    pub(crate) const fn boot_time(&self) -> Timestamp {
        self.boot
    }

    /// The moment so many ticks after the boot.
    pub(crate) fn moment(&self, ticks: u64) -> Timestamp {
        let micros = u128::from(ticks) * 1_000_000 / u128::from(self.ticks_per_second);
        self.boot.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// So many ticks as seconds.
    pub(crate) fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_second as f64
    }
}

/// The present moment by the clock that people set.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
