mod bans;
mod rollups;

use super::*;
use crate::config::Config;
use crate::guard_rules::GuardRules;
use crate::identities::Enrolled;
use crate::indicators;
use ringwall_detection::{Indicator, IndicatorKind, IndicatorOrigin, IndicatorSet, IndicatorValue};
use ringwall_event::{
    Activity, AlertState, CommandState, Inventory, Process, ProcessRef, Severity,
};
use ringwall_store::{AlertFilter, CommandFilter, EventFilter, EventStore, StateStore};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// An engine on a folder of its own; stopping it is what a kill does, as nothing is written down.
struct Fixture {
    folder: PathBuf,
    engine: Option<Engine>,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-engine-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let mut fixture = Self { folder, engine: None };
        fixture.start();
        fixture
    }

    fn start(&mut self) {
        self.engine = None;
        let database = Arc::new(Database::open(&self.folder.join("ringwall.db")).unwrap());
        let listed = indicators::load(&database).unwrap();
        let guard_rules = GuardRules::load(&database, 1000).unwrap();
        let first =
            Config::default().rules(Arc::new(IndicatorSet::new(listed)), vec!["me".to_owned()]);
        let rules = Rules {
            enrolled: Enrolled::of("web-1"),
            access: guard_rules.automatic().with_access(&first.access),
            guard_rules,
            ..first
        };
        self.engine = Some(Engine::start(database, rules, &EngineSettings::default()).unwrap());
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    async fn take(&self, source: &Source, activities: Vec<Activity>) -> Taken {
        let events = activities.into_iter().map(|activity| event(source, activity)).collect();
        let batch = IntakeBatch { source: Some(source.clone()), events, ..IntakeBatch::default() };
        self.engine().take(batch).await.unwrap()
    }

    async fn alerts(&self) -> Vec<Alert> {
        self.engine().read(|s| s.alerts(&AlertFilter::default(), None, 100)).await.unwrap()
    }

    async fn commands(&self) -> Vec<Command> {
        self.engine().read(|s| s.commands(&CommandFilter::default(), None, 100)).await.unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.engine = None;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn event(source: &Source, activity: Activity) -> Event {
    Event {
        id: EventId::default(),
        time: now(),
        received: Timestamp::default(),
        source: source.clone(),
        host: source.name.clone(),
        severity: Severity::Informational,
        activity,
        original: None,
    }
}

fn process(pid: i64, name: &str) -> Process {
    Process {
        pid,
        name: name.into(),
        start_time: Some(Timestamp::from_millis(1_700_000_000_000 + pid)),
        ..Process::default()
    }
}

fn picture(processes: Vec<Process>) -> Activity {
    Activity::Inventory(Box::new(Inventory { processes, ..Inventory::default() }))
}

fn call(pid: i64, name: &str) -> Activity {
    Activity::SystemCall {
        process: ProcessRef { pid, ..ProcessRef::default() },
        name: name.into(),
        risk_score: None,
        anomaly_score: None,
    }
}

fn host_agent(name: &str) -> Source {
    Source::new(Source::HOST_AGENT, name)
}

#[tokio::test]
async fn a_batch_that_comes_again_gets_its_first_answer_even_after_a_restart() {
    let mut fixture = Fixture::new();
    let source = Source::new(Source::SYSSCORE, "agent-1");
    let batch = || IntakeBatch {
        source: Some(source.clone()),
        mark: Some([9; 32]),
        events: vec![event(&source, call(1, "open")), event(&source, call(1, "read"))],
        ..IntakeBatch::default()
    };
    let first = fixture.engine().take(batch()).await.unwrap();
    assert!(!first.replayed);
    fixture.start();
    let again = fixture.engine().take(batch()).await.unwrap();
    assert!(again.replayed);
    let ids = |taken: &Taken| taken.outcomes.iter().map(|o| o.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again));
    assert!(again.outcomes.iter().all(|outcome| outcome.duplicate));
    let stored = fixture.engine().read(|s| s.event_count()).await.unwrap();
    assert_eq!(stored, 2);
}

#[tokio::test]
async fn an_item_that_comes_again_in_another_batch_is_recognised() {
    let fixture = Fixture::new();
    let source = Source::new(Source::SYSSCORE, "agent-1");
    let take = async |items: &[u128]| {
        let events = items.iter().map(|_| event(&source, call(1, "open"))).collect();
        let items = items.iter().copied().map(Some).collect();
        let batch =
            IntakeBatch { source: Some(source.clone()), events, items, ..IntakeBatch::default() };
        fixture.engine().take(batch).await.unwrap().outcomes
    };
    let first = take(&[1, 2]).await;
    let mixed = take(&[2, 3]).await;
    assert_eq!(mixed.first().unwrap(), &Outcome { id: first.get(1).unwrap().id, duplicate: true });
    assert!(!mixed.get(1).unwrap().duplicate);
    let page =
        fixture.engine().read(|s| s.events(&EventFilter::default(), None, 10)).await.unwrap();
    assert_eq!(page.len(), 3);
    let last = mixed.get(1).unwrap().id;
    assert!(page.iter().any(|event| event.id == last), "the id answered is the id stored");
}

#[tokio::test]
async fn a_kill_of_the_server_changes_no_derived_state() {
    let mut fixture = Fixture::new();
    let web = host_agent("web-1");
    let sysscore = Source::new(Source::SYSSCORE, "agent-1");
    fixture.take(&web, vec![picture(vec![process(10, "nginx"), process(11, "sh")])]).await;
    for name in "ptrace setuid execve mount chmod fork open read write futex".split(' ') {
        fixture.take(&sysscore, vec![call(5, name)]).await;
    }
    fixture.engine().checkpoint().await.unwrap();
    fixture.take(&web, vec![Activity::ProcessStarted(process(12, "curl"))]).await;
    fixture.take(&sysscore, vec![call(5, "open"), call(6, "ptrace")]).await;
    let before = format!("{:?}", state(fixture.engine()));
    fixture.start();
    assert_eq!(format!("{:?}", state(fixture.engine())), before);
}

/// What must survive, in an order of its own.
fn state(engine: &Engine) -> impl std::fmt::Debug + use<> {
    let derived = engine.derived();
    let hosts: std::collections::BTreeMap<_, _> =
        derived.hosts.iter().map(|(source, host)| (source.clone(), host.clone())).collect();
    (hosts, derived.totals.clone())
}

#[tokio::test]
async fn a_known_bad_process_is_ordered_killed_once_and_audited() {
    let fixture = Fixture::new();
    let web = host_agent("web-1");
    fixture.take(&web, vec![Activity::ProcessStarted(process(4321, "evil.sh"))]).await;
    fixture.take(&web, vec![picture(vec![process(4321, "evil.sh")])]).await;
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = alerts.first().unwrap();
    assert_eq!(alert.state, AlertState::Open);
    let commands = fixture.commands().await;
    assert_eq!(commands.len(), 1, "{commands:?}");
    let command = commands.first().unwrap();
    assert_eq!(command.order.process().unwrap().pid, 4321);
    assert!(command.order.process().unwrap().start_time.is_some());
    assert_eq!(command.alert, Some(alert.id));
    assert!(command.id.starts_with("cmd_"));
    let audit = fixture.engine().read(|s| s.audit(None, 10)).await.unwrap();
    assert_eq!(audit.len(), 1, "{audit:?}");
}

#[tokio::test]
async fn init_and_protected_names_are_alerted_but_never_ordered_killed() {
    let fixture = Fixture::new();
    let web = host_agent("web-1");
    let value = IndicatorValue::parse(IndicatorKind::Process, "sshd").unwrap();
    let listed = Indicator::new(value, IndicatorOrigin::User, now());
    indicators::add(fixture.engine(), vec![listed], |_| Ok(())).await.unwrap();
    fixture
        .take(
            &web,
            vec![
                Activity::ProcessStarted(process(1, "evil.sh")),
                Activity::ProcessStarted(process(0, "evil.sh")),
                Activity::ProcessStarted(process(-1, "evil.sh")),
                Activity::ProcessStarted(process(77, "sshd")),
            ],
        )
        .await;
    assert_eq!(fixture.commands().await, []);
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 4);
    let refused = alerts.iter().find(|a| a.title.contains("sshd")).unwrap();
    assert!(refused.reasons.iter().any(|r| r.contains("no kill was ordered")), "{refused:?}");
}

#[tokio::test]
async fn a_watcher_client_cannot_have_a_process_killed_that_the_enrolled_agent_does_not_see() {
    let fixture = Fixture::new();
    let agent = host_agent("web-1");
    let watcher = Source::new(Source::WATCHER, "web-1");
    fixture.take(&agent, vec![picture(vec![process(500, "nginx"), process(501, "evil.sh")])]).await;
    let ordered_by_agent = fixture.commands().await.len();
    let claim = |pid, name: &str| Process { start_time: None, ..process(pid, name) };
    // Somebody who reaches the port claims that nginx is a known bad program.
    fixture.take(&watcher, vec![picture(vec![claim(500, "evil.sh")])]).await;
    let commands = fixture.commands().await;
    assert_eq!(commands.len(), ordered_by_agent, "{commands:?}");
    assert!(commands.iter().all(|command| command.order.process().unwrap().pid == 501));
    assert!(commands.iter().all(|command| command.source == agent));
}

#[tokio::test]
async fn a_watcher_command_is_leased_and_confirmed_by_the_next_picture() {
    let fixture = Fixture::new();
    let watcher = Source::new(Source::WATCHER, "mac");
    let evil = Process { start_time: None, ..process(900, "evil.sh") };
    fixture.take(&watcher, vec![picture(vec![evil])]).await;
    let deliver = async || {
        let source = watcher.clone();
        fixture.engine().write(move |writing| writing.deliver(&source, 70)).await.unwrap()
    };
    assert_eq!(deliver().await.len(), 1);
    assert_eq!(deliver().await.len(), 0, "leased");
    fixture.take(&watcher, vec![picture(vec![])]).await;
    let commands = fixture.commands().await;
    assert_eq!(commands.first().unwrap().state, CommandState::Succeeded);
}

#[tokio::test]
async fn an_indicator_that_comes_later_finds_what_runs_already() {
    let fixture = Fixture::new();
    let web = host_agent("web-1");
    fixture.take(&web, vec![picture(vec![process(600, "xmrig")])]).await;
    assert_eq!(fixture.alerts().await, []);
    let value = IndicatorValue::parse(IndicatorKind::Process, "xmrig").unwrap();
    let listed = Indicator::new(value, IndicatorOrigin::User, now());
    indicators::add(fixture.engine(), vec![listed], |_| Ok(())).await.unwrap();
    assert_eq!(fixture.alerts().await.len(), 1);
    assert_eq!(fixture.commands().await.len(), 1);
}

#[tokio::test]
async fn a_rising_risk_is_one_alert() {
    let fixture = Fixture::new();
    let source = Source::new(Source::SYSSCORE, "agent-1");
    for _ in 0..5 {
        fixture.take(&source, vec![call(9, "ptrace")]).await;
    }
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts.first().unwrap().finding.kind(), "risk_threshold");
    assert_eq!(fixture.commands().await, [], "risk never kills by itself");
}

#[tokio::test]
async fn a_flood_of_alerts_is_counted_under_one() {
    let fixture = Fixture::new();
    let web = host_agent("web-1");
    let flood = (1000..1400).map(|pid| Activity::ProcessStarted(process(pid, "ncat"))).collect();
    fixture.take(&web, flood).await;
    let alerts = fixture.engine().read(|s| s.alerts(&AlertFilter::default(), None, 1000)).await;
    let alerts = alerts.unwrap();
    assert!(alerts.len() <= 121, "{}", alerts.len());
    assert_eq!(alerts.iter().map(|alert| alert.count).sum::<u64>(), 400, "none is lost");
}

/// What an agent lost is an event like any other: stored once, in the order of the batches, and the same
/// after a start from the stored batches alone.
#[tokio::test]
async fn losses_are_stored_once_and_survive_a_kill() {
    let mut fixture = Fixture::new();
    let source = Source::new(Source::HOST_AGENT, "web-1");
    for (mark, total, stored) in [(1, 3, 2), (2, 3, 1), (2, 3, 2), (3, 10, 2), (4, 7, 1)] {
        let started = Activity::ProcessStarted(process(mark, "x"));
        let batch = IntakeBatch {
            source: Some(source.clone()),
            mark: Some([u8::try_from(mark).unwrap(); 32]),
            events: vec![event(&source, started)],
            losses: Some(LossCount { spool_id: "a".into(), total, host: "web-1".into() }),
            ..IntakeBatch::default()
        };
        let before = fixture.engine().derived().totals.events;
        let taken = fixture.engine().take(batch).await.unwrap();
        let new = fixture.engine().derived().totals.events - before;
        assert_eq!(new, if taken.replayed { 0 } else { stored }, "batch {mark}");
    }
    for _ in 0..2 {
        let losses = fixture.engine().derived().hosts[&source].losses.clone();
        assert_eq!(losses.events, 10);
        fixture.start();
    }
    let filter = EventFilter { kind: Some("events_lost".into()), ..EventFilter::default() };
    let told =
        fixture.engine().read(move |session| session.events(&filter, None, 10)).await.unwrap();
    let counts: Vec<u64> = told
        .iter()
        .map(|event| match &event.activity {
            Activity::EventsLost(lost) => lost.count,
            other => panic!("a {}", other.kind()),
        })
        .collect();
    assert_eq!(counts, [7, 3]);
}
