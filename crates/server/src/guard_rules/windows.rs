//! How often what automatic rules wait for was seen of an address: pure, and bounded.

use ringwall_event::{Network, Source, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How many sightings are remembered over all addresses: 8 bytes each.
const SIGHTINGS_MAX: usize = 500_000;
/// How many addresses are counted at once for all rules.
const KEYS_MAX: usize = 50_000;
/// How many addresses are remembered that must not be banned.
const REFUSED_MAX: usize = 10_000;
/// Of how many sources the refusals are remembered, before those of an hour ago are forgotten.
const SOURCES_MAX: usize = 1000;
/// This part of all is forgotten where there is no room.
const FREED_SHARE: usize = 16;
/// A refusal is written down once in this time for an address, in seconds.
const REFUSAL_SECONDS: i64 = 3600;

/// Sightings of addresses by rule, each within its window.
#[derive(Debug, Default)]
pub(crate) struct BanWindows {
    seen: HashMap<(Box<str>, Network), Seen>,
    sightings: usize,
    refused: BTreeMap<String, Timestamp>,
    /// When the events of each source led to a refusal that was written down.
    refusals: HashMap<Source, VecDeque<Timestamp>>,
}

/// When an address was seen of late.
#[derive(Debug)]
struct Seen {
    moments: VecDeque<Timestamp>,
    /// Whose events were the first.
    source: Source,
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
    /// Counts sightings of an address by a source; whether the threshold is reached by them. Then the count begins
    /// anew: a ban is not made twice of the same sightings.
    pub(crate) fn count(
        &mut self,
        source: &Source,
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
        let free = || Seen { moments: VecDeque::new(), source: source.clone() };
        let seen = &mut self.seen.entry((rule.into(), address)).or_insert_with(free).moments;
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

    /// How many refusals this source's events led to within the hour before now.
    pub(crate) fn refusals(&mut self, source: &Source, now: Timestamp) -> u64 {
        let Some(moments) = self.refusals.get_mut(source) else { return 0 };
        let oldest = now.plus_seconds(-REFUSAL_SECONDS);
        while moments.front().is_some_and(|moment| *moment <= oldest) {
            moments.pop_front();
        }
        u64::try_from(moments.len()).unwrap_or(u64::MAX)
    }

    /// Notes that this source's events led to a refusal. Whoever calls it looked at the bound before.
    pub(crate) fn note_refusal(&mut self, source: &Source, now: Timestamp) {
        if self.refusals.len() >= SOURCES_MAX {
            let oldest = now.plus_seconds(-REFUSAL_SECONDS);
            self.refusals.retain(|_, moments| moments.back().is_some_and(|last| *last > oldest));
        }
        self.refusals.entry(source.clone()).or_default().push_back(now);
    }

    fn forget_one(&mut self, rule: &str, address: Network) {
        if let Some(seen) = self.seen.remove(&(Box::<str>::from(rule), address)) {
            self.sightings = self.sightings.saturating_sub(seen.moments.len());
        }
    }

    /// Makes sure that so many more sightings of one more address find room.
    ///
    /// Whoever reports ever new addresses pushes out their own: a quarter of what the source with the most
    /// has, those silent for longest, and of the next ones, until there is room for a while. Not all are
    /// looked through for each.
    fn make_room(&mut self, new: usize) {
        while !self.seen.is_empty()
            && (self.seen.len() >= KEYS_MAX || self.sightings + new > SIGHTINGS_MAX)
        {
            self.free_some();
        }
    }

    fn free_some(&mut self) {
        let are_keys_full = self.seen.len() >= KEYS_MAX;
        let (total, weight): (usize, fn(&Seen) -> usize) = match are_keys_full {
            true => (self.seen.len(), |_| 1),
            false => (self.sightings, |seen| seen.moments.len()),
        };
        let mut sources: HashMap<&Source, (usize, Vec<Timestamp>)> = HashMap::new();
        for seen in self.seen.values() {
            let Some(last) = seen.moments.back() else { continue };
            let (weighs, moments) = sources.entry(&seen.source).or_default();
            *weighs += weight(seen);
            moments.push(*last);
        }
        let mut largest: Vec<_> = sources.into_iter().collect();
        largest.sort_unstable_by_key(|(source, (weighs, _))| (Reverse(*weighs), (*source).clone()));
        let mut limits: HashMap<Source, Timestamp> = HashMap::new();
        let mut freed = 0;
        for (source, (weighs, mut moments)) in largest {
            let quarter = moments.len() / 4;
            if let Some(limit) = nth(&mut moments, quarter) {
                limits.insert(source.clone(), limit);
            }
            freed += weighs / 4;
            if freed >= total / FREED_SHARE {
                break;
            }
        }
        self.retain(|_, seen| {
            let limit = limits.get(&seen.source);
            limit.is_none_or(|limit| seen.moments.back().is_some_and(|last| last > limit))
        });
    }

    fn retain(&mut self, keep: impl Fn(&(Box<str>, Network), &Seen) -> bool) {
        self.seen.retain(|key, seen| keep(key, seen));
        self.sightings = self.seen.values().map(|seen| seen.moments.len()).sum();
    }
}

/// The moment at this place, if all were sorted.
fn nth(moments: &mut [Timestamp], place: usize) -> Option<Timestamp> {
    (place < moments.len()).then(|| *moments.select_nth_unstable(place).1)
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

    fn shop() -> Source {
        Source::new(Source::GUARD, "shop")
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
            .map(|seconds| {
                windows.count(&shop(), "a", address("192.0.2.1"), threshold, 1, at(*seconds))
            })
            .collect();
        assert_eq!(found, expected, "{threshold:?} {moments:?}");
    }

    #[test]
    fn rules_and_addresses_are_counted_apart_and_begin_anew_when_a_ban_ends() {
        let mut windows = BanWindows::default();
        let count = |windows: &mut BanWindows, rule, text, sightings| {
            windows.count(&shop(), rule, address(text), THREE_IN_TEN, sightings, at(1))
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
            windows.count(&shop(), "a", other, threshold, 1, now);
            if number % 150 == 0 {
                reached |= windows.count(&shop(), "a", busy, threshold, 1, now);
            }
        }
        assert!(windows.seen.len() <= KEYS_MAX, "{}", windows.seen.len());
        let sightings: usize = windows.seen.values().map(|seen| seen.moments.len()).sum();
        assert_eq!(windows.sightings, sightings);
        assert!(reached);
    }

    /// One stolen key, or one application under attack, must not make the others' counts begin anew.
    #[test]
    fn one_source_pushes_out_its_own_counts_first() {
        let mut windows = BanWindows::default();
        let threshold = Threshold { count: 1000, seconds: 86_400 };
        let other =
            |number: u32| Network::single(std::net::Ipv4Addr::from(0xc0a8_0000 + number).into());
        let quiet = Source::new(Source::GUARD, "quiet");
        for number in 0..100 {
            windows.count(&quiet, "a", other(number), threshold, 1, at(0));
        }
        for number in 0..200_000_u32 {
            let fresh = Network::single(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
            windows.count(&shop(), "a", fresh, threshold, 1, at(1 + i64::from(number) / 100));
        }
        assert!(windows.seen.len() <= KEYS_MAX);
        let kept = windows.seen.values().filter(|seen| seen.source == quiet).count();
        assert_eq!(kept, 100);
        // The same where the sightings are too many, not the addresses.
        let threshold = Threshold { count: 100_000, seconds: 86_400 };
        for number in 0..30 {
            windows.count(&shop(), "b", other(number), threshold, 50_000, at(5000));
        }
        assert!(windows.sightings <= SIGHTINGS_MAX, "{}", windows.sightings);
        assert_eq!(windows.seen.values().filter(|seen| seen.source == quiet).count(), 100);
    }

    #[test]
    fn refusals_of_a_source_count_for_an_hour() {
        let mut windows = BanWindows::default();
        windows.note_refusal(&shop(), at(0));
        windows.note_refusal(&shop(), at(10));
        assert_eq!(windows.refusals(&shop(), at(3599)), 2);
        assert_eq!(windows.refusals(&shop(), at(3600)), 1);
        assert_eq!(windows.refusals(&Source::new(Source::GUARD, "blog"), at(11)), 0);
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
