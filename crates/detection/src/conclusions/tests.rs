use super::*;
use crate::{Indicator, IndicatorKind, IndicatorValue, default_indicators};
use ringwall_event::{EventId, Inventory};

#[test]
fn default_names_order_or_offer_the_kill() {
    check(Source::HOST_AGENT, "evil.sh", Some((Kill::Order, Severity::High)));
    check(Source::HOST_AGENT, "Mimikatz.exe", Some((Kill::Order, Severity::High)));
    check(Source::HOST_AGENT, "nc", Some((Kill::Offer, Severity::Medium)));
    check(Source::HOST_AGENT, "netcat", Some((Kill::Offer, Severity::Medium)));
    check(Source::HOST_AGENT, "bash", None);
}

#[test]
fn for_watcher_clients_the_list_of_the_contract_orders() {
    for name in WATCHER_NAMES {
        check(Source::WATCHER, name, Some((Kill::Order, Severity::High)));
    }
    check(Source::WATCHER, "nc", Some((Kill::Offer, Severity::Medium)));
    check(Source::WATCHER, "sleep", None);
}

#[test]
fn sysscore_agents_take_no_commands() {
    check(Source::SYSSCORE, "evil.sh", Some((Kill::No, Severity::High)));
}

#[track_caller]
fn check(dialect: &str, name: &str, expected: Option<(Kill, Severity)>) {
    let events = [picture(dialect, 0, vec![named(42, name)])];
    let found = conclude(&mut HostState::default(), &events, &defaults(), &rules());
    let found: Vec<_> = found.iter().map(|one| (one.kill, one.severity)).collect();
    assert_eq!(found, Vec::from_iter(expected), "{dialect} {name}");
}

#[test]
fn user_added_names_order_the_kill_unless_dual_use() {
    let mut list = default_indicators();
    list.extend([user("sleep"), user("socat"), user("netcat")]);
    let set = IndicatorSet::new(list);
    for (name, kill) in [("sleep", Kill::Order), ("socat", Kill::Offer), ("netcat", Kill::Offer)] {
        let events = [picture(Source::WATCHER, 0, vec![named(42, name)])];
        let found = conclude(&mut HostState::default(), &events, &set, &rules());
        assert_eq!(found[0].kill, kill, "{name}");
    }
}

#[test]
fn flaw_5_each_sighting_of_one_process_is_the_same_entity() {
    let mut state = HostState::default();
    let mut entities = Vec::new();
    for round in 0..4 {
        let events = [picture(Source::WATCHER, round * 15, vec![named(42, "evil.sh")])];
        let found = conclude(&mut state, &events, &defaults(), &rules());
        entities.extend(found.into_iter().map(|one| one.entity));
    }
    assert_eq!(entities.len(), 4);
    entities.dedup();
    assert_eq!(entities.len(), 1);

    // Gone and back again under the same pid and name: another process.
    let gone = [picture(Source::WATCHER, 60, vec![])];
    assert!(conclude(&mut state, &gone, &defaults(), &rules()).is_empty());
    let back = [picture(Source::WATCHER, 75, vec![named(42, "evil.sh")])];
    let found = conclude(&mut state, &back, &defaults(), &rules());
    assert_ne!(found[0].entity, entities[0]);
}

#[test]
fn host_agents_are_judged_as_things_change() {
    let mut state = HostState::default();
    let evil = || Process { start_time: Some(at(-5)), ..named(42, "evil.sh") };
    let first = [event(Source::HOST_AGENT, 0, Activity::ProcessStarted(evil()))];
    assert_eq!(conclude(&mut state, &first, &defaults(), &rules()).len(), 1);
    let again = [picture(Source::HOST_AGENT, 15, vec![evil()])];
    assert!(conclude(&mut state, &again, &defaults(), &rules()).is_empty());

    // A shell that becomes something else is judged again.
    let shell = Process { start_time: Some(at(20)), ..named(43, "sh") };
    let becomes = Process { name: "mimikatz".into(), ..shell.clone() };
    let exec = [
        event(Source::HOST_AGENT, 20, Activity::ProcessStarted(shell)),
        event(Source::HOST_AGENT, 21, Activity::ProcessStarted(becomes)),
    ];
    let found = conclude(&mut state, &exec, &defaults(), &rules());
    assert_eq!((found.len(), found[0].event), (1, Some(1)));
}

#[test]
fn flaw_1_pids_below_2_are_never_to_be_ended() {
    for pid in [1, 0, -1, i64::MIN] {
        let events = [picture(Source::WATCHER, 0, vec![named(pid, "evil.sh")])];
        let found = conclude(&mut HostState::default(), &events, &defaults(), &rules());
        assert_eq!(found[0].kill, Kill::No, "pid {pid}");
    }
}

#[test]
fn flaw_10_a_new_name_is_raised_before_it_is_stored() {
    let mut state = HostState::default();
    for round in 0..12 {
        let events = [picture(Source::WATCHER, round * 15, vec![named(1, "init")])];
        assert!(conclude(&mut state, &events, &defaults(), &rules()).is_empty());
    }
    let events = || [picture(Source::WATCHER, 180, vec![named(1, "init"), named(7, "dropper")])];
    let found = conclude(&mut state, &events(), &defaults(), &rules());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].finding, Finding::NewProcess);
    assert_eq!((found[0].severity, found[0].kill), (Severity::Low, Kill::Offer));
    assert_eq!(found[0].title, "new process 'dropper' on this host");
    assert!(conclude(&mut state, &events(), &defaults(), &rules()).is_empty());
}

#[test]
fn a_cut_name_offers_the_kill_only() {
    let set = IndicatorSet::new(vec![user("a-very-long-name-of-a-tool")]);
    let events = [picture(Source::HOST_AGENT, 0, vec![named(42, "a-very-long-nam")])];
    let found = conclude(&mut HostState::default(), &events, &set, &rules());
    assert_eq!(found[0].kill, Kill::Offer);
    assert!(found[0].title.contains("may be"));
}

#[test]
fn connections_to_listed_addresses_name_their_process() {
    let value = IndicatorValue::parse(IndicatorKind::Address, "203.0.113.0/24").unwrap();
    let set = IndicatorSet::new(vec![Indicator::new(value, IndicatorOrigin::User, at(0))]);
    let mut state = HostState::default();
    let connection = Connection {
        remote_address: Some("203.0.113.9".into()),
        pid: Some(42),
        ..Connection::default()
    };
    let events = [
        event(Source::HOST_AGENT, 0, Activity::ProcessStarted(named(42, "curl"))),
        event(Source::HOST_AGENT, 1, Activity::ConnectionOpened(connection)),
    ];
    let found = conclude(&mut state, &events, &set, &rules());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].title, "process 'curl' connected to the listed address '203.0.113.9'");
    assert_eq!(found[0].process.as_ref().map(|process| process.pid), Some(42));
    assert_eq!((found[0].kill, found[0].event), (Kill::Offer, Some(1)));
}

#[test]
fn indicators_that_come_later_find_what_runs_already() {
    let mut state = HostState::default();
    let events = [picture(Source::HOST_AGENT, 0, vec![named(42, "sleep")])];
    assert!(conclude(&mut state, &events, &defaults(), &rules()).is_empty());
    let source = Source::new(Source::HOST_AGENT, "web-1");
    let set = IndicatorSet::new(vec![user("sleep")]);
    let found = conclude_known(&state, &source, &set, &rules());
    assert_eq!((found.len(), found[0].event, found[0].kill), (1, None, Kill::Order));
}

#[test]
fn kills_can_be_left_to_people() {
    let rules = DetectionRules { order_kills: false, ..rules() };
    let events = [picture(Source::WATCHER, 0, vec![named(42, "evil.sh")])];
    let found = conclude(&mut HostState::default(), &events, &defaults(), &rules);
    assert_eq!(found[0].kill, Kill::Offer);
}

#[test]
fn a_flood_is_folded_and_counted() {
    let processes = (0..50_000).map(|pid| named(pid + 2, "evil.sh")).collect();
    let events = [picture(Source::WATCHER, 0, processes)];
    let found = conclude(&mut HostState::default(), &events, &defaults(), &rules());
    assert_eq!(found.len(), PROPOSALS_MAX + 1);
    let total: u64 = found.iter().map(|one| one.sightings).sum();
    assert_eq!(total, 50_000);
    assert_eq!(found.last().map(|one| (one.kill, one.process.is_none())), Some((Kill::No, true)));
}

#[test]
fn hostile_names_are_harmless_in_titles() {
    let set = IndicatorSet::new(vec![user("evil.sh")]);
    let shell = Process {
        command_line: Some("sh evil.sh".into()),
        ..named(42, "\u{1b}]0;owned\u{7}<img src=x onerror=alert(1)>")
    };
    let events = [picture(Source::HOST_AGENT, 0, vec![shell])];
    let found = conclude(&mut HostState::default(), &events, &set, &rules());
    assert!(!found[0].title.chars().any(char::is_control), "{:?}", found[0].title);
}

#[test]
fn a_replay_gives_the_same_state() {
    let events = [
        picture(Source::WATCHER, 0, vec![named(42, "evil.sh"), named(43, "nc")]),
        picture(Source::WATCHER, 15, vec![named(42, "evil.sh")]),
    ];
    let (mut first, mut second) = (HostState::default(), HostState::default());
    conclude(&mut first, &events, &defaults(), &rules());
    second.replay(&events, &rules());
    assert_eq!(first, second);
    let bytes = postcard::to_allocvec(&first).expect("packs");
    assert_eq!(postcard::from_bytes::<HostState>(&bytes).expect("unpacks"), first);
}

fn defaults() -> IndicatorSet {
    IndicatorSet::new(default_indicators())
}

fn rules() -> DetectionRules {
    DetectionRules::default()
}

fn user(name: &str) -> Indicator {
    let value = IndicatorValue::parse(IndicatorKind::Process, name).expect("a name");
    Indicator::new(value, IndicatorOrigin::User, at(0))
}

fn named(pid: i64, name: &str) -> Process {
    Process { pid, name: name.into(), ..Process::default() }
}

fn picture(dialect: &str, seconds: i64, processes: Vec<Process>) -> Event {
    let inventory = Inventory { processes, ..Inventory::default() };
    event(dialect, seconds, Activity::Inventory(Box::new(inventory)))
}

fn event(dialect: &str, seconds: i64, activity: Activity) -> Event {
    Event {
        id: EventId::default(),
        time: at(seconds),
        received: at(seconds),
        source: Source::new(dialect, "web-1"),
        host: "web-1".into(),
        severity: Severity::Informational,
        activity,
        original: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).plus_seconds(seconds)
}
