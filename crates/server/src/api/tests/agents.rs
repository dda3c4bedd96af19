use super::Fixture;
use super::fixture::{AGENT, agent_key, other_key, seconds, started};
use crate::engine::now;
use crate::identities::Identities;
use crate::server::Server;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_access::KeyStanding;
use ringwall_event::{Activity, HttpRequest, SignIn, Timestamp};
use ringwall_server_api::{AgentEvent, CommandPayload, paths};
use ringwall_signing::request_signature::{Claim, Message, Signer};
use ringwall_signing::{canonical_json, verify_command};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tower::ServiceExt;

/// Recorded, and sent again to a server that was started anew with a clock that had been set back.
#[tokio::test]
async fn a_clock_that_is_set_back_across_a_restart_makes_nothing_new() {
    let fixture = Fixture::new().await;
    let Server { engine, .. } = &*fixture.server;
    let key = agent_key();
    let message = Message::new("POST", paths::AGENT_REPORTS, b"{}");
    let genuine = |created: i64| {
        let nonce = format!("recorded-{created:016}");
        let signed = Signer { key: &key, agent: AGENT }.sign(&message, created, &nonce).unwrap();
        let claim = Claim::read(&signed.input, &signed.signature).unwrap();
        claim.verify(&key.public_key(), &message, &signed.content_digest).unwrap()
    };
    let accept = async |identities: &Identities, created: i64, at: Timestamp| {
        let address = "192.0.2.1".parse().unwrap();
        identities
            .accept(engine, &genuine(created), KeyStanding::Current, address, at)
            .await
            .map_err(|error| error.to_string())
    };
    let load = |at| Identities::load(&fixture.database, false, at).unwrap();

    let now = now();
    accept(&fixture.server.identities, now.as_seconds(), now).await.unwrap();
    // It is on the disk with whatever is committed next: what it led to.
    engine.write(|_| Ok(())).await.unwrap();
    for back in [0, 1, 60, 299] {
        let started = now.plus_seconds(-back);
        let refused = accept(&load(started), now.as_seconds(), started).await;
        assert_eq!(refused, Err("signed before the server started".to_owned()), "{back} s back");
    }
    // Where the clock goes on, so do the agents.
    let later = now.plus_seconds(2);
    assert_eq!(accept(&load(now), later.as_seconds(), later).await, Ok(()));

    // One agent's clock that is ahead is not everybody's: it has a horizon of its own.
    accept(&fixture.server.identities, now.as_seconds() + 250, now).await.unwrap();
    engine.write(|_| Ok(())).await.unwrap();
    let known = crate::engine::accepted_up_to(&fixture.database).unwrap();
    assert_eq!(known, Some(later.as_seconds()));
}

/// What the body is said to be is signed with it.
#[tokio::test]
async fn altered_headers_of_the_body_are_refused() {
    let fixture = Fixture::new().await;
    let request = || fixture.report_as(1, vec![started(42, "nginx", now())]);
    for altered in [
        request().header("content-type", "application/octet-stream"),
        request().header("content-type", "application/json; charset=utf-8"),
        request().without("content-type"),
        request().header("content-encoding", "zstd"),
        request().header("content-encoding", "gzip"),
        request().header("content-encoding", "identity"),
        request().header("content-encoding", ""),
    ] {
        altered.send().await.is_problem(401, "unauthenticated");
    }
    let mut twice = request().request();
    twice.headers_mut().append("content-type", "application/json".parse().unwrap());
    let answer = fixture.router.clone().oneshot(twice).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(request().send().await.json(), json!({"accepted": 1, "duplicates": 0}));
}

#[tokio::test]
async fn reports_are_taken_once() {
    let fixture = Fixture::new().await;
    let report = fixture.report_as(1, vec![started(42, "nginx", now()), started(43, "php", now())]);
    let first = report.send().await;
    assert_eq!(first.json(), json!({"accepted": 2, "duplicates": 0}));
    // The same body again, signed anew, as after a lost answer.
    let again = report.clone().signed().send().await;
    assert_eq!(again.json(), json!({"accepted": 0, "duplicates": 2}));
    // The same number with another body is another report.
    let other = fixture.report(1, vec![started(44, "redis", now())]).await;
    assert_eq!(other, json!({"accepted": 1, "duplicates": 0}));
    let events = fixture.get(paths::EVENTS).await;
    assert_eq!(events["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn requests_and_sign_ins_are_taken_and_their_texts_cut() {
    let fixture = Fixture::new().await;
    let time = now();
    let seen = |activity| AgentEvent { time, severity: None, activity };
    let request = HttpRequest {
        method: "GET".into(),
        path: format!("/search?q={}", "x".repeat(20 << 10)).into(),
        client_address: Some("203.0.113.9".into()),
        user_agent: Some("curl/8.5.0".into()),
        status: Some(404),
        ..HttpRequest::default()
    };
    let sign_in = SignIn {
        user: "r".repeat(1000).into(),
        service: Some("sshd".into()),
        client_address: Some("203.0.113.9".into()),
        pid: Some(812),
        ..SignIn::default()
    };
    let events = vec![
        seen(Activity::HttpRequest(Box::new(request))),
        seen(Activity::SignIn(Box::new(sign_in))),
    ];
    assert_eq!(fixture.report(1, events).await, json!({"accepted": 2, "duplicates": 0}));

    let of_kind = async |kind: &str| {
        let page = fixture.get(&format!("{}?kind={kind}", paths::EVENTS)).await;
        assert_eq!(page["data"].as_array().unwrap().len(), 1, "{kind}: {page}");
        page["data"][0].clone()
    };
    let request = of_kind("http_request").await;
    assert_eq!(request["kind"], "http_request");
    assert_eq!(request["ocsf"]["class_uid"], 4002);
    assert_eq!(request["ocsf"]["http_response"]["code"], 404);
    let path = request["ocsf"]["http_request"]["url"]["path"].as_str().unwrap();
    assert!(path.len() <= 8 << 10 && path.ends_with('…'), "{} bytes", path.len());
    let sign_in = of_kind("sign_in").await;
    assert_eq!((&sign_in["pid"], &sign_in["ocsf"]["class_uid"]), (&json!(812), &json!(3002)));
    let user = sign_in["ocsf"]["user"]["name"].as_str().unwrap();
    assert!(user.len() <= 255 && user.ends_with('…'), "{user}");
    // The detail of one event is the same as in the list.
    let id = sign_in["id"].as_str().unwrap();
    assert_eq!(fixture.get(&paths::fill(paths::EVENT, id)).await, sign_in);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_signature_looks_the_same() {
    let fixture = Fixture::new().await;
    let second = seconds();
    let good = fixture.report_as(1, vec![started(42, "nginx", now())]);
    let nonce = "0123456789abcdef";
    let as_agent = |agent: &str, key, at| good.clone().signed_as(agent, key, at, nonce);
    let (agent_key, other_key) = (agent_key(), other_key());
    let mut other_body = good.clone();
    other_body.body.push(b' ');
    let mut other_path = good.clone();
    other_path.path.push_str("?x=y");
    let requests = [
        ("another key", as_agent(AGENT, &other_key, second)),
        ("an unknown agent", as_agent("web-2", &agent_key, second)),
        ("nobody", as_agent("-", &agent_key, second)),
        ("an old request", as_agent(AGENT, &agent_key, second - 301)),
        ("a request from the future", as_agent(AGENT, &agent_key, second + 302)),
        ("another body", other_body),
        ("another path", other_path),
        ("no signature", good.clone().without("signature")),
        ("no input", good.clone().without("signature-input")),
        ("no digest", good.clone().without("content-digest")),
        (
            "the headers of before",
            good.clone().without("signature").header("x-ringwall-agent", AGENT),
        ),
        ("a bare signature", good.clone().header("signature", "AAAA")),
        ("a token instead", good.clone().without("signature").token(&fixture.admin)),
        ("malformed JSON, unsigned", good.clone().bytes(b"{")),
    ];
    for (what, request) in requests {
        let answer = request.send().await;
        assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
        let problem = answer.is_problem(401, "unauthenticated");
        assert_eq!(problem["detail"], "credentials are missing or not valid", "{what}");
    }
    assert_eq!(good.send().await.status.as_u16(), 200);
    // Word for word a second time: a replay.
    good.send().await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn signed_nonsense_is_refused_and_nothing_of_it_kept() {
    let fixture = Fixture::new().await;
    let good = json!({
        "spool_id": "b", "sequence": 1, "hostname": "web-1", "dropped_total": 0, "events": [],
    });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let process = json!({"ProcessStarted": {"pid": 9_223_372_036_854_775_808_u64, "name": "x"}});
    let beyond = json!([{"time": "2026-01-15T10:00:00Z", "activity": process}]);
    for body in [
        Value::Null,
        json!({}),
        with("sequence", json!(-1)),
        with("spool_id", json!("")),
        with("hostname", json!("h".repeat(256))),
        with("events", json!({})),
        with("events", json!([{"time": "2026-01-15T10:00:00Z"}])),
        with("events", json!([{"time": "soon", "activity": {"Inventory": {"processes": []}}}])),
        with("events", beyond),
    ] {
        let request = fixture.ask(Method::POST, paths::AGENT_REPORTS).json(&body).signed();
        request.send().await.is_problem(400, "invalid-request");
    }
    let lost = json!({"EventsLost": {"spool_id": "b", "count": 1, "total": 1}});
    let lost = json!([{"time": "2026-01-15T10:00:00Z", "activity": lost}]);
    let request = fixture.ask(Method::POST, paths::AGENT_REPORTS).json(&with("events", lost));
    request.signed().send().await.is_problem(400, "invalid-request");
    let large = format!("{{\"spool_id\":\"{}\"}}", "x".repeat(17 << 20));
    let request = fixture.ask(Method::POST, paths::AGENT_REPORTS);
    let request = request.header("content-type", "application/json").bytes(large.as_bytes());
    request.signed().send().await.is_problem(413, "body-too-large");
    assert_eq!(fixture.get(paths::EVENTS).await["data"], json!([]));
    let request = fixture.ask(Method::POST, paths::AGENT_REPORTS).json(&good).signed();
    assert_eq!(request.send().await.json(), json!({"accepted": 0, "duplicates": 0}));
}

/// Observe, conclude, act: from a process start to the result of its kill.
#[tokio::test]
async fn a_known_bad_process_is_killed_by_a_signed_command() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "evil.sh").await;
    let alerts = fixture.get(paths::ALERTS).await;
    let alert = &alerts["data"][0];
    assert_eq!(alert["finding"]["type"], "indicator_match");
    assert_eq!(alert["source"], "host-agent:web-1");
    let command = &alert["commands"][0];
    assert_eq!(command["state"], "queued");

    let ask = || fixture.ask(Method::GET, "/api/v1/agent/commands?wait=0").signed();
    let commands = ask().send().await.json();
    let signed = &commands["commands"][0];
    let payload = STANDARD.decode(signed["payload"].as_str().unwrap()).unwrap();
    let key = fixture.server.secrets.signing_key().public_key();
    verify_command(&key, &payload, signed["signature"].as_str().unwrap()).unwrap();
    let value: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(canonical_json(&value).as_bytes(), payload);
    let order: CommandPayload = serde_json::from_value(value).unwrap();
    assert_eq!(order.host, AGENT);
    let target = order.order.process().unwrap();
    assert_eq!((target.pid, &*target.name), (4321, "evil.sh"));
    assert_eq!(target.start_time, Some(Timestamp::from_micros(1_700_000_000_000_000)));
    assert!(order.expires > order.issued);
    // Once handed out, it is not handed out again at once.
    assert_eq!(ask().send().await.json(), json!({"commands": []}));

    let path = paths::fill(paths::AGENT_COMMAND_RESULT, &order.id);
    let result = |state: &str| {
        let body = json!({"state": state, "result": "ended by SIGTERM"});
        fixture.ask(Method::POST, &path).json(&body).signed()
    };
    assert_eq!(result("succeeded").send().await.status.as_u16(), 204);
    // A second report does not change the first.
    assert_eq!(result("failed").send().await.status.as_u16(), 204);
    let command = fixture.get(&paths::fill(paths::COMMAND, &order.id)).await;
    assert_eq!(command["state"], "succeeded");
    assert_eq!(command["result"], "ended by SIGTERM");
    assert_eq!(command["ordered_by"], "rule:indicator");

    let audit = fixture.get(paths::AUDIT).await;
    let entries: Vec<_> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["actor"].as_str().unwrap(), entry["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(entries, [("host-agent:web-1", "succeeded"), ("rule:indicator", "permitted")]);
}

#[tokio::test]
async fn a_result_is_taken_from_the_commands_own_agent_only() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 4321, "evil.sh").await;
    let server = &fixture.server;
    server.identities.add(&server.engine, "web-2", other_key().public_key()).await;
    let commands = fixture.get(paths::COMMANDS).await;
    let id = commands["data"][0]["id"].as_str().unwrap();
    let path = paths::fill(paths::AGENT_COMMAND_RESULT, id);
    let request = fixture
        .ask(Method::POST, &path)
        .json(&json!({"state": "succeeded", "result": ""}))
        .signed_as("web-2", &other_key(), seconds(), "0123456789abcdef");
    request.send().await.is_problem(404, "not-found");
    let command = fixture.get(&paths::fill(paths::COMMAND, id)).await;
    assert_eq!(command["state"], "queued");
}

#[tokio::test]
async fn a_held_request_answers_when_a_command_comes() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 42, "nginx").await;
    let held = fixture.ask(Method::GET, "/api/v1/agent/commands?wait=30").signed();
    let began = Instant::now();
    let order = async {
        // The request is being held when the process starts: the wait is as long as it takes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.start_process(2, 4321, "evil.sh").await;
    };
    let (answer, ()) = tokio::join!(held.send(), order);
    assert_eq!(answer.json()["commands"].as_array().unwrap().len(), 1, "{}", answer.text);
    // Not when its wait was over.
    assert!(began.elapsed() < Duration::from_secs(28), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_held_request_ends_when_the_server_stops() {
    let fixture = Fixture::new().await;
    let held = fixture.ask(Method::GET, "/api/v1/agent/commands?wait=30").signed();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.stop.send(true).unwrap();
    };
    let both = async { tokio::join!(held.send(), stop) };
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(28), both).await.unwrap();
    assert_eq!(answer.json(), json!({"commands": []}));
}

#[tokio::test]
async fn a_packed_report_is_the_same_report_and_its_losses_count_once() {
    let fixture = Fixture::new().await;
    let report = |sequence: u64, dropped_total: u64| {
        let process = json!({"ProcessStarted": {"pid": 7, "name": "x".repeat(2000)}});
        let body = json!({
            "spool_id": "5f", "sequence": sequence, "hostname": AGENT,
            "dropped_total": dropped_total,
            "events": [{"time": "2026-01-15T10:00:00Z", "activity": process}],
        });
        serde_json::to_vec(&body).unwrap()
    };
    let send = async |body: &[u8], encoding: Option<&str>| {
        let mut request = fixture
            .ask(Method::POST, paths::AGENT_REPORTS)
            .header("content-type", "application/json")
            .bytes(body);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        request.signed().send().await
    };
    let plain = report(1, 5);
    let packed = zstd::bulk::compress(&plain, 1).unwrap();
    let first = send(&packed, Some("zstd")).await;
    assert_eq!(first.json()["accepted"], 1, "{}", first.text);
    // An agent that was updated in between may pack differently, or not at all.
    let again = send(&plain, None).await;
    assert_eq!((&again.json()["accepted"], &again.json()["duplicates"]), (&json!(0), &json!(1)));
    assert_eq!(send(&report(2, 5), None).await.status.as_u16(), 200);
    assert_eq!(send(&report(3, 8), None).await.status.as_u16(), 200);
    let hosts = fixture.get(paths::HOSTS).await;
    assert_eq!(hosts["data"][0]["events_lost"], 8, "{hosts}");
    let told = fixture.get(&format!("{}?kind=events_lost", paths::EVENTS)).await;
    assert_eq!(told["data"].as_array().unwrap().len(), 2, "{told}");

    send(&packed, Some("gzip")).await.is_problem(415, "unsupported-media-type");
    send(&plain, Some("zstd")).await.is_problem(400, "invalid-request");
    let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
    send(&bomb, Some("zstd")).await.is_problem(413, "body-too-large");
}
