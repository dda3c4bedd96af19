use super::fixture::{Answer, Fixture, batch, item, moment};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

const MIX: &str = "ptrace setuid execve mount chmod fork open read write futex";

#[tokio::test]
async fn the_ten_call_mix_gives_37() {
    let mut fixture = Fixture::new();
    post_calls(&fixture, "k", 7, MIX, 0).await;
    for _ in 0..2 {
        let rows = fixture.get("/api/v1/scores?process_id=agent-1:7").await.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        let row = &rows[0];
        assert_eq!(row["risk_score"], 37.0);
        assert_eq!(row["anomaly_score"], Value::Null);
        assert_eq!((&row["process_id"], &row["pid"]), (&json!("agent-1:7"), &json!(7)));
        assert_eq!(row["metadata"], json!({}));
        let id = format!("agent-1:7:{}", row["calculated_at"].as_str().unwrap());
        assert_eq!(row["id"], id);
        fixture.restart();
    }
}

#[tokio::test]
async fn the_anomaly_score_is_a_number_where_the_agent_sends_one() {
    let fixture = Fixture::new();
    let metadata = json!({"risk_score": 12.5, "anomaly_score": 33});
    fixture.post("k", &batch(&[item(7, "open", moment(1), metadata)])).await.counts();
    let rows = fixture.get("/api/v1/scores").await.rows();
    assert_eq!((&rows[0]["risk_score"], &rows[0]["anomaly_score"]), (&json!(10.0), &json!(33.0)));
}

#[tokio::test]
async fn flaw_10_scores_are_one_current_row_and_bounded_history() {
    let fixture = Fixture::new();
    for round in 0..80 {
        let call = if round % 2 == 0 { "ptrace" } else { "read" };
        post_calls(&fixture, &format!("k{round}"), 7, call, round).await;
    }
    let rows = fixture.all("/api/v1/scores?limit=13").await;
    assert_eq!(rows.len(), 50);
    let times: Vec<&str> = rows.iter().map(|row| row["calculated_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
    assert_eq!(rows[0]["risk_score"], 55.0);
}

#[tokio::test]
async fn scores_are_filtered_and_paged() {
    let fixture = Fixture::new();
    for (pid, call) in [(1, "read"), (2, "execve"), (3, "setuid"), (4, "ptrace")] {
        post_calls(&fixture, &format!("k{pid}"), pid, call, 0).await;
    }
    let body = batch(&[item(1, "ptrace", moment(1), json!({}))]);
    fixture.post_as("agent-2", "secret-key-2", "k", &body).await.counts();
    let pids = async |query: &str| -> Vec<i64> {
        let rows = fixture.all(&format!("/api/v1/scores?limit=2&{query}")).await;
        rows.iter().map(|row| row["pid"].as_i64().unwrap()).collect()
    };
    assert_eq!(pids("").await, [1, 4, 3, 2, 1]);
    assert_eq!(pids("risk_min=50").await, [1, 4, 3, 2]);
    assert_eq!(pids("risk_min=50.0&risk_max=80&agent_id=agent-1").await, [3, 2]);
    assert_eq!(pids("agent_id=agent-2").await, [1]);
    assert_eq!(pids("process_id=agent-1:3").await, [3]);
    assert!(pids("process_id=agent-1:3&agent_id=agent-2").await.is_empty());
    for query in ["risk_min=101", "risk_max=-0.1", "risk_min=high", "risk_max=NaN"] {
        let answer = fixture.get(&format!("/api/v1/scores?{query}")).await;
        let name = query.split('=').next().unwrap();
        assert_eq!(answer.refused_places(), [json!(["query", name])], "{query}");
    }
}

#[tokio::test]
async fn rows_of_one_moment_are_paged_too() {
    let fixture = Fixture::new();
    let items: Vec<Value> = (0..25).map(|n| item(n, "open", moment(n), json!({}))).collect();
    fixture.post("k", &batch(&items)).await.counts();
    let rows = fixture.all("/api/v1/scores?limit=4").await;
    let mut pids: Vec<i64> = rows.iter().map(|row| row["pid"].as_i64().unwrap()).collect();
    pids.sort_unstable();
    assert_eq!(pids, (0..25).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_score_is_recalculated_on_demand() {
    let fixture = Fixture::new();
    post_calls(&fixture, "k", 7, MIX, 0).await;
    for path in ["/api/v1/scores:recalculate", "/api/v1/scores%3Arecalculate"] {
        let answer = recalculate(&fixture, &format!("{path}?process_id=agent-1:7")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let row = answer.json();
        assert_eq!(row["risk_score"], 37.0);
        assert_eq!(fixture.get("/api/v1/scores").await.rows(), [row]);
    }
    let answer = recalculate(&fixture, "/api/v1/scores:recalculate").await;
    assert_eq!(answer.refused_places(), [json!(["query", "process_id"])]);
    let old = r#"{"events":[{"pid":8,"syscall":"ptrace","timestamp":"2026-01-15T10:00:00"}]}"#;
    fixture.post("old", old).await.counts();
    for id in ["agent-1:8", "agent-1:9", "nonsense"] {
        let answer =
            recalculate(&fixture, &format!("/api/v1/scores:recalculate?process_id={id}")).await;
        answer.is_problem(404, "Process Not Found");
    }
}

#[tokio::test]
async fn flaw_11_a_reused_pid_does_not_inherit_the_score() {
    let fixture = Fixture::new();
    post_calls(&fixture, "k1", 7, "ptrace exit_group", 0).await;
    post_calls(&fixture, "k2", 7, "read", 1_000_000).await;
    let rows = fixture.get("/api/v1/scores?process_id=agent-1:7&limit=1").await.rows();
    assert_eq!(rows[0]["risk_score"], 10.0);
}

async fn post_calls(fixture: &Fixture, key: &str, pid: i64, calls: &str, start: i64) {
    let items: Vec<Value> = (start..)
        .zip(calls.split(' '))
        .map(|(n, call)| item(pid, call, moment(n + 1), json!({})))
        .collect();
    assert_eq!(fixture.post(key, &batch(&items)).await.counts().0, items.len() as u64);
}

async fn recalculate(fixture: &Fixture, path: &str) -> Answer {
    let request = Request::post(path).header("authorization", format!("Bearer {}", fixture.token));
    fixture.send(request.body(Body::empty()).unwrap()).await
}
