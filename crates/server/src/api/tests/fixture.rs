use crate::accounts::{FirstCredentials, TOKENS};
use crate::api::{SignInState, router};
use crate::config::Config;
use crate::engine::{Engine, EngineSettings, now};
use crate::identities::Identities;
use crate::indicators;
use crate::keys::KeyRing;
use crate::rules::Rules;
use crate::secrets::{Secrets, random_bytes};
use crate::server::Server;
use crate::webhooks::{SysScoreSettings, Webhooks};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use ringwall_access::{Role, TokenRecord};
use ringwall_detection::IndicatorSet;
use ringwall_event::{Activity, Process, Timestamp};
use ringwall_server_api::{AgentEvent, AgentReport, paths};
use ringwall_signing::request_signature::{
    CONTENT_DIGEST_HEADER, INPUT_HEADER, Message, SIGNATURE_HEADER, Signer,
};
use ringwall_signing::{Secret, SigningKey};
use ringwall_store::{Database, StateStore};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

pub(super) const HOST: &str = "127.0.0.1:7400";
pub(super) const AGENT: &str = "web-1";

/// What the enrolled host agent signs with.
pub(super) fn agent_key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

/// A key that no host agent has.
pub(super) fn other_key() -> SigningKey {
    SigningKey::from_seed(&[6; 32])
}

/// A server on a folder of its own, reached through its router.
pub(super) struct Fixture {
    pub(super) server: Arc<Server>,
    pub(super) router: Router,
    pub(super) password: String,
    pub(super) admin: String,
    /// Dropping it asks the server to stop.
    pub(super) stop: tokio::sync::watch::Sender<bool>,
    pub(super) database: Arc<Database>,
    folder: PathBuf,
}

impl Fixture {
    /// A server with the default indicators and one enrolled host agent.
    pub(super) async fn new() -> Self {
        Self::with(Config::default(), SysScoreSettings::default()).await
    }

    /// The same, which suspends an identity that two machines use.
    pub(super) async fn with_suspended_clones() -> Self {
        let mut config = Config::default();
        config.host_agents.suspend_cloned = true;
        Self::with(config, SysScoreSettings::default()).await
    }

    /// The same, configured.
    pub(super) async fn with(config: Config, sysscore: SysScoreSettings) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-api-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
        let secrets = Secrets::load(&folder.join("master.key")).unwrap();
        let first = FirstCredentials::load(&database, &folder.join("first.json")).unwrap();
        let keys = KeyRing::load(&database, &secrets, &BTreeMap::new()).unwrap();
        // As if it had started long ago: what is signed in the second of a start is refused.
        let started = now().plus_seconds(-3600);
        let suspends_clones = config.host_agents.suspend_cloned;
        let identities = Identities::load(&database, suspends_clones, started).unwrap();
        let indicators = Arc::new(IndicatorSet::new(indicators::load(&database).unwrap()));
        let rules = Rules {
            enrolled: identities.enrolled(),
            webhooks: Webhooks::new(
                config.webhooks.complete(sysscore, &format!("http://{HOST}")).unwrap(),
            ),
            ..config.rules(indicators, vec!["this-host".to_owned()])
        };
        let engine =
            Engine::start(Arc::clone(&database), rules, &EngineSettings::default()).unwrap();
        let (stop, shutdown) = tokio::sync::watch::channel(false);
        let server = Arc::new(Server {
            main_address: HOST.parse().unwrap(),
            tls: None,
            first_password: crate::accounts::FirstPassword::default(),
            sign_in: SignInState::default(),
            upkeep: crate::upkeep::UpkeepState::default(),
            guard_troubles: crate::guard::GuardTroubles::default(),
            operator_secret: None,
            sysscore_origins: crate::dialects::sysscore::AllowedOrigins::default(),
            started: now(),
            shutdown,
            collected: crate::collected::Collected::of(&folder, crate::collected::bounds(&config)),
            queries: crate::query::Queries::new(None, folder.clone(), 2),
            config,
            engine,
            secrets,
            keys,
            identities,
        });
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let fixture = Self {
            router: router(Arc::clone(&server)),
            password: text(first.admin_password.as_ref().unwrap()),
            admin: text(&first.admin_token),
            stop,
            database,
            folder,
            server,
        };
        let Server { identities, engine, .. } = &*fixture.server;
        identities.add(engine, AGENT, agent_key().public_key()).await;
        fixture
    }

    /// A token of this role.
    pub(super) async fn token(&self, role: Role) -> String {
        let random = random_bytes::<40>().unwrap();
        let new = TokenRecord::create(role.name(), role, None, None, &random, now());
        let record = new.record.clone();
        self.server
            .engine
            .write(move |writing| writing.session.put_document(TOKENS, &record.id, &record))
            .await
            .unwrap();
        String::from_utf8(new.text.expose().to_vec()).unwrap()
    }

    /// A request to be filled and sent.
    pub(super) fn ask(&self, method: Method, path: &str) -> Sender<'_> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HOST.parse().unwrap());
        Sender { fixture: self, method, path: path.to_owned(), headers, body: Vec::new() }
    }

    /// A GET as the administrator, which must succeed.
    pub(super) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path).token(&self.admin).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    /// A POST as the administrator.
    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path).token(&self.admin).json(&body).send().await
    }

    /// Events from the enrolled host agent, which must be taken.
    pub(super) async fn report(&self, sequence: u64, events: Vec<AgentEvent>) -> Value {
        let answer = self.report_as(sequence, events).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// The same, to be sent.
    pub(super) fn report_as(&self, sequence: u64, events: Vec<AgentEvent>) -> Sender<'_> {
        let report = AgentReport {
            spool_id: "boot-1".into(),
            sequence,
            hostname: AGENT.into(),
            dropped_total: 0,
            events,
        };
        self.ask(Method::POST, paths::AGENT_REPORTS)
            .json(&serde_json::to_value(report).unwrap())
            .signed()
    }

    /// Lets a process of this name start on the enrolled host.
    pub(super) async fn start_process(&self, sequence: u64, pid: i64, name: &str) {
        self.report(sequence, vec![started(pid, name, now())]).await;
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// A process start, as an agent tells it.
pub(super) fn started(pid: i64, name: &str, time: Timestamp) -> AgentEvent {
    AgentEvent {
        time,
        severity: None,
        activity: Activity::ProcessStarted(Process {
            pid,
            start_time: Some(Timestamp::from_micros(1_700_000_000_000_000)),
            name: name.into(),
            ..Process::default()
        }),
    }
}

/// The present second.
pub(super) fn seconds() -> i64 {
    now().as_millis() / 1000
}

/// A request.
#[derive(Clone)]
pub(super) struct Sender<'f> {
    fixture: &'f Fixture,
    method: Method,
    pub(super) path: String,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Sender<'_> {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string().as_bytes()).header("content-type", "application/json")
    }

    pub(super) fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Signed as the enrolled host agent, now, with a fresh nonce.
    pub(super) fn signed(self) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let nonce = format!("nonce-{:016}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.signed_as(AGENT, &agent_key(), seconds(), &nonce)
    }

    pub(super) fn signed_as(
        self,
        agent: &str,
        key: &SigningKey,
        created: i64,
        nonce: &str,
    ) -> Self {
        let value = |name| self.headers.get(name).map(|value| value.to_str().unwrap());
        let message = Message::new(self.method.as_str(), &self.path, &self.body)
            .with_content(value("content-type"), value("content-encoding"));
        let headers = Signer { key, agent }.sign(&message, created, nonce).unwrap();
        self.header(CONTENT_DIGEST_HEADER, &headers.content_digest)
            .header(INPUT_HEADER, &headers.input)
            .header(SIGNATURE_HEADER, &headers.signature)
    }

    pub(super) fn request(&self) -> Request<Body> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .body(Body::from(self.body.clone()))
            .unwrap();
        *request.headers_mut() = self.headers.clone();
        request
    }

    pub(super) async fn send(&self) -> Answer {
        let response = self.fixture.router.clone().oneshot(self.request()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem of this kind, complete.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let length = self.text.len().to_string();
        assert!(["", &length].contains(&self.header("content-length")), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:ringwall:problem:{code}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["correlation_id"], self.header("x-correlation-id"));
        assert!(problem["instance"].as_str().unwrap().starts_with('/'), "{problem}");
        for field in ["title", "detail"] {
            assert!(!problem[field].as_str().unwrap().is_empty(), "{problem}");
        }
        problem
    }
}
