use super::fixture::{Fixture, HOST, payload};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

#[tokio::test]
async fn a_payload_is_stored_and_comes_back_with_nulls_filled_in() {
    let fixture = Fixture::new();
    let answer = fixture.report(&[(1234, "python3")]).await;
    assert_eq!(answer, json!({"status": "processed", "events_stored": 1}));
    let answer = fixture.report(&[(1235, "python3")]).await;
    assert_eq!(answer["events_stored"], 2);
    let events = fixture.get("/api/v1/events").await.ok();
    assert_eq!(events.as_array().map(Vec::len), Some(2));
    let mut newest = events[0].clone();
    assert!(newest["received_at"].is_string());
    newest["received_at"] = Value::Null;
    assert_eq!(
        newest,
        json!({
            "hostname": HOST, "timestamp": "2026-01-15T10:00:00",
            "processes": [{"pid": 1235, "name": "python3", "command_line": null, "user": null,
                           "cpu_percent": null, "memory_percent": null}],
            "connections": [], "system_info": {}, "received_at": null,
        })
    );
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let fixture = Fixture::new();
    let body = payload(HOST, &[]).to_string();
    for (media_type, status) in [
        (Some("application/json"), 200),
        (Some("application/json; charset=utf-8"), 200),
        (Some("Application/Vnd.x+JSON"), 200),
        (Some("application/x-www-form-urlencoded"), 422),
        (Some("text/plain"), 422),
        (Some("text/json"), 422),
        (None, 422),
    ] {
        let mut request = Request::post("/api/v1/collect");
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let answer = fixture.send(request.body(Body::from(body.clone())).unwrap()).await;
        assert_eq!(answer.status, status, "{media_type:?}: {}", answer.text);
        if status == 422 {
            assert_eq!(answer.json()["detail"][0]["type"], "model_attributes_type");
            assert_eq!(answer.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_costs_nothing_else() {
    let fixture = Fixture::new();
    for body in ["", "{", "[]", "{}", r#"{"hostname":"h","timestamp":5,"processes":[]}"#] {
        let answer = fixture.post(body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.json()["detail"][0]["loc"].is_array(), "{body}");
    }
    assert_eq!(fixture.report(&[]).await["events_stored"], 1);
}

#[tokio::test]
async fn a_body_is_bounded_by_what_is_announced_and_by_what_comes() {
    let fixture = Fixture::with(|config| config.limits.body_bytes_max = 2048);
    let large = payload(HOST, &[(1, &"x".repeat(4096))]).to_string();
    let answer = fixture.post(large.clone()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["detail"].is_string());
    let pieces = large
        .into_bytes()
        .chunks(512)
        .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
        .collect::<Vec<_>>();
    let unannounced = Body::from_stream(futures_util::stream::iter(pieces));
    assert_eq!(fixture.post(unannounced).await.status, 413);
    assert_eq!(fixture.report(&[]).await["events_stored"], 1);
}

#[tokio::test]
async fn flaw_11_and_13_counts_have_no_ceiling_and_survive_a_restart() {
    let mut fixture = Fixture::new();
    let posts = (0..1005).map(|_| fixture.report(&[(7, "evil.sh")]));
    futures_util::future::join_all(posts).await;
    fixture.post(payload("other.local", &[]).to_string()).await.ok();
    fixture.restart();
    let stats = fixture.stats().await;
    assert_eq!(
        stats,
        json!({
            "event_count": 1006, "alert_count": 1, "unique_hosts": 2, "pending_command_hosts": 1,
            "alert_severity_breakdown": {"HIGH": 1, "MEDIUM": 0, "LOW": 0},
        })
    );
    assert_eq!(fixture.alerts().await[0]["count"], 1005);
    assert_eq!(fixture.poll().await.len(), 1);
    assert_eq!(fixture.report(&[]).await["events_stored"], 1007);
}

#[tokio::test]
async fn a_large_payload_is_taken_whole() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..20_000).map(|pid| format!("process-{pid}")).collect();
    let processes: Vec<(i64, &str)> =
        (2..).zip(&names).map(|(pid, name)| (pid, name.as_str())).collect();
    fixture.report(&processes).await;
    let events = fixture.get("/api/v1/events?limit=1").await.ok();
    assert_eq!(events[0]["processes"].as_array().map(Vec::len), Some(20_000));
}

#[tokio::test]
async fn a_full_queue_is_said_so_and_nothing_is_half_stored() {
    let fixture = Fixture::with(|config| {
        config.limits.queue_bytes_max = 1024;
        config.limits.retry_after_seconds = 7;
    });
    let large = payload(HOST, &[(1, &"x".repeat(4096))]).to_string();
    let answer = fixture.post(large).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
    assert!(answer.json()["detail"].is_string());
    assert_eq!(fixture.get("/api/v1/events").await.ok(), json!([]));
}

#[tokio::test]
async fn made_up_hosts_do_not_crowd_out_others() {
    let fixture = Fixture::with(|config| config.limits.hosts_max = 6);
    for (number, status) in [(0, 200), (1, 200), (2, 200), (3, 503), (4, 503), (0, 200)] {
        let answer = fixture.post(payload(&format!("host-{number}"), &[]).to_string()).await;
        assert_eq!(answer.status, status, "host {number}: {}", answer.text);
    }
    assert_eq!(fixture.stats().await["unique_hosts"], 3);
}
