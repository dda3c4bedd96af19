//! How often what automatic rules wait for was seen of an address: pure, and bounded.

use ringwall_event::{Network, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How many sightings are remembered over all addresses: 8 bytes each.
const SIGHTINGS_MAX: usize = 500_000;
/// How many addresses are counted at once for all rules.
const KEYS_MAX: usize = 50_000;
/// How many addresses are remembered that must not be banned.
const REFUSED_MAX: usize = 10_000;
/// A refusal is written down once in this time for an address, in seconds.
const REFUSAL_SECONDS: i64 = 3600;

/// Sightings of addresses by rule, each within its window.
#[derive(Debug, Default)]
pub(crate) struct BanWindows {
    seen: HashMap<(Box<str>, Network), VecDeque<Timestamp>>,
    sightings: usize,
    refused: BTreeMap<String, Timestamp>,
}

/// What a rule waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threshold {
    /// So many sightings.
    pub(crate) count: u32,
    /// Within so many seconds.
    pub(crate) seconds: u32,
}

impl BanWindows {
    /// Counts sightings of an address; whether the threshold is reached by them. Then the count begins
    /// anew: a ban is not made twice of the same sightings.
    pub(crate) fn count(
        &mut self,
        rule: &str,
        address: Network,
        threshold: Threshold,
        sightings: u64,
        now: Timestamp,
    ) -> bool {
        let wanted = usize::try_from(threshold.count.max(1)).unwrap_or(usize::MAX);
        let new = usize::try_from(sightings).unwrap_or(usize::MAX).min(wanted);
        if new >= wanted {
            self.forget_one(rule, address);
            return true;
        }
        self.make_room(new);
        let oldest = now.plus_seconds(-i64::from(threshold.seconds));
        let seen = self.seen.entry((rule.into(), address)).or_default();
        let before = seen.len();
        while seen.front().is_some_and(|moment| *moment <= oldest) {
            seen.pop_front();
        }
        seen.extend(std::iter::repeat_n(now, new));
        let after = seen.len();
        self.sightings = (self.sightings + after).saturating_sub(before);
        let is_reached = after >= wanted;
        if is_reached {
            self.forget_one(rule, address);
        }
        is_reached
    }

    /// Counts of this address begin anew for every rule: its ban ended.
    pub(crate) fn forget(&mut self, address: Network) {
        self.retain(|(_, known), _| *known != address);
    }

    /// Counts of all rules but these begin anew.
    pub(crate) fn keep_rules(&mut self, names: &[&str]) {
        self.retain(|(rule, _), _| names.contains(&&**rule));
    }

    /// Whether it is time to write down that a ban was refused: `what` names whose.
    pub(crate) fn may_tell_of_refusal(&mut self, what: &str, now: Timestamp) -> bool {
        let oldest = now.plus_seconds(-REFUSAL_SECONDS);
        if self.refused.get(what).is_some_and(|told| *told > oldest) {
            return false;
        }
        if self.refused.len() >= REFUSED_MAX {
            self.refused.retain(|_, told| *told > oldest);
        }
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_first();
        }
        self.refused.insert(what.to_owned(), now);
        true
    }

    fn forget_one(&mut self, rule: &str, address: Network) {
        if let Some(seen) = self.seen.remove(&(Box::<str>::from(rule), address)) {
            self.sightings = self.sightings.saturating_sub(seen.len());
        }
    }

    /// Whoever comes from ever new addresses pushes out whom was silent for longest: a quarter at once,
    /// so that not all are looked through for each.
    fn make_room(&mut self, new: usize) {
        if self.seen.len() < KEYS_MAX && self.sightings + new <= SIGHTINGS_MAX {
            return;
        }
        let mut moments: Vec<Timestamp> =
            self.seen.values().filter_map(|seen| seen.back().copied()).collect();
        let quarter = moments.len() / 4;
        if quarter >= moments.len() {
            return;
        }
        let (_, limit, _) = moments.select_nth_unstable(quarter);
        let limit = *limit;
        self.retain(|_, seen| seen.back().is_some_and(|moment| *moment > limit));
    }

    fn retain(&mut self, keep: impl Fn(&(Box<str>, Network), &VecDeque<Timestamp>) -> bool) {
        self.seen.retain(|key, seen| keep(key, seen));
        self.sightings = self.seen.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn address(text: &str) -> Network {
        text.parse().unwrap()
    }

    const THREE_IN_TEN: Threshold = Threshold { count: 3, seconds: 10 };

    #[test]
    fn a_threshold_is_reached_within_its_window_only() {
        check(THREE_IN_TEN, &[0, 1, 2], &[false, false, true]);
        check(THREE_IN_TEN, &[0, 5, 10], &[false, false, false]);
        check(THREE_IN_TEN, &[0, 5, 9], &[false, false, true]);
        check(THREE_IN_TEN, &[0, 1, 2, 3, 4, 5], &[false, false, true, false, false, true]);
        check(THREE_IN_TEN, &[0, 0, 0], &[false, false, true]);
        check(Threshold { count: 1, seconds: 1 }, &[0, 0], &[true, true]);
    }

    #[track_caller]
    fn check(threshold: Threshold, moments: &[i64], expected: &[bool]) {
        let mut windows = BanWindows::default();
        let found: Vec<bool> = moments
            .iter()
            .map(|seconds| windows.count("a", address("192.0.2.1"), threshold, 1, at(*seconds)))
            .collect();
        assert_eq!(found, expected, "{threshold:?} {moments:?}");
    }

    #[test]
    fn rules_and_addresses_are_counted_apart_and_begin_anew_when_a_ban_ends() {
        let mut windows = BanWindows::default();
        let count = |windows: &mut BanWindows, rule, text, sightings| {
            windows.count(rule, address(text), THREE_IN_TEN, sightings, at(1))
        };
        assert!(!count(&mut windows, "a", "192.0.2.1", 2));
        assert!(!count(&mut windows, "b", "192.0.2.1", 2));
        assert!(!count(&mut windows, "a", "192.0.2.2", 2));
        windows.forget(address("192.0.2.1"));
        assert!(!count(&mut windows, "a", "192.0.2.1", 2));
        assert!(count(&mut windows, "a", "192.0.2.2", 1));
        windows.keep_rules(&["b"]);
        assert!(!count(&mut windows, "a", "192.0.2.1", 1));
        assert!(count(&mut windows, "b", "192.0.2.9", 1_000_000), "many at once");
    }

    /// Flaw 23: ten thousand addresses pushed every counter out of the original's memory. Here they
    /// push out whom was silent for longest, and memory stays bounded.
    #[test]
    fn ever_new_addresses_stay_bounded_and_do_not_push_out_whoever_is_at_it() {
        let mut windows = BanWindows::default();
        let busy = address("192.0.2.1");
        let threshold = Threshold { count: 1000, seconds: 86_400 };
        let mut reached = false;
        for number in 0..200_000_u32 {
            let other = Network::single(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
            let now = at(i64::from(number) / 100);
            windows.count("a", other, threshold, 1, now);
            if number % 150 == 0 {
                reached |= windows.count("a", busy, threshold, 1, now);
            }
        }
        assert!(windows.seen.len() <= KEYS_MAX, "{}", windows.seen.len());
        let sightings: usize = windows.seen.values().map(VecDeque::len).sum();
        assert_eq!(windows.sightings, sightings);
        assert!(reached);
    }

    #[test]
    fn a_refusal_is_told_once_an_hour() {
        let mut windows = BanWindows::default();
        assert!(windows.may_tell_of_refusal("a", at(0)));
        assert!(!windows.may_tell_of_refusal("a", at(3599)));
        assert!(windows.may_tell_of_refusal("b", at(3599)));
        assert!(windows.may_tell_of_refusal("a", at(3600)));
    }
}
