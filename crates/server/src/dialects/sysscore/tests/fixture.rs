use crate::accounts::TOKENS;
use crate::config::Config;
use crate::dialects::sysscore::AllowedOrigins;
use crate::engine::{Engine, EngineSettings, now};
use crate::keys::KeyRing;
use crate::secrets::Secrets;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use ringwall_access::{Role, TokenRecord};
use ringwall_detection::IndicatorSet;
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, mac_base64};
use ringwall_store::{Database, StateStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

pub(super) const AGENT: &str = "agent-1";
pub(super) const SECRET: &str = "secret-key-1";
pub(super) const OPERATOR_SECRET: &str = "operator-secret";

/// A server on a folder of its own.
pub(super) struct Fixture {
    folder: PathBuf,
    server: Option<Arc<Server>>,
    pub(super) router: Router,
    pub(super) token: String,
    /// What `CORS_ORIGINS` says at the next start.
    pub(super) origins: AllowedOrigins,
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

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body without what differs from request to request.
    pub(super) fn without_correlation_id(&self) -> Value {
        let mut body = self.json();
        body["correlation_id"] = Value::Null;
        body
    }

    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, title: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["title"], title);
        assert_eq!(body["correlation_id"], self.header("x-correlation-id"));
    }

    /// The places of all that was refused.
    #[track_caller]
    pub(super) fn refused_places(&self) -> Vec<Value> {
        assert_eq!(self.status, 422, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        let details = body["detail"].as_array().unwrap();
        details.iter().map(|detail| detail["loc"].clone()).collect()
    }

    /// accepted, duplicates, errors.
    #[track_caller]
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        assert_eq!(self.status, 207, "{}", self.text);
        let body = self.json();
        let count = |name: &str| body[name].as_u64().unwrap();
        let counts = (count("accepted"), count("duplicates"), count("errors"));
        let results = body["results"].as_array().unwrap().len() as u64;
        assert_eq!(counts.0 + counts.1 + counts.2, results, "{body}");
        counts
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let body = self.json();
        let results = body["results"].as_array().unwrap();
        results.iter().map(|result| result["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn rows(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text);
        let body = self.json();
        body.get("data").unwrap_or(&body).as_array().unwrap().clone()
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("ringwall-sysscore-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut fixture = Self {
            folder,
            server: None,
            router: Router::new(),
            token: String::new(),
            origins: AllowedOrigins::default(),
        };
        fixture.start(&EngineSettings::default());
        fixture.token = fixture.token(Role::ReadOnly);
        fixture
    }

    /// What is in memory is gone, as after a kill.
    pub(super) fn restart(&mut self) {
        self.restart_with(&EngineSettings::default());
    }

    pub(super) fn restart_with(&mut self, settings: &EngineSettings) {
        self.router = Router::new();
        self.server = None;
        self.start(settings);
    }

    fn start(&mut self, settings: &EngineSettings) {
        let database = Arc::new(Database::open(&self.folder.join("ringwall.db")).unwrap());
        let secrets = Secrets::load(&self.folder.join("master.key")).unwrap();
        let agents = [(AGENT, SECRET), ("agent-2", "secret-key-2")];
        let agents: BTreeMap<String, Secret> =
            agents.map(|(id, secret)| (id.to_owned(), Secret::from(secret))).into();
        let keys = KeyRing::load(&database, &secrets, &agents).unwrap();
        let identities = crate::identities::Identities::load(&database, false, now()).unwrap();
        let config = Config::default();
        let rules = config.rules(Arc::new(IndicatorSet::new(Vec::new())), Vec::new());
        let engine = Engine::start(database, rules, settings).unwrap();
        let server = Arc::new(Server {
            config,
            engine,
            secrets,
            keys,
            identities,
            operator_secret: Some(Secret::from(OPERATOR_SECRET)),
            sysscore_origins: self.origins.clone(),
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

    /// A token of ours.
    pub(super) fn token(&self, role: Role) -> String {
        let random = crate::secrets::random_bytes::<40>().unwrap();
        let token = TokenRecord::create("test", role, None, None, &random, now());
        let database = Database::open(&self.folder.join("ringwall.db")).unwrap();
        database
            .write_now(|session| session.put_document(TOKENS, &token.record.id, &token.record))
            .unwrap();
        String::from_utf8(token.text.expose().to_vec()).unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router.clone(), request).await
    }

    /// A batch, signed as the agent signs it.
    pub(super) async fn post(&self, key: &str, body: &str) -> Answer {
        self.post_as(AGENT, SECRET, key, body).await
    }

    pub(super) async fn post_as(&self, agent: &str, secret: &str, key: &str, body: &str) -> Answer {
        let signature = mac_base64(&Secret::from(secret), body.as_bytes());
        let headers = [
            ("x-agent-id", agent),
            ("x-agent-signature", &signature),
            ("idempotency-key", key),
            ("content-type", "application/json"),
        ];
        self.post_with(&headers, body).await
    }

    pub(super) async fn post_with(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::post("/api/v1/events");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// As somebody who may read.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.token, path).await
    }

    pub(super) async fn get_as(&self, token: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Every row of a list, page after page.
    pub(super) async fn all(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = path.to_owned();
        for _ in 0..1000 {
            let answer = self.get(&next).await;
            rows.extend(answer.rows());
            let body = answer.json();
            let pagination = &body["pagination"];
            assert_eq!(pagination["has_more"], !pagination["cursor"].is_null());
            let Some(cursor) = pagination["cursor"].as_str() else { return rows };
            let joint = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{joint}cursor={cursor}");
        }
        panic!("the pages have no end");
    }
}

pub(super) async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: StatusCode::as_u16(&head.status), headers: head.headers, text }
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

/// An item at a moment.
pub(super) fn item(pid: i64, syscall: &str, time: Timestamp, metadata: Value) -> Value {
    json!({ "pid": pid, "syscall": syscall, "timestamp": time.to_naive_iso(), "metadata": metadata })
}

pub(super) fn batch(items: &[Value]) -> String {
    json!({ "events": items }).to_string()
}

/// A moment with a fraction of a second, this many microseconds after a second of the last minute.
pub(super) fn moment(micros: i64) -> Timestamp {
    Timestamp::from_micros((now().as_seconds() - 30) * 1_000_000 + micros)
}
