//! Against a server as the original SysScore server is.

use crate::agent::{Agent, output};
use crate::suspect::{Folder, Suspect};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use ringwall_signing::{Secret, verify_mac_base64};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

#[derive(Default)]
struct Original {
    /// Key and body of each batch that came.
    batches: Vec<(String, Bytes)>,
    stored: Vec<Value>,
    /// Statuses of the next answers.
    failures: Vec<StatusCode>,
    /// Whether the first item of the next batch fails.
    one_error: bool,
}

type Shared = Arc<Mutex<Original>>;

async fn start() -> (String, Shared) {
    let shared = Shared::default();
    let router = Router::new()
        .route("/health", get(async || r#"{"status":"healthy"}"#))
        .route("/api/v1/events", post(events))
        .with_state(Arc::clone(&shared));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, shared)
}

async fn events(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let mut original = shared.lock().unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let secret = Secret::from("secret-key-1");
    if !verify_mac_base64(&secret, &body, &header("x-agent-signature"))
        || header("x-agent-id") != "agent-1"
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    original.batches.push((header("idempotency-key"), body.clone()));
    if let Some(status) = original.failures.pop() {
        return status.into_response();
    }
    let batch: Value = serde_json::from_slice(&body).unwrap();
    let mut results = Vec::new();
    for (number, event) in batch["events"].as_array().unwrap().iter().enumerate() {
        if number == 0 && std::mem::take(&mut original.one_error) {
            results.push(json!({"id": "", "status": "error", "error": "database is locked"}));
        } else {
            results.push(json!({"id": "x", "status": "accepted", "error": null}));
            original.stored.push(event.clone());
        }
    }
    let errors = results.iter().filter(|result| result["status"] == "error").count();
    let answer = json!({
        "accepted": results.len() - errors, "duplicates": 0, "errors": errors, "results": results,
    });
    (StatusCode::MULTI_STATUS, answer.to_string()).into_response()
}

async fn until(shared: &Shared, what: &str, wanted: impl Fn(&Original) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !wanted(&shared.lock().unwrap()) {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn calls_are_stored_each_once_whatever_the_server_does() {
    let (url, shared) = start().await;
    shared.lock().unwrap().failures =
        vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
    shared.lock().unwrap().one_error = true;
    let folder = Folder::new();
    let secret = folder.secret("secret", "secret-key-1\n");
    let agent = Agent::start(&[
        "--dialect",
        "sysscore",
        "--server",
        &url,
        "--agent-id",
        "agent-1",
        "--secret-file",
        secret.to_str().unwrap(),
    ]);
    // Something that happens, over and over: the agent starts to watch at some moment.
    let mut suspects = Vec::new();
    while shared.lock().unwrap().batches.is_empty() {
        suspects.push(Suspect::named("called"));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(suspects.len() < 100);
    }
    let last = Suspect::named("called-last");
    let pid = last.pid();
    drop(suspects);
    drop(last);
    let is_of = |event: &Value, call: &str| event["pid"] == pid && event["syscall"] == call;
    until(&shared, "the last calls", |original| {
        original.stored.iter().any(|event| is_of(event, "execve"))
            && original.stored.iter().any(|event| is_of(event, "exit_group"))
    })
    .await;
    assert!(agent.stop().await.success());

    let original = shared.lock().unwrap();
    // The same body under the same key, until it was taken.
    assert_eq!(original.batches[0], original.batches[1]);
    assert_eq!(original.batches[0], original.batches[2]);
    let keys: HashSet<_> = original.batches.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), original.batches.len() - 2);
    // The item that failed came again, and nothing came twice.
    let first: Value = serde_json::from_slice(&original.batches[0].1).unwrap();
    let failed = &first["events"][0];
    assert_eq!(original.stored.iter().filter(|event| *event == failed).count(), 1);
    let moments: HashSet<_> =
        original.stored.iter().map(|event| event["timestamp"].as_str().unwrap()).collect();
    assert_eq!(moments.len(), original.stored.len());
    for event in &original.stored {
        let (risk, anomaly) =
            (&event["metadata"]["risk_score"], &event["metadata"]["anomaly_score"]);
        assert!(risk.as_f64().is_some_and(|score| (0.0..=100.0).contains(&score)), "{event}");
        assert!(anomaly.is_f64(), "{event}");
        let moment = event["timestamp"].as_str().unwrap();
        assert_eq!(moment.len(), "2026-01-15T10:00:00.000001".len(), "{event}");
    }
}

#[tokio::test]
async fn what_can_be_checked_passes() {
    let (url, shared) = start().await;
    let folder = Folder::new();
    let secret = folder.secret("secret", "secret-key-1");
    let (code, answer, words) = output(&[
        "check",
        "--dialect",
        "sysscore",
        "--server",
        &url,
        "--agent-id",
        "agent-1",
        "--secret-file",
        secret.to_str().unwrap(),
    ])
    .await;
    assert_eq!(code, Some(0), "{answer} {words}");
    assert_eq!(answer.matches("passed").count(), 4, "{answer}");
    assert!(answer.contains("polling       skipped"), "{answer}");
    assert_eq!(shared.lock().unwrap().stored.len(), 1);
}
