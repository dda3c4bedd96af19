use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How far back calls count.
pub const WINDOW_SECONDS: i64 = 300;

/// Calls that claim to come from further ahead count as if from here, so that a wrong clock can
/// neither fill the memory nor keep a call in the window for ever.
const AHEAD_SECONDS: i64 = 300;

/// The calls of the last five minutes, counted by the second they claim: the mean without the calls.
///
/// Memory is bounded by the seconds of the window, not by the calls: at most 601 buckets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Sorted by second.
    buckets: VecDeque<Bucket>,
    /// Over all buckets.
    total: Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Bucket {
    second: i64,
    sum: Sum,
}

/// How many calls, and their weights added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    pub(crate) weight: u64,
}

impl Window {
    /// The second, if a call of that time counts now; one from far ahead is drawn near.
    pub(crate) fn second_of(time: Timestamp, now: Timestamp) -> Option<i64> {
        let is_recent = time >= now.plus_seconds(-WINDOW_SECONDS);
        is_recent.then(|| time.as_seconds().min(now.as_seconds().saturating_add(AHEAD_SECONDS)))
    }

    /// The first second that counts now.
    pub(crate) fn begin(now: Timestamp) -> i64 {
        now.plus_seconds(-WINDOW_SECONDS).as_seconds()
    }

    /// Counts a call; `second` is from [`Window::second_of`].
    pub(crate) fn add(&mut self, second: i64, weight: u8, now: Timestamp) {
        self.forget(Self::begin(now));
        let one = Sum { calls: 1, weight: u64::from(weight) };
        self.total.add(one);
        match self.buckets.back_mut() {
            Some(last) if last.second == second => last.sum.add(one),
            Some(last) if last.second > second => {
                let at = self.buckets.partition_point(|bucket| bucket.second < second);
                match self.buckets.get_mut(at) {
                    Some(bucket) if bucket.second == second => bucket.sum.add(one),
                    _ => self.buckets.insert(at, Bucket { second, sum: one }),
                }
            }
            _ => self.buckets.push_back(Bucket { second, sum: one }),
        }
    }

    /// What counts now.
    pub(crate) fn sum(&self, now: Timestamp) -> Sum {
        let begin = Self::begin(now);
        let mut sum = self.total;
        for bucket in self.buckets.iter().take_while(|bucket| bucket.second < begin) {
            sum.remove(bucket.sum);
        }
        sum
    }

    fn forget(&mut self, begin: i64) {
        while let Some(bucket) = self.buckets.front().filter(|bucket| bucket.second < begin) {
            self.total.remove(bucket.sum);
            self.buckets.pop_front();
        }
    }
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.weight = self.weight.saturating_add(other.weight);
    }

    fn remove(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.weight = self.weight.saturating_sub(other.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// The buckets say what a list of all calls says, in whatever order they come.
        #[test]
        fn agrees_with_a_plain_list(
            calls in proptest::collection::vec((0i64..900, 1u8..=10, 0i64..3), 0..200),
        ) {
            let mut window = Window::default();
            let mut list = Vec::new();
            let mut now = Timestamp::from_micros(1_768_471_200_000_000);
            let start = now.plus_seconds(-400);
            for (offset, weight, pause) in calls {
                now = now.plus_seconds(pause);
                let time = start.plus_seconds(offset);
                if let Some(second) = Window::second_of(time, now) {
                    window.add(second, weight, now);
                    list.push((second, weight));
                }
                list.retain(|(second, _)| *second >= Window::begin(now));
                let weight = list.iter().map(|(_, weight)| u64::from(*weight)).sum();
                proptest::prop_assert_eq!(
                    window.sum(now), Sum { calls: list.len() as u64, weight });
                proptest::prop_assert!(window.buckets.len() <= 601);
                proptest::prop_assert!(
                    window.buckets.iter().is_sorted_by(|a, b| a.second < b.second));
            }
            let later = now.plus_seconds(150);
            list.retain(|(second, _)| *second >= Window::begin(later));
            proptest::prop_assert_eq!(window.sum(later).calls, list.len() as u64);
        }
    }

    #[test]
    fn memory_is_bounded_by_seconds() {
        let mut window = Window::default();
        let now = Timestamp::from_micros(0);
        for offset in -100_000..100_000 {
            if let Some(second) = Window::second_of(now.plus_seconds(offset), now) {
                window.add(second, 1, now);
            }
        }
        assert_eq!(window.buckets.len(), 601);
    }
}
