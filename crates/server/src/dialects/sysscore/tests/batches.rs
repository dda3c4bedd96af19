use super::fixture::{Fixture, batch, item, moment};
use crate::engine::EngineSettings;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What the guide's client does above 50 events a second (flaw 2): the original stores 50 of these.
#[tokio::test]
async fn flaw_2_other_bodies_under_a_used_key_are_other_batches() {
    let fixture = Fixture::new();
    for flush in 0..4 {
        let items: Vec<Value> = (0..50)
            .map(|n| item(4000 + n, "openat", moment(flush * 50 + n + 1), json!({"n": n})))
            .collect();
        assert_eq!(fixture.post("agent-1-1768471200", &batch(&items)).await.counts(), (50, 0, 0));
    }
    let rows = fixture.all("/api/v1/events?limit=70").await;
    let ids: HashSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (200, 200));
}

#[tokio::test]
async fn a_replay_gets_the_ids_of_the_first_time_even_after_a_restart() {
    let mut fixture = Fixture::new();
    // Without fractions: only the key makes it the same.
    let body = r#"{"events":[{"pid":1,"syscall":"a","timestamp":"2026-01-15T10:00:00"},{"pid":2,"syscall":"a","timestamp":"2026-01-15T10:00:00"},{"pid":99999999999999999999,"syscall":"a"}]}"#;
    let first = fixture.post("k", body).await;
    assert_eq!(first.counts(), (2, 0, 1));
    for _ in 0..2 {
        let again = fixture.post("k", body).await;
        assert_eq!(again.counts(), (0, 2, 1));
        assert_eq!(again.ids(), first.ids());
        fixture.restart();
    }
    assert_eq!(fixture.post("k2", body).await.counts(), (2, 0, 1));
    assert_eq!(fixture.all("/api/v1/events").await.len(), 4);
}

#[tokio::test]
async fn flaw_3_keys_of_two_agents_have_nothing_to_do_with_each_other() {
    let fixture = Fixture::new();
    let body = batch(&[item(1, "open", moment(1), json!({}))]);
    assert_eq!(fixture.post("k", &body).await.counts(), (1, 0, 0));
    let other = fixture.post_as("agent-2", "secret-key-2", "k", &body).await;
    assert_eq!(other.counts(), (1, 0, 0));
}

#[tokio::test]
async fn flaws_4_5_and_6_an_item_that_cannot_be_stored_costs_nothing_else() {
    let mut fixture = Fixture::new();
    let body = r#"{"events":[{"pid":1,"syscall":"a","timestamp":1768471200.5},{"pid":9223372036854775808,"syscall":"b"},{"pid":3,"syscall":"c","timestamp":1768471200.5}]}"#;
    let answer = fixture.post("k", body).await;
    assert_eq!(answer.counts(), (2, 0, 1));
    let result = &answer.json()["results"][1];
    assert_eq!(result["id"], "");
    assert_eq!(result["status"], "error");
    assert_eq!(result["error"], "pid is outside the range of 64-bit integers");
    assert_eq!(answer.json()["results"][0]["error"], Value::Null);
    fixture.restart();
    let calls: Vec<Value> =
        fixture.all("/api/v1/events").await.iter().map(|row| row["syscall"].clone()).collect();
    assert_eq!(calls, ["c", "a"]);
}

/// Section 17.3: the guide's client resends under a new key, old and new items mixed.
#[tokio::test]
async fn items_that_come_again_under_another_key_are_recognised() {
    let mut fixture = Fixture::new();
    let old: Vec<Value> = (1..=3).map(|n| item(n, "open", moment(n), json!({"n": n}))).collect();
    let first = fixture.post("k1", &batch(&old)).await;
    assert_eq!(first.counts(), (3, 0, 0));
    let mut mixed = old.clone();
    mixed.push(item(4, "open", moment(4), json!({"n": 4})));
    let second = fixture.post("k2", &batch(&mixed)).await;
    assert_eq!(second.counts(), (1, 3, 0));
    assert_eq!(second.ids()[..3], first.ids());
    fixture.restart();
    assert_eq!(fixture.post("k3", &batch(&mixed)).await.counts(), (0, 4, 0));
    // Other metadata: another event.
    let other = item(1, "open", moment(1), json!({"n": 1, "more": true}));
    assert_eq!(fixture.post("k4", &batch(&[other])).await.counts(), (1, 0, 0));
    assert_eq!(fixture.all("/api/v1/events").await.len(), 5);
}

#[tokio::test]
async fn flaw_9_a_captured_body_adds_nothing_under_another_key() {
    let fixture = Fixture::new();
    let body = batch(&[item(1, "ptrace", moment(7), json!({}))]);
    assert_eq!(fixture.post("k1", &body).await.counts(), (1, 0, 0));
    for key in ["k2", "k3"] {
        assert_eq!(fixture.post(key, &body).await.counts(), (0, 1, 0));
    }
}

#[tokio::test]
async fn items_without_a_fraction_are_not_taken_for_each_other_across_batches() {
    let fixture = Fixture::new();
    let body = r#"{"events":[{"pid":1,"syscall":"a","timestamp":"2026-01-15T10:00:00"}]}"#;
    assert_eq!(fixture.post("k1", body).await.counts(), (1, 0, 0));
    assert_eq!(fixture.post("k2", body).await.counts(), (1, 0, 0));
}

#[tokio::test]
async fn equal_items_of_one_batch_collapse() {
    let fixture = Fixture::new();
    let body = r#"{"events":[{"pid":1,"syscall":"a"},{"pid":1,"syscall":"a","metadata":{"x":1}},{"pid":1,"syscall":"b"}]}"#;
    let answer = fixture.post("k", body).await;
    assert_eq!(answer.counts(), (2, 1, 0));
    let ids = answer.ids();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(answer.json()["results"][1]["status"], "duplicate");
    assert_eq!(fixture.all("/api/v1/events").await.len(), 2);
}

#[tokio::test]
async fn an_empty_batch_is_a_batch_and_the_key_may_stand_in_the_body() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.post("k", r#"{"events":[]}"#).await.text,
        r#"{"accepted":0,"duplicates":0,"errors":0,"results":[]}"#
    );
    let body = r#"{"events":[{"pid":1,"syscall":"a","timestamp":1768471200}],"idempotency_key":"in-body"}"#;
    assert_eq!(fixture.post("", body).await.counts(), (1, 0, 0));
    assert_eq!(fixture.post("", body).await.counts(), (0, 1, 0));
    // The same key as a header, and the same bytes: the same batch.
    assert_eq!(fixture.post("in-body", body).await.counts(), (0, 1, 0));
    // The header goes before the body.
    assert_eq!(fixture.post("in-header", body).await.counts(), (1, 0, 0));
}

#[tokio::test]
async fn ids_are_unique_32_hexadecimal_digits() {
    let fixture = Fixture::new();
    let items: Vec<Value> = (0..500).map(|n| item(n, "open", moment(n), json!({}))).collect();
    let ids: HashSet<String> = fixture.post("k", &batch(&items)).await.ids().into_iter().collect();
    assert_eq!(ids.len(), 500);
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(is_hex)));
}

#[tokio::test]
async fn flaw_13_a_refusal_does_not_repeat_its_input() {
    let fixture = Fixture::new();
    let secret = "s3cret".repeat(10_000);
    let body = format!("{{\"events\":[{{\"pid\":\"{secret}\",\"syscall\":\"a\"}}]}}");
    let answer = fixture.post("k", &body).await;
    assert_eq!(answer.refused_places(), [json!(["body", "events", 0, "pid"])]);
    assert!(answer.text.len() < 1000);
}

/// The guide's client keeps its buffer on a 503 and sends it again.
#[tokio::test]
async fn without_room_a_batch_is_put_off_and_not_lost() {
    let mut fixture = Fixture::new();
    let items: Vec<Value> = (0..50).map(|n| item(n, "open", moment(n), json!({}))).collect();
    let tight = EngineSettings {
        queue_bytes_max: 1024,
        retry_after_seconds: 7,
        ..EngineSettings::default()
    };
    fixture.restart_with(&tight);
    let answer = fixture.post("k", &batch(&items)).await;
    answer.is_problem(503, "Service Unavailable");
    assert_eq!(answer.header("retry-after"), "7");
    fixture.restart();
    assert_eq!(fixture.post("k", &batch(&items)).await.counts(), (50, 0, 0));
}
