use crate::accounts::FirstCredentials;
use crate::config::Config;
use crate::engine::{Engine, EngineSettings, now};
use crate::guard::{Project, ProjectKeys, ProjectWanted, StoredProject};
use crate::identities::Identities;
use crate::keys::KeyRing;
use crate::secrets::Secrets;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use ringwall_detection::IndicatorSet;
use ringwall_dialects::guard::sign;
use ringwall_event::{Alert, Event};
use ringwall_signing::Secret;
use ringwall_store::{AlertFilter, Database, EventFilter, EventStore, StateStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

/// A server on a folder of its own, with one project, reached through the dialect's router.
pub(super) struct Fixture {
    pub(super) server: Arc<Server>,
    pub(super) keys: ProjectKeys,
    router: Router,
    folder: PathBuf,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // What is left behind is in the folder of temporary files.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Fixture {
    /// With a project `shop` that encrypts and signs.
    pub(super) async fn new() -> Self {
        Self::with(false).await
    }

    /// The same, which may demand signatures.
    pub(super) async fn with(require_signature: bool) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-guard-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let server = start(&folder);
        let router = super::super::router(Arc::clone(&server));
        let keys = add(&server, "shop", true, require_signature).await;
        Self { server, keys, router, folder }
    }

    /// The same folder, in another process: nothing of the memory is left.
    pub(super) fn restart(&mut self) {
        // The database is open twice for a moment, as after a kill in which the kernel is slow.
        self.server = start(&self.folder);
        self.router = super::super::router(Arc::clone(&self.server));
    }

    /// Adds a project without a signing secret or encryption key.
    pub(super) async fn add_plain(&self, name: &str) -> ProjectKeys {
        add(&self.server, name, false, false).await
    }

    pub(super) fn key(&self) -> String {
        text(&self.keys.key)
    }

    pub(super) fn signing_secret(&self) -> Secret {
        self.keys.signing_secret.clone().unwrap()
    }

    /// A POST with this key.
    pub(super) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Sender<'_> {
        let key = self.key();
        Sender {
            fixture: self,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: body.into(),
        }
        .header("x-api-key", &key)
    }

    /// A batch of events, which must be taken.
    pub(super) async fn take(&self, batch: &Value) -> Value {
        let answer = self.post("/api/v1/events", batch.to_string()).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    pub(super) async fn events(&self) -> Vec<Event> {
        let filter = EventFilter::default();
        self.server.engine.read(move |s| s.events(&filter, None, 1000)).await.unwrap()
    }

    pub(super) async fn alerts(&self) -> Vec<Alert> {
        let filter = AlertFilter::default();
        self.server.engine.read(move |s| s.alerts(&filter, None, 1000)).await.unwrap()
    }

    /// A GET with this key.
    pub(super) async fn get(&self, path: &str, key: &str) -> Answer {
        let request = Request::get(path).header("x-api-key", key).body(Body::empty()).unwrap();
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Any request without credentials.
    pub(super) async fn ask(&self, method: Method, path: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status()
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

/// One event as the middleware writes it.
pub(super) fn event(key: Option<&str>, event_type: &str, address: &str) -> Value {
    let mut event = json!({
        "timestamp": "2026-11-20 20:16:39.561480+00:00",
        "event_type": event_type,
        "ip_address": address,
        "country": null,
        "user_agent": "curl/8.5.0",
        "action_taken": "request_blocked",
        "reason": "because",
        "endpoint": "/item",
        "method": "GET",
        "status_code": 400,
        "response_time": 0.0125,
        "metadata": { "category": "sqli" },
    });
    if let Some(key) = key {
        event["idempotency_key"] = json!(key);
    }
    event
}

/// A batch as agents write it.
pub(super) fn batch(batch_id: &str, events: &[Value]) -> Value {
    json!({
        "project_id": "default", "events": events, "metrics": [], "batch_id": batch_id,
        "created_at": "2026-11-20 20:16:40+00:00", "compressed": false,
        "agent_version": "3.2.4", "guard_version": "8.1.2", "guard_core_version": "4.4.0",
    })
}

pub(super) struct Sender<'a> {
    fixture: &'a Fixture,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Sender<'_> {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Packs the body, and says so.
    pub(super) fn gzip(mut self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.body).unwrap();
        self.body = encoder.finish().unwrap();
        self.header("content-encoding", "gzip")
    }

    /// Signs the body as it is now: before or after it is packed.
    pub(super) fn signed(self, secret: &Secret) -> Self {
        let signature = sign(secret, &self.body);
        self.header("x-payload-signature", &signature)
    }

    pub(super) async fn send(self) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(&self.path);
        *request.headers_mut().unwrap() = self.headers;
        let mut request = request.body(Body::from(self.body)).unwrap();
        let peer = SocketAddr::from(([192, 0, 2, 20], 4711));
        request.extensions_mut().insert(ConnectInfo(peer));
        Answer::of(self.fixture.router.clone().oneshot(request).await.unwrap()).await
    }
}

impl Answer {
    async fn of(response: axum::response::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }
}

async fn add(server: &Server, name: &str, secrets: bool, require_signature: bool) -> ProjectKeys {
    let wanted = ProjectWanted {
        encryption: secrets,
        signing: secrets,
        require_signature,
        created: now(),
        created_by: "user:admin".to_owned(),
    };
    let (stored, keys) = StoredProject::new(&server.secrets, wanted).unwrap();
    let project = Project::open(&server.secrets, name, stored);
    server.engine.write(move |writing| writing.put_guard_project(project)).await.unwrap();
    keys
}

fn start(folder: &std::path::Path) -> Arc<Server> {
    let config = Config::default();
    let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
    let secrets = Secrets::load(&folder.join("master.key")).unwrap();
    FirstCredentials::load(&database, &folder.join("first.json")).unwrap();
    let keys = KeyRing::load(&database, &secrets, &BTreeMap::new()).unwrap();
    let identities = Identities::load(&database, false, now()).unwrap();
    let rules = crate::rules::Rules {
        enrolled: identities.enrolled(),
        guard_projects: crate::guard::GuardProjects::load(&database, &secrets).unwrap(),
        ..config.rules(Arc::new(IndicatorSet::default()), Vec::new())
    };
    let engine = Engine::start(database, rules, &EngineSettings::default()).unwrap();
    let (_, shutdown) = tokio::sync::watch::channel(false);
    Arc::new(Server {
        sysscore_origins: crate::dialects::sysscore::AllowedOrigins::default(),
        main_address: SocketAddr::from(([127, 0, 0, 1], 7400)),
        tls: None,
        first_password: crate::accounts::FirstPassword::default(),
        sign_in: crate::api::SignInState::default(),
        upkeep: crate::upkeep::UpkeepState::default(),
        guard_troubles: crate::guard::GuardTroubles::default(),
        operator_secret: None,
        started: now(),
        shutdown,
        collected: crate::collected::Collected::of(folder, crate::collected::bounds(&config)),
        queries: crate::query::Queries::new(None, folder.to_owned(), 2),
        config,
        engine,
        secrets,
        keys,
        identities,
    })
}
