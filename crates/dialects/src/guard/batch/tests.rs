use super::*;
use crate::guard::{EventClass, IDEMPOTENCY_KEY_BYTES_MAX, TEXT_BYTES_MAX};
use crate::validation::without_half_pairs;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// As the original middleware has it, printed by Python.
const SEEN: &str = r#"{"project_id":"shop","events":[{"idempotency_key":"5f0d1c1a-0f57-4a44-a2b1-0d3a5b8a9a10","timestamp":"2026-11-20 20:16:39.561480+00:00","event_type":"penetration_attempt","ip_address":"203.0.113.9","country":null,"user_agent":"sqlmap/1.8","action_taken":"request_blocked","reason":"SQL injection","endpoint":"/items","method":"GET","status_code":400,"response_time":0.0125,"decorator_type":null,"rule_type":null,"pattern_matched":"union select","handler_name":"middleware","metadata":{"request_count":1,"trigger_info":"\u00e9"},"tenant":"t1"}],"metrics":[],"batch_id":"1763669799561-0a1b2c3d","created_at":"2026-11-20 20:16:40+00:00","compressed":false,"agent_version":"3.2.4","guard_version":"8.1.2","guard_core_version":"4.4.0"}"#;

#[test]
fn a_batch_of_the_original_is_read_and_written_alike() {
    let batch = read_batch(SEEN.as_bytes()).unwrap();
    assert!(batch.left_out.is_empty());
    let event = &batch.events[0];
    assert_eq!(event.class(), EventClass::Detection);
    assert_eq!(event.status_code, Some(400));
    assert_eq!(event.extra["tenant"], "t1");
    assert_eq!(event.metadata["trigger_info"], "é");
    assert_eq!(String::from_utf8(batch.write(TimeForm::Space)).unwrap(), SEEN);
    assert_eq!(Value::from(event)["timestamp"], "2026-11-20T20:16:39.561480+00:00");
}

#[test]
fn times_are_read_in_every_form_that_was_seen() {
    check_time("\"2026-11-20 20:16:39.561480+00:00\"", Some("2026-11-20T20:16:39.561480Z"));
    check_time("\"2026-11-20 20:16:39\"", Some("2026-11-20T20:16:39Z"));
    check_time("\"2026-11-20T20:16:39.5+02:00\"", Some("2026-11-20T18:16:39.500000Z"));
    check_time("1763669799", Some("2025-11-20T20:16:39Z"));
    check_time("1763669799.25", Some("2025-11-20T20:16:39.250000Z"));
    check_time("\"1763669799561\"", Some("2025-11-20T20:16:39.561000Z"));
    check_time("\"yesterday\"", None);
    check_time("null", None);
    check_time("[]", None);
}

#[track_caller]
fn check_time(json: &str, expected: Option<&str>) {
    let body = format!(r#"{{"events":[{{"timestamp":{json},"event_type":"ip_banned"}}]}}"#);
    let batch = read_batch(body.as_bytes()).unwrap();
    let found = batch.events.first().map(|event| event.timestamp.to_string());
    assert_eq!(found.as_deref(), expected, "{json}");
    if expected.is_none() {
        assert_eq!(batch.left_out.items[0].reason, LeftOutReason::BadTimestamp);
    }
}

#[test]
fn what_cannot_be_read_is_set_aside_and_the_rest_is_kept() {
    let body = br#"{"events":[7,{"event_type":"x"},{"timestamp":1,"event_type":null},
        {"timestamp":1,"event_type":"ip_banned"}],
        "metrics":[{"timestamp":1,"metric_type":"request_count","value":NaN},
        {"timestamp":1,"metric_type":"request_count","value":-Infinity},
        {"timestamp":1,"metric_type":"request_count","value":1e999},
        {"timestamp":1,"metric_type":"request_count"},
        {"timestamp":1,"metric_type":"request_count","value":-1e300},
        {"timestamp":1,"metric_type":"request_count","value":"1.5","tags":{"a":7,"b":null}}]}"#;
    let batch = read_batch(body).unwrap();
    assert_eq!((batch.events.len(), batch.metrics.len()), (1, 1));
    assert_eq!(batch.metrics[0].value, 1.5);
    assert_eq!(batch.metrics[0].tags.len(), 1);
    let found: Vec<_> = batch
        .left_out
        .items
        .iter()
        .map(|item| format!("{} {}: {}", item.kind, item.position, item.reason))
        .collect();
    assert_eq!(
        found,
        [
            "event 0: not an object",
            "event 1: `timestamp` is missing",
            "event 2: `event_type` is missing",
            "metric 0: `value` is not a finite number",
            "metric 1: `value` is not a finite number",
            "metric 2: `value` is not a finite number",
            "metric 3: `value` is missing",
            "metric 4: `value` is beyond 1e15",
        ]
    );
    assert_eq!(batch.left_out.items_total, 8);
    assert_eq!(&*batch.left_out.items[0].excerpt, "7");
}

#[test]
fn wrong_types_within_an_event_cost_at_most_that_value() {
    let body = br#"{"events":[{"timestamp":1,"event_type":"ip_banned","ip_address":null,
        "reason":{"a":1},"status_code":"teapot","response_time":"0.5","method":7,
        "metadata":[1,2],"user_agent":"\udc80\ud83d\ude00\\udc80","endpoint":true}]}"#;
    let batch = read_batch(body).unwrap();
    let event = &batch.events[0];
    assert_eq!(&*event.ip_address, "");
    assert_eq!(&*event.reason, r#"{"a":1}"#);
    assert_eq!((event.status_code, event.response_time), (None, Some(0.5)));
    assert_eq!(event.extra["unread_status_code"], "teapot");
    assert_eq!(event.method.as_deref(), Some("7"));
    assert_eq!(event.metadata["value"], json!([1, 2]));
    assert_eq!(event.user_agent.as_deref(), Some("\u{fffd}😀\\udc80"));
    assert!(batch.left_out.is_empty());
}

#[test]
fn a_list_that_is_none_does_not_cost_the_other() {
    let body = br#"{"events":{"a":1},"metrics":[{"timestamp":1,"metric_type":"m","value":1}]}"#;
    let batch = read_batch(body).unwrap();
    assert_eq!(batch.metrics.len(), 1);
    assert_eq!(batch.left_out.items[0].reason, LeftOutReason::NotAList("events"));
}

#[test]
fn everything_is_bounded() {
    let long = "x".repeat(100_000);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let key = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
    let members: Vec<_> = (0..300).map(|n| format!("\"m{n}\":{n}")).collect();
    let body = format!(
        r#"{{"events":[{{"timestamp":1,"event_type":"{long}","reason":"{long}","extra":"{long}",
        "idempotency_key":"{key}","deep":{deep},"metadata":{{{}}}}}]}}"#,
        members.join(",")
    );
    let batch = read_batch(body.as_bytes()).unwrap();
    let event = &batch.events[0];
    assert_eq!(event.reason.len(), TEXT_BYTES_MAX);
    assert_eq!(event.event_type.len(), NAME_BYTES_MAX);
    assert!(event.reason.ends_with('…'));
    assert_eq!(event.extra["extra"].as_str().unwrap().len(), TEXT_BYTES_MAX);
    assert!(event.extra["deep"].is_string());
    assert_eq!(event.metadata.len(), 256);
    assert_eq!(batch.left_out.values_cut, 45);
    let digest = event.idempotency_key.as_deref().unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");

    let many = format!(r#"{{"events":[{}]}}"#, vec!["0"; ITEMS_MAX + 1].join(","));
    assert_eq!(read_batch(many.as_bytes()), Err(BatchError::TooManyItems { items: ITEMS_MAX + 1 }));
    let most = format!(r#"{{"events":[{}]}}"#, vec!["0"; ITEMS_MAX].join(","));
    let left_out = read_batch(most.as_bytes()).unwrap().left_out;
    assert_eq!((left_out.items_total, left_out.items.len()), (ITEMS_MAX as u64, 100));
}

#[test]
fn what_is_no_batch_at_all_is_refused() {
    assert_eq!(read_batch(b"[]"), Err(BatchError::NotAnObject));
    assert_eq!(read_batch(b"NaN"), Err(BatchError::NotAnObject));
    for body in [b"".as_slice(), b"{", b"\xff{}", b"{\"events\":[}"] {
        assert!(matches!(read_batch(body), Err(BatchError::Syntax(_))), "{body:?}");
    }
    assert_eq!(read_batch(b"{}"), Ok(Batch::default()));
}

/// Flaw 7: the original sends what is no number as `NaN`, which is not JSON.
#[test]
fn flaw_7_what_is_no_number_is_not_written() {
    let metric = |value| Metric { value, metric_type: "threat_level".into(), ..Metric::default() };
    let batch = Batch {
        metrics: vec![metric(f64::NAN), metric(2.0), metric(f64::INFINITY)],
        events: vec![Event {
            event_type: "x".into(),
            response_time: Some(f64::NAN),
            ..Event::default()
        }],
        ..Batch::default()
    };
    let read = read_batch(&batch.write(TimeForm::Space)).unwrap();
    assert_eq!(read.metrics, [metric(2.0)]);
    assert_eq!(read.events[0].response_time, None);
    assert!(read.left_out.is_empty());
}

fn any_text() -> impl Strategy<Value = Box<str>> {
    any::<String>().prop_map(Into::into)
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_000..253_402_207_199_999_999i64).prop_map(Timestamp::from_micros)
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    btree_map("x_[a-z]{1,8}", value, 0..4).prop_map(|members| members.into_iter().collect())
}

fn any_event() -> impl Strategy<Value = Event> {
    let texts = || (any_text(), any_text(), any_text());
    let options = || (option::of(any_text()), option::of(any_text()), option::of(any_text()));
    (
        (option::of("[a-z0-9-]{1,36}"), any_moment(), "[a-z_]{1,20}"),
        (texts(), options(), options(), option::of(any_text())),
        (option::of(any::<u16>()), option::of(-1e9..1e9f64)),
        (any_object(), any_object()),
    )
        .prop_map(|(head, (texts, first, second, handler), (status, seconds), objects)| {
            Event {
                idempotency_key: head.0.map(Into::into),
                timestamp: head.1,
                event_type: head.2.into(),
                ip_address: texts.0,
                country: first.0,
                user_agent: first.1,
                action_taken: texts.1,
                reason: texts.2,
                endpoint: first.2,
                method: second.0,
                status_code: status,
                response_time: seconds,
                decorator_type: second.1,
                rule_type: second.2,
                pattern_matched: handler.clone(),
                handler_name: handler,
                metadata: objects.0,
                extra: objects.1,
            }
        })
}

fn any_metric() -> impl Strategy<Value = Metric> {
    (
        any_moment(),
        "[a-z_]{1,20}",
        -1e12..1e12f64,
        option::of(any_text()),
        btree_map("[a-z]{1,8}".prop_map(Into::into), any_text(), 0..4),
    )
        .prop_map(|(timestamp, metric_type, value, endpoint, tags)| Metric {
            timestamp,
            metric_type: metric_type.into(),
            value,
            endpoint,
            tags,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(
        events in vec(any_event(), 0..4),
        metrics in vec(any_metric(), 0..4),
        names in (any_text(), any_text(), any_text()),
        created_at in any_moment(),
        iso: bool,
    ) {
        let batch = Batch {
            project_id: Some(names.0),
            events,
            metrics,
            batch_id: Some(names.1),
            created_at: Some(created_at),
            agent_version: None,
            guard_version: Some(names.2),
            guard_core_version: None,
            left_out: LeftOut::default(),
        };
        let times = if iso { TimeForm::Iso } else { TimeForm::Space };
        let written = batch.write(times);
        prop_assert!(written.is_ascii());
        let plain = read_batch(&batch.write_plaintext()).unwrap();
        prop_assert_eq!((&plain.events, &plain.metrics), (&batch.events, &batch.metrics));
        prop_assert_eq!(read_batch(&written), Ok(batch));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "[\\[\\]{}\",:a\\\\ud8c0-9NI.-]{0,80}") {
        for body in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(batch) = read_batch(body) {
                prop_assert!(batch.events.len() <= ITEMS_MAX);
            }
        }
    }

    #[test]
    fn repairing_halves_of_pairs_changes_nothing_else_and_nothing_twice(
        text: String,
        halves in "(\\\\u(d8|dc|00)[0-9]{2}|\\\\\\\\|a){0,12}",
    ) {
        let mut valid = Vec::new();
        crate::guard::push_text(&mut valid, &text);
        let valid = String::from_utf8(valid).unwrap();
        prop_assert_eq!(without_half_pairs(&valid), None);
        let broken = format!("\"{halves}\"");
        if let Some(repaired) = without_half_pairs(&broken) {
            prop_assert_eq!(without_half_pairs(&repaired), None);
            prop_assert!(serde_json::from_str::<String>(&repaired).is_ok());
        } else {
            prop_assert!(serde_json::from_str::<String>(&broken).is_ok());
        }
    }
}
