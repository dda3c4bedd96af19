//! What becomes of batches.

use super::fixture::{Fixture, batch, event};
use ringwall_dialects::guard::EncryptionKey;
use ringwall_event::{Activity, AppGuardEvent, Event};
use ringwall_store::GuardMetricStore;
use serde_json::{Value, json};

fn seen(event: &Event) -> &AppGuardEvent {
    match &event.activity {
        Activity::AppGuard(seen) => seen,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_is_stored_once_whatever_batch_it_comes_in() {
    let mut fixture = Fixture::new().await;
    let events = |keys: &[&str]| -> Vec<Value> {
        keys.iter().map(|key| event(Some(key), "ip_blocked", "203.0.113.9")).collect()
    };
    let first = fixture.take(&batch("1", &events(&["a", "b", "a"]))).await;
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(2), &json!(1)));
    // Requeued: the same events under another name, with a new one.
    let again = fixture.take(&batch("2", &events(&["b", "c"]))).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(1), &json!(1)));
    fixture.restart();
    let again = fixture.take(&batch("3", &events(&["a", "b", "c", "d"]))).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(1), &json!(3)));
    assert_eq!(fixture.events().await.len(), 4);
}

#[tokio::test]
async fn old_events_are_told_by_their_batch() {
    let mut fixture = Fixture::new().await;
    let one = event(None, "ip_banned", "203.0.113.9");
    let other = event(None, "ip_banned", "203.0.113.10");
    // Two equal ones of one batch are two.
    let first = fixture.take(&batch("1", &[one.clone(), one.clone(), other.clone()])).await;
    assert_eq!(first["accepted"], json!(3));
    fixture.restart();
    let again = fixture.take(&batch("1", &[one.clone(), one.clone(), other])).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(3)));
    // What is new under a name that was there is not lost.
    let grown = fixture.take(&batch("1", &[one.clone(), one.clone(), one.clone()])).await;
    assert_eq!((&grown["accepted"], &grown["duplicates"]), (&json!(1), &json!(2)));
    let next = fixture.take(&batch("2", &[one])).await;
    assert_eq!(next["accepted"], json!(1));
    assert_eq!(fixture.events().await.len(), 5);
}

#[tokio::test]
async fn measurements_count_once_and_add_up() {
    let mut fixture = Fixture::new().await;
    let now = ringwall_dialects::guard::TimeForm::Space;
    let mut moment = String::new();
    now.push(&mut moment, fixture.server.now());
    let metric = |value: f64| {
        json!({
            "timestamp": moment, "metric_type": "response_time", "value": value, "endpoint": null,
            "tags": { "endpoint": "/item", "method": "GET", "status": "200" },
        })
    };
    let body = |id: &str, values: &[f64]| {
        let metrics: Vec<Value> = values.iter().map(|value| metric(*value)).collect();
        json!({ "project_id": "shop", "events": [], "metrics": metrics, "batch_id": id })
            .to_string()
    };
    let send = async |fixture: &Fixture, body: String| {
        let answer = fixture.post("/api/v1/metrics", body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.body["accepted"].as_u64().unwrap(), answer.body["duplicates"].as_u64().unwrap())
    };
    assert_eq!(send(&fixture, body("1", &[0.5, 1.5])).await, (2, 0));
    assert_eq!(send(&fixture, body("1", &[0.5, 1.5])).await, (0, 2));
    fixture.restart();
    assert_eq!(send(&fixture, body("1", &[0.5, 1.5])).await, (0, 2));
    // Another half under the same name is not lost.
    assert_eq!(send(&fixture, body("1", &[4.0])).await, (1, 0));
    let broken = body("2", &[7.0]).replace("7.0", "NaN");
    let answer = fixture.post("/api/v1/metrics", broken).send().await;
    assert_eq!((answer.status.as_u16(), &answer.body["set_aside"]), (200, &json!(1)));
    let (since, until) = (fixture.server.now().plus_seconds(-600), fixture.server.now());
    let points = fixture
        .server
        .engine
        .read(move |s| s.guard_metric_points("shop", "response_time", since, until, 60))
        .await
        .unwrap();
    let total: u64 = points.iter().map(|point| point.count).sum();
    let sum: f64 = points.iter().map(|point| point.sum).sum();
    assert_eq!((total, sum), (3, 6.0));
}

#[tokio::test]
async fn what_can_be_kept_is_kept_and_the_rest_is_told() {
    let fixture = Fixture::new().await;
    let good = event(Some("k"), "ip_blocked", "203.0.113.9").to_string();
    let body = format!(
        r#"{{"batch_id":"1","events":[{good},{{"event_type":"ip_banned"}},7,
        {{"timestamp":"2026-11-20 20:16:39","event_type":"a_type_of_tomorrow","reason":"\udc80","new_field":[1]}}]}}"#
    );
    for expected in [2, 0] {
        let answer = fixture.post("/api/v1/events", body.clone()).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["accepted"], json!(expected));
        assert_eq!(answer.body["set_aside"], json!(2));
    }
    let events = fixture.events().await;
    let types: Vec<&str> = events.iter().map(|event| &*seen(event).event_type).collect();
    assert_eq!(types.len(), 3, "{types:?}");
    assert!(types.contains(&"guard_items_set_aside"), "{types:?}");
    let tomorrow = events.iter().find(|it| &*seen(it).event_type == "a_type_of_tomorrow").unwrap();
    assert_eq!(&*seen(tomorrow).reason, "\u{fffd}");
    assert!(tomorrow.original.as_deref().unwrap().contains("new_field"));
    for body in ["", "[]", "{", "7"] {
        let answer = fixture.post("/api/v1/events", body).send().await;
        assert_eq!(answer.status, 400, "{body:?}");
    }
}

#[tokio::test]
async fn encrypted_batches_are_opened_with_the_keys_of_the_project() {
    let fixture = Fixture::new().await;
    let key = fixture.keys.encryption_key.clone().unwrap();
    let key = EncryptionKey::parse(std::str::from_utf8(key.expose()).unwrap()).unwrap();
    let plain = json!({
        "events": [event(Some("k"), "ip_blocked", "203.0.113.9")],
        "metrics": [{ "timestamp": "2026-11-20T20:16:39+00:00", "metric_type": "error_rate", "value": 1 }],
    });
    let payload = key.seal([7; 12], plain.to_string().as_bytes()).unwrap();
    let envelope = json!({
        "encrypted_payload": payload, "batch_id": "1", "agent_version": "3.2.4",
        "guard_version": null, "guard_core_version": null,
    });
    let secret = fixture.signing_secret();
    let answer = fixture
        .post("/api/v1/events/encrypted", envelope.to_string())
        .signed(&secret)
        .gzip()
        .send()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["accepted"], json!(2));
    assert_eq!(fixture.events().await.len(), 1);
}

#[tokio::test]
async fn guards_are_known_by_their_installation_and_their_status() {
    let fixture = Fixture::new().await;
    let one = batch("1", &[event(Some("a"), "ip_blocked", "203.0.113.9")]);
    let status = json!({
        "timestamp": "2026-11-20 20:16:39", "status": "degraded", "uptime": 12.5, "events_sent": 3,
        "events_failed": 1, "buffer_size": 90, "last_flush": null, "errors": ["Buffer nearly full"],
    });
    for (path, body) in
        [("/api/v1/events", one.to_string()), ("/api/v1/status", status.to_string())]
    {
        let answer = fixture
            .post(path, body)
            .header("x-agent-install-id", "install-1")
            .header("user-agent", "guard-agent/3.2.4")
            .send()
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let old =
        fixture.post("/api/v1/status", "{}").header("user-agent", "FastAPI-Guard-Agent/0.0.1");
    assert_eq!(old.send().await.status, 200);
    let guards = fixture
        .server
        .engine
        .read(|session| crate::guard::guards_of(session, "shop"))
        .await
        .unwrap();
    assert_eq!(guards.len(), 2, "{guards:?}");
    let new = guards.iter().find(|it| it.install_id.as_deref() == Some("install-1")).unwrap();
    assert_eq!(new.agent_version.as_deref(), Some("3.2.4"));
    assert_eq!(new.guard_version.as_deref(), Some("8.1.2"));
    assert_eq!((new.events_sent, new.buffer_size), (3, 90));
    assert_eq!(new.warning().as_deref(), Some("Buffer nearly full"));
    let old = guards.iter().find(|it| it.install_id.is_none()).unwrap();
    assert_eq!((old.agent_version.as_deref(), &*old.address), (Some("0.0.1"), "192.0.2.20"));
}
