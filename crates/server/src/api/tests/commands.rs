//! Commands of every kind: who may order what, files that are brought, refusals that are told.

use super::{Answer, Fixture};
use crate::engine::now;
use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use ringwall_access::Role;
use ringwall_event::{Activity, Process, Timestamp};
use ringwall_server_api::{AgentEvent, paths};
use ringwall_signing::sha256_hex;
use ringwall_store::StateStore;
use serde_json::{Value, json};
use tower::ServiceExt;

fn order(action: &str, target: Value) -> Value {
    json!({"host": "host-agent:web-1", "action": action, "target": target, "reason": "a test"})
}

/// What the enrolled agent is handed now: the ids.
async fn handed_out(fixture: &Fixture) -> Vec<String> {
    let commands = fixture.ask(Method::GET, "/api/v1/agent/commands?wait=0").signed().send().await;
    assert_eq!(commands.status.as_u16(), 200, "{}", commands.text);
    let open = fixture.get(&format!("{}?state=delivered", paths::COMMANDS)).await;
    let rows = open["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_must_not_be_hit_is_refused_and_written_down() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    fixture.start_process(2, 700, "sshd").await;
    let refused = [
        ("stop_process", json!({"pid": 700, "name": "sshd"}), "protected"),
        ("kill_tree", json!({"pid": 700, "name": "sshd"}), "protected"),
        ("kill_process", json!({"pid": 1, "name": "init"}), "pid 1"),
        ("quarantine_file", json!({"path": "/etc/passwd"}), "protected"),
        ("collect_file", json!({"path": "/proc/1/environ"}), "no stored file"),
        ("block_address", json!({"address": "127.0.0.1", "seconds": 60}), "loopback"),
        ("block_address", json!({"address": "203.0.0.0/8", "seconds": 60}), "too wide"),
        ("block_address", json!({"address": "203.0.113.9", "seconds": 0}), "a block lasts"),
    ];
    for (action, target, words) in refused.clone() {
        let answer = fixture.post(paths::COMMANDS, order(action, target)).await;
        assert!(answer.text.contains(words), "{action}: {}", answer.text);
        answer.is_problem(403, "action-refused");
    }
    let audit = fixture.get(paths::AUDIT).await;
    let entries = audit["data"].as_array().unwrap();
    for (entry, (action, _, words)) in entries.iter().rev().zip(refused) {
        assert_eq!((&entry["action"], &entry["outcome"]), (&json!(action), &json!("refused")));
        assert!(entry["reason"].as_str().unwrap().contains(words), "{entry}");
    }
    for (action, target) in [
        ("collect_file", json!({"path": "/tmp/../etc/passwd"})),
        ("collect_file", json!({"path": "tmp/x"})),
        ("collect_file", json!({"path": "/tmp/x\u{0}"})),
        ("block_address", json!({"address": "203.0.113.9; flush ruleset", "seconds": 1})),
        ("restore_file", json!({"quarantine_id": "../../etc/passwd"})),
        ("kill_process", json!({"path": "/tmp/x"})),
    ] {
        let answer = fixture.post(paths::COMMANDS, order(action, target)).await;
        answer.is_problem(400, "invalid-request");
    }
    let unknown = order("restore_file", json!({"quarantine_id": "cmd_1"}));
    fixture.post(paths::COMMANDS, unknown).await.is_problem(409, "conflict");
    let wrong = order("stop_process", json!({"pid": 4321, "name": "other"}));
    fixture.post(paths::COMMANDS, wrong).await.is_problem(409, "conflict");
    assert_eq!(fixture.get(paths::COMMANDS).await["data"], json!([]));
}

#[tokio::test]
async fn a_quarantined_file_can_be_restored_on_its_host() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    let target = json!({"path": "/tmp/evil.sh"});
    let answer = fixture.post(paths::COMMANDS, order("quarantine_file", target.clone())).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    assert_eq!(answer.json()["target"], target);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let restore = order("restore_file", json!({"quarantine_id": id}));
    fixture.post(paths::COMMANDS, restore.clone()).await.is_problem(409, "conflict");
    assert_eq!(handed_out(&fixture).await, std::slice::from_ref(&id));
    let body = json!({"state": "succeeded", "result": "quarantined"});
    let path = paths::fill(paths::AGENT_COMMAND_RESULT, &id);
    let result = fixture.ask(Method::POST, &path).json(&body).signed().send().await;
    assert_eq!(result.status.as_u16(), 204);
    let answer = fixture.post(paths::COMMANDS, restore).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
}

const CONTENT: &[u8] = b"#!/bin/sh\nrm -rf /\n";

async fn bring(fixture: &Fixture, id: &str, offset: usize, part: &[u8]) -> Answer {
    let path = format!(
        "{}?offset={offset}&bytes={}&sha256={}",
        paths::fill(paths::AGENT_COMMAND_FILE, id),
        CONTENT.len(),
        sha256_hex(CONTENT)
    );
    let request = fixture.ask(Method::POST, &path);
    let request = request.header("content-type", "application/octet-stream").bytes(part);
    request.signed().send().await
}

#[tokio::test]
async fn a_file_is_brought_for_its_command_only_and_fetched_by_who_may() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    let target = json!({"path": "/home/eve/evil script.sh"});
    let answer = fixture.post(paths::COMMANDS, order("collect_file", target)).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    // Not handed out yet; no such command.
    bring(&fixture, &id, 0, CONTENT).await.is_problem(409, "conflict");
    bring(&fixture, "cmd_1", 0, CONTENT).await.is_problem(409, "conflict");
    handed_out(&fixture).await;
    let file = paths::fill(paths::COMMAND_FILE, &id);
    let fetch = |token: String| {
        let request = fixture.ask(Method::GET, &file).token(&token);
        async move { request.send().await }
    };
    fetch(fixture.admin.clone()).await.is_problem(404, "not-found");

    let first = bring(&fixture, &id, 0, &CONTENT[..7]).await;
    assert_eq!(first.json(), json!({"received": 7, "complete": false}));
    let again = bring(&fixture, &id, 0, &CONTENT[..7]).await;
    assert_eq!(again.json(), json!({"received": 7, "complete": false}));
    let gap = bring(&fixture, &id, 9, &CONTENT[9..]).await;
    assert_eq!(gap.json(), json!({"received": 7, "complete": false}));
    let whole = json!({"received": CONTENT.len(), "complete": true});
    assert_eq!(bring(&fixture, &id, 7, &CONTENT[7..]).await.json(), whole);
    assert_eq!(bring(&fixture, &id, 7, &CONTENT[7..]).await.json(), whole);

    let command = fixture.get(&paths::fill(paths::COMMAND, &id)).await;
    assert_eq!(command["file"]["sha256"], sha256_hex(CONTENT));
    let answer = fetch(fixture.token(Role::Responder).await).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_bytes()), (200, CONTENT));
    fetch(fixture.token(Role::Analyst).await).await.is_problem(403, "action-refused");
    let audit = fixture.get(paths::AUDIT).await;
    let seen = |action: &str, outcome: &str| {
        let entries = audit["data"].as_array().unwrap();
        entries.iter().any(|entry| entry["action"] == action && entry["outcome"] == outcome)
    };
    assert!(seen("bring_file", "succeeded"));
    assert!(seen("fetch_file", "permitted") && seen("fetch_file", "refused"));

    let body = json!({"state": "succeeded", "result": "collected"});
    let path = paths::fill(paths::AGENT_COMMAND_RESULT, &id);
    fixture.ask(Method::POST, &path).json(&body).signed().send().await;
    bring(&fixture, &id, 7, &CONTENT[7..]).await.is_problem(409, "conflict");
}

#[tokio::test]
async fn a_file_that_never_came_is_no_success() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    let target = json!({"path": "/tmp/x"});
    let answer = fixture.post(paths::COMMANDS, order("collect_file", target)).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    handed_out(&fixture).await;
    let damaged = bring(&fixture, &id, 0, &[0; CONTENT.len()]).await;
    damaged.is_problem(409, "conflict");
    let body = json!({"state": "succeeded", "result": "collected"});
    let path = paths::fill(paths::AGENT_COMMAND_RESULT, &id);
    fixture.ask(Method::POST, &path).json(&body).signed().send().await;
    let command = fixture.get(&paths::fill(paths::COMMAND, &id)).await;
    assert_eq!(command["state"], "failed");
    assert_eq!(command["file"], Value::Null);
}

#[tokio::test]
async fn refused_commands_raise_an_alert_a_reason() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    let tell = async |reason: &str, count: u64| {
        let body = json!({"refusals": [{
            "reason": reason, "count": count, "command": "cmd_1", "detail": "signature\nmismatch"
        }]});
        fixture.ask(Method::POST, paths::AGENT_REFUSALS).json(&body).signed().send().await
    };
    assert_eq!(tell("altered", 2).await.status.as_u16(), 204);
    assert_eq!(tell("altered", 3).await.status.as_u16(), 204);
    assert_eq!(tell("replayed", 1).await.status.as_u16(), 204);
    tell("bored", 1).await.is_problem(400, "invalid-request");
    let alerts = fixture.get(paths::ALERTS).await;
    let rows = alerts["data"].as_array().unwrap();
    let of = |reason: &str| {
        let finding = json!({"type": "command_refused", "reason": reason});
        rows.iter().find(|row| row["finding"] == finding).unwrap()
    };
    assert_eq!((&of("altered")["count"], &of("replayed")["count"]), (&json!(5), &json!(1)));
    assert_eq!(of("altered")["severity"], "high");
    assert_eq!(of("altered")["reasons"], json!(["cmd_1: signature mismatch"]));
    let unsigned = fixture.ask(Method::POST, paths::AGENT_REFUSALS).json(&json!({"refusals": []}));
    unsigned.send().await.is_problem(401, "unauthenticated");
}

/// A name is a shield only for who may be the system's own; that is what the host's agent tells of it.
#[tokio::test]
async fn who_only_bears_a_protected_name_is_hit() {
    let fixture = Fixture::new().await;
    let process = |pid: i64, user: &str, executable: &str| AgentEvent {
        time: now(),
        severity: None,
        activity: Activity::ProcessStarted(Process {
            pid,
            start_time: Some(Timestamp::from_micros(1_700_000_000_000_000)),
            name: "sshd".into(),
            user: Some(user.into()),
            executable: Some(executable.into()),
            ..Process::default()
        }),
    };
    fixture
        .report(
            1,
            vec![
                process(700, "root", "/usr/sbin/sshd"),
                process(701, "joe", "/usr/sbin/sshd"),
                process(702, "root", "/usr/bin/python3"),
            ],
        )
        .await;
    for (pid, status) in [(700, 403), (701, 202), (702, 202)] {
        let target = json!({"pid": pid, "name": "sshd"});
        let answer = fixture.post(paths::COMMANDS, order("kill_process", target)).await;
        assert_eq!(answer.status.as_u16(), status, "{pid}: {}", answer.text);
    }
}

/// A body that comes slowly: whoever sends it is shut out before its end, and is not let in by having begun.
#[tokio::test]
async fn who_is_shut_out_while_the_body_comes_orders_nothing() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "nginx").await;
    let stop = order("stop_process", json!({"pid": 4321, "name": "nginx"}));
    for (path, body) in [
        (paths::COMMANDS, stop),
        (paths::ENROLMENTS, json!({})),
        (paths::TOKENS, json!({"name": "x", "role": "read_only"})),
    ] {
        let token = fixture.token(Role::Admin).await;
        let request = fixture.ask(Method::POST, path).token(&token).json(&body);
        let (reached, mut has_reached) = tokio::sync::mpsc::channel(1);
        let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
        let (first, rest) = request.body.split_at(2);
        let (first, rest) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(rest));
        let chunks = stream::once(async move { Ok::<_, std::io::Error>(first) }).chain(
            stream::once(async move {
                reached.send(()).await.unwrap();
                may_go_on.await.unwrap();
                Ok(rest)
            }),
        );
        let mut slow = request.request();
        *slow.body_mut() = Body::from_stream(chunks);
        let answering = tokio::spawn(fixture.router.clone().oneshot(slow));
        has_reached.recv().await.unwrap();
        let id = ringwall_access::PresentedToken::parse(&token).unwrap().id().to_owned();
        let forget = move |writing: &mut crate::engine::Writing<'_>| {
            writing.session.delete_document(crate::accounts::TOKENS, &id)
        };
        fixture.server.engine.write(forget).await.unwrap();
        go_on.send(()).unwrap();
        let answer = answering.await.unwrap().unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    assert_eq!(fixture.get(paths::COMMANDS).await["data"], json!([]));
    assert_eq!(fixture.get(paths::ENROLMENTS).await["data"], json!([]));
}
