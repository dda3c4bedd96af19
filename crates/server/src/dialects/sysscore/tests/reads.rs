use super::fixture::{Fixture, batch, item, moment};
use axum::body::Body;
use http::Request;
use ringwall_access::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn flaw_7_cursors_lead_back_in_time_to_the_oldest_row() {
    let fixture = Fixture::new();
    for round in 0..5 {
        let items: Vec<Value> =
            (0..7).map(|n| item(n, "open", moment(round * 7 + n), json!({}))).collect();
        fixture.post(&format!("k{round}"), &batch(&items)).await.counts();
    }
    for limit in [1, 4, 7, 34, 35, 36] {
        let rows = fixture.all(&format!("/api/v1/events?limit={limit}")).await;
        assert_eq!(rows.len(), 35, "limit {limit}");
        let times: Vec<&str> = rows.iter().map(|row| row["timestamp"].as_str().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a > b), "limit {limit}: {times:?}");
    }
}

#[tokio::test]
async fn cursors_are_signed_and_fit_their_filters_only() {
    let fixture = Fixture::new();
    let items: Vec<Value> = (0..3).map(|n| item(n, "open", moment(n), json!({}))).collect();
    fixture.post("k", &batch(&items)).await.counts();
    let body = fixture.get("/api/v1/events?limit=1").await.json();
    let cursor = body["pagination"]["cursor"].as_str().unwrap().to_owned();
    let refused = async |path: String| {
        fixture.get(&path).await.is_problem(400, "Invalid Cursor");
    };
    refused(format!("/api/v1/events?agent_id=agent-1&cursor={cursor}")).await;
    refused(format!("/api/v1/scores?cursor={cursor}")).await;
    refused(format!("/api/v1/events?cursor={cursor}A")).await;
    for cursor in ["nonsense", "e30=", "%00", &"A".repeat(5000)] {
        refused(format!("/api/v1/events?cursor={cursor}")).await;
    }
    assert_eq!(fixture.get(&format!("/api/v1/events?cursor={cursor}")).await.rows().len(), 2);
    assert_eq!(fixture.get("/api/v1/events?cursor=").await.rows().len(), 3);
}

#[tokio::test]
async fn flaw_7_limits_are_checked() {
    let fixture = Fixture::new();
    let items: Vec<Value> = (0..1005).map(|n| item(n, "open", moment(n), json!({}))).collect();
    fixture.post("k", &batch(&items)).await.counts();
    for list in ["events", "scores"] {
        for limit in ["0", "-2", "soon", "", "1.5", "-99999999999999999999999"] {
            let answer = fixture.get(&format!("/api/v1/{list}?limit={limit}")).await;
            assert_eq!(answer.refused_places(), [json!(["query", "limit"])], "{limit:?}");
        }
        for (limit, rows) in [("1", 1), ("+2", 2), ("5000", 1000), ("99999999999999999999", 1000)] {
            let answer = fixture.get(&format!("/api/v1/{list}?limit={limit}")).await;
            assert_eq!(answer.rows().len(), rows, "{list} {limit}");
        }
        assert_eq!(fixture.get(&format!("/api/v1/{list}")).await.rows().len(), 100);
    }
}

#[tokio::test]
async fn events_are_filtered_and_have_the_originals_fields() {
    let fixture = Fixture::new();
    let body = r#"{"events":[
        {"pid":1,"syscall":"open","timestamp":"2026-01-15T10:00:00+05:30","metadata":{"p": 1.50}},
        {"pid":2,"syscall":"read","timestamp":"2026-01-15T10:00:00.000001","metadata":null},
        {"pid":2,"syscall":"write","timestamp":"2026-01-15T11:00:00"}]}"#;
    let ids = fixture.post("k", body).await.ids();
    fixture.post_as("agent-2", "secret-key-2", "k", body).await.counts();
    // Flaw 8: the offset is converted.
    let rows = fixture.get("/api/v1/events?process_id=agent-1:1").await.rows();
    assert_eq!(
        rows,
        [json!({
            "id": ids[0], "agent_id": "agent-1", "process_id": "agent-1:1", "pid": 1,
            "syscall": "open", "timestamp": "2026-01-15T04:30:00", "metadata": {"p": 1.5},
        })]
    );
    let rows = fixture.get("/api/v1/events?agent_id=agent-1&process_id=agent-1%3A2").await.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["timestamp"], &rows[0]["metadata"]),
        (&json!("2026-01-15T11:00:00"), &json!({}))
    );
    assert_eq!(
        (&rows[1]["timestamp"], &rows[1]["metadata"]),
        (&json!("2026-01-15T10:00:00.000001"), &Value::Null)
    );
    for (filter, count) in [
        ("agent_id=agent-2", 3),
        ("agent_id=agent-2&process_id=agent-1:1", 0),
        ("process_id=nonsense", 0),
        ("agent_id=nobody", 0),
        ("agent_id=", 6),
    ] {
        let rows = fixture.get(&format!("/api/v1/events?{filter}")).await.rows();
        assert_eq!(rows.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn hostile_text_comes_back_as_data() {
    let fixture = Fixture::new();
    let text = "\u{1b}[31m<script>\0\r\n\u{202e}'; DROP TABLE batch; --";
    let metadata = json!({ text: text, "name": text });
    fixture.post("k", &batch(&[item(7, text, moment(1), metadata.clone())])).await.counts();
    let rows = fixture.get("/api/v1/events").await.rows();
    assert_eq!((&rows[0]["syscall"], &rows[0]["metadata"]), (&json!(text), &metadata));
    assert_eq!(fixture.get("/api/v1/processes").await.rows()[0]["name"], text);
}

#[tokio::test]
async fn processes_are_listed_with_their_first_and_last_event() {
    let fixture = Fixture::new();
    let items = [
        item(7, "open", moment(0), json!({})),
        item(7, "read", moment(2_000_000), json!({})),
        item(3, "read", moment(1_000_000), json!({"comm": "sh"})),
    ];
    fixture.post("k", &batch(&items)).await.counts();
    let rows = fixture.get("/api/v1/processes").await.rows();
    let seven = json!({
        "id": "agent-1:7", "agent_id": "agent-1", "pid": 7, "name": "pid-7",
        "started_at": moment(0).to_naive_iso(), "last_seen": moment(2_000_000).to_naive_iso(),
        "metadata": {},
    });
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["name"], "sh");
    assert_eq!(rows[1], seven);
    assert_eq!(fixture.get("/api/v1/processes/agent-1:7").await.json(), seven);
    assert_eq!(fixture.get("/api/v1/processes/agent-1%3A7").await.json(), seven);
    assert_eq!(fixture.get("/api/v1/processes?agent_id=agent-2").await.json(), json!([]));
    for id in ["agent-1:8", "agent-2:7", "nonsense", "agent-1:x"] {
        let answer = fixture.get(&format!("/api/v1/processes/{id}")).await;
        answer.is_problem(404, "Process Not Found");
    }
}

#[tokio::test]
async fn agents_are_registered_once() {
    let mut fixture = Fixture::new();
    let admin = fixture.token(Role::Admin);
    let register = async |fixture: &Fixture, body: &str| {
        let request = Request::post("/api/v1/agents")
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()));
        fixture.send(request.unwrap()).await
    };
    let body = r#"{"id":"agent-1","name":"Web","hostname":"web-1","metadata":{"site": "A"}}"#;
    let answer = register(&fixture, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let registered = answer.json();
    assert_eq!(registered["metadata"], json!({"site": "A"}));
    assert_eq!(registered["last_seen"], registered["registered_at"]);
    register(&fixture, body).await.is_problem(409, "Agent Already Exists");
    let answer = register(&fixture, r#"{"name":1}"#).await;
    assert_eq!(answer.refused_places(), [json!(["body", "id"]), json!(["body", "name"])]);

    fixture.restart();
    assert_eq!(fixture.get("/api/v1/agents").await.json(), json!([registered]));
    assert_eq!(fixture.get("/api/v1/agents/agent-1").await.json(), registered);
    fixture.get("/api/v1/agents/nobody").await.is_problem(404, "Agent Not Found");
    // Posting needs no registration, and registering gives no key.
    fixture.post("k", &batch(&[item(1, "open", moment(1), json!({}))])).await.counts();
    let seen = fixture.get("/api/v1/agents/agent-1").await.json();
    assert!(seen["last_seen"].as_str() > registered["last_seen"].as_str(), "{seen}");
    let answer = fixture.post_as("Web", "", "k", r#"{"events":[]}"#).await;
    answer.is_problem(401, "Unauthorized");
}
