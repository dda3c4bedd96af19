//! From leave to enrol to being shut out.

use super::Fixture;
use super::fixture::{AGENT, Answer, Sender, agent_key, seconds, started};
use crate::engine::{Engine, EngineSettings, now};
use crate::identities::CloneEvidence;
use crate::rules::Rules;
use axum::http::Method;
use ringwall_access::Role;
use ringwall_server_api::paths;
use ringwall_signing::SigningKey;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MACHINE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER_MACHINE: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn fresh_nonce() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("fresh-nonce-{:016}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Leave to enrol, and its token.
async fn leave(fixture: &Fixture, request: Value) -> String {
    let answer = fixture.post(paths::ENROLMENTS, request).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    answer.json()["token"].as_str().unwrap().to_owned()
}

fn facts(key: &SigningKey, machine: &str) -> Value {
    json!({
        "public_key": key.public_key().to_base64(), "machine": machine, "hostname": "db-1",
        "version": "0.1.0",
    })
}

fn enrolment<'f>(fixture: &'f Fixture, token: &str, key: &SigningKey, facts: &Value) -> Sender<'f> {
    fixture.ask(Method::POST, paths::AGENT_ENROL).json(facts).token(token).signed_as(
        "-",
        key,
        seconds(),
        &fresh_nonce(),
    )
}

async fn enrol(fixture: &Fixture, token: &str, key: &SigningKey, machine: &str) -> Answer {
    enrolment(fixture, token, key, &facts(key, machine)).send().await
}

fn ask_as<'f>(fixture: &'f Fixture, name: &str, key: &SigningKey, query: &str) -> Sender<'f> {
    fixture.ask(Method::GET, &format!("{}?wait=0{query}", paths::AGENT_COMMANDS)).signed_as(
        name,
        key,
        seconds(),
        &fresh_nonce(),
    )
}

async fn identity(fixture: &Fixture, name: &str) -> Value {
    let page = fixture.get(paths::IDENTITIES).await;
    let rows = page["data"].as_array().unwrap().clone();
    rows.into_iter().find(|row| row["name"] == name).unwrap()
}

#[tokio::test]
async fn a_host_enrols_and_is_known_by_its_key() {
    let fixture = Fixture::new().await;
    let created = fixture.post(paths::ENROLMENTS, json!({})).await.json();
    let token = created["token"].as_str().unwrap();
    assert!(token.starts_with("rwe_"));
    let server_key = fixture.server.secrets.signing_key().public_key();
    assert_eq!(created["server_fingerprint"], server_key.id());
    let line = created["command"].as_str().unwrap();
    assert_eq!(
        line,
        format!(
            "echo {token} | ringwall-host-agent enrol --server http://127.0.0.1:7400 --token-file -"
        )
    );
    let answer = enrol(&fixture, token, &key(1), MACHINE).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let told = answer.json();
    assert_eq!(told["name"], "db-1");
    assert_eq!(told["key_id"], key(1).public_key().id());
    assert_eq!(told["server_public_key"], server_key.to_base64());
    assert_eq!(ask_as(&fixture, "db-1", &key(1), "").send().await.status.as_u16(), 200);

    let row = identity(&fixture, "db-1").await;
    assert_eq!((&row["state"], &row["hostname"]), (&json!("active"), &json!("db-1")));
    assert_eq!(row["enrolled_by"], created["id"]);
    assert_eq!(row["machine"], "111111111111");
    assert_ne!(row["last_used"], Value::Null);
    let listed = fixture.get(paths::ENROLMENTS).await;
    let listed = &listed["data"][0];
    assert_eq!((&listed["uses_left"], &listed["used_by"]), (&json!(0), &json!(["db-1"])));
    assert!(!listed.to_string().contains(token));
    let audit = fixture.get(paths::AUDIT).await;
    let entry = &audit["data"][0];
    assert_eq!(entry["actor"], format!("enrolment:{}", created["id"].as_str().unwrap()));
    assert_eq!((&entry["action"], &entry["outcome"]), (&json!("enrol"), &json!("permitted")));
    assert_eq!(entry["subject"], "host-agent:db-1");
    assert!(!audit.to_string().contains(token));
}

#[tokio::test]
async fn a_token_is_good_for_its_uses_only() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({})).await;
    assert_eq!(enrol(&fixture, &token, &key(1), MACHINE).await.status.as_u16(), 200);
    // The same request, whose answer was lost: the same answer, and nothing is used.
    let again = enrol(&fixture, &token, &key(1), MACHINE).await;
    assert_eq!((again.status.as_u16(), again.json()["name"].clone()), (200, json!("db-1")));
    let problem = enrol(&fixture, &token, &key(2), OTHER_MACHINE).await;
    let problem = problem.is_problem(403, "action-refused");
    assert!(problem["detail"].as_str().unwrap().contains("used up"), "{problem}");
    let problem = enrol(&fixture, &token, &key(2), MACHINE).await;
    problem.is_problem(403, "action-refused");

    let two = leave(&fixture, json!({"uses": 2})).await;
    for (seed, machine) in [(3, "3"), (4, "4")] {
        let facts = json!({
            "public_key": key(seed).public_key().to_base64(), "machine": machine.repeat(64),
            "hostname": format!("host-{machine}"), "version": "0.1.0",
        });
        let answer = enrolment(&fixture, &two, &key(seed), &facts).send().await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    }
    let problem = enrol(&fixture, &two, &key(5), OTHER_MACHINE).await;
    problem.is_problem(403, "action-refused");
}

#[tokio::test]
async fn of_many_at_once_one_use_lets_one_in() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({})).await;
    let attempts: Vec<_> = (10..18)
        .map(|seed| {
            let facts = json!({
                "public_key": key(seed).public_key().to_base64(),
                "machine": format!("{seed:064}"), "hostname": format!("host-{seed}"),
                "version": "0.1.0",
            });
            enrolment(&fixture, &token, &key(seed), &facts)
        })
        .collect();
    let answers = futures_util::future::join_all(attempts.iter().map(Sender::send)).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 7, "{statuses:?}");
    // The one that the fixture enrols, and the one that was let in.
    assert_eq!(fixture.get(paths::IDENTITIES).await["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_token_and_proof_nobody_enrols() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({})).await;
    let (own, other) = (key(1), key(2));
    let good = enrolment(&fixture, &token, &own, &facts(&own, MACHINE));
    let foreign = enrolment(&fixture, &token, &other, &facts(&own, MACHINE));
    let named = fixture
        .ask(Method::POST, paths::AGENT_ENROL)
        .json(&facts(&own, MACHINE))
        .token(&token)
        .signed_as("db-1", &own, seconds(), &fresh_nonce());
    let unknown = "rwe_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut altered = good.clone();
    altered.body.push(b' ');
    let last = if token.ends_with('A') { 'E' } else { 'A' };
    let other_secret = format!("{}{last}", &token[..token.len() - 1]);
    for (what, request) in [
        ("no token", good.clone().without("authorization")),
        ("an unknown token", good.clone().token(unknown)),
        ("a token of the API", good.clone().token(&fixture.admin)),
        ("another secret", good.clone().token(&other_secret)),
        ("no signature", good.clone().without("signature")),
        ("another key's signature", foreign),
        ("signed under a name", named),
        ("another body", altered),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
        answer.is_problem(401, "unauthenticated");
    }
    let audit = fixture.get(paths::AUDIT).await;
    let refused = |entry: &&Value| entry["action"] == "enrol" && entry["outcome"] == "refused";
    let entries = audit["data"].as_array().unwrap().iter().filter(refused).count();
    assert_eq!(entries, 1, "one entry stands for many attempts");
    // Two more of this address, and the next has to wait, right or wrong.
    for _ in 0..2 {
        good.clone().without("authorization").send().await.is_problem(401, "unauthenticated");
    }
    let answer = good.send().await;
    answer.is_problem(429, "too-many-requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 60);
}

#[tokio::test]
async fn what_a_host_says_is_bounded() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({"uses": 10})).await;
    for (field, value) in [
        ("public_key", json!("AAAA")),
        ("machine", json!("short")),
        ("machine", json!("G".repeat(64))),
        ("hostname", json!("")),
        ("hostname", json!("x".repeat(256))),
        ("hostname", json!("a\nb")),
        ("version", json!("x".repeat(65))),
        ("name", json!("../x")),
        ("more", json!(1)),
    ] {
        let mut facts = facts(&key(1), MACHINE);
        facts[field] = value;
        let answer = enrolment(&fixture, &token, &key(1), &facts).send().await;
        answer.is_problem(400, "invalid-request");
    }
    let late = fixture
        .ask(Method::POST, paths::AGENT_ENROL)
        .json(&facts(&key(1), MACHINE))
        .token(&token)
        .signed_as("-", &key(1), seconds() - 3600, &fresh_nonce());
    let problem = late.send().await.is_problem(400, "invalid-request");
    assert!(problem["detail"].as_str().unwrap().contains("s behind the server's"), "{problem}");
}

#[tokio::test]
async fn a_reinstalled_machine_keeps_its_name_and_another_does_not_get_it() {
    let fixture = Fixture::new().await;
    let enrol = async |request: Value, seed: u8, machine: &str, hostname: &str| {
        let token = leave(&fixture, request).await;
        let mut facts = facts(&key(seed), machine);
        facts["hostname"] = json!(hostname);
        enrolment(&fixture, &token, &key(seed), &facts).send().await
    };
    let name = |answer: Answer| answer.json()["name"].clone();
    assert_eq!(name(enrol(json!({}), 1, MACHINE, "db-1").await), "db-1");
    // Reinstalled, under another host name and with a new key.
    assert_eq!(name(enrol(json!({}), 2, MACHINE, "renamed").await), "db-1");
    let old = ask_as(&fixture, "db-1", &key(1), "").send().await;
    old.is_problem(401, "unauthenticated");
    assert_eq!(ask_as(&fixture, "db-1", &key(2), "").send().await.status.as_u16(), 200);
    assert_eq!(identity(&fixture, "db-1").await["hostname"], "renamed");

    let taken = enrol(json!({}), 3, OTHER_MACHINE, "db-1").await;
    let problem = taken.is_problem(409, "conflict");
    assert!(problem["hint"].as_str().unwrap().contains("--replaces"), "{problem}");
    enrol(json!({"name": "db-1"}), 3, OTHER_MACHINE, "x").await.is_problem(409, "conflict");
    let replaced = enrol(json!({"replaces": "db-1"}), 3, OTHER_MACHINE, "x").await;
    assert_eq!(name(replaced), "db-1");
    let old = ask_as(&fixture, "db-1", &key(2), "").send().await;
    old.is_problem(401, "unauthenticated");

    let revoke = paths::fill(paths::IDENTITY_REVOKE, "db-1");
    assert_eq!(fixture.post(&revoke, json!({})).await.status.as_u16(), 200);
    // Who was shut out does not come back by a reinstallation.
    enrol(json!({}), 4, OTHER_MACHINE, "x").await.is_problem(409, "conflict");
    let replaced = enrol(json!({"replaces": "db-1"}), 4, OTHER_MACHINE, "x").await;
    assert_eq!(name(replaced), "db-1");
}

#[tokio::test]
async fn leave_is_bounded_and_withdrawn() {
    let fixture = Fixture::new().await;
    for request in [
        json!({"uses": 0}),
        json!({"uses": 10_001}),
        json!({"name": "a", "uses": 2}),
        json!({"name": "two words"}),
        json!({"name": "-"}),
        json!({"replaces": "nobody"}),
        json!({"name": "x", "replaces": AGENT}),
        json!({"expires_in_seconds": 59}),
        json!({"expires_in_seconds": 604_801}),
    ] {
        fixture.post(paths::ENROLMENTS, request).await.is_problem(400, "invalid-request");
    }
    let made = fixture.post(paths::ENROLMENTS, json!({})).await.json();
    let path = paths::fill(paths::ENROLMENT, made["id"].as_str().unwrap());
    let withdraw = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    assert_eq!(withdraw().send().await.status.as_u16(), 204);
    withdraw().send().await.is_problem(404, "not-found");
    let answer = enrol(&fixture, made["token"].as_str().unwrap(), &key(1), MACHINE).await;
    answer.is_problem(401, "unauthenticated");
    let analyst = fixture.token(Role::Analyst).await;
    let refused = fixture.ask(Method::POST, paths::ENROLMENTS).json(&json!({})).token(&analyst);
    refused.send().await.is_problem(403, "action-refused");
}

#[tokio::test]
async fn who_is_revoked_hears_so_at_once() {
    let fixture = Fixture::new().await;
    let held = fixture.ask(Method::GET, "/api/v1/agent/commands?wait=30").signed();
    let revoke = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let path = paths::fill(paths::IDENTITY_REVOKE, AGENT);
        fixture.post(&path, json!({"reason": "stolen"})).await
    };
    let both = async { tokio::join!(held.send(), revoke) };
    let (answer, row) = tokio::time::timeout(Duration::from_secs(28), both).await.unwrap();
    answer.is_problem(403, "identity-revoked");
    let row = row.json();
    assert_eq!((&row["state"], &row["warning"]), (&json!("revoked"), &json!("stolen")));
    let report = fixture.report_as(1, vec![started(42, "nginx", now())]);
    report.send().await.is_problem(403, "identity-revoked");
    assert_eq!(fixture.get(paths::EVENTS).await["data"], json!([]));
    // Only the holder of the key is told.
    let stranger = ask_as(&fixture, AGENT, &key(9), "").send().await;
    stranger.is_problem(401, "unauthenticated");

    let path = paths::fill(paths::IDENTITY_REINSTATE, AGENT);
    assert_eq!(fixture.post(&path, json!({})).await.json()["state"], "active");
    fixture.post(&path, json!({})).await.is_problem(409, "conflict");
    fixture.start_process(1, 42, "nginx").await;
    let hosts = fixture.get(paths::HOSTS).await;
    let identity = &hosts["data"][0]["identity"];
    assert_eq!(identity["state"], "active");
    assert_eq!(identity["key_id"], agent_key().public_key().id());

    let path = paths::fill(paths::IDENTITY, AGENT);
    let forget = || fixture.ask(Method::DELETE, &path).token(&fixture.admin);
    assert_eq!(forget().send().await.status.as_u16(), 204);
    forget().send().await.is_problem(404, "not-found");
    let report = fixture.report_as(2, vec![]);
    report.send().await.is_problem(401, "unauthenticated");
    assert_eq!(fixture.get(paths::HOSTS).await["data"][0]["identity"], Value::Null);
}

#[tokio::test]
async fn a_key_is_replaced_by_its_first_use() {
    let fixture = Fixture::new().await;
    let rotate = |by: &SigningKey, to: &SigningKey| {
        fixture
            .ask(Method::POST, paths::AGENT_ROTATE)
            .json(&json!({"public_key": to.public_key().to_base64()}))
            .signed_as(AGENT, by, seconds(), &fresh_nonce())
    };
    let status =
        async |key: &SigningKey| ask_as(&fixture, AGENT, key, "").send().await.status.as_u16();
    let (old, new) = (agent_key(), key(1));
    assert_eq!(status(&new).await, 401);
    for _ in 0..2 {
        let answer = rotate(&old, &new).send().await;
        assert_eq!(answer.json(), json!({"key_id": new.public_key().id()}));
    }
    // Both, until the new one is used.
    assert_eq!(status(&old).await, 200);
    assert_eq!(status(&old).await, 200);
    assert_eq!(status(&new).await, 200);
    assert_eq!(status(&old).await, 401);
    assert_eq!(status(&new).await, 200);
    let row = identity(&fixture, AGENT).await;
    assert_eq!(row["key_id"], new.public_key().id());
    assert_ne!(row["rotated"], Value::Null);
    assert_eq!(row["warning"], Value::Null, "that may have been under way: {row}");
    let later = fixture
        .ask(Method::POST, paths::AGENT_ROTATE)
        .json(&json!({"public_key": key(3).public_key().to_base64()}))
        .signed_as(AGENT, &old, seconds() + 60, &fresh_nonce());
    later.send().await.is_problem(401, "unauthenticated");
    let row = identity(&fixture, AGENT).await;
    // Whoever used the old one has a copy from before: that is told, once.
    assert!(row["warning"].as_str().unwrap().contains("before the last rotation"), "{row}");
    let alerts = fixture.get(paths::ALERTS).await;
    let alerts = alerts["data"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["finding"]["type"], "cloned_identity");
    assert_eq!((&alerts[0]["severity"], &alerts[0]["count"]), (&json!("high"), &json!(1)));
}

#[tokio::test]
async fn two_machines_with_one_identity_are_noticed() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({})).await;
    enrol(&fixture, &token, &key(1), MACHINE).await;
    let poll =
        async |query: &str| ask_as(&fixture, "db-1", &key(1), query).send().await.status.as_u16();
    let alerts = async || fixture.get(paths::ALERTS).await["data"].as_array().unwrap().clone();
    let machine = format!("&machine={MACHINE}");
    for run in ["A", "A", "B", "B"] {
        assert_eq!(poll(&format!("&run={run}{machine}")).await, 200);
    }
    assert_eq!(alerts().await, [] as [Value; 0], "started again");
    // A comes back: both run. Nobody is shut out, and however long it goes on, it is one alert.
    for run in ["A", "B", "A", "B", "A"] {
        assert_eq!(poll(&format!("&run={run}{machine}")).await, 200);
    }
    let found = alerts().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["finding"]["type"], "cloned_identity");
    assert_eq!((&found[0]["severity"], &found[0]["count"]), (&json!("high"), &json!(1)));
    assert_eq!(found[0]["source"], "host-agent:db-1");
    let row = identity(&fixture, "db-1").await;
    assert_eq!(row["state"], "active");
    assert!(row["warning"].as_str().unwrap().contains("take turns"), "{row}");

    // Somebody looked at it; then another machine shows up with the same key.
    let reinstate = paths::fill(paths::IDENTITY_REINSTATE, "db-1");
    assert_eq!(fixture.post(&reinstate, json!({})).await.json()["warning"], Value::Null);
    assert_eq!(poll(&format!("&run=B&machine={OTHER_MACHINE}")).await, 200);
    let row = identity(&fixture, "db-1").await;
    assert!(row["warning"].as_str().unwrap().contains("another machine"), "{row}");
    assert_eq!(alerts().await[0]["count"], 2);
}

#[tokio::test]
async fn a_clone_is_suspended_where_that_is_wanted() {
    let fixture = Fixture::with_suspended_clones().await;
    let poll = async |run: &str| {
        ask_as(&fixture, AGENT, &agent_key(), &format!("&run={run}")).send().await
    };
    for run in ["A", "B"] {
        assert_eq!(poll(run).await.status.as_u16(), 200);
    }
    poll("A").await.is_problem(403, "identity-suspended");
    poll("B").await.is_problem(403, "identity-suspended");
    assert_eq!(identity(&fixture, AGENT).await["state"], "suspended");
    let audit = fixture.get(paths::AUDIT).await;
    assert_eq!(audit["data"][0]["action"], "suspend_identity");
    let reinstate = paths::fill(paths::IDENTITY_REINSTATE, AGENT);
    assert_eq!(fixture.post(&reinstate, json!({})).await.json()["state"], "active");
    for run in ["A", "A", "B"] {
        assert_eq!(poll(run).await.status.as_u16(), 200, "what was seen before counts no more");
    }
}

/// Two machines of one machine id, as where an image was copied with it: whoever enrols last has the name,
/// and the other one is noticed as soon as it signs again.
#[tokio::test]
async fn who_is_overtaken_by_the_same_machine_id_is_noticed() {
    let fixture = Fixture::new().await;
    for seed in [1, 2] {
        let token = leave(&fixture, json!({})).await;
        let answer = enrol(&fixture, &token, &key(seed), MACHINE).await;
        assert_eq!(answer.json()["name"], "db-1");
    }
    assert_eq!(identity(&fixture, "db-1").await["warning"], Value::Null);
    let overtaken = |later| {
        let path = format!("{}?wait=0", paths::AGENT_COMMANDS);
        let nonce = fresh_nonce();
        fixture.ask(Method::GET, &path).signed_as("db-1", &key(1), seconds() + later, &nonce)
    };
    overtaken(0).send().await.is_problem(401, "unauthenticated");
    let row = identity(&fixture, "db-1").await;
    assert_eq!(row["warning"], Value::Null, "that may have been under way: {row}");
    overtaken(60).send().await.is_problem(401, "unauthenticated");
    let row = identity(&fixture, "db-1").await;
    assert!(row["warning"].as_str().unwrap().contains("earlier copy"), "{row}");
    let alerts = fixture.get(paths::ALERTS).await;
    assert_eq!(alerts["data"][0]["finding"]["type"], "cloned_identity");
    // The one that has the name is not shut out by it.
    assert_eq!(ask_as(&fixture, "db-1", &key(2), "").send().await.status.as_u16(), 200);
}

#[tokio::test]
async fn who_was_shut_out_does_not_enrol_under_another_name() {
    let fixture = Fixture::new().await;
    let token = leave(&fixture, json!({})).await;
    enrol(&fixture, &token, &key(1), MACHINE).await;
    let revoke = paths::fill(paths::IDENTITY_REVOKE, "db-1");
    assert_eq!(fixture.post(&revoke, json!({})).await.status.as_u16(), 200);
    for request in [json!({"name": "db-9"}), json!({}), json!({"replaces": AGENT})] {
        let token = leave(&fixture, request.clone()).await;
        let mut facts = facts(&key(2), MACHINE);
        facts["hostname"] = json!("db-9");
        let answer = enrolment(&fixture, &token, &key(2), &facts).send().await;
        let problem = answer.is_problem(409, "conflict");
        assert!(problem["detail"].as_str().unwrap().contains("db-1"), "{request}: {problem}");
    }
    // Another machine is welcome, and so is this one where somebody says that it replaces itself.
    let token = leave(&fixture, json!({"name": "db-9"})).await;
    assert_eq!(enrol(&fixture, &token, &key(3), OTHER_MACHINE).await.status.as_u16(), 200);
    let token = leave(&fixture, json!({"replaces": "db-1"})).await;
    assert_eq!(enrol(&fixture, &token, &key(2), MACHINE).await.json()["name"], "db-1");
}

/// An order is for the machine that had the name when it was given.
#[tokio::test]
async fn orders_do_not_follow_a_name_to_another_machine() {
    let fixture = Fixture::new().await;
    let host = format!("host-agent:{AGENT}");
    let order = async |pid: i64| {
        fixture.start_process(pid.unsigned_abs(), pid, "evil.sh").await;
        let target = json!({"pid": pid, "name": "evil.sh"});
        let body = json!({
            "host": host, "action": "stop_process", "target": target, "reason": "a test",
        });
        let answer = fixture.post(paths::COMMANDS, body).await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let state = async |id: &str| {
        let row = fixture.get(&paths::fill(paths::COMMAND, id)).await;
        format!("{}: {}", row["state"].as_str().unwrap(), row["result"].as_str().unwrap_or("-"))
    };
    let first = order(42).await;
    assert_eq!(state(&first).await, "queued: -");
    let token = leave(&fixture, json!({"replaces": AGENT})).await;
    assert_eq!(enrol(&fixture, &token, &key(1), MACHINE).await.json()["name"], AGENT);
    assert_eq!(state(&first).await, "withdrawn: the host was replaced by another machine");
    let commands = ask_as(&fixture, AGENT, &key(1), "").send().await;
    assert_eq!(commands.json()["commands"], json!([]));

    let report = |sequence: u64| {
        let mut request = fixture.report_as(sequence, vec![started(43, "evil.sh", now())]);
        request = request.signed_as(AGENT, &key(1), seconds(), &fresh_nonce());
        request
    };
    assert_eq!(report(1).send().await.status.as_u16(), 200);
    let body = json!({
        "host": host, "action": "stop_process", "target": {"pid": 43, "name": "evil.sh"},
        "reason": "a test",
    });
    let second =
        fixture.post(paths::COMMANDS, body).await.json()["id"].as_str().unwrap().to_owned();
    let path = paths::fill(paths::IDENTITY, AGENT);
    let forget = fixture.ask(Method::DELETE, &path).token(&fixture.admin).send().await;
    assert_eq!(forget.status.as_u16(), 204);
    assert_eq!(state(&second).await, "withdrawn: the host was forgotten");
}

/// What could not be written down was told to nobody: the next sighting tells it.
#[tokio::test]
async fn a_clone_that_could_not_be_told_is_told_at_the_next_sighting() {
    let fixture = Fixture::new().await;
    let identities = &fixture.server.identities;
    let no_room = EngineSettings { queue_bytes_max: 0, ..EngineSettings::default() };
    let rules = Rules::clone(&fixture.server.engine.rules());
    let busy = Engine::start(Arc::clone(&fixture.database), rules, &no_room).unwrap();
    let tell = async |engine: &Engine| {
        let address = "192.0.2.1".parse().unwrap();
        identities.tell_of_clone(engine, AGENT, CloneEvidence::TwoRuns, address, now()).await
    };
    let alerts = async || fixture.get(paths::ALERTS).await["data"].as_array().unwrap().len();
    assert!(tell(&busy).await.is_err());
    assert_eq!(alerts().await, 0);
    tell(&fixture.server.engine).await.unwrap();
    assert_eq!(alerts().await, 1);
    // And then it is not told again for a while.
    tell(&busy).await.unwrap();
}
