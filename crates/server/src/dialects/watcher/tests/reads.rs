use super::fixture::{Fixture, HOST, payload};
use serde_json::{Value, json};

#[tokio::test]
async fn nothing_there_is_no_error() {
    let fixture = Fixture::new();
    assert!(fixture.alerts().await.is_empty());
    assert_eq!(fixture.get("/api/v1/events").await.ok(), json!([]));
    assert_eq!(
        fixture.stats().await,
        json!({
            "event_count": 0, "alert_count": 0, "unique_hosts": 0, "pending_command_hosts": 0,
            "alert_severity_breakdown": {"HIGH": 0, "MEDIUM": 0, "LOW": 0},
        })
    );
}

#[tokio::test]
async fn flaw_17_the_limit_is_bounded_and_not_negative() {
    let fixture = Fixture::new();
    for number in 0..60 {
        fixture.report(&[(number + 2, "x")]).await;
    }
    check_limit(&fixture, "", Ok(50)).await;
    check_limit(&fixture, "?limit=0", Ok(0)).await;
    check_limit(&fixture, "?limit=3", Ok(3)).await;
    check_limit(&fixture, "?limit=+4", Ok(4)).await;
    check_limit(&fixture, "?limit=60", Ok(60)).await;
    check_limit(&fixture, "?limit=999999", Ok(60)).await;
    check_limit(&fixture, "?limit=99999999999999999999999", Ok(60)).await;
    check_limit(&fixture, "?limit=-1", Err("greater_than_equal")).await;
    check_limit(&fixture, "?limit=-99999999999999999999999", Err("greater_than_equal")).await;
    check_limit(&fixture, "?limit=soon", Err("int_parsing")).await;
    check_limit(&fixture, "?limit=1.5", Err("int_parsing")).await;
    check_limit(&fixture, "?limit=", Err("int_parsing")).await;
    let newest = fixture.get("/api/v1/events?limit=60").await.ok();
    let pids: Vec<_> = newest.as_array().unwrap().iter().map(pid).collect();
    let expected: Vec<_> = (2..62).rev().collect();
    assert_eq!(pids, expected);
}

async fn check_limit(fixture: &Fixture, query: &str, expected: Result<usize, &str>) {
    let answer = fixture.get(&format!("/api/v1/events{query}")).await;
    let body = answer.json();
    match expected {
        Ok(count) => assert_eq!(body.as_array().map(Vec::len), Some(count), "{query}"),
        Err(kind) => {
            assert_eq!(answer.status, 422, "{query}");
            assert_eq!(body["detail"][0]["type"], kind, "{query}");
            assert_eq!(body["detail"][0]["loc"], json!(["query", "limit"]), "{query}");
        }
    }
}

fn pid(event: &Value) -> i64 {
    event["processes"][0]["pid"].as_i64().unwrap()
}

#[tokio::test]
async fn flaw_12_alerts_are_small_and_an_extract_is_given_on_request() {
    let fixture = Fixture::new();
    let mut processes: Vec<(i64, &str)> = (100..2000).map(|pid| (pid, "harmless")).collect();
    processes.push((4242, "evil.sh"));
    fixture.report(&processes).await;
    let alerts = fixture.get("/api/v1/alerts").await;
    assert!(alerts.text.len() < 1000, "{}", alerts.text.len());
    assert!(alerts.json()[0].get("original_event").is_none());
    let alerts = fixture.get("/api/v1/alerts?original_event=true").await;
    assert!(alerts.text.len() < 2000, "{}", alerts.text.len());
    let extract = &alerts.json()[0]["original_event"];
    assert_eq!(extract["hostname"], HOST);
    assert_eq!(extract["processes"].as_array().map(Vec::len), Some(1));
    assert_eq!(extract["processes"][0]["pid"], 4242);
    assert_eq!(fixture.get("/api/v1/alerts?original_event=maybe").await.status, 422);
}

#[tokio::test]
async fn alerts_are_the_hundred_newest_and_their_count_is_of_all() {
    let fixture = Fixture::new();
    fixture.report(&[(50, "evil.sh")]).await;
    let processes: Vec<(i64, &str)> = (100..210).map(|pid| (pid, "evil.sh")).collect();
    fixture.post(payload("second.local", &processes).to_string()).await.ok();
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 100);
    assert_eq!(alerts[0]["process_pid"], 209);
    let stats = fixture.stats().await;
    assert_eq!(stats["alert_count"], 111);
    assert_eq!(stats["alert_severity_breakdown"]["HIGH"], 111);
}

#[tokio::test]
async fn flaw_10_a_new_process_is_an_anomaly() {
    let fixture = Fixture::new();
    for _ in 0..12 {
        fixture.report(&[(1, "init")]).await;
    }
    fixture.report(&[(1, "init"), (7, "dropper")]).await;
    fixture.report(&[(1, "init"), (7, "dropper")]).await;
    let alerts = fixture.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["finding_type"], "anomaly_new_process");
    assert_eq!(alerts[0]["severity"], "LOW");
    assert_eq!(alerts[0]["details"], "New/unusual process 'dropper' detected.");
    assert_eq!(fixture.stats().await["alert_severity_breakdown"]["LOW"], 1);
}

#[tokio::test]
async fn enrolled_hosts_are_not_shown_at_the_open_door() {
    let fixture = Fixture::new();
    fixture.enrolled_agent_sees("web-1", 4242, "evil.sh").await;
    assert!(!fixture.commands().await.is_empty());
    assert!(fixture.alerts().await.is_empty());
    assert_eq!(fixture.get("/api/v1/events").await.ok(), json!([]));
    assert_eq!(fixture.stats().await["unique_hosts"], 0);
    assert!(fixture.poll_of("web-1").await.is_empty());
}
