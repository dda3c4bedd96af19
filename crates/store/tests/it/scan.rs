//! Scans over intake and archive against the plain way: looking at every value of every event.

use crate::sample;
use arrow_array::RecordBatch;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use ringwall_event::{Event, EventId};
use ringwall_store::{
    BatchBuilder, BulkLoad, BulkLoadSettings, Column, ColumnKind, Database, EncodedBatch,
    EventStore, FileLayout, Place, Predicate, ScanControl, ScanRequest, Sink, StoreError, Test,
    TextPattern, Value, events_of, value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

const SMALL: BulkLoadSettings = BulkLoadSettings {
    layout: FileLayout { level: 1, row_group_rows: 32, page_rows: 8 },
    file_events_max: 100,
    sorted_at_once: 60,
};

/// A database with some of the events in intake and the others in the archive, and all of them.
pub(crate) fn stored(
    folder: &sample::Folder,
    events: Vec<Event>,
    archived: usize,
) -> (Database, Vec<Event>) {
    let database = Database::open(&folder.path().join("ringwall.db")).unwrap();
    let mut all: Vec<Event> = Vec::new();
    for (number, mut event) in events.into_iter().enumerate() {
        event.id = EventId::from_parts(1_763_000_000_000, number as u64 / 7, (number % 7) as u16);
        all.push(event);
    }
    let archived = archived.min(all.len());
    let mut load = BulkLoad::open(&database, SMALL).unwrap();
    load.add(all.iter().take(archived).cloned()).unwrap();
    assert_eq!(load.finish().unwrap().events, archived as u64);
    // A batch has one source and one time of receipt: one event each is the plainest.
    for (number, event) in all.iter_mut().skip(archived).enumerate() {
        event.id = EventId::from_parts(1_764_000_000_000, number as u64, 0);
        let batch = EncodedBatch::encode(std::slice::from_ref(event), |_| true).unwrap();
        database
            .write_now(|session| {
                session.append_batch(&event.source, event.id, event.received, &batch)
            })
            .unwrap();
    }
    (database, all)
}

#[derive(Default)]
struct Collect(Vec<Event>);

impl Sink for Collect {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        self.0.extend(events_of(batch)?);
        Ok(ControlFlow::Continue(()))
    }
}

fn fits_plainly(event: &Event, predicate: &Predicate) -> bool {
    match predicate {
        Predicate::True => true,
        Predicate::False => false,
        Predicate::All(parts) => parts.iter().all(|part| fits_plainly(event, part)),
        Predicate::Any(parts) => parts.iter().any(|part| fits_plainly(event, part)),
        Predicate::Has(column, Test::Missing) => value_of(event, *column) == Value::Missing,
        Predicate::Has(column, test) => {
            let value = value_of(event, *column);
            value != Value::Missing && passes(&value, test)
        }
        Predicate::HasNot(column, test) => {
            let value = value_of(event, *column);
            value != Value::Missing && !passes(&value, test)
        }
    }
}

fn value_of(event: &Event, column: Column) -> Value {
    let mut builder = BatchBuilder::default();
    builder.push(event).unwrap();
    let batch = builder.finish().unwrap();
    value(column, batch.column_by_name(column.name()), 0)
}

fn passes(value: &Value, test: &Test) -> bool {
    match (value, test) {
        (_, Test::Present) => true,
        (Value::Number(number), Test::Within { min, max }) => number >= min && number <= max,
        (Value::Number(number), Test::OneOfNumbers(wanted)) => wanted.contains(number),
        (Value::FloatBits(bits), Test::FloatWithin { min, max }) => {
            let number = f64::from_bits(*bits);
            number >= *min && number <= *max
        }
        (Value::Text(text), Test::OneOf(wanted)) => wanted.contains(&**text),
        (Value::Uid(uid), Test::OneOfUids(wanted)) => wanted.contains(uid),
        (Value::Text(text), Test::Text(pattern)) => {
            let (mut text, mut words) = (text.to_string(), pattern.words.clone());
            if pattern.ignore_ascii_case {
                text.make_ascii_lowercase();
                words.make_ascii_lowercase();
            }
            match pattern.place {
                Place::Start => text.starts_with(&words),
                Place::End => text.ends_with(&words),
                Place::Anywhere => text.contains(&words),
            }
        }
        _ => false,
    }
}

fn text_column() -> impl Strategy<Value = Column> {
    let texts: Vec<Column> =
        Column::ALL.iter().copied().filter(|c| c.kind() == ColumnKind::Text).collect();
    prop_oneof![
        prop::sample::select(vec![Column::Kind, Column::MetadataLogName, Column::ProcessName]),
        prop::sample::select(texts),
    ]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-cA-C]{0,2}", "[ -~é漢]{0,3}", Just("process_started".to_owned())]
}

fn leaf() -> impl Strategy<Value = (Column, Test)> {
    let numbers = prop::sample::select(vec![
        Column::Time,
        Column::MetadataLoggedTime,
        Column::SeverityId,
        Column::ProcessPid,
        Column::SrcPort,
        Column::StatusId,
    ]);
    let base = 1_763_000_000_000_000i64;
    let number = prop_oneof![0i64..6, base..base + 12_000, any::<i64>()];
    let place = prop::sample::select(vec![Place::Start, Place::End, Place::Anywhere]);
    prop_oneof![
        (text_column(), prop::collection::btree_set(words(), 1..3))
            .prop_map(|(column, texts)| (column, Test::OneOf(texts))),
        (text_column(), place, words(), any::<bool>()).prop_map(
            |(column, place, words, ignore_ascii_case)| {
                (column, Test::Text(TextPattern { place, words, ignore_ascii_case }))
            }
        ),
        (numbers.clone(), number.clone(), number.clone())
            .prop_map(|(column, a, b)| (column, Test::Within { min: a.min(b), max: a.max(b) })),
        (numbers.clone(), prop::collection::btree_set(number, 1..3))
            .prop_map(|(column, numbers)| (column, Test::OneOfNumbers(numbers))),
        (prop::sample::select(Column::ALL.to_vec()), Just(Test::Present)),
        (0.0..100.0f64, 0.0..100.0f64).prop_map(|(a, b)| (
            Column::RiskScore,
            Test::FloatWithin { min: a.min(b), max: a.max(b) }
        )),
        (0u64..30).prop_map(|batch| (
            Column::MetadataBatchUid,
            Test::OneOfUids(BTreeSet::from([
                EventId::from_parts(1_763_000_000_000, batch, 0).as_u128()
            ]))
        )),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let one = prop_oneof![
        4 => leaf().prop_map(|(column, test)| Predicate::Has(column, test)),
        1 => leaf().prop_map(|(column, test)| Predicate::HasNot(column, test)),
        1 => prop::sample::select(Column::ALL.to_vec())
            .prop_map(|column| Predicate::Has(column, Test::Missing)),
        1 => "[a-c]{1,2}".prop_map(|words| Predicate::any_text_contains(&words)),
        1 => "[a-c]{1}".prop_map(|name| Predicate::any_of_indicators(&BTreeSet::from([name]))),
    ];
    one.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::All),
            prop::collection::vec(inner, 0..3).prop_map(Predicate::Any),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_scan_finds_what_the_plain_way_finds(
        events in prop::collection::vec(sample::event(), 1..300),
        archived in 0usize..400,
        predicates in prop::collection::vec(predicate(), 8),
    ) {
        let folder = sample::folder();
        let (database, all) = stored(&folder, events, archived);
        for predicate in predicates {
            let mut expected: Vec<&Event> =
                all.iter().filter(|event| fits_plainly(event, &predicate)).collect();
            expected.sort_by_key(|event| event.id);
            let control = ScanControl::default();
            let columns = Column::ALL.to_vec();
            let request = ScanRequest { predicate: predicate.clone(), columns, threads: 3 };
            let sinks = database.read(|session| session.scan(&request, &control, Collect::default)).unwrap();
            let mut found: Vec<Event> = sinks.into_iter().flat_map(|sink| sink.0).collect();
            found.sort_by_key(|event| event.id);
            prop_assert_eq!(&found.iter().collect::<Vec<_>>(), &expected, "{:?}", predicate);
            let progress = control.progress();
            prop_assert_eq!(progress.parts, progress.parts_done);

            let counted = database.read(|s| s.count(&predicate, 2, &ScanControl::default())).unwrap();
            prop_assert_eq!(counted, expected.len() as u64);
            let step = 1000;
            let timeline = database.read(|s| s.timeline(&predicate, step, 2, &ScanControl::default())).unwrap();
            let mut plain: BTreeMap<i64, u64> = BTreeMap::new();
            for event in &expected {
                *plain.entry(event.time.as_micros().div_euclid(step) * step).or_default() += 1;
            }
            prop_assert_eq!(timeline, plain);
            for columns in [vec![Column::ProcessName], vec![Column::Kind, Column::ProcessPid]] {
                let groups = database.read(|s| s.group_counts(&predicate, &columns, 2, &ScanControl::default())).unwrap();
                let mut plain: HashMap<Box<[Value]>, u64> = HashMap::new();
                for event in &expected {
                    let key = columns.iter().map(|column| value_of(event, *column)).collect();
                    *plain.entry(key).or_default() += 1;
                }
                prop_assert_eq!(groups.counts.into_iter().collect::<HashMap<_, _>>(), plain);
            }
        }
    }
}

#[test]
fn a_cancelled_scan_ends() {
    let folder = sample::folder();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let events = prop::collection::vec(sample::event(), 50..51).new_tree(&mut runner).unwrap();
    let (database, _) = stored(&folder, events.current(), 40);
    let control = ScanControl::default();
    control.cancel();
    let outcome = database.read(|session| session.count(&Predicate::True, 2, &control));
    assert!(matches!(outcome, Err(StoreError::Cancelled)), "{outcome:?}");
}
