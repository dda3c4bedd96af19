//! A Ringwall server that does what a test tells it to. It checks every signature.

use crate::suspect::Folder;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_event::{Activity, Order, ProcessTarget, Timestamp};
use ringwall_server_api::{
    AgentReport, CommandPayload, CommandRefusal, CommandRefusals, CommandResult, FilePart,
    FilePartAnswer, RefusedBecause, SignedCommand, SignedCommands,
};
use ringwall_signing::request_signature::{
    CONTENT_DIGEST_HEADER, Claim, INPUT_HEADER, Message, SIGNATURE_HEADER,
};
use ringwall_signing::{SigningKey, canonical_json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub(crate) const NAME: &str = "web-1";
/// What the agent signs with.
pub(crate) const AGENT_SEED: [u8; 32] = [4; 32];

/// The server and what it saw.
#[derive(Clone)]
pub(crate) struct RingwallServer {
    pub(crate) url: String,
    state: Arc<ServerState>,
    folder: Arc<Folder>,
}

#[derive(Default)]
struct ServerState {
    seen: Mutex<Seen>,
    /// A report or result came, or commands wait.
    moved: Notify,
}

#[derive(Default)]
pub(crate) struct Seen {
    /// Bodies that were taken.
    pub(crate) reports: Vec<AgentReport>,
    /// Bodies that came, taken or not.
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) results: Vec<(String, CommandResult, Instant)>,
    /// How the next reports are answered: status and `Retry-After`.
    pub(crate) refusals: VecDeque<(StatusCode, &'static str)>,
    commands: Vec<SignedCommand>,
    /// Whether commands are handed out again and again, and at once.
    pub(crate) repeats_commands: bool,
    /// How often commands were asked for.
    pub(crate) polls: usize,
    /// What was brought of files, by their commands.
    pub(crate) files: HashMap<String, Vec<u8>>,
    /// So many parts are taken without an answer that says so.
    pub(crate) lost_parts: usize,
    pub(crate) refused_commands: Vec<CommandRefusal>,
    nonces: HashSet<String>,
    pub(crate) bad_signatures: usize,
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

impl RingwallServer {
    pub(crate) async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn start_on(listener: TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(ServerState::default());
        let router = Router::new()
            .route("/api/v1/health", get(async || "{}"))
            .route("/api/v1/agent/reports", post(report))
            .route("/api/v1/agent/commands", get(commands))
            .route("/api/v1/agent/commands/{id}/result", post(result))
            .route("/api/v1/agent/commands/{id}/file", post(file_part))
            .route("/api/v1/agent/refusals", post(refusals))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state, folder: Arc::new(Folder::new()) }
    }

    /// A state directory with the identity of the agent.
    pub(crate) fn state_dir(&self) -> PathBuf {
        let path = self.folder.path.join("state");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.unwrap();
        let identity = serde_json::json!({
            "name": NAME,
            "server": self.url,
            "server_public_key": key().public_key(),
            "key": STANDARD.encode(AGENT_SEED),
            "key_made": Timestamp::from_millis(now_ms()),
        });
        self.folder.secret("state/identity.json", &identity.to_string());
        path
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.state.seen.lock().unwrap())
    }

    /// Hands a command out at the next poll, or at the one that is held open.
    pub(crate) fn order(&self, command: SignedCommand) {
        self.seen(|seen| seen.commands.push(command));
        self.state.moved.notify_waiters();
    }

    /// Waits until `wanted` finds what it looks for.
    pub(crate) async fn until<T>(&self, what: &str, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(found) = self.seen(|seen| wanted(seen)) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for the report of a start of this process; gives what names it.
    pub(crate) async fn until_started(&self, pid: u32, name: &str) -> ProcessTarget {
        self.until(name, |seen| {
            activities(&seen.reports).find_map(|activity| match activity {
                Activity::ProcessStarted(process)
                    if process.pid == i64::from(pid) && &*process.name == name =>
                {
                    Some(ProcessTarget {
                        pid: process.pid,
                        start_time: process.start_time,
                        name: process.name.clone(),
                    })
                }
                _ => None,
            })
        })
        .await
    }

    /// Waits for the result of a command.
    pub(crate) async fn until_result(&self, id: &str) -> CommandResult {
        self.until(id, |seen| {
            let result = seen.results.iter().find(|(found, _, _)| found == id);
            result.map(|(_, result, _)| result.clone())
        })
        .await
    }
}

pub(crate) fn activities(reports: &[AgentReport]) -> impl Iterator<Item = &Activity> {
    reports.iter().flat_map(|report| &report.events).map(|event| &event.activity)
}

impl RingwallServer {
    /// Waits until the agent tells that it refused a command for this reason.
    pub(crate) async fn until_refused(&self, reason: RefusedBecause) -> CommandRefusal {
        self.until(reason.name(), |seen| {
            seen.refused_commands.iter().find(|refusal| refusal.reason == reason).cloned()
        })
        .await
    }

    /// Waits until the agent wrote down that the server has the result of this command.
    pub(crate) async fn until_written(&self, state: &std::path::Path, id: &str) {
        let file = state.join("commands.json");
        self.until("the note that it was told", |_| {
            let text = std::fs::read(&file).ok()?;
            let known: serde_json::Value = serde_json::from_slice(&text).ok()?;
            let known = known.as_array()?.iter().find(|command| command["id"] == id)?;
            known["told"].is_string().then_some(())
        })
        .await;
    }
}

async fn file_part(
    State(state): State<Arc<ServerState>>,
    method: Method,
    uri: OriginalUri,
    Path(id): Path<String>,
    Query(part): Query<FilePart>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = state.seen.lock().unwrap();
    if !is_genuine(&mut seen, &method, &uri, &headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "");
    }
    let file = seen.files.entry(id).or_default();
    if file.len() as u64 == part.offset {
        file.extend_from_slice(&body);
    }
    let received = file.len() as u64;
    if seen.lost_parts > 0 {
        seen.lost_parts -= 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    json(&FilePartAnswer { received, complete: received == part.bytes })
}

async fn refusals(
    State(state): State<Arc<ServerState>>,
    method: Method,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = state.seen.lock().unwrap();
    if !is_genuine(&mut seen, &method, &uri, &headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "");
    }
    let told: CommandRefusals = serde_json::from_slice(&body).unwrap();
    seen.refused_commands.extend(told.refusals);
    StatusCode::NO_CONTENT.into_response()
}

pub(crate) fn kill(id: &str, target: ProcessTarget) -> CommandPayload {
    payload(id, Order::KillProcess(target))
}

pub(crate) fn payload(id: &str, order: Order) -> CommandPayload {
    let now = Timestamp::from_millis(now_ms());
    CommandPayload {
        id: id.to_owned(),
        host: NAME.to_owned(),
        order,
        reason: "a test".to_owned(),
        issued: now,
        expires: now.plus_seconds(60),
    }
}

pub(crate) fn signed(payload: &CommandPayload) -> SignedCommand {
    let text = canonical_json(&serde_json::to_value(payload).unwrap());
    let signature = key().sign_command(text.as_bytes());
    SignedCommand { payload: STANDARD.encode(text), signature }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// Whether the request is signed as it should be, with a nonce that was never used.
fn is_genuine(
    seen: &mut Seen,
    method: &Method,
    uri: &OriginalUri,
    headers: &HeaderMap,
    body: &[u8],
) -> bool {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let genuine = (|| {
        let claim = Claim::read(header(INPUT_HEADER)?, header(SIGNATURE_HEADER)?).ok()?;
        let message = Message::new(method.as_str(), uri.0.path_and_query()?.as_str(), body)
            .with_content(header("content-type"), header("content-encoding"));
        let key = SigningKey::from_seed(&AGENT_SEED).public_key();
        let genuine = claim.verify(&key, &message, header(CONTENT_DIGEST_HEADER)?).ok()?;
        let is_fresh = (genuine.created() * 1000 - now_ms()).abs() < 10_000
            && seen.nonces.insert(genuine.nonce().to_owned());
        (is_fresh && genuine.agent() == NAME && genuine.key_id() == key.id()).then_some(())
    })();
    seen.bad_signatures += usize::from(genuine.is_none());
    genuine.is_some()
}

fn refuse(status: StatusCode, retry_after: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank", "title": "no", "status": status.as_u16(), "detail": "no",
    });
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/problem+json".parse().unwrap());
    if !retry_after.is_empty() {
        headers.insert("retry-after", retry_after.parse().unwrap());
    }
    (status, headers, body.to_string()).into_response()
}

fn json(value: &impl serde::Serialize) -> Response {
    let headers = [("content-type", "application/json")];
    (headers, serde_json::to_string(value).unwrap()).into_response()
}

async fn report(
    State(state): State<Arc<ServerState>>,
    method: Method,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = state.seen.lock().unwrap();
    if !is_genuine(&mut seen, &method, &uri, &headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "");
    }
    seen.bodies.push(body.clone());
    if let Some((status, retry_after)) = seen.refusals.pop_front() {
        return refuse(status, retry_after);
    }
    let body = match headers.get("content-encoding") {
        Some(encoding) => {
            assert_eq!(encoding, "zstd");
            zstd::bulk::decompress(&body, 4 << 20).unwrap()
        }
        None => body.to_vec(),
    };
    let report: AgentReport = serde_json::from_slice(&body).unwrap();
    let accepted = report.events.len();
    seen.reports.push(report);
    json(&serde_json::json!({"accepted": accepted, "duplicates": 0}))
}

async fn commands(
    State(state): State<Arc<ServerState>>,
    method: Method,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Response {
    if !is_genuine(&mut state.seen.lock().unwrap(), &method, &uri, &headers, b"") {
        return refuse(StatusCode::UNAUTHORIZED, "");
    }
    state.seen.lock().unwrap().polls += 1;
    let waits = uri.0.query().is_some_and(|query| !query.starts_with("wait=0"));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(if waits { 5 } else { 0 });
    loop {
        let mut moved = std::pin::pin!(state.moved.notified());
        moved.as_mut().enable();
        let commands = {
            let mut seen = state.seen.lock().unwrap();
            let kept = if seen.repeats_commands { seen.commands.clone() } else { Vec::new() };
            std::mem::replace(&mut seen.commands, kept)
        };
        if !commands.is_empty() || tokio::time::Instant::now() >= deadline {
            return json(&SignedCommands { commands });
        }
        drop(tokio::time::timeout_at(deadline, moved).await);
    }
}

async fn result(
    State(state): State<Arc<ServerState>>,
    Path(id): Path<String>,
    method: Method,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = state.seen.lock().unwrap();
    if !is_genuine(&mut seen, &method, &uri, &headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "");
    }
    let result = serde_json::from_slice(&body).unwrap();
    seen.results.push((id, result, Instant::now()));
    StatusCode::NO_CONTENT.into_response()
}
