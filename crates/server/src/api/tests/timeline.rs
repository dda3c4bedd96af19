use super::Fixture;
use super::fixture::started;
use crate::engine::now;
use axum::http::Method;
use ringwall_event::{Activity, Inventory, Severity};
use ringwall_server_api::{AgentEvent, paths};
use serde_json::{Value, json};

fn sum(series: &Value) -> u64 {
    series["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum()
}

fn sums(timeline: &Value) -> Vec<(String, u64)> {
    let series = timeline["series"].as_array().unwrap();
    series.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), sum(one))).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

#[tokio::test]
async fn events_are_counted_by_receipt_and_whatever_is_asked_for() {
    let fixture = Fixture::new().await;
    let at = |query: &str| format!("{}{query}", paths::TIMELINE);
    let empty = fixture.get(&at("")).await;
    assert_eq!((&empty["total"], &empty["by"]), (&json!(0), &json!("none")));
    assert_eq!(sums(&empty), pairs(&[("all", 0)]));
    assert_eq!(fixture.get(&at("?by=kind")).await["series"], json!([]));
    // What the sender claims to be long past is received now all the same.
    let long_ago = now().plus_seconds(-40 * 86_400);
    let mut events: Vec<AgentEvent> = (0..5).map(|n| started(100 + n, "nginx", long_ago)).collect();
    events.push(AgentEvent {
        time: now(),
        severity: Some(Severity::High),
        activity: Activity::Inventory(Box::<Inventory>::default()),
    });
    fixture.report(1, events).await;
    let all = fixture.get(paths::TIMELINE).await;
    assert_eq!(all["total"], 6);
    let step = all["step_seconds"].as_u64().unwrap();
    let buckets = all["series"][0]["counts"].as_array().unwrap().len() as u64;
    assert_eq!(step, 600);
    assert!((144..=145).contains(&buckets), "{buckets}");
    assert!(all["since"].as_str().unwrap() < all["until"].as_str().unwrap());
    let by_kind = fixture.get(&at("?by=kind&step=3600")).await;
    assert_eq!(sums(&by_kind), pairs(&[("process_started", 5), ("inventory", 1)]));
    assert_eq!(by_kind["step_seconds"], 3600);
    let by_severity = fixture.get(&at("?by=severity&kind=inventory")).await;
    assert_eq!(sums(&by_severity), pairs(&[("high", 1)]));
    let by_source = fixture.get(&at("?by=source&severity=informational")).await;
    assert_eq!(sums(&by_source), pairs(&[("host-agent:web-1", 5)]));
    let one_host = fixture.get(&at("?host=host-agent:web-1&step=1")).await;
    assert_eq!((&one_host["total"], &one_host["step_seconds"]), (&json!(6), &json!(60)));
    assert_eq!(fixture.get(&at("?host=host-agent:web-2&by=kind")).await["total"], 0);
    let past = fixture.get(&at("?until=2026-01-15T10:00:00Z")).await;
    assert_eq!((&past["until"], &past["total"]), (&json!("2026-01-15T10:00:00Z"), &json!(0)));
    assert_eq!(past["since"], "2026-01-14T10:00:00Z");
    // The same after the counts went into the table.
    fixture.server.engine.checkpoint().await.unwrap();
    assert_eq!(fixture.get(&at("?by=kind&step=3600")).await["series"], by_kind["series"]);
    let overview = fixture.get(paths::OVERVIEW).await;
    assert_eq!(overview["busiest_hosts"], json!([{ "id": "host-agent:web-1", "events": 6 }]));
}

#[tokio::test]
async fn the_smallest_series_share_a_line() {
    let fixture = Fixture::new().await;
    for number in 0..25u32 {
        let source = ringwall_event::Source::new("sysscore", &format!("agent-{number:02}"));
        let event = ringwall_event::Event {
            id: ringwall_event::EventId::default(),
            time: now(),
            received: now(),
            source: source.clone(),
            host: source.name.clone(),
            severity: Severity::Low,
            activity: Activity::Inventory(Box::<Inventory>::default()),
            original: None,
        };
        let events = vec![event; if number < 3 { 2 } else { 1 }];
        let batch =
            crate::engine::IntakeBatch { source: Some(source), events, ..Default::default() };
        fixture.server.engine.take(batch).await.unwrap();
    }
    let timeline = fixture.get(&format!("{}?by=source", paths::TIMELINE)).await;
    let sums = sums(&timeline);
    assert_eq!((sums.len(), &timeline["total"]), (21, &json!(28)));
    assert_eq!(sums[..3].iter().map(|(_, sum)| sum).collect::<Vec<_>>(), [&2, &2, &2]);
    assert_eq!(sums[20], ("other".to_owned(), 5));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let fixture = Fixture::new().await;
    for query in [
        "kind=telepathy",
        "severity=terrible",
        "by=colour",
        "step=0",
        "step=-1",
        "host=nobody",
        "since=yesterday",
        "since=2026-01-15T10:00:00Z&until=2026-01-15T10:00:00Z",
        "limit=7",
    ] {
        let path = format!("{}?{query}", paths::TIMELINE);
        let answer = fixture.ask(Method::GET, &path).token(&fixture.admin).send().await;
        assert_eq!(answer.status.as_u16(), 400, "{query}: {}", answer.text);
        answer.is_problem(400, "invalid-request");
    }
    for query in [
        "since=0001-01-01T00:00:00Z&until=9999-12-30T00:00:00Z&step=1&by=source",
        "since=0001-01-01T00:00:00Z&step=4294967295",
    ] {
        let timeline = fixture.get(&format!("{}?{query}", paths::TIMELINE)).await;
        assert_eq!(timeline["total"], 0);
    }
}
