use crate::config::Config;
use crate::engine::{Engine, IntakeBatch, now};
use crate::identities::Identities;
use crate::indicators;
use crate::keys::KeyRing;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use ringwall_detection::{Indicator, IndicatorKind, IndicatorOrigin, IndicatorSet, IndicatorValue};
use ringwall_event::{Activity, Command, Event, EventId, Process, Severity, Source, Timestamp};
use ringwall_signing::SigningKey;
use ringwall_store::{CommandFilter, Database, StateStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

pub(super) const HOST: &str = "mac.local";

/// A server on a folder of its own.
pub(super) struct Fixture {
    folder: PathBuf,
    config: Config,
    server: Option<Arc<Server>>,
    pub(super) router: Router,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    #[track_caller]
    pub(super) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("ringwall-watcher-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::default();
        change(&mut config);
        let mut fixture = Self { folder, config, server: None, router: Router::new() };
        fixture.start();
        fixture
    }

    /// What is in memory is gone, as after a kill.
    pub(super) fn restart(&mut self) {
        self.router = Router::new();
        self.server = None;
        self.start();
    }

    fn start(&mut self) {
        let database = Arc::new(Database::open(&self.folder.join("ringwall.db")).unwrap());
        let secrets = Secrets::load(&self.folder.join("master.key")).unwrap();
        let keys = KeyRing::load(&database, &secrets, &BTreeMap::new()).unwrap();
        let identities = Identities::load(&database, false, now()).unwrap();
        let listed = indicators::load(&database).unwrap();
        let config = self.config.clone();
        let rules = Rules {
            enrolled: identities.enrolled(),
            ..config.rules(Arc::new(IndicatorSet::new(listed)), Vec::new())
        };
        let engine = Engine::start(database, rules, &config.engine_settings()).unwrap();
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
            shutdown: tokio::sync::watch::channel(false).1,
            tls: None,
            first_password: crate::accounts::FirstPassword::default(),
            sign_in: crate::api::SignInState::default(),
            upkeep: crate::upkeep::UpkeepState::default(),
            guard_troubles: crate::guard::GuardTroubles::default(),
            collected: crate::collected::Collected::of(
                &self.folder,
                crate::collected::bounds(&Config::default()),
            ),
            queries: crate::query::Queries::new(None, self.folder.clone(), 1),
        });
        self.router = super::super::router(Arc::clone(&server));
        self.server = Some(server);
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// As a client on this machine.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = ([127, 0, 0, 1], 50_000).into();
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        send(self.router.clone(), request).await
    }

    pub(super) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    pub(super) async fn post(&self, body: impl Into<Body>) -> Answer {
        let request = Request::post("/api/v1/collect").header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// A payload of [`HOST`] with these processes.
    pub(super) async fn report(&self, processes: &[(i64, &str)]) -> Value {
        self.post(payload(HOST, processes).to_string()).await.ok()
    }

    pub(super) async fn poll(&self) -> Vec<Value> {
        self.poll_of(HOST).await
    }

    pub(super) async fn poll_of(&self, host: &str) -> Vec<Value> {
        let commands = self.get(&format!("/api/v1/commands?host={host}")).await.ok();
        commands.as_array().unwrap().clone()
    }

    pub(super) async fn alerts(&self) -> Vec<Value> {
        self.get("/api/v1/alerts").await.ok().as_array().unwrap().clone()
    }

    pub(super) async fn stats(&self) -> Value {
        self.get("/api/v1/dashboard/stats").await.ok()
    }

    /// Every command there is, newest first.
    pub(super) async fn commands(&self) -> Vec<Command> {
        let filter = CommandFilter::default();
        let read = self.server().engine.read(move |session| session.commands(&filter, None, 100));
        read.await.unwrap()
    }

    /// As `ringwall indicators add process NAME`.
    pub(super) async fn list_process(&self, name: &str) {
        let value = IndicatorValue::parse(IndicatorKind::Process, name).unwrap();
        let indicator = Indicator::new(value, IndicatorOrigin::User, now());
        indicators::add(&self.server().engine, vec![indicator], |_| Ok(())).await.unwrap();
    }

    /// As an enrolled agent of this host, seeing a process start.
    pub(super) async fn enrolled_agent_sees(&self, hostname: &str, pid: i64, name: &str) {
        let source = Source::new(Source::HOST_AGENT, hostname);
        let process = Process {
            pid,
            name: name.into(),
            start_time: Some(Timestamp::from_millis(1_700_000_000_000)),
            ..Process::default()
        };
        let event = Event {
            id: EventId::default(),
            time: now(),
            received: now(),
            source: source.clone(),
            host: hostname.into(),
            severity: Severity::Informational,
            activity: Activity::ProcessStarted(process),
            original: None,
        };
        let batch =
            IntakeBatch { source: Some(source), events: vec![event], ..IntakeBatch::default() };
        let server = self.server();
        if !server.identities.enrolled().contains(hostname) {
            let key = SigningKey::from_seed(&[1; 32]).public_key();
            server.identities.add(&server.engine, hostname, key).await;
        }
        server.engine.take(batch).await.unwrap();
    }
}

pub(super) fn payload(host: &str, processes: &[(i64, &str)]) -> Value {
    let processes: Vec<Value> =
        processes.iter().map(|(pid, name)| json!({"pid": pid, "name": name})).collect();
    json!({"hostname": host, "timestamp": "2026-01-15T10:00:00", "processes": processes})
}

pub(super) async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, text }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.router = Router::new();
        self.server = None;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}
