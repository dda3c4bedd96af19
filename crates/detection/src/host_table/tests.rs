use super::connections::Connections;
use super::form_1::HostTable1;
use super::*;
use ringwall_event::{EventId, Inventory, Severity, Source};

#[test]
fn a_picture_is_reconciled() {
    let mut table = HostTable::default();
    let first = picture(0, vec![started(1, 10, "init"), started(2, 20, "sh"), started(3, 30, "x")]);
    assert_eq!(kinds(&table.apply(&first)), ["appeared 1", "appeared 2", "appeared 3"]);

    // The same again: nothing.
    assert_eq!(kinds(&table.apply(&picture(15, list(&first)))), [""; 0]);

    // 2 runs another program, 3 is gone and its pid reused, 4 is new.
    let second =
        picture(30, vec![started(1, 10, "init"), started(2, 20, "evil.sh"), started(3, 99, "x")]);
    assert_eq!(kinds(&table.apply(&second)), ["changed 2 from sh", "replaced 3 of 30"]);
    let third = picture(45, vec![started(1, 10, "init"), started(4, 40, "y")]);
    assert_eq!(kinds(&table.apply(&third)), ["vanished 2", "vanished 3", "appeared 4"]);
    assert_eq!(table.processes().len(), 2);
    let init = table.process(1).expect("known");
    assert_eq!((init.first_seen, init.last_seen), (at(0), at(45)));
}

#[test]
fn without_start_times_the_name_is_the_identity() {
    let mut table = HostTable::default();
    table.apply(&picture(0, vec![named(7, "sleep")]));
    table.apply(&picture(15, vec![named(7, "sleep")]));
    assert_eq!(table.process(7).map(|one| one.first_seen), Some(at(0)));
    let third = picture(30, vec![named(7, "bash")]);
    assert_eq!(kinds(&table.apply(&third)), ["replaced 7 of -"]);
    assert_eq!(table.process(7).map(|one| one.first_seen), Some(at(30)));
}

#[test]
fn changes_as_they_happen() {
    let mut table = HostTable::default();
    let start = event(0, Activity::ProcessStarted(started(5, 50, "sh")));
    assert_eq!(kinds(&table.apply(&start)), ["appeared 5"]);
    let exec = event(1, Activity::ProcessStarted(started(5, 50, "evil.sh")));
    assert_eq!(kinds(&table.apply(&exec)), ["changed 5 from sh"]);

    // The end of an earlier process with this pid says nothing about this one.
    let other = event(2, ended(5, Some(49), "sh"));
    assert_eq!(kinds(&table.apply(&other)), [""; 0]);
    let end = event(3, ended(5, Some(50), ""));
    assert_eq!(kinds(&table.apply(&end)), ["vanished 5"]);
    assert_eq!(kinds(&table.apply(&end)), [""; 0]);
}

#[test]
fn more_knowledge_is_a_change_and_is_kept() {
    let mut table = HostTable::default();
    table.apply(&event(0, Activity::ProcessStarted(started(5, 50, "x"))));
    let full = Process { executable: Some("/tmp/x".into()), ..started(5, 50, "x") };
    let full = picture(1, vec![full]);
    assert_eq!(kinds(&table.apply(&full)), ["changed 5 from x"]);
    assert_eq!(kinds(&table.apply(&picture(2, vec![started(5, 50, "x")]))), [""; 0]);
    let known = table.process(5).expect("known");
    assert_eq!(known.process.executable.as_deref(), Some("/tmp/x"));

    // Another program in the same process: what was known of the first does not hold.
    table.apply(&event(3, Activity::ProcessStarted(started(5, 50, "y"))));
    assert_eq!(table.process(5).expect("known").process.executable, None);
}

#[test]
fn a_picture_neither_ends_what_began_during_it_nor_revives_what_ended() {
    let mut table = HostTable::default();
    table.apply(&picture(0, vec![started(1, 10, "init"), started(2, 20, "x")]));
    table.apply(&event(16, Activity::ProcessStarted(started(3, 16, "late"))));
    table.apply(&event(16, ended(2, Some(20), "x")));
    let slow = picture(15, vec![started(1, 10, "init"), started(2, 20, "x")]);
    assert_eq!(kinds(&table.apply(&slow)), [""; 0]);
    assert!(table.process(3).is_some() && table.process(2).is_none());

    // The next picture decides.
    let next = picture(30, vec![started(1, 10, "init")]);
    assert_eq!(kinds(&table.apply(&next)), ["vanished 3"]);
}

#[test]
fn a_pid_listed_twice_does_not_take_turns() {
    let mut table = HostTable::default();
    let twice = picture(0, vec![named(7, "a"), named(7, "b")]);
    assert_eq!(kinds(&table.apply(&twice)), ["appeared 7"]);
    assert_eq!(kinds(&table.apply(&picture(15, list(&twice)))), [""; 0]);
}

#[test]
fn connections_come_and_go() {
    let mut table = HostTable::default();
    let one = connection("203.0.113.9", 443);
    let two = connection("203.0.113.10", 443);
    let open = event(0, Activity::ConnectionOpened(one.clone()));
    assert_eq!(kinds(&table.apply(&open)), ["connected 203.0.113.9"]);
    assert_eq!(kinds(&table.apply(&open)), [""; 0]);
    let both = pictured(1, vec![], vec![one.clone(), two.clone()]);
    assert_eq!(kinds(&table.apply(&both)), ["connected 203.0.113.10"]);
    let rest = pictured(2, vec![], vec![two]);
    assert_eq!(kinds(&table.apply(&rest)), ["disconnected"]);
    let closed = event(3, Activity::ConnectionClosed(one));
    assert_eq!(kinds(&table.apply(&closed)), [""; 0]);
    assert_eq!(table.connections().len(), 1);
}

#[test]
fn the_table_is_bounded() {
    let mut table = HostTable::default();
    for pid in 0..PROCESSES_MAX + 10 {
        table.apply(&event(0, Activity::ProcessStarted(named(pid as i64, "x"))));
    }
    assert_eq!(table.processes().len(), PROCESSES_MAX);
    let ports = (0..CONNECTIONS_MAX + 10).map(|number| Connection {
        local_port: (number % 60_000) as u16,
        ..connection(&format!("203.0.113.{}", number / 60_000), 1)
    });
    table.apply(&pictured(1, vec![], ports.collect()));
    assert_eq!(table.connections().len(), CONNECTIONS_MAX);
}

fn kinds(changes: &[Change<'_>]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            Change::Appeared(process) => format!("appeared {}", process.pid),
            Change::Changed { process, before } => {
                format!("changed {} from {}", process.pid, before.name)
            }
            Change::Replaced { process, ended } => {
                let since =
                    ended.start_time.map_or("-".to_owned(), |start| start.as_seconds().to_string());
                format!("replaced {} of {since}", process.pid)
            }
            Change::Vanished { ended, .. } => format!("vanished {}", ended.pid),
            Change::Connected(connection) => {
                format!("connected {}", connection.remote_address.as_deref().unwrap_or_default())
            }
            Change::Disconnected => "disconnected".to_owned(),
        })
        .collect()
}

fn list(event: &Event) -> Vec<Process> {
    match &event.activity {
        Activity::Inventory(inventory) => inventory.processes.clone(),
        _ => Vec::new(),
    }
}

fn named(pid: i64, name: &str) -> Process {
    Process { pid, name: name.into(), ..Process::default() }
}

fn started(pid: i64, start: i64, name: &str) -> Process {
    Process { start_time: Some(Timestamp::default().plus_seconds(start)), ..named(pid, name) }
}

fn ended(pid: i64, start: Option<i64>, name: &str) -> Activity {
    let start_time = start.map(|start| Timestamp::default().plus_seconds(start));
    let process = ProcessRef { pid, start_time, name: name.into() };
    Activity::ProcessEnded { process, exit_code: None }
}

fn connection(remote: &str, port: u16) -> Connection {
    Connection {
        protocol: "tcp".into(),
        local_address: "10.0.0.1".into(),
        local_port: 5000,
        remote_address: Some(remote.into()),
        remote_port: Some(port),
        status: "ESTABLISHED".into(),
        pid: Some(1),
        process_name: None,
    }
}

fn picture(seconds: i64, processes: Vec<Process>) -> Event {
    pictured(seconds, processes, Vec::new())
}

fn pictured(seconds: i64, processes: Vec<Process>, connections: Vec<Connection>) -> Event {
    let inventory = Inventory { processes, connections, system: SystemInfo::default() };
    event(seconds, Activity::Inventory(Box::new(inventory)))
}

fn event(seconds: i64, activity: Activity) -> Event {
    Event {
        id: EventId::default(),
        time: at(seconds),
        received: at(seconds),
        source: Source::new(Source::HOST_AGENT, "web-1"),
        host: "web-1".into(),
        severity: Severity::Informational,
        activity,
        original: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).plus_seconds(seconds)
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    fn processes() -> impl Strategy<Value = Vec<Process>> {
        let process =
            (1i64..12, proptest::option::of(0i64..3), 0usize..3).prop_map(|(pid, start, name)| {
                Process {
                    start_time: start.map(|start| Timestamp::default().plus_seconds(start)),
                    ..named(pid, ["a", "b", "c"][name])
                }
            });
        proptest::collection::vec(process, 0..8)
    }

    fn activities() -> impl Strategy<Value = Vec<Activity>> {
        let one = prop_oneof![
            processes().prop_map(|processes| Activity::Inventory(Box::new(Inventory {
                processes,
                ..Inventory::default()
            }))),
            processes().prop_filter_map("none", |list| {
                list.into_iter().next().map(Activity::ProcessStarted)
            }),
            (1i64..12, proptest::option::of(0i64..3))
                .prop_map(|(pid, start)| ended(pid, start, "a")),
        ];
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        /// Appearances and disappearances add up to what is there, and a checkpoint anywhere in
        /// between changes nothing.
        #[test]
        fn changes_add_up_and_survive_a_checkpoint(activities in activities(), cut in 0usize..12) {
            let (mut table, mut other) = (HostTable::default(), HostTable::default());
            let mut alive = 0i64;
            for (number, activity) in activities.into_iter().enumerate() {
                let event = event(number as i64, activity);
                for change in table.apply(&event) {
                    match change {
                        Change::Appeared(_) => alive += 1,
                        Change::Vanished { .. } => alive -= 1,
                        _ => {}
                    }
                }
                other.apply(&event);
                if number == cut {
                    let bytes = postcard::to_allocvec(&other).expect("packs");
                    other = postcard::from_bytes(&bytes).expect("unpacks");
                }
            }
            prop_assert_eq!(alive, table.processes().len() as i64);
            prop_assert_eq!(table, other);
        }
    }
}

#[test]
fn what_the_first_version_wrote_down_is_read() {
    use ringwall_event::form_1::Process1;
    use std::collections::BTreeMap;
    let moment = Timestamp::from_micros;
    let process = || Process1 { pid: 42, name: "nginx".into(), ..Process1::default() };
    // A tuple is written as a struct of the same fields is.
    let entry = (process(), moment(1), moment(2), Some(moment(3)));
    let by_pid: BTreeMap<i64, _> = BTreeMap::from([(42, entry)]);
    let processes = (by_pid, vec![(7i64, moment(4))]);
    let system = SystemInfo { kernel: Some("6.1".into()), ..SystemInfo::default() };
    let seen = (Some(moment(5)), Some(moment(6)));
    let old = (processes, Connections::default(), &system, "web-1", seen.0, seen.1, 9u64);
    let bytes = postcard::to_allocvec(&old).expect("packs");

    let table: HostTable = postcard::from_bytes::<HostTable1>(&bytes).expect("unpacks").into();
    assert_eq!((table.hostname(), table.events()), ("web-1", 9));
    assert_eq!((table.first_seen(), table.last_seen()), seen);
    assert_eq!((table.system(), table.health()), (&system, None));
    let found = table.process(42).expect("it is there");
    assert_eq!(found.process, process().into());
    assert_eq!((found.first_seen, found.last_seen), (moment(1), moment(2)));
}

#[test]
fn the_health_told_last_counts_and_is_no_news_of_processes() {
    let mut table = HostTable::default();
    for (second, rss_bytes) in [(0, 5), (60, 7)] {
        let health = AgentHealth { rss_bytes, ..AgentHealth::default() };
        let activity = Activity::AgentHealth(Box::new(health));
        assert_eq!(table.apply(&event(second, activity)), []);
    }
    let told = table.health().expect("it was told");
    assert_eq!(told.health.rss_bytes, 7);
    assert_eq!(Some(told.reported), table.last_seen());
}
