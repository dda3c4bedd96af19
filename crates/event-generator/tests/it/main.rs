//! What is generated, as its users see it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ringwall_event::{Activity, Event, EventId, Timestamp};
use ringwall_event_generator::{Batch, Generator, NeedleKind, Settings};
use std::collections::{BTreeMap, HashMap, HashSet};

fn settings(seed: u64, hosts: u32, events: u64) -> Settings {
    // A Monday.
    let start = Timestamp::from_micros(1_792_368_000_000_000);
    let end = start.plus_seconds(86_400);
    Settings { seed, hosts, events, start, end, host_prefix: "lab-".into() }
}

fn batches(seed: u64, hosts: u32, events: u64) -> Vec<Batch> {
    Generator::new(settings(seed, hosts, events)).unwrap().batches().collect()
}

fn events(batches: &[Batch]) -> impl Iterator<Item = &Event> {
    batches.iter().flat_map(|batch| &batch.events)
}

#[test]
fn the_same_seed_gives_the_same_events() {
    assert!(batches(3, 20, 20_000) == batches(3, 20, 20_000));
    assert!(batches(3, 20, 20_000) != batches(4, 20, 20_000));
}

#[test]
fn parts_give_together_what_the_whole_gives() {
    let generator = Generator::new(settings(5, 20, 40_000)).unwrap();
    let whole: Vec<Batch> = generator.batches().collect();
    for parts in [1, 2, 3, 1000] {
        let split = generator.split(parts);
        let counted: u64 = split.iter().map(|part| part.events()).sum();
        assert_eq!(counted, 40_000);
        // The last first: no part needs those before it.
        let mut made: Vec<Vec<Batch>> =
            split.into_iter().rev().map(|part| part.collect()).collect();
        made.reverse();
        assert!(made.concat() == whole, "{parts} parts");
    }
}

#[test]
fn batches_are_in_order_of_receipt_and_their_ids_with_them() {
    let settings = settings(6, 40, 50_000);
    let batches = batches(6, 40, 50_000);
    assert!(batches.is_sorted_by_key(|batch| batch.received));
    assert_eq!(events(&batches).count(), 50_000);
    let mut ids = HashSet::new();
    let mut last = EventId::default();
    for batch in &batches {
        assert!((1..=300).contains(&batch.events.len()));
        let base = batch.events.first().unwrap().id;
        assert!(base > last, "{base} after {last}");
        last = base;
        for (position, event) in batch.events.iter().enumerate() {
            assert_eq!(event.id, base.at(position as u16));
            assert!(ids.insert(event.id));
            assert_eq!((&event.source, event.received), (&batch.source, batch.received));
            assert!((settings.start..settings.end).contains(&event.received));
            assert!(event.time <= event.received);
        }
    }
}

#[test]
fn few_events_of_many_hosts_are_made_all_the_same() {
    for (hosts, count) in [(1, 0), (1, 1), (50, 7), (1000, 300), (1, 5000), (7, 2999)] {
        let batches = batches(8, hosts, count);
        assert_eq!(events(&batches).count() as u64, count, "{hosts} hosts");
    }
}

#[test]
fn kinds_are_mixed_as_on_real_hosts() {
    let batches = batches(1, 100, 300_000);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events(&batches) {
        *kinds.entry(event.activity.kind()).or_default() += 1;
    }
    let share = |names: &[&str]| names.iter().map(|name| kinds[name]).sum::<usize>() / 3000;
    assert!((40..=50).contains(&share(&["process_started", "process_ended"])), "{kinds:?}");
    assert!((16..=24).contains(&share(&["connection_opened", "connection_closed"])), "{kinds:?}");
    assert!((16..=24).contains(&share(&["http_request"])), "{kinds:?}");
    assert!((6..=10).contains(&share(&["sign_in"])), "{kinds:?}");
    assert!((5..=10).contains(&share(&["system_call"])), "{kinds:?}");
}

#[test]
fn what_begins_ends_once_and_after_its_children() {
    let batches = batches(2, 40, 100_000);
    let mut running: HashMap<(&str, i64, Option<Timestamp>), &Event> = HashMap::new();
    let mut parents: HashMap<(&str, i64), usize> = HashMap::new();
    let mut open = HashSet::new();
    let (mut closed, mut children) = (0, 0);
    for event in events(&batches) {
        let host = &*event.host;
        match &event.activity {
            Activity::ProcessStarted(process) => {
                assert_eq!(process.start_time, Some(event.time));
                let parent = process.parent_pid.unwrap();
                // Daemons were there before; all others must be running.
                if parent > 2600 {
                    assert!(parents.contains_key(&(host, parent)), "{event:?}");
                    children += 1;
                }
                *parents.entry((host, process.pid)).or_default() += 1;
                let key = (host, process.pid, process.start_time);
                assert!(running.insert(key, event).is_none(), "{event:?}");
            }
            Activity::ProcessEnded { process, .. } => {
                let started = running.remove(&(host, process.pid, process.start_time)).unwrap();
                let Activity::ProcessStarted(of) = &started.activity else { panic!("{started:?}") };
                assert_eq!(of.name, process.name);
                assert!(started.time < event.time, "{event:?}");
                let key = (host, process.pid);
                match parents.get_mut(&key).unwrap() {
                    1 => drop(parents.remove(&key)),
                    more => *more -= 1,
                }
            }
            Activity::ConnectionOpened(connection) => {
                open.insert((host, connection.local_port, connection.remote_address.clone()));
            }
            Activity::ConnectionClosed(connection) => {
                let key = (host, connection.local_port, connection.remote_address.clone());
                closed += u64::from(open.contains(&key));
                assert!(open.contains(&key), "{event:?}");
            }
            _ => {}
        }
    }
    // Only what was planted goes on.
    assert!(running.len() <= 24, "{} processes", running.len());
    assert!(closed > 5000 && children > 5000, "{closed} closed, {children} children");
}

#[test]
fn texts_vary_as_real_ones_do() {
    let batches = batches(9, 100, 200_000);
    let mut lines: HashMap<&str, u64> = HashMap::new();
    let mut digests: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut addresses: HashMap<&str, u64> = HashMap::new();
    let mut late = 0;
    for event in events(&batches) {
        late += u64::from(event.received.micros_since(event.time) > 59_000_000);
        match &event.activity {
            Activity::ProcessStarted(process) => {
                *lines.entry(process.command_line.as_deref().unwrap()).or_default() += 1;
                let path = process.executable.as_deref().unwrap();
                let digest = process.executable_sha256.as_deref().unwrap();
                digests.entry(path).or_default().insert(digest);
            }
            Activity::HttpRequest(request) => {
                *addresses.entry(request.client_address.as_deref().unwrap()).or_default() += 1;
            }
            _ => {}
        }
    }
    let starts: u64 = lines.values().sum();
    let distinct = lines.len() as u64 * 100 / starts;
    assert!((10..=70).contains(&distinct), "{distinct} % of {starts} command lines are distinct");
    assert!(lines.values().any(|count| *count > starts / 100));
    // A program has a few versions, not one for each start.
    assert!(digests.len() > 40 && digests.values().all(|of| (1..=4).contains(&of.len())));
    let requests: u64 = addresses.values().sum();
    assert!(addresses.len() > 500, "{} addresses", addresses.len());
    assert!(addresses.values().any(|count| *count > requests / 100));
    assert!(late > 0, "nothing is late");
}

#[test]
fn hosts_are_busier_by_day() {
    let batches = batches(11, 10, 100_000);
    let mut hours = [0u64; 24];
    for batch in &batches {
        let hour = batch.received.as_seconds().rem_euclid(86_400) / 3600;
        *hours.get_mut(hour as usize).unwrap() += batch.events.len() as u64;
    }
    let [_, _, _, night, .., _] = hours;
    let noon = hours.get(10).unwrap();
    assert!(*noon > 3 * night && night > 0, "{hours:?}");
}

#[test]
fn needles_are_where_they_are_said_to_be_and_nowhere_else() {
    let generator = Generator::new(settings(12, 60, 60_000)).unwrap();
    let batches: Vec<Batch> = generator.batches().collect();
    let needles = generator.needles();
    assert_eq!(needles.len(), 3);
    for needle in needles {
        let has = |event: &Event| match (&event.activity, needle.kind) {
            (Activity::ProcessStarted(process), NeedleKind::CommandLine) => {
                process.command_line.as_deref().unwrap().contains(&needle.value)
            }
            (Activity::ProcessStarted(process), NeedleKind::Sha256) => {
                process.executable_sha256.as_deref() == Some(&*needle.value)
            }
            (Activity::ConnectionOpened(connection), NeedleKind::Address) => {
                connection.remote_address.as_deref() == Some(&*needle.value)
            }
            _ => false,
        };
        let found: Vec<&Event> = events(&batches).filter(|event| has(event)).collect();
        assert!(!found.is_empty());
        assert_eq!(found.len(), needle.occurrences.len(), "{}", needle.value);
        for occurrence in &needle.occurrences {
            let span = occurrence.since..occurrence.until;
            assert!(found.iter().any(|event| {
                event.source == occurrence.source && span.contains(&event.received)
            }));
        }
        let mentioned =
            events(&batches).filter(|event| event.to_ocsf().to_string().contains(&needle.value));
        assert_eq!(mentioned.count(), found.len(), "{}", needle.value);
    }
}

#[test]
fn settings_beyond_their_bounds_are_refused() {
    let good = settings(1, 1, 1);
    let check = |settings: Settings, expected: &str| {
        let error = Generator::new(settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(Settings { hosts: 0, ..good.clone() }, "hosts must be 1 to 50000");
    check(Settings { hosts: 50_001, ..good.clone() }, "hosts must be");
    check(Settings { events: u64::MAX, ..good.clone() }, "events must be at most");
    check(Settings { end: good.start, ..good.clone() }, "the end must be after the start");
    check(Settings { end: good.start.plus_seconds(1 << 40), ..good.clone() }, "3660 days");
    check(Settings { start: Timestamp::from_micros(0), ..good }, "1971 to 9000");
}
