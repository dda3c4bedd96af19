//! Pages over intake and archive together.

use crate::sample;
use crate::scan::stored;
use proptest::prelude::*;
use ringwall_event::{Activity, Event, EventId, Source, Timestamp};
use ringwall_store::{BatchBuilder, EventFilter, EventStore, PagePosition};
use std::time::Duration;

fn moment() -> impl Strategy<Value = Timestamp> {
    (0i64..10_000).prop_map(|n| Timestamp::from_micros(1_763_000_000_000_000 + n))
}

prop_compose! {
    fn filter()(
        source in prop::option::weighted(0.3, ("[a-c]", "[a-f]")),
        dialect in prop::option::weighted(0.2, "[a-c]"),
        pid in prop::option::weighted(0.3, 0i64..5),
        kind in prop::option::weighted(0.4, prop::sample::select(Activity::KINDS.to_vec())),
        contains in prop::option::weighted(0.2, "[a-c]{1,2}"),
        since in prop::option::weighted(0.3, moment()),
        until in prop::option::weighted(0.3, moment()),
    ) -> EventFilter {
        EventFilter {
            source: source.map(|(dialect, name)| Source::new(&dialect, &name)),
            dialect,
            pid,
            kind: kind.map(str::to_owned),
            contains,
            since,
            until,
        }
    }
}

/// Every text of the event, as the columns have them, in lower case.
fn contains(event: &Event, words: &str) -> bool {
    let mut builder = BatchBuilder::default();
    builder.push(event).unwrap();
    let batch = builder.finish().unwrap();
    ringwall_store::Column::ALL.iter().any(|column| {
        let value = ringwall_store::value(*column, batch.column_by_name(column.name()), 0);
        matches!(value, ringwall_store::Value::Text(text)
            if text.to_ascii_lowercase().contains(&words.to_ascii_lowercase()))
    })
}

fn fits(event: &Event, filter: &EventFilter) -> bool {
    filter.source.as_ref().is_none_or(|source| *source == event.source)
        && filter.dialect.as_ref().is_none_or(|dialect| *event.source.dialect == **dialect)
        && filter.pid.is_none_or(|pid| event.pid() == Some(pid))
        && filter.kind.as_ref().is_none_or(|kind| event.activity.kind() == kind)
        && filter.contains.as_ref().is_none_or(|words| contains(event, words))
        && filter.since.is_none_or(|since| event.time >= since)
        && filter.until.is_none_or(|until| event.time < until)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pages_give_every_event_once_newest_first(
        events in prop::collection::vec(sample::event(), 1..300),
        archived in 0usize..400,
        filters in prop::collection::vec((filter(), 1usize..40, any::<bool>()), 6),
    ) {
        let folder = sample::folder();
        let (database, all) = stored(&folder, events, archived);
        for (filter, limit, hurried) in filters {
            let mut expected: Vec<&Event> = all.iter().filter(|event| fits(event, &filter)).collect();
            expected.sort_by_key(|event| std::cmp::Reverse((event.time, event.id)));
            let mut found: Vec<Event> = Vec::new();
            let mut after: Option<PagePosition> = None;
            for _ in 0..10_000 {
                let page = if hurried {
                    database.read(|s| s.events_within(&filter, after, limit, Duration::ZERO)).unwrap()
                } else {
                    let events = database.read(|s| s.events(&filter, after, limit)).unwrap();
                    ringwall_store::EventPage { events, resume: None }
                };
                prop_assert!(page.events.len() <= limit);
                let last = page.events.last().map(|e| PagePosition { time: e.time, id: e.id });
                found.extend(page.events);
                match page.resume.or(last) {
                    Some(next) => {
                        prop_assert!(after.is_none_or(|after| next < after), "it goes on");
                        after = Some(next);
                    }
                    None => break,
                }
            }
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{:?}", filter);
        }
        for event in all.iter().take(20) {
            let found = database.read(|session| session.event(event.id)).unwrap();
            prop_assert_eq!(found.map(|found| found.id), archived_id(event));
        }
    }
}

/// The id tells when an event was received: a lookup by id needs that it is true.
fn archived_id(event: &Event) -> Option<EventId> {
    let millis = i64::try_from(event.id.as_u128() >> 80).unwrap();
    (event.received.as_micros().div_euclid(1000) == millis).then_some(event.id)
}
