use crate::{Fixture, call};
use proptest::prelude::*;
use ringwall_event::{Event, EventId, Source, Timestamp};
use ringwall_store::{EventFilter, EventStore, PagePosition};

#[test]
fn an_event_comes_back_as_it_was() {
    let fixture = Fixture::new();
    let source = Source::new("sysscore", "agent-1");
    fixture.append(&source, 1, &[call(7, 100), call(8, 200)]);
    let page =
        fixture.database.read(|session| session.events(&EventFilter::default(), None, 10)).unwrap();
    assert_eq!(page.len(), 2);
    let newest = page.first().unwrap();
    let expected = Event {
        id: newest.id,
        received: Timestamp::from_millis(1_800_000_000_001),
        ..call(8, 200)
    };
    assert_eq!(*newest, expected);
    let by_id = fixture.database.read(|session| session.event(newest.id)).unwrap();
    assert_eq!(by_id, Some(expected));
    let nothing = fixture.database.read(|session| session.event(EventId::from_u128(5))).unwrap();
    assert_eq!(nothing, None);
}

#[test]
fn a_damaged_batch_is_an_error_and_not_a_panic() {
    let fixture = Fixture::new();
    fixture.append(&Source::new("sysscore", "a"), 1, &[call(7, 100)]);
    let damage = |body: &'static [u8]| {
        let other = rusqlite::Connection::open(fixture.folder.join("ringwall.db")).unwrap();
        other.execute("UPDATE batch SET body = ?", [body]).unwrap();
        fixture.database.read(|session| session.events(&EventFilter::default(), None, 10))
    };
    assert!(damage(b"").is_err());
    assert!(damage(b"\x09\0\0\0\0").is_err());
    assert!(damage(b"\x01\xff\xff\xff\xff\0\0").is_err());
    assert!(damage(b"\x01\x10\0\0\0garbage").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Pages walk through everything that fits, newest first, each event once: whatever order and
    /// overlap the batches have.
    #[test]
    fn pages_give_every_event_once_in_order(
        batches in prop::collection::vec(prop::collection::vec((0i64..4, 0i64..50), 1..8), 1..12),
        pid in prop::option::of(0i64..4),
        since in prop::option::of(0i64..50),
        until in prop::option::of(0i64..50),
        limit in 1usize..7,
    ) {
        let fixture = Fixture::new();
        let source = Source::new("sysscore", "agent-1");
        for (number, batch) in (1u64..).zip(&batches) {
            let events: Vec<Event> = batch.iter().map(|(pid, time)| call(*pid, *time)).collect();
            fixture.append(&source, number, &events);
        }
        let filter = EventFilter {
            source: Some(source),
            pid,
            since: since.map(Timestamp::from_micros),
            until: until.map(Timestamp::from_micros),
            kind: Some("system_call".into()),
            ..EventFilter::default()
        };
        let mut expected: Vec<i64> = batches
            .iter()
            .flatten()
            .filter(|(at, time)| {
                pid.is_none_or(|pid| pid == *at)
                    && since.is_none_or(|since| *time >= since)
                    && until.is_none_or(|until| *time < until)
            })
            .map(|(_, time)| *time)
            .collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let mut seen: Vec<PagePosition> = Vec::new();
        loop {
            let after = seen.last().copied();
            let page = fixture.database.read(|s| s.events(&filter, after, limit)).unwrap();
            prop_assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|e| PagePosition { time: e.time, id: e.id }));
        }
        prop_assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
        let times: Vec<i64> = seen.iter().map(|position| position.time.as_micros()).collect();
        prop_assert_eq!(times, expected);
    }
}
