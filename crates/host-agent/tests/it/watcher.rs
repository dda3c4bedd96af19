//! Against a server as the original Watcher server is.

use crate::agent::{Agent, output};
use crate::suspect::Suspect;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

#[derive(Default)]
struct Original {
    payloads: Vec<Value>,
    commands: HashMap<String, Vec<Value>>,
    polls: Vec<Instant>,
}

type Shared = Arc<Mutex<Original>>;

async fn start() -> (String, Shared) {
    let shared = Shared::default();
    let router = Router::new()
        .route("/health", get(async || r#"{"status":"healthy"}"#))
        .route("/api/v1/collect", post(collect))
        .route("/api/v1/commands", get(commands))
        .with_state(Arc::clone(&shared));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, shared)
}

/// As the original: a command for each listed process of each payload.
async fn collect(State(shared): State<Shared>, body: Bytes) -> String {
    let payload: Value = serde_json::from_slice(&body).unwrap();
    let mut original = shared.lock().unwrap();
    let host = payload["hostname"].as_str().unwrap().to_owned();
    for process in payload["processes"].as_array().unwrap() {
        if process["name"] == "wicked" {
            let number = original.commands.values().map(Vec::len).sum::<usize>();
            let command = json!({
                "command_id": format!("cmd_{number}.5"), "action": "kill_process",
                "target": process["pid"].to_string(),
                "parameters": {"process_name": "wicked", "reason": "threat_intel_match"},
            });
            original.commands.entry(host.clone()).or_default().push(command);
        }
    }
    original.payloads.push(payload);
    json!({"status": "processed", "events_stored": original.payloads.len()}).to_string()
}

async fn commands(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> String {
    let mut original = shared.lock().unwrap();
    original.polls.push(Instant::now());
    let commands = original.commands.remove(&query["host"]).unwrap_or_default();
    serde_json::to_string(&commands).unwrap()
}

#[tokio::test]
async fn it_reports_and_obeys_as_the_original_agent_does() {
    let (url, shared) = start().await;
    let mut suspect = Suspect::named("wicked");
    let mut other = Suspect::named("sleepy");
    let began = Instant::now();
    let agent = Agent::start(&[
        "--dialect",
        "watcher",
        "--server",
        &url,
        "--collection-interval",
        "1",
        "--command-poll-interval",
        "3",
    ]);
    suspect.ends_within(Duration::from_secs(15)).await;
    check_reports(&shared.lock().unwrap(), suspect.pid(), began);

    // A command for a process that bears another name is not obeyed.
    let host = shared.lock().unwrap().payloads[0]["hostname"].as_str().unwrap().to_owned();
    let command = json!({
        "command_id": "cmd_9", "action": "kill_process", "target": other.pid().to_string(),
        "parameters": {"process_name": "wicked"},
    });
    let polls = shared.lock().unwrap().polls.len();
    shared.lock().unwrap().commands.insert(host, vec![command]);
    while shared.lock().unwrap().polls.len() < polls + 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!other.has_ended());
    assert!(agent.stop().await.success());
}

/// What the original server saw of the process that was ended.
fn check_reports(original: &Original, pid: u32, began: Instant) {
    // The first poll comes one interval after the start.
    assert!(original.polls[0] - began >= Duration::from_secs(3));
    assert!(original.payloads.len() >= 3);
    let payload = &original.payloads[0];
    let process =
        payload["processes"].as_array().unwrap().iter().find(|process| process["pid"] == pid);
    let process = process.unwrap();
    assert_eq!(process["name"], "wicked");
    assert_eq!(process["cpu_percent"], 0.0);
    assert!(process["command_line"].as_str().unwrap().ends_with("/wicked 1000"));
    let system = &payload["system_info"];
    assert!(system["boot_time"].is_f64() && system["platform"] == "Linux");
    assert!(system["memory_total"].is_u64() && system["cpu_count"].is_u64());
}

#[tokio::test]
async fn the_five_checks_pass() {
    let (url, _) = start().await;
    let (code, answer, words) = output(&["check", "--dialect", "watcher", "--server", &url]).await;
    assert_eq!(code, Some(0), "{answer} {words}");
    assert_eq!(answer.matches("passed").count(), 5, "{answer}");
}
