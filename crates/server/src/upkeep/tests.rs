//! The thread at work on a server that takes events.

use super::{UpkeepState, run};
use crate::config::{ArchiveSection, Config};
use crate::engine::{Engine, IntakeBatch, now};
use crate::keys::KeyRing;
use crate::query::Queries;
use crate::secrets::Secrets;
use crate::server::Server;
use ringwall_detection::IndicatorSet;
use ringwall_event::{Activity, Event, EventId, ProcessRef, Severity, Source, Timestamp};
use ringwall_store::{Database, EventFilter, EventStore};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Fixture {
    folder: PathBuf,
    database: Arc<Database>,
    server: Arc<Server>,
    stop: watch::Sender<bool>,
    upkeep: JoinHandle<()>,
}

impl Fixture {
    fn start(name: &str, archive: ArchiveSection) -> Self {
        let folder = std::env::temp_dir().join(format!("ringwall-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self::open(folder, archive)
    }

    fn open(folder: PathBuf, archive: ArchiveSection) -> Self {
        let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
        let secrets = Secrets::load(&folder.join("master.key")).unwrap();
        let keys = KeyRing::load(&database, &secrets, &BTreeMap::new()).unwrap();
        let identities = crate::identities::Identities::load(&database, false, now()).unwrap();
        let config = Config { archive, ..Config::default() };
        let rules = config.rules(Arc::new(IndicatorSet::new(Vec::new())), Vec::new());
        let engine =
            Engine::start(Arc::clone(&database), rules, &config.engine_settings()).unwrap();
        let (stop, shutdown) = watch::channel(false);
        let server = Arc::new(Server {
            config,
            engine,
            secrets,
            keys,
            identities,
            operator_secret: None,
            sysscore_origins: crate::dialects::sysscore::AllowedOrigins::default(),
            started: now(),
            main_address: ([127, 0, 0, 1], 7400).into(),
            shutdown: shutdown.clone(),
            collected: crate::collected::Collected::of(
                &folder,
                crate::collected::bounds(&Config::default()),
            ),
            queries: Queries::new(None, folder.clone(), 1),
            tls: None,
            first_password: crate::accounts::FirstPassword::default(),
            sign_in: crate::api::SignInState::default(),
            upkeep: UpkeepState::default(),
            guard_troubles: crate::guard::GuardTroubles::default(),
        });
        let upkeep = tokio::spawn(run(Arc::clone(&server), Arc::clone(&database), shutdown));
        Self { folder, database, server, stop, upkeep }
    }

    async fn take(&self, pid: i64) {
        let event = Event {
            id: EventId::default(),
            time: Timestamp::from_micros(pid),
            received: Timestamp::default(),
            source: Source::new("sysscore", "agent-1"),
            host: "agent-1".into(),
            severity: Severity::Informational,
            activity: Activity::SystemCall {
                process: ProcessRef { pid, start_time: None, name: "x".into() },
                name: "open".into(),
                risk_score: None,
                anomaly_score: None,
            },
            original: None,
        };
        let batch = IntakeBatch {
            source: Some(Source::new("sysscore", "agent-1")),
            events: vec![event],
            ..IntakeBatch::default()
        };
        self.server.engine.take(batch).await.unwrap();
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..2400 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}; problems: {:?}", self.server.upkeep.problems());
    }

    fn waiting(&self) -> u64 {
        self.database.read(|session| session.intake_waiting()).unwrap().events
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.join("archive")).unwrap().count() - 1
    }

    fn events(&self) -> usize {
        self.database.read(|s| s.events(&EventFilter::default(), None, 1000)).unwrap().len()
    }

    async fn stop(self) -> PathBuf {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(60), self.upkeep).await.unwrap().unwrap();
        self.folder
    }
}

fn at_once() -> ArchiveSection {
    ArchiveSection { after_seconds: 0, ..ArchiveSection::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_moved_merged_and_given_up_while_more_come_in() {
    let fixture = Fixture::start("upkeep", at_once());
    for pid in 0..12 {
        fixture.take(pid).await;
        fixture.until("the event is moved", |fixture| fixture.waiting() == 0).await;
        assert_eq!(fixture.events(), usize::try_from(pid).unwrap() + 1);
    }
    // Twelve files of one event each, merged by fours or more, and the small ones removed.
    fixture.until("files are merged", |fixture| fixture.files() < 6).await;
    assert_eq!(fixture.events(), 12);
    assert_eq!(fixture.server.upkeep.problems(), [""; 0]);
    let folder = fixture.stop().await;

    // With a bound on size, all but what is held or new goes.
    let fixture = Fixture::open(folder, ArchiveSection { bytes_max: 1, ..at_once() });
    fixture.until("all is given up", |fixture| fixture.files() == 0).await;
    assert_eq!(fixture.events(), 0);
    fixture.take(50).await;
    let folder = fixture.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_told_and_what_a_killed_server_left_is_removed() {
    let fixture = Fixture::start("upkeep-missing", at_once());
    fixture.take(1).await;
    fixture.until("the event is moved", |fixture| fixture.waiting() == 0).await;
    let folder = fixture.stop().await;
    let archive = folder.join("archive");
    let file = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "parquet");
    let paths = || std::fs::read_dir(&archive).unwrap().map(|entry| entry.unwrap().path());
    let gone = paths().find(file).unwrap();
    std::fs::remove_file(&gone).unwrap();
    let orphan = archive.join(format!("20260101-{}.parquet", "a".repeat(32)));
    std::fs::write(&orphan, b"PAR1").unwrap();

    let fixture = Fixture::open(folder, at_once());
    fixture.until("the orphan is removed", |_| !orphan.exists()).await;
    let problems = fixture.server.upkeep.problems();
    let name = gone.file_name().unwrap().to_str().unwrap();
    assert!(problems.len() == 1 && problems.iter().all(|told| told.contains(name)), "{problems:?}");
    // Intake and archive go on.
    fixture.take(2).await;
    fixture.until("the event is moved", |fixture| fixture.waiting() == 0).await;
    let folder = fixture.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
