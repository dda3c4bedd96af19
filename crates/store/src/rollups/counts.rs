use super::kinds::{CODES, code, code_of};
use super::level::{DAY, HOUR, Level, minute_of};
use super::packed::Cell;
use super::table::add_same;
use crate::StoreError;
use ringwall_event::{Event, Severity, Source, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

type Hashed<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Counts that are not in the table yet, see [`super::RollupStore::merge_rollups`].
///
/// ```
/// use ringwall_event::{Severity, Source, Timestamp};
/// use ringwall_store::RollupCounts;
/// let mut counts = RollupCounts::default();
/// let moment = Timestamp::from_millis(1_800_000_000_000);
/// let source = Source::new("sysscore", "agent-1");
/// counts.add_one(moment, &source, "system_call", Severity::Low, 3)?;
/// assert_eq!(counts.events(), 3);
/// # Ok::<(), ringwall_store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RollupCounts {
    sources: Vec<Arc<Source>>,
    numbers: Hashed<Arc<Source>, u32>,
    /// By minute since 1970.
    minutes: BTreeMap<i64, Minute>,
    /// By hour since 1970; of each the source's number and the code of kind and severity.
    hours: BTreeMap<i64, Hashed<(u32, u8), u64>>,
    cells: usize,
    events: u64,
}

#[derive(Clone, Debug, Default)]
struct Minute {
    /// A handful: looked through from the front.
    kinds: Vec<(u8, u64)>,
    sources: Hashed<u32, u64>,
}

impl RollupCounts {
    /// Beyond this many cells it is time to merge: some 64 MB.
    pub const CELLS_MAX: usize = 1_000_000;

    /// Counts the events of one batch, received together from one source.
    pub fn add(&mut self, received: Timestamp, source: &Source, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut tally = [0u64; CODES];
        for event in events {
            let code = code_of(&event.activity, event.severity);
            if let Some(count) = tally.get_mut(usize::from(code)) {
                *count += 1;
            }
        }
        let minute = minute_of(received);
        let source = self.number(source);
        self.count_minute_source(minute, source, events.len() as u64);
        for (code, count) in (0u8..).zip(tally).filter(|(_, count)| *count > 0) {
            self.count_kind(minute, source, code, count);
        }
    }

    /// Counts `count` events of one sort.
    ///
    /// # Errors
    /// Where there is no such kind (`Activity::kind`).
    pub fn add_one(
        &mut self,
        received: Timestamp,
        source: &Source,
        kind: &str,
        severity: Severity,
        count: u64,
    ) -> Result<(), StoreError> {
        let code = code(kind, severity)?;
        if count > 0 {
            let minute = minute_of(received);
            let source = self.number(source);
            self.count_minute_source(minute, source, count);
            self.count_kind(minute, source, code, count);
        }
        Ok(())
    }

    /// Adds all of another's counts.
    pub fn merge(&mut self, other: &Self) {
        let numbers: Vec<u32> = other.sources.iter().map(|source| self.number(source)).collect();
        let number = |theirs: u32| numbers.get(theirs as usize).copied().unwrap_or(0);
        for (minute, counts) in &other.minutes {
            for (code, count) in &counts.kinds {
                self.count_minute_kind(*minute, *code, *count);
            }
            for (source, count) in &counts.sources {
                self.count_minute_source(*minute, number(*source), *count);
            }
        }
        for (hour, counts) in &other.hours {
            for ((source, code), count) in counts {
                self.count_hour(*hour, number(*source), *code, *count);
            }
        }
    }

    /// How many events are counted.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Whether it has grown so large that it ought to be merged at once.
    pub const fn is_full(&self) -> bool {
        self.cells >= Self::CELLS_MAX
    }

    /// Those who sent what is counted, at the places of their numbers.
    pub(super) fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// Calls `each` with what is counted in these minutes, in the cells of a level (or finer ones):
    /// the first minute of its row, the number of the source, code and count.
    pub(super) fn cells(
        &self,
        level: Level,
        minutes: Range<i64>,
        mut each: impl FnMut(i64, u32, u8, u64),
    ) {
        match level {
            Level::MinuteKinds => {
                for (minute, counts) in self.minutes.range(minutes) {
                    counts.kinds.iter().for_each(|(code, count)| each(*minute, 0, *code, *count));
                }
            }
            Level::MinuteSources => {
                for (minute, counts) in self.minutes.range(minutes) {
                    counts.sources.iter().for_each(|(source, n)| each(*minute, *source, 0, *n));
                }
            }
            Level::HourAll | Level::HourKinds | Level::HourSources | Level::DayAll => {
                let hours = minutes.start.div_euclid(HOUR)..minutes.end.div_euclid(HOUR);
                for (hour, counts) in self.hours.range(hours) {
                    for ((source, code), count) in counts {
                        each(hour * HOUR, *source, *code, *count);
                    }
                }
            }
        }
    }

    /// The rows of a level, oldest first: where each starts, and its cells in order. `ids` are the
    /// `source.id` of [`RollupCounts::sources`].
    pub(super) fn rows(&self, level: Level, ids: &[u64]) -> Vec<(i64, Vec<Cell>)> {
        let mut rows: Vec<(i64, Vec<Cell>)> = Vec::new();
        let all = match level.minutes() {
            1 => i64::MIN..i64::MAX,
            _ => i64::MIN / DAY * DAY..i64::MAX / DAY * DAY,
        };
        self.cells(level, all, |minute, source, code, count| {
            let start = minute.div_euclid(level.minutes());
            let id = ids.get(source as usize).copied().unwrap_or(0);
            let cell = Cell {
                source: if level.has_sources() { id } else { 0 },
                code: if level.has_kinds() { code } else { 0 },
                count,
            };
            match rows.last_mut() {
                Some((last, cells)) if *last == start => cells.push(cell),
                _ => rows.push((start, vec![cell])),
            }
        });
        for (_, cells) in &mut rows {
            cells.sort_unstable();
            cells.dedup_by(add_same);
        }
        rows
    }

    fn number(&mut self, source: &Source) -> u32 {
        if let Some(number) = self.numbers.get(source) {
            return *number;
        }
        let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        let source = Arc::new(source.clone());
        self.sources.push(Arc::clone(&source));
        self.numbers.insert(source, number);
        number
    }

    fn count_kind(&mut self, minute: i64, source: u32, code: u8, count: u64) {
        self.count_minute_kind(minute, code, count);
        self.count_hour(minute.div_euclid(HOUR), source, code, count);
    }

    fn count_minute_kind(&mut self, minute: i64, code: u8, count: u64) {
        let kinds = &mut self.minutes.entry(minute).or_default().kinds;
        match kinds.iter_mut().find(|(known, _)| *known == code) {
            Some((_, counted)) => *counted = counted.saturating_add(count),
            None => {
                kinds.push((code, count));
                self.cells += 1;
            }
        }
    }

    fn count_minute_source(&mut self, minute: i64, source: u32, count: u64) {
        let sources = &mut self.minutes.entry(minute).or_default().sources;
        add(sources.entry(source).or_default(), count, &mut self.cells);
        self.events = self.events.saturating_add(count);
    }

    fn count_hour(&mut self, hour: i64, source: u32, code: u8, count: u64) {
        let cells = self.hours.entry(hour).or_default();
        add(cells.entry((source, code)).or_default(), count, &mut self.cells);
    }
}

fn add(counted: &mut u64, count: u64, cells: &mut usize) {
    if *counted == 0 {
        *cells += 1;
    }
    *counted = counted.saturating_add(count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Told = (i64, u8, usize, u8, u64);

    fn told() -> impl Strategy<Value = Vec<Told>> {
        let one = (-200i64..3000, 0u8..4, 0..super::super::kinds::KINDS.len(), 1u8..=5, 0u64..9);
        prop::collection::vec(one, 0..40)
    }

    fn counted(told: &[Told]) -> RollupCounts {
        let mut counts = RollupCounts::default();
        for (minute, source, kind, severity, count) in told {
            let received = super::super::level::moment_of(*minute).plus_seconds(17);
            let source = Source::new("sysscore", &format!("agent-{source}"));
            let severity = Severity::from_id(*severity).unwrap();
            let kind = super::super::kinds::KINDS[*kind];
            counts.add_one(received, &source, kind, severity, *count).unwrap();
        }
        counts
    }

    /// The rows of all levels, with ids that depend on the source alone.
    fn rows(counts: &RollupCounts) -> Vec<Vec<(i64, Vec<Cell>)>> {
        let id = |source: &Arc<Source>| {
            source.name.trim_start_matches("agent-").parse::<u64>().unwrap() + 1
        };
        let ids: Vec<u64> = counts.sources().iter().map(id).collect();
        Level::ALL.iter().map(|level| counts.rows(*level, &ids)).collect()
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_counts_all(a in told(), b in told(), c in told()) {
            let mut left = counted(&a);
            left.merge(&counted(&b));
            left.merge(&counted(&c));
            let mut right_tail = counted(&b);
            right_tail.merge(&counted(&c));
            let mut right = counted(&a);
            right.merge(&right_tail);
            let whole = counted(&[a, b, c].concat());
            prop_assert_eq!(rows(&left), rows(&right));
            prop_assert_eq!(rows(&left), rows(&whole));
            prop_assert_eq!((left.cells, left.events), (whole.cells, whole.events));
            for level in rows(&whole) {
                let sum: u64 = level.iter().flat_map(|(_, cells)| cells).map(|c| c.count).sum();
                prop_assert_eq!(sum, whole.events());
            }
        }
    }
}
