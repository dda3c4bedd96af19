use super::fixture::{Answer, Fixture};
use super::receiver::{BROKEN, FINE, Manner, Received, Receiver};
use crate::config::{Config, WebhooksSection};
use crate::webhooks::{self, SysScoreSettings};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_event::Timestamp;
use ringwall_server_api::paths;
use ringwall_signing::{Secret, mac_base64, verify_mac_base64};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// A server that sends, to loopback, too.
struct Sending {
    fixture: Fixture,
}

fn quick() -> WebhooksSection {
    WebhooksSection {
        allow_networks: vec!["127.0.0.0/8".to_owned()],
        attempts_max: 2,
        retry_first_seconds: 1,
        timeout_seconds: 60,
        ..WebhooksSection::default()
    }
}

impl Sending {
    async fn new(webhooks: WebhooksSection) -> Self {
        Self::with(webhooks, SysScoreSettings::default()).await
    }

    async fn with(webhooks: WebhooksSection, sysscore: SysScoreSettings) -> Self {
        let fixture = Fixture::with(Config { webhooks, ..Config::default() }, sysscore).await;
        let shutdown = fixture.server.shutdown.clone();
        tokio::spawn(webhooks::run(Arc::clone(&fixture.server), shutdown));
        Self { fixture }
    }

    async fn add(&self, url: &str) -> Value {
        self.add_as(json!({"name": "on call", "url": url})).await
    }

    async fn add_as(&self, webhook: Value) -> Value {
        let answer = self.fixture.post(paths::WEBHOOKS, webhook).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    async fn change(&self, id: &str, change: Value) -> Answer {
        let path = paths::fill(paths::WEBHOOK, id);
        let request = self.fixture.ask(Method::PATCH, &path).token(&self.fixture.admin);
        request.json(&change).send().await
    }

    async fn deliveries(&self) -> Vec<Value> {
        self.fixture.get(paths::DELIVERIES).await["data"].as_array().unwrap().clone()
    }

    async fn detail(&self, id: &Value) -> Value {
        self.fixture.get(&paths::fill(paths::DELIVERY, id.as_str().unwrap())).await
    }

    /// Waits until the newest delivery is in this state.
    async fn wait_for(&self, state: &str) -> Value {
        for _ in 0..12_000 {
            if let Some(newest) = self.deliveries().await.first()
                && newest["state"] == state
            {
                return newest.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not {state}: {:#?}", self.deliveries().await);
    }
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

/// As Standard Webhooks 1.0 tells receivers to check.
fn is_signed(message: &Received, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut signed =
        format!("{}.{}.", message.header("webhook-id"), message.header("webhook-timestamp"))
            .into_bytes();
    signed.extend_from_slice(&message.body);
    let key = Secret::from(key);
    message.header("webhook-signature").split(' ').any(|signature| {
        signature.strip_prefix("v1,").is_some_and(|text| verify_mac_base64(&key, &signed, text))
    })
}

#[tokio::test]
async fn an_alert_is_told_signed_and_seen() {
    let receiver = Receiver::new(FINE).await;
    let sending = Sending::new(quick()).await;
    let made = sending.add(&receiver.url()).await;
    let secret = made["secret"].as_str().unwrap();
    sending.fixture.start_process(1, 4711, "evil.sh").await;

    let message = receiver.wait_for(1).await.remove(0);
    assert_eq!(message.line, "POST /hook HTTP/1.1");
    assert_eq!(message.header("content-type"), "application/json");
    assert!(message.header("user-agent").starts_with("Ringwall/"));
    assert!(is_signed(&message, secret), "{message:?}");
    assert!(!is_signed(&Received { body: b"{}".to_vec(), ..message.clone() }, secret));
    let body = message.json();
    assert_eq!(body["type"], "alert.raised");
    assert!(Timestamp::parse(body["timestamp"].as_str().unwrap()).is_ok());
    let alert = sending.fixture.get(paths::ALERTS).await["data"][0].clone();
    let data = &body["data"];
    for field in ["id", "severity", "host", "source", "title", "finding", "reasons", "process"] {
        assert_eq!(data[field], alert[field], "{field}");
    }
    let link = format!("http://127.0.0.1:7400/alerts/{}", id(&alert));
    assert_eq!(data["links"]["dashboard"], link);

    let delivery = sending.wait_for("success").await;
    assert_eq!(delivery["id"], message.header("webhook-id"));
    assert_eq!(delivery["subject"], alert["id"]);
    assert_eq!(delivery["attempts"], 1);
    let detail = sending.detail(&delivery["id"]).await;
    assert_eq!(detail["payload"], body);
    assert_eq!(detail["attempts"][0]["status"], 200);
    assert_eq!(detail["attempts"][0]["answer"], "ok");
    assert_eq!(detail["attempts"][0]["error"], Value::Null);
    // Seen again is nothing new.
    sending.fixture.start_process(2, 4711, "evil.sh").await;
    assert_eq!(sending.deliveries().await.len(), 1);
}

#[tokio::test]
async fn only_what_fits_is_told() {
    let receiver = Receiver::new(FINE).await;
    let sending = Sending::new(quick()).await;
    let all = sending.add(&receiver.url()).await;
    for (name, filter) in [
        ("of another host", json!({"sources": ["host-agent:db-1"]})),
        ("of another kind", json!({"findings": ["risk_threshold"]})),
        ("of worse", json!({"min_severity": "critical"})),
        ("paused", json!({"enabled": false})),
    ] {
        let mut webhook = filter;
        webhook["name"] = name.into();
        webhook["url"] = receiver.url().into();
        sending.add_as(webhook).await;
    }
    let mut fits = json!({"sources": ["host-agent:web-1"], "findings": ["indicator_match"]});
    fits["name"] = "fits".into();
    fits["url"] = receiver.url().into();
    let fits = sending.add_as(fits).await;
    sending.fixture.start_process(1, 4711, "evil.sh").await;
    let told: Vec<Value> =
        sending.deliveries().await.iter().map(|delivery| delivery["webhook"].clone()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&all["id"]) && told.contains(&fits["id"]));
    receiver.wait_for(2).await;
}

#[tokio::test]
async fn what_is_given_up_is_replayed_under_its_id() {
    let receiver = Receiver::new(BROKEN).await;
    let sending = Sending::new(quick()).await;
    let made = sending.add(&receiver.url()).await;
    sending.fixture.start_process(1, 4711, "evil.sh").await;
    let dead = sending.wait_for("dead_letter").await;
    assert_eq!((&dead["attempts"], &dead["last_error"]), (&json!(2), &json!("answered 500")));
    assert_eq!(dead["next_attempt"], Value::Null);
    let detail = sending.detail(&dead["id"]).await;
    let answers: Vec<&Value> =
        detail["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["answer"]).collect();
    assert_eq!(answers, ["broken", "broken"]);
    let webhook = paths::fill(paths::WEBHOOK, id(&made));
    assert_eq!(sending.fixture.get(&webhook).await["deliveries"]["dead_letter"], 1);

    receiver.behave(FINE);
    let replay = paths::fill(paths::WEBHOOK_REPLAY, id(&made));
    let answer = sending.fixture.post(&replay, json!({})).await;
    assert_eq!(answer.json(), json!({"replayed": 1, "left": 0}));
    sending.wait_for("success").await;
    // And once more by hand, though it arrived.
    let one = paths::fill(paths::DELIVERY_REPLAY, id(&dead));
    assert_eq!(sending.fixture.post(&one, json!({})).await.status, StatusCode::ACCEPTED);
    let ids: Vec<String> =
        receiver.wait_for(4).await.iter().map(|m| m.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, vec![id(&dead); 4]);
    let audit = sending.fixture.get(paths::AUDIT).await.to_string();
    for action in ["add_webhook", "replay_dead_letters", "replay_delivery"] {
        assert!(audit.contains(action), "{action}");
    }
}

#[tokio::test]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
    let receiver = Receiver::new(Manner::Say(
        "HTTP/1.1 429 Slow down\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    let sending = Sending::new(quick()).await;
    sending.add(&receiver.url()).await;
    sending.fixture.start_process(1, 4711, "evil.sh").await;
    let failed = sending.wait_for("failed").await;
    let moment = |field: &str| Timestamp::parse(failed[field].as_str().unwrap()).unwrap();
    let wait = moment("next_attempt").micros_since(moment("created")) / 1_000_000;
    assert!((90..=140).contains(&wait), "{wait} s");
    // The next alert waits, too.
    sending.fixture.start_process(2, 4712, "evil.sh").await;
    sending.wait_for("pending").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_silent_receiver_costs_an_attempt() {
    let section = WebhooksSection { attempts_max: 1, timeout_seconds: 1, ..quick() };
    let sending = Sending::new(section).await;
    let receiver = Receiver::new(Manner::Silent).await;
    let made = sending.add(&receiver.url()).await;
    let test = paths::fill(paths::WEBHOOK_TEST, id(&made));
    assert_eq!(sending.fixture.post(&test, json!({})).await.status, StatusCode::ACCEPTED);
    let ended = sending.wait_for("dead_letter").await;
    assert_eq!(ended["last_error"], json!("no answer within 1 s"));
}

#[tokio::test]
async fn nasty_receivers_cost_an_attempt_and_nothing_else() {
    let sending = Sending::new(WebhooksSection { attempts_max: 1, ..quick() }).await;
    let elsewhere = Receiver::new(FINE).await;
    let redirect = format!(
        "HTTP/1.1 307 Go\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address
    );
    let cases = [
        (Manner::Reset, "dead_letter", "no answer: "),
        (Manner::Endless, "success", ""),
        (Manner::Say("nonsense\r\n\r\n"), "dead_letter", "no answer: "),
        (Manner::Say(""), "dead_letter", "no answer: "),
        (
            Manner::Say(Box::leak(redirect.into_boxed_str())),
            "dead_letter",
            "answered 307; redirects are not followed",
        ),
        (Manner::Say("HTTP/1.1 404 No\r\n\r\n<html>\u{1b}[2J"), "dead_letter", "answered 404"),
    ];
    for (number, (manner, state, error)) in (1_u32..).zip(cases) {
        let receiver = Receiver::new(manner).await;
        let webhook = json!({"name": format!("nasty {number}"), "url": receiver.url()});
        let made = sending.add_as(webhook).await;
        let test = paths::fill(paths::WEBHOOK_TEST, id(&made));
        assert_eq!(sending.fixture.post(&test, json!({})).await.status, StatusCode::ACCEPTED);
        let ended = sending.wait_for(state).await;
        assert_eq!(ended["webhook"], made["id"], "{manner:?}");
        let told = ended["last_error"].as_str().unwrap_or_default();
        assert!(told.starts_with(error), "{manner:?}: {told}");
        let detail = sending.detail(&ended["id"]).await;
        let answer = detail["attempts"][0]["answer"].as_str().unwrap();
        assert!(answer.len() <= 1024, "{}", answer.len());
        if matches!(manner, Manner::Endless) {
            assert_eq!(answer.len(), 1024);
        }
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_however_they_are_named() {
    let receiver = Receiver::new(FINE).await;
    let section = WebhooksSection { allow_networks: Vec::new(), attempts_max: 1, ..quick() };
    let sending = Sending::new(section).await;
    let port = receiver.address.port();
    for literal in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://[64:ff9b::7f00:1]/".to_owned(),
    ] {
        let answer =
            sending.fixture.post(paths::WEBHOOKS, json!({"name": "x", "url": literal})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{literal}: {}", answer.text);
    }
    // What a name leads to is known when it is asked: then it is refused as well.
    for (number, host) in ["localhost", "2130706433", "0x7f.1"].iter().enumerate() {
        let url = format!("http://{host}:{port}/secret-place");
        let made = sending.add_as(json!({"name": format!("n{number}"), "url": url})).await;
        let test = paths::fill(paths::WEBHOOK_TEST, id(&made));
        sending.fixture.post(&test, json!({})).await;
        let dead = sending.wait_for("dead_letter").await;
        assert_eq!(dead["webhook"], made["id"]);
        let error = dead["last_error"].as_str().unwrap();
        assert!(error.contains("loopback") || error.contains("cannot resolve"), "{error}");
        assert!(!error.contains("secret-place"), "{error}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn secrets_are_told_once_and_addresses_in_part() {
    let sending = Sending::new(quick()).await;
    let url = "https://bob:pa55word@example.com/in?token=t0ken";
    let made = sending.add(url).await;
    assert_eq!(made["webhook"]["url"], "https://***@example.com/in?***");
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let listed = sending.fixture.get(paths::WEBHOOKS).await;
    assert_eq!(listed["data"][0], made["webhook"]);
    let database = sending
        .fixture
        .server
        .engine
        .read(|session| {
            use ringwall_store::StateStore;
            session.documents::<Value>("webhook")
        })
        .await
        .unwrap();
    let texts = [listed.to_string(), format!("{database:?}")];
    for text in texts {
        for told in ["pa55word", "t0ken", secret, &secret[6..]] {
            assert!(!text.contains(told), "{told} in {text}");
        }
    }
    let again = json!({"name": "on call", "url": url});
    let taken = sending.fixture.post(paths::WEBHOOKS, again).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
    for (wrong, field) in [
        (json!({"name": "", "url": url}), "name"),
        (json!({"name": "b", "url": "ftp://example.com/"}), "url"),
        (json!({"name": "b", "url": url, "findings": ["typo"]}), "findings"),
    ] {
        let answer = sending.fixture.post(paths::WEBHOOKS, wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.text.contains(field) && !answer.text.contains("t0ken"), "{}", answer.text);
    }
}

#[tokio::test]
async fn while_a_secret_rotates_both_sign() {
    let receiver = Receiver::new(FINE).await;
    let sending = Sending::new(quick()).await;
    let made = sending.add(&receiver.url()).await;
    let rotate = paths::fill(paths::WEBHOOK_ROTATE_SECRET, id(&made));
    let rotated = sending.fixture.post(&rotate, json!({})).await.json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["previous_until"].is_string());
    let test = paths::fill(paths::WEBHOOK_TEST, id(&made));
    sending.fixture.post(&test, json!({})).await;
    let message = receiver.wait_for(1).await.remove(0);
    assert_eq!(message.json()["type"], "test");
    assert_eq!(message.header("webhook-signature").split(' ').count(), 2);
    for secret in [&made["secret"], &rotated["secret"]] {
        assert!(is_signed(&message, secret.as_str().unwrap()), "{message:?}");
    }
}

#[tokio::test]
async fn a_paused_webhook_keeps_what_waits_and_a_removed_one_gives_it_up() {
    let receiver = Receiver::new(BROKEN).await;
    let section = WebhooksSection { retry_first_seconds: 3600, attempts_max: 9, ..quick() };
    let sending = Sending::new(section).await;
    let made = sending.add(&receiver.url()).await;
    sending.fixture.start_process(1, 4711, "evil.sh").await;
    sending.wait_for("failed").await;
    assert_eq!(sending.change(id(&made), json!({"enabled": false})).await.status, StatusCode::OK);
    sending.fixture.start_process(2, 4712, "evil.sh").await;
    assert_eq!(sending.deliveries().await.len(), 1, "nothing new while it is paused");
    let test = paths::fill(paths::WEBHOOK_TEST, id(&made));
    assert_eq!(sending.fixture.post(&test, json!({})).await.status, StatusCode::CONFLICT);
    receiver.behave(FINE);
    let resumed = sending.change(id(&made), json!({"enabled": true})).await;
    assert_eq!(resumed.json()["enabled"], true);
    sending.wait_for("success").await;

    receiver.behave(BROKEN);
    sending.fixture.start_process(3, 4713, "evil.sh").await;
    let failed = sending.wait_for("failed").await;
    let path = paths::fill(paths::WEBHOOK, id(&made));
    let removed = sending.fixture.ask(Method::DELETE, &path).token(&sending.fixture.admin);
    assert_eq!(removed.send().await.status, StatusCode::NO_CONTENT);
    let dead = sending.wait_for("dead_letter").await;
    assert_eq!(dead["last_error"], "the webhook was removed");
    let replay = paths::fill(paths::DELIVERY_REPLAY, id(&failed));
    assert_eq!(sending.fixture.post(&replay, json!({})).await.status, StatusCode::CONFLICT);
    assert_eq!(removed.send().await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_left_alone() {
    let receiver =
        Receiver::new(Manner::Say("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")).await;
    let sending = Sending::new(quick()).await;
    let made = sending.add(&receiver.url()).await;
    sending.fixture.start_process(1, 4711, "evil.sh").await;
    sending.wait_for("dead_letter").await;
    let row = sending.fixture.get(&paths::fill(paths::WEBHOOK, id(&made))).await;
    assert_eq!(row["enabled"], false);
    assert_eq!(row["paused_because"], "the receiver answered 410 Gone");
    assert!(sending.fixture.get(paths::AUDIT).await.to_string().contains("pause_webhook"));
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_are_dead_letters() {
    let receiver = Receiver::new(BROKEN).await;
    let section =
        WebhooksSection { waiting_max: 2, retry_first_seconds: 3600, attempts_max: 9, ..quick() };
    let sending = Sending::new(section).await;
    let made = sending.add(&receiver.url()).await;
    for sequence in 1..=4 {
        sending
            .fixture
            .start_process(sequence, 4710 + i64::try_from(sequence).unwrap(), "evil.sh")
            .await;
    }
    let deliveries = sending.deliveries().await;
    let dead: Vec<&Value> =
        deliveries.iter().filter(|delivery| delivery["state"] == "dead_letter").collect();
    assert_eq!((deliveries.len(), dead.len()), (4, 2));
    assert!(
        dead.iter()
            .all(|one| { one["last_error"] == "too many deliveries waited for this receiver" })
    );
    let row = sending.fixture.get(&paths::fill(paths::WEBHOOK, id(&made))).await;
    assert_eq!(row["deliveries"]["dead_letter"], 2);
    // Only as many as may wait are replayed.
    let replay = paths::fill(paths::WEBHOOK_REPLAY, id(&made));
    let answer = sending.fixture.post(&replay, json!({})).await;
    assert_eq!(answer.json(), json!({"replayed": 0, "left": 2}));
}

/// A SysScore agent on the same server: its registration, and batches of its calls.
async fn sysscore(sending: &Sending, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request =
        request.header("content-type", "application/json").body(Body::from(body.to_owned()));
    let router = crate::dialects::sysscore::router(Arc::clone(&sending.fixture.server));
    let response = router.oneshot(request.unwrap()).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    json!({
        "status": status.as_u16(),
        "body": serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text)),
    })
}

async fn register(sending: &Sending, agent: &str, metadata: Value) -> Value {
    let bearer = format!("Bearer {}", sending.fixture.admin);
    let body = json!({"id": agent, "name": agent, "metadata": metadata}).to_string();
    sysscore(sending, "/api/v1/agents", &[("authorization", &bearer)], &body).await
}

async fn calls(sending: &Sending, agent: &str, pid: i64, calls: &[&str]) {
    let crate::server::Server { keys, engine, secrets, .. } = &*sending.fixture.server;
    let kind = crate::keys::KeyKind::SysScore;
    if !keys.knows(kind, agent) {
        let secret = Some(Secret::from("secret-key-1"));
        keys.create(engine, secrets, kind, agent, secret, |_| Ok(())).await.unwrap();
    }
    let now = crate::engine::now();
    let events: Vec<Value> = (0_i64..)
        .zip(calls)
        .map(|(number, call)| {
            let time = now.plus_micros(number - 1_000_000).to_string();
            json!({"pid": pid, "syscall": call, "timestamp": time, "metadata": {"name": "odd"}})
        })
        .collect();
    let body = json!({"events": events}).to_string();
    let signature = mac_base64(&Secret::from("secret-key-1"), body.as_bytes());
    let key = format!("{agent}-{pid}-{}", now.as_micros());
    let headers =
        [("x-agent-id", agent), ("x-agent-signature", &*signature), ("idempotency-key", &*key)];
    let answer = sysscore(sending, "/api/v1/events", &headers, &body).await;
    assert_eq!(answer["body"]["accepted"], calls.len(), "{answer}");
}

fn with_shared_secret() -> SysScoreSettings {
    SysScoreSettings {
        shared_secret: Some(Secret::from("the-shared-secret")),
        attempts_max: 3,
        backoff_base: 1.0,
        timeout: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn an_agents_webhook_is_told_in_the_contracts_form() {
    let receiver = Receiver::new(FINE).await;
    let sending = Sending::with(quick(), with_shared_secret()).await;
    let metadata = json!({"webhook": {"url": receiver.url(), "threshold": 40}});
    let registered = register(&sending, "agent-1", metadata.clone()).await;
    assert_eq!(registered["status"], 201, "{registered}");
    assert_eq!(registered["body"]["metadata"], metadata);
    register(&sending, "agent-2", json!({"webhook_url": receiver.url()})).await;
    // execve alone is a score of 50: above the first agent's threshold, below everybody's.
    calls(&sending, "agent-2", 7, &["execve"]).await;
    calls(&sending, "agent-1", 4321, &["execve"]).await;
    let message = receiver.wait_for(1).await.remove(0);
    assert_eq!(message.header("x-event-type"), "risk_threshold_crossed");
    assert!(message.header("x-delivery-id").starts_with("risk_threshold_crossed:"));
    let signature = mac_base64(&Secret::from("the-shared-secret"), &message.body);
    assert_eq!(message.header("x-signature"), signature);
    assert!(!message.headers.contains_key("webhook-signature"));
    let body = message.json();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["event_type", "process_id", "risk_score", "threshold", "timestamp"]);
    assert_eq!(body["event_type"], "risk_threshold_crossed");
    assert_eq!(body["process_id"], "agent-1:4321");
    assert_eq!((body["risk_score"].as_f64(), body["threshold"].as_f64()), (Some(50.0), Some(40.0)));
    let time = body["timestamp"].as_str().unwrap();
    assert!(!time.ends_with('Z') && time.contains('T'), "{time}");
    sending.wait_for("success").await;
    // It is still above: that is nothing new.
    calls(&sending, "agent-1", 4321, &["execve"]).await;
    calls(&sending, "agent-2", 8, &["ptrace"]).await;
    let second = receiver.wait_for(2).await.remove(1);
    assert_eq!(second.json()["process_id"], "agent-2:8");
    assert_ne!(second.header("x-delivery-id"), message.header("x-delivery-id"));
    let row = sending.fixture.get(paths::WEBHOOKS).await["data"][0].clone();
    assert_eq!((&row["agent"], &row["threshold"]), (&json!("agent-1"), &json!(40.0)));
    assert_eq!(row["shared_secret"], true);
    assert!(sending.fixture.get(paths::AUDIT).await.to_string().contains("add_webhook"));
}

#[tokio::test]
async fn three_strikes_make_a_dead_letter() {
    let receiver = Receiver::new(BROKEN).await;
    let sending = Sending::with(quick(), with_shared_secret()).await;
    register(&sending, "agent-1", json!({"webhook_url": receiver.url()})).await;
    calls(&sending, "agent-1", 7, &["ptrace"]).await;
    let dead = sending.wait_for("dead_letter").await;
    assert_eq!(dead["attempts"], 3);
    let received = receiver.received();
    let ids: Vec<&str> = received.iter().map(|message| message.header("x-delivery-id")).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|one| one == &ids[0]), "{ids:?}");
    let alert = sending.fixture.get(paths::ALERTS).await["data"][0].clone();
    assert_eq!(dead["subject"], alert["id"]);
}

#[tokio::test]
async fn without_the_shared_secret_an_agents_webhook_has_its_own() {
    let receiver = Receiver::new(FINE).await;
    let sending = Sending::new(quick()).await;
    register(&sending, "agent-1", json!({"webhook_url": receiver.url()})).await;
    let row = sending.fixture.get(paths::WEBHOOKS).await["data"][0].clone();
    assert_eq!(row["shared_secret"], false);
    let rotate = paths::fill(paths::WEBHOOK_ROTATE_SECRET, id(&row));
    let secret = sending.fixture.post(&rotate, json!({})).await.json()["secret"].clone();
    calls(&sending, "agent-1", 7, &["ptrace"]).await;
    let message = receiver.wait_for(1).await.remove(0);
    let expected = mac_base64(&Secret::from(secret.as_str().unwrap()), &message.body);
    assert_eq!(message.header("x-signature"), expected);
}

#[tokio::test]
async fn registrations_with_nonsense_for_a_webhook_are_refused() {
    let sending = Sending::new(quick()).await;
    for metadata in [
        json!({"webhook_url": "nowhere"}),
        json!({"webhook_url": 7}),
        json!({"webhook": {"url": "https://example.com/", "threshold": 101}}),
    ] {
        let answer = register(&sending, "agent-1", metadata.clone()).await;
        assert_eq!(answer["status"], 422, "{metadata}: {answer}");
    }
    assert_eq!(sending.fixture.get(paths::WEBHOOKS).await["data"], json!([]));
    let plain = register(&sending, "agent-1", json!({"webhook_url": null})).await;
    assert_eq!(plain["status"], 201);
}
