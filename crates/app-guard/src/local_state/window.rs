//! A window that slides: how many there were in the last so many seconds.

use std::collections::VecDeque;
use std::time::Duration;

/// Up to this limit each one is remembered with its time; beyond, they are counted in slices.
const LOG_MAX: u32 = 24;

/// Into how many slices a window is divided. A slice counts as long as any of it is in the window, so a
/// client at its limit waits at most a 32nd of the window too long, and never passes too early.
const SLICES: u64 = 32;

/// A slice at both ends of the window may be in it only in part.
const RING: usize = SLICES as usize + 2;

/// What one counter remembers. Times are nanoseconds since the state began.
#[derive(Clone, Debug)]
pub(super) enum Window {
    /// The time of each.
    Log(VecDeque<u64>),
    /// How many in each slice.
    Slices(Box<Slices>),
}

#[derive(Clone, Debug)]
pub(super) struct Slices {
    /// How long a slice is.
    width: u64,
    /// The number of the newest slice.
    newest: u64,
    counts: [u32; RING],
}

impl Window {
    pub(super) fn new(limit: u32, window: Duration) -> Self {
        if limit <= LOG_MAX {
            Self::Log(VecDeque::new())
        } else {
            Self::Slices(Box::new(Slices::new(window)))
        }
    }

    /// Makes it fit for this limit and window, which may have changed since it was made.
    pub(super) fn fit(&mut self, limit: u32, window: Duration) {
        match self {
            Self::Log(times) if limit > LOG_MAX => {
                let mut slices = Slices::new(window);
                for time in times {
                    slices.add(*time, 1);
                }
                *self = Self::Slices(Box::new(slices));
            }
            Self::Slices(slices) if slices.width != width(window) => {
                let mut wider = Slices::new(window);
                for number in slices.numbers() {
                    wider.add(number.saturating_mul(slices.width), slices.at(number));
                }
                **slices = wider;
            }
            Self::Log(_) | Self::Slices(_) => {}
        }
    }

    /// How many are in the window that ends now.
    pub(super) fn count(&mut self, window: Duration, now: u64) -> u32 {
        match self {
            Self::Log(times) => {
                let span = nanoseconds(window);
                // One that is exactly a window old has left it.
                while times.front().is_some_and(|first| first.saturating_add(span) <= now) {
                    times.pop_front();
                }
                u32::try_from(times.len()).unwrap_or(u32::MAX)
            }
            Self::Slices(slices) => slices.count(nanoseconds(window), now),
        }
    }

    pub(super) fn add(&mut self, now: u64) {
        match self {
            Self::Log(times) => times.push_back(now),
            Self::Slices(slices) => slices.add(now, 1),
        }
    }

    /// How long until the oldest leaves the window.
    pub(super) fn room_in(&self, window: Duration, now: u64) -> Duration {
        let span = nanoseconds(window);
        let leaves = match self {
            Self::Log(times) => times.front().map(|first| first.saturating_add(span)),
            Self::Slices(slices) => slices.oldest(span, now).map(|number| {
                number.saturating_add(1).saturating_mul(slices.width).saturating_add(span)
            }),
        };
        let wait = leaves.map_or(0, |leaves| leaves.saturating_sub(now));
        Duration::from_nanos(wait).min(window)
    }
}

impl Slices {
    pub(super) fn new(window: Duration) -> Self {
        Self { width: width(window), newest: 0, counts: [0; RING] }
    }

    pub(super) fn add(&mut self, time: u64, count: u32) {
        let number = time / self.width;
        if number > self.newest {
            let steps = (number - self.newest).min(RING as u64);
            for step in 0..steps {
                if let Some(slot) = self.counts.get_mut(place(number - step)) {
                    *slot = 0;
                }
            }
            self.newest = number;
        }
        // A time before the newest slice comes from a clock that another thread read earlier; it counts
        // as the newest, which keeps it in the window longer rather than shorter.
        let at = place(self.newest);
        if let Some(slot) = self.counts.get_mut(at) {
            *slot = slot.saturating_add(count);
        }
    }

    pub(super) fn count(&self, span: u64, now: u64) -> u32 {
        let first = now.saturating_sub(span) / self.width;
        self.numbers()
            .filter(|number| *number >= first)
            .map(|number| self.at(number))
            .fold(0, u32::saturating_add)
    }

    fn oldest(&self, span: u64, now: u64) -> Option<u64> {
        let first = now.saturating_sub(span) / self.width;
        self.numbers().filter(|number| *number >= first).find(|number| self.at(*number) > 0)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        self.newest.saturating_sub(RING as u64 - 1)..=self.newest
    }

    fn at(&self, number: u64) -> u32 {
        self.counts.get(place(number)).copied().unwrap_or(0)
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % RING as u64).unwrap_or(0)
}

fn width(window: Duration) -> u64 {
    nanoseconds(window).div_ceil(SLICES).max(1)
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
