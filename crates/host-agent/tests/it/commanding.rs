//! Commands of every kind, and those that must not be believed.

use crate::agent::{Agent, command};
use crate::ringwall_server::{NAME, RingwallServer, activities, payload, signed};
use crate::suspect::{Folder, Suspect};
use ringwall_event::{
    AbsolutePath, BlockTarget, CommandId, FileTarget, Order, ProcessTarget, QuarantineTarget,
};
use ringwall_server_api::{CommandOutcome, CommandResult, RefusedBecause};
use ringwall_signing::{SigningKey, sha256_hex};
use std::path::Path;
use std::process::Stdio;

fn start(server: &RingwallServer, state: &Path) -> Agent {
    Agent::start(&["--server", &server.url, "--state-dir", state.to_str().unwrap()])
}

async fn first_picture(server: &RingwallServer) {
    server
        .until("a picture", |seen| {
            activities(&seen.reports).find(|activity| activity.kind() == "inventory").map(|_| ())
        })
        .await;
}

/// Has an order carried out, and tells what came of it.
async fn done(server: &RingwallServer, id: &str, order: Order) -> CommandResult {
    server.order(signed(&payload(id, order)));
    server.until_result(id).await
}

fn file(path: &Path) -> FileTarget {
    FileTarget { path: AbsolutePath::parse(path.to_str().unwrap()).unwrap() }
}

#[track_caller]
fn succeeded(result: &CommandResult, words: &str) {
    assert_eq!(result.state, CommandOutcome::Succeeded, "{}", result.result);
    assert!(result.result.contains(words), "{}", result.result);
}

#[track_caller]
fn failed(result: &CommandResult, words: &str) {
    assert_eq!(result.state, CommandOutcome::Failed, "{}", result.result);
    assert!(result.result.contains(words), "{}", result.result);
}

#[tokio::test]
async fn processes_are_halted_continued_and_ended_with_all_theirs() {
    let server = RingwallServer::start().await;
    let _agent = start(&server, &server.state_dir());
    first_picture(&server).await;
    let mut suspect = Suspect::named("juggled");
    let target = server.until_started(suspect.pid(), "juggled").await;
    let order = |make: fn(ProcessTarget) -> Order| make(target.clone());
    succeeded(&done(&server, "cmd_1", order(Order::StopProcess)).await, "stopped");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", suspect.pid())).unwrap();
    assert!(stat.contains(") T "), "{stat}");
    succeeded(&done(&server, "cmd_2", order(Order::ContinueProcess)).await, "continued");
    succeeded(&done(&server, "cmd_3", order(Order::KillTree)).await, "1 process ended");
    assert!(suspect.has_ended());
    // Nothing to end is what was wanted.
    succeeded(&done(&server, "cmd_4", order(Order::KillProcess)).await, "not running any more");
    failed(&done(&server, "cmd_5", order(Order::StopProcess)).await, "not running");
}

#[tokio::test]
async fn files_are_collected_put_away_and_put_back() {
    let server = RingwallServer::start().await;
    let state = server.state_dir();
    let _agent = start(&server, &state);
    first_picture(&server).await;
    let folder = Folder::new();
    let folder = folder.path.canonicalize().unwrap();
    let evil = folder.join("evil.sh");
    // More than one part, and no round number of them.
    let content = b"0123456789abcdef".repeat(70_000);
    std::fs::write(&evil, &content).unwrap();
    server.seen(|seen| seen.lost_parts = 1);
    let result = done(&server, "cmd_1", Order::CollectFile(file(&evil))).await;
    succeeded(&result, &sha256_hex(&content));
    assert!(server.seen(|seen| seen.files.get("cmd_1") == Some(&content)));

    let result = done(&server, "cmd_2", Order::QuarantineFile(file(&evil))).await;
    succeeded(&result, &sha256_hex(&content));
    assert!(!evil.exists());
    let target = |id: &str| QuarantineTarget { quarantine_id: CommandId::parse(id).unwrap() };
    let result = done(&server, "cmd_3", Order::RestoreFile(target("cmd_2"))).await;
    succeeded(&result, "restored");
    assert_eq!(std::fs::read(&evil).unwrap(), content);
    let result = done(&server, "cmd_4", Order::RestoreFile(target("cmd_2"))).await;
    failed(&result, "no file is in quarantine");

    // What looks like a file, and the agent's own.
    let link = folder.join("link");
    std::os::unix::fs::symlink(&evil, &link).unwrap();
    let pipe = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let own = state.canonicalize().unwrap().join("commands.json");
    for (id, path, words) in [
        ("cmd_5", link, "a link"),
        ("cmd_6", pipe, "no regular file"),
        ("cmd_7", own, "the host agent's own"),
        ("cmd_8", folder.join("none"), "does not exist"),
    ] {
        failed(&done(&server, id, Order::CollectFile(file(&path))).await, words);
        let id = format!("{id}q");
        failed(&done(&server, &id, Order::QuarantineFile(file(&path))).await, words);
    }
    let here = BlockTarget { address: "127.0.0.1".parse().unwrap(), seconds: 60 };
    failed(&done(&server, "cmd_9", Order::BlockAddress(here)).await, "never blocked");
}

#[tokio::test]
async fn what_is_refused_is_told() {
    let server = RingwallServer::start().await;
    let state = server.state_dir();
    let agent = start(&server, &state);
    first_picture(&server).await;
    let mut suspect = Suspect::named("spared");
    let target = server.until_started(suspect.pid(), "spared").await;
    let good = payload("cmd_good", Order::ContinueProcess(target.clone()));
    let kill = payload("cmd_kill", Order::KillProcess(target));

    let mut forged = signed(&kill);
    forged.signature = SigningKey::from_seed(&[1; 32]).sign_command(b"{}");
    server.order(forged);
    let mut elsewhere = kill.clone();
    elsewhere.host = "web-2".to_owned();
    server.order(signed(&elsewhere));
    let mut late = kill.clone();
    late.expires = late.issued.plus_seconds(-1);
    server.order(signed(&late));
    for reason in [RefusedBecause::Altered, RefusedBecause::OtherHost, RefusedBecause::Expired] {
        let told = server.until_refused(reason).await;
        assert_eq!(told.command.as_deref(), Some("cmd_kill"), "{reason:?}");
    }
    // Carried out, told, and handed out again after a restart: by whoever recorded it.
    server.order(signed(&good));
    server.until_result("cmd_good").await;
    server.until_written(&state, "cmd_good").await;
    assert!(agent.stop().await.success());
    let _agent = start(&server, &state);
    let before = server.seen(|seen| seen.results.len());
    server.order(signed(&good));
    let told = server.until_refused(RefusedBecause::Replayed).await;
    assert_eq!(told.command.as_deref(), Some("cmd_good"));
    assert_eq!(server.seen(|seen| seen.results.len()), before, "it was not carried out again");
    assert!(!suspect.has_ended());
    assert_eq!(NAME, good.host);
}

#[tokio::test]
async fn the_quarantine_is_listed_and_emptied_on_the_host() {
    let server = RingwallServer::start().await;
    let state = server.state_dir();
    let agent = start(&server, &state);
    first_picture(&server).await;
    let folder = Folder::new();
    let evil = folder.path.canonicalize().unwrap().join("evil.sh");
    std::fs::write(&evil, b"x").unwrap();
    let result = done(&server, "cmd_1", Order::QuarantineFile(file(&evil))).await;
    succeeded(&result, "quarantined");
    assert!(agent.stop().await.success());
    let run = async |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).arg("--state-dir").arg(&state).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = run(&["quarantine", "list"]).await;
    assert_eq!(code, Some(0));
    assert!(text.contains("cmd_1") && text.contains("evil.sh"), "{text}");
    assert_eq!(run(&["quarantine", "restore", "cmd_1"]).await.0, Some(0));
    assert_eq!(std::fs::read(&evil).unwrap(), b"x");
    assert_eq!(run(&["quarantine", "restore", "cmd_1"]).await.0, Some(1));
    assert_eq!(run(&["quarantine", "list"]).await, (Some(0), String::new()));
}
