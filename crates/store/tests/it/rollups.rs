#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::{Fixture, call};
use proptest::prelude::*;
use ringwall_event::{Activity, Severity, Source, Timestamp};
use ringwall_store::{
    Counted, RollupCounts, RollupStore, SeriesKey, StoreError, Timeline, TimelineBy, TimelineQuery,
    rebuild_rollups,
};
use std::collections::BTreeMap;

/// Minute since the epoch of the tests, source, kind, severity, how many.
type Told = (i64, usize, usize, u8, u64);

/// A moment in the middle of an hour, of a day and of a minute.
const EPOCH_SECONDS: i64 = 1_800_000_000 + 754;

fn moment(minute: i64) -> Timestamp {
    Timestamp::from_micros((EPOCH_SECONDS + 60 * minute) * 1_000_000)
}

fn source(number: usize) -> Source {
    Source::new("sysscore", &format!("agent-{number}"))
}

fn counted(told: &[Told]) -> RollupCounts {
    let mut counts = RollupCounts::default();
    for (minute, from, kind, severity, count) in told {
        let severity = Severity::from_id(*severity).unwrap();
        let kind = Activity::KINDS[*kind];
        counts.add_one(moment(*minute), &source(*from), kind, severity, *count).unwrap();
    }
    counts
}

fn told(minutes: i64) -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec((0..minutes, 0usize..6, 0usize..8, 1u8..=5, 0u64..9), 0..60)
}

fn key(by: TimelineBy, (_, from, kind, severity, _): &Told) -> String {
    match by {
        TimelineBy::Nothing => "all".to_owned(),
        TimelineBy::Kind => Activity::KINDS[*kind].to_owned(),
        TimelineBy::Severity => Severity::from_id(*severity).unwrap().to_string(),
        TimelineBy::Source => source(*from).to_string(),
    }
}

fn named(key: &SeriesKey) -> String {
    match key {
        SeriesKey::All => "all".to_owned(),
        SeriesKey::Kind(kind) => (*kind).to_owned(),
        SeriesKey::Severity(severity) => severity.to_string(),
        SeriesKey::Source(source) => source.to_string(),
    }
}

/// Holds an answer against a count of everything that was told.
fn assert_recounts(answer: &Timeline, query: &TimelineQuery, told: &[Told]) {
    let step = i64::from(answer.step_minutes) * 60_000_000;
    let buckets = usize::try_from(answer.until.micros_since(answer.since) / step).unwrap();
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for one in told {
        let (minute, from, kind, severity, count) = one;
        let at = moment(*minute);
        if at < answer.since
            || at >= answer.until
            || query.kind.as_ref().is_some_and(|wanted| wanted != Activity::KINDS[*kind])
            || query.severity.is_some_and(|wanted| wanted.id() != *severity)
            || query.source.as_ref().is_some_and(|wanted| *wanted != source(*from))
        {
            continue;
        }
        let bucket = usize::try_from(at.micros_since(answer.since) / step).unwrap();
        let counts = expected.entry(key(query.by, one)).or_insert_with(|| vec![0; buckets]);
        counts[bucket] += count;
    }
    expected.retain(|_, counts| counts.iter().any(|count| *count > 0));
    let total: u64 = expected.values().flatten().sum();
    assert_eq!(answer.total, total, "{query:?}");
    let mut sizes: Vec<u64> = expected.values().map(|counts| counts.iter().sum()).collect();
    sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
    let mut other = vec![0; buckets];
    for counts in expected.values() {
        counts.iter().zip(&mut other).for_each(|(count, sum)| *sum += count);
    }
    if query.by == TimelineBy::Nothing && total == 0 {
        assert_eq!(answer.series.len(), 1);
        assert_eq!(answer.series[0].counts, vec![0; buckets]);
    } else {
        let told: Vec<u64> = answer.series.iter().map(|series| series.total).collect();
        assert_eq!(told, sizes[..sizes.len().min(query.series_max)], "{query:?}");
    }
    for series in answer.series.iter().filter(|series| series.total > 0) {
        assert_eq!(&series.counts, &expected[&named(&series.key)], "{query:?} {:?}", series.key);
        assert_eq!(series.total, series.counts.iter().sum::<u64>());
        series.counts.iter().zip(&mut other).for_each(|(count, sum)| *sum -= count);
    }
    if answer.other.is_empty() {
        other.retain(|count| *count > 0);
    }
    assert_eq!(answer.other, other, "{query:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_timeline_is_the_sum_of_the_events(
        parts in prop::collection::vec(told(30_000), 1..4),
        pending in told(30_000),
        since in -100i64..30_000,
        spans in prop::collection::vec(prop_oneof![0i64..400, 0i64..30_000], 3),
        step in prop::option::of(0u32..2000),
        kind in prop::option::of(0usize..8),
        severity in prop::option::of(1u8..=5),
        from in prop::option::of(0usize..8),
        series_max in 1usize..9,
    ) {
        let fixture = Fixture::new();
        for part in &parts {
            fixture.database.write_now(|s| s.merge_rollups(&counted(part))).unwrap();
        }
        let all: Vec<Told> = parts.iter().flatten().chain(&pending).copied().collect();
        // Sources are known before their events are merged: `append_batch` sees to that.
        fixture.database.write_now(|s| s.merge_rollups(&counted(&all.iter().map(|t| (-9_000_000, t.1, 0, 1, 1)).collect::<Vec<_>>()))).unwrap();
        let (pending_a, pending_b) = pending.split_at(pending.len() / 2);
        let (pending_a, pending_b) = (counted(pending_a), counted(pending_b));
        let filters: [(Option<usize>, Option<u8>, Option<usize>); 4] =
            [(None, None, None), (kind, None, None), (None, None, from), (kind, severity, from)];
        for span in spans {
            for by in [TimelineBy::Nothing, TimelineBy::Kind, TimelineBy::Severity, TimelineBy::Source] {
                for (kind, severity, from) in filters {
                    let query = TimelineQuery {
                        since: moment(since),
                        until: moment(since + span),
                        step_minutes: step,
                        by,
                        kind: kind.map(|kind| Activity::KINDS[kind].to_owned()),
                        severity: severity.and_then(Severity::from_id),
                        source: from.map(source),
                        series_max,
                    };
                    let answer = fixture
                        .database
                        .read(|s| s.receipt_timeline(&query, &[&pending_a, &pending_b]))
                        .unwrap();
                    assert_recounts(&answer, &query, &all);
                }
            }
        }
    }
}

fn whole(by: TimelineBy) -> TimelineQuery {
    let (since, until) = (moment(0), moment(3000));
    TimelineQuery { since, until, by, series_max: 20, ..TimelineQuery::default() }
}

#[test]
fn events_are_counted_as_they_are() {
    let fixture = Fixture::new();
    let mut counts = RollupCounts::default();
    let mut high = call(1, 0);
    high.severity = Severity::High;
    counts.add(moment(5), &source(1), &[call(1, 0), high, call(2, 0)]);
    counts.add(moment(5), &source(2), &[]);
    assert_eq!((counts.events(), counts.is_full()), (3, false));
    fixture.database.write_now(|s| s.merge_rollups(&counts)).unwrap();
    let told = [(5, 1, 4, 1, 2), (5, 1, 4, 4, 1)];
    for by in [TimelineBy::Kind, TimelineBy::Severity, TimelineBy::Source] {
        let answer = fixture.database.read(|s| s.receipt_timeline(&whole(by), &[])).unwrap();
        assert_recounts(&answer, &whole(by), &told);
        assert_eq!(answer.total, 3);
    }
    let top = fixture.database.read(|s| s.top_sources(moment(0), moment(9), 5, &[])).unwrap();
    assert_eq!(top, [(source(1), 3)]);
    let unknown = counts.add_one(moment(5), &source(1), "telepathy", Severity::Low, 1);
    assert!(unknown.unwrap_err().to_string().contains("`telepathy` is not known"));
    let unknown = TimelineQuery { kind: Some("telepathy".into()), ..whole(TimelineBy::Nothing) };
    assert!(fixture.database.read(|s| s.receipt_timeline(&unknown, &[])).is_err());
}

#[test]
fn the_busiest_sources_come_first() {
    let fixture = Fixture::new();
    let told = [(0, 1, 0, 1, 5), (70, 2, 3, 2, 7), (1500, 3, 1, 1, 9), (60_000, 1, 0, 1, 90)];
    fixture.database.write_now(|s| s.merge_rollups(&counted(&told))).unwrap();
    let pending = counted(&[(70, 1, 2, 3, 3)]);
    let top = |until, limit| {
        let top =
            fixture.database.read(|s| s.top_sources(moment(0), moment(until), limit, &[&pending]));
        top.unwrap().into_iter().map(|(source, n)| (source.name, n)).collect::<Vec<_>>()
    };
    let check = |until, limit, expected: &[(&str, u64)]| {
        let expected: Vec<_> = expected.iter().map(|(name, n)| ((*name).into(), *n)).collect();
        assert_eq!(top(until, limit), expected, "until {until}");
    };
    check(69, 9, &[("agent-1", 5)]);
    check(71, 9, &[("agent-1", 8), ("agent-2", 7)]);
    check(2000, 2, &[("agent-3", 9), ("agent-1", 8)]);
    check(70_000, 1, &[("agent-1", 98)]);
}

#[test]
fn damage_is_named_keeps_nothing_else_out_and_is_mended() {
    let fixture = Fixture::new();
    let told = [(0, 1, 0, 1, 5), (70, 2, 3, 2, 7)];
    fixture.database.write_now(|s| s.merge_rollups(&counted(&told))).unwrap();
    let raw = rusqlite::Connection::open(fixture.folder.join("ringwall.db")).unwrap();
    let hit = raw.execute("UPDATE rollup SET body = x'0105' WHERE level = 0 AND start = (SELECT min(start) FROM rollup WHERE level = 0)", []).unwrap();
    assert_eq!(hit, 1);
    let query = TimelineQuery { step_minutes: Some(1), ..whole(TimelineBy::Nothing) };
    let read = || fixture.database.read(|s| s.receipt_timeline(&query, &[]));
    let refused = "stored counts cannot be read: those of the minute from 2027-01-15T08:12:00Z: it \
                   ends early";
    let query_minutes = TimelineQuery { until: moment(1000), ..query.clone() };
    let minutes = || fixture.database.read(|s| s.receipt_timeline(&query_minutes, &[]));
    assert_eq!(minutes().unwrap_err().to_string(), refused);
    // Others go on, in the same minute too; and the damage is still there to be seen.
    let more = [(0, 1, 0, 1, 1), (71, 2, 3, 2, 1)];
    fixture.database.write_now(|s| s.merge_rollups(&counted(&more))).unwrap();
    assert_eq!(minutes().unwrap_err().to_string(), refused);
    let later = TimelineQuery { since: moment(60), ..query_minutes.clone() };
    assert_eq!(fixture.database.read(|s| s.receipt_timeline(&later, &[])).unwrap().total, 8);
    let failed = fixture
        .database
        .write_now(|s| rebuild_rollups(s, |_| Err(StoreError::Cancelled)).map(|_| ()));
    assert!(failed.is_err() && minutes().is_err(), "a rebuild is whole or not at all");
    let all: Vec<Told> = told.into_iter().chain(more).collect();
    let events = fixture.database.write_now(|s| {
        rebuild_rollups(s, |tell| {
            for (minute, from, kind, severity, count) in &all {
                tell(&Counted {
                    received: moment(*minute),
                    source: &source(*from),
                    kind: Activity::KINDS[*kind],
                    severity: Severity::from_id(*severity).unwrap(),
                    count: *count,
                })?;
            }
            Ok(())
        })
    });
    assert_eq!(events.unwrap(), 14);
    assert_recounts(&minutes().unwrap(), &query_minutes, &all);
    assert_recounts(&read().unwrap(), &query, &all);
}

#[test]
fn a_rebuild_stands_for_all_batches_there_are() {
    let fixture = Fixture::new();
    assert_eq!(fixture.database.read(|s| s.rollup_seq()).unwrap(), 0);
    let last = (0..3).map(|n| fixture.append(&source(1), n, &[call(1, 5)])).max().unwrap();
    fixture.database.write_now(|s| rebuild_rollups(s, |_| Ok(()))).unwrap();
    assert_eq!(fixture.database.read(|s| s.rollup_seq()).unwrap(), last);
}

#[test]
fn old_counts_are_forgotten_and_no_young_ones() {
    let fixture = Fixture::new();
    let told = [(0, 1, 0, 1, 5), (1500, 2, 3, 2, 7), (3000, 1, 1, 1, 9)];
    fixture.database.write_now(|s| s.merge_rollups(&counted(&told))).unwrap();
    let forget = |minute, limit| {
        fixture.database.write_now(|s| s.forget_rollups(moment(minute), limit)).unwrap()
    };
    let total = |minute| {
        let query = TimelineQuery { since: moment(minute), ..whole(TimelineBy::Kind) };
        let query = TimelineQuery { until: moment(3100), step_minutes: Some(10), ..query };
        fixture.database.read(|s| s.receipt_timeline(&query, &[])).unwrap().total
    };
    assert_eq!(forget(0, 100), 0);
    assert_eq!((forget(3000, 3), forget(3000, 100)), (3, 9));
    assert_eq!((total(-10), total(2990)), (9, 9));
    fixture.database.write_now(|s| s.clear_rollups()).unwrap();
    assert_eq!(total(0), 0);
}

/// Nanoseconds that this thread had a processor.
fn busy_nanos() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse().unwrap()
}

/// Under 50 ns an event, in batches as agents send them.
#[test]
#[ignore = "a measurement, for an optimised build"]
fn counting_costs_next_to_nothing() {
    const EVENTS: usize = 2_000_000;
    for size in [1, 5, 20, 100, 1000] {
        let mut events: Vec<_> = (0..size).map(|pid| call(pid, 0)).collect();
        for event in events.iter_mut().step_by(3) {
            event.severity = Severity::Low;
        }
        let sources: Vec<Source> = (0..1000).map(source).collect();
        let mut counts = RollupCounts::default();
        let batches = EVENTS / events.len();
        let begun = busy_nanos();
        for number in 0..batches {
            // Ten minutes in all.
            let minute = i64::try_from(number * 10 / batches).unwrap();
            counts.add(moment(minute), &sources[number % sources.len()], &events);
        }
        let nanos = (busy_nanos() - begun) as f64 / (batches * events.len()) as f64;
        println!("{size} events a batch: {nanos:.1} ns an event");
        assert_eq!(counts.events(), (batches * events.len()) as u64);
        assert!(size < 5 || nanos < 50.0, "{nanos} ns");
    }
}
