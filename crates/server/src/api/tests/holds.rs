use super::fixture::Fixture;
use axum::http::{Method, StatusCode};
use ringwall_server_api::paths;
use serde_json::{Value, json};

#[tokio::test]
async fn holds_are_added_once_listed_and_lifted_and_each_leaves_an_audit_entry() {
    let fixture = Fixture::new().await;
    let hold = json!({
        "name": "case-7", "source": "host-agent:web-1", "since": "2026-01-01T00:00:00Z",
        "reason": "court order",
    });
    let added = fixture.post(paths::HOLDS, hold.clone()).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let again = fixture.post(paths::HOLDS, hold).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    let listed = fixture.get(paths::HOLDS).await;
    let row = &listed["data"][0];
    assert_eq!(row, &added.json());
    assert_eq!(row["source"], "host-agent:web-1");
    assert_eq!(row["since"], "2026-01-01T00:00:00Z");
    assert_eq!(row["until"], Value::Null);
    assert!(row["created_by"].as_str().unwrap().contains(':'), "{row}");

    let path = paths::fill(paths::HOLD, "case-7");
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let lifted = fixture.ask(Method::DELETE, &path).token(&fixture.admin).send().await;
        assert_eq!(lifted.status, expected, "{}", lifted.text);
    }
    assert_eq!(fixture.get(paths::HOLDS).await["data"], json!([]));
    let audit = fixture.get(paths::AUDIT).await;
    let actions: Vec<&str> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["subject"] == "hold case-7")
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["remove_hold", "remove_hold", "add_hold"]);
}

#[tokio::test]
async fn holds_that_make_no_sense_are_refused() {
    let fixture = Fixture::new().await;
    for hold in [
        json!({"name": "", "reason": "x"}),
        json!({"name": "x", "reason": " "}),
        json!({"name": "x\ny", "reason": "x"}),
        json!({"name": "x", "reason": "x", "source": "nobody"}),
        json!({
            "name": "x", "reason": "x",
            "since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"
        }),
    ] {
        let answer = fixture.post(paths::HOLDS, hold.clone()).await;
        assert!(answer.status.is_client_error(), "{hold}: {}", answer.status);
    }
    assert_eq!(fixture.get(paths::HOLDS).await["data"], json!([]));
}
