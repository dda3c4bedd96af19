use super::super::Payload;
use super::*;
use ringwall_event::{AlertState, CommandState, EventId, Order, ProcessRef, ProcessTarget, Source};

#[test]
fn a_command_has_the_form_of_the_original() {
    let command = Command {
        id: "cmd_018bcfe56800".to_owned(),
        source: Source::new(Source::WATCHER, "mac.local"),
        order: Order::KillProcess(ProcessTarget {
            pid: 1234,
            start_time: None,
            name: "Malicious_App".into(),
        }),
        reason: "known bad process".to_owned(),
        ordered_by: "rule:indicator".to_owned(),
        alert: None,
        state: CommandState::Queued,
        created: at(0),
        expires: at(600),
        delivered: None,
        finished: None,
        deliveries: 0,
        result: None,
        file: None,
    };
    assert_eq!(write_commands(&[]), "[]");
    let by_people = Command { ordered_by: "user:admin".to_owned(), ..command.clone() };
    assert_eq!(
        serde_json::from_str::<Value>(&write_commands(&[command, by_people])).unwrap(),
        json!([
            {"command_id": "cmd_018bcfe56800", "action": "kill_process", "target": "1234",
             "parameters": {"process_name": "Malicious_App", "reason": "threat_intel_match"}},
            {"command_id": "cmd_018bcfe56800", "action": "kill_process", "target": "1234",
             "parameters": {"process_name": "Malicious_App", "reason": "operator_order"}},
        ])
    );
}

#[test]
fn alerts_are_in_the_original_s_words() {
    let alert = alert();
    assert_eq!(
        serde_json::to_value(AlertRow::new(&alert)).unwrap(),
        json!({
            "finding_type": "threat_intel_match_process",
            "severity": "HIGH",
            "timestamp": "2026-01-15T10:00:00+00:00",
            "details": "Known bad process 'Evil.sh' detected.",
            "host": "mac.local",
            "process_pid": 4242,
            "process_name": "Evil.sh",
            "count": 4,
            "last_seen": "2026-01-15T10:00:45+00:00",
        })
    );
    let new = Alert { finding: Finding::NewProcess, severity: Severity::Low, ..alert.clone() };
    check(&new, "anomaly_new_process", "LOW", "New/unusual process 'Evil.sh' detected.");
    let finding = Finding::IndicatorMatch { indicator: "address".into(), value: "x".into() };
    let connection = Alert { finding, severity: Severity::Medium, process: None, ..alert };
    check(&connection, "threat_intel_match_connection", "MEDIUM", "Known bad process.");
}

#[track_caller]
fn check(alert: &Alert, finding_type: &str, severity: &str, details: &str) {
    let row = AlertRow::new(alert);
    assert_eq!(
        (row.finding_type, row.severity, row.details.as_str()),
        (finding_type, severity, details)
    );
}

#[test]
fn flaw_12_an_alert_carries_an_extract_and_not_the_payload() {
    let processes: Vec<Value> =
        (0..50_000).map(|pid| json!({"pid": pid, "name": format!("process-{pid}")})).collect();
    let connections: Vec<Value> = (0..1000)
        .map(|port| json!({"local_address": "a", "local_port": port, "status": "s", "pid": port % 2}))
        .collect();
    let body = json!({
        "hostname": "mac.local", "timestamp": "2026-01-15T10:00:00",
        "processes": processes, "connections": connections, "system_info": {"x": "y".repeat(1000)},
    });
    let event = Payload::read(body.to_string().as_bytes()).unwrap().into_event(at(0));
    let extract = original_event_extract(&event, Some(1)).unwrap();
    assert_eq!(extract["hostname"], "mac.local");
    assert_eq!(extract["processes"].as_array().map(Vec::len), Some(1));
    assert_eq!(extract["processes"][0]["name"], "process-1");
    assert_eq!(extract["connections"].as_array().map(Vec::len), Some(EXTRACT_CONNECTIONS_MAX));
    assert!(extract.to_string().len() < 4000);
    let alert = alert();
    let row = AlertRow::new(&alert).with_original_event(Some(extract));
    assert_eq!(serde_json::to_value(row).unwrap()["original_event"]["processes"][0]["pid"], 1);
}

#[test]
fn payloads_come_back_with_their_receipt() {
    let body = br#"{"hostname":"h","timestamp":"t","processes":[{"pid":1,"name":"a}\""}]}"#;
    let event = Payload::read(body).unwrap().into_event(at(0).plus_micros(5));
    let foreign = Event { original: None, ..event.clone() };
    let list: Value =
        serde_json::from_str(&write_events(&[event.clone(), foreign, event])).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert_eq!(list[0]["processes"][0]["name"], "a}\"");
    assert_eq!(list[0]["processes"][0]["command_line"], Value::Null);
    assert_eq!(list[0]["received_at"], "2026-01-15T10:00:00.000005+00:00");
    assert_eq!(write_events(&[]), "[]");
}

#[test]
fn severities_are_the_three_of_the_original() {
    let mut breakdown = SeverityBreakdown::default();
    for severity in Severity::ALL {
        breakdown.add(severity, 1);
    }
    assert_eq!(serde_json::to_value(breakdown).unwrap(), json!({"HIGH": 2, "MEDIUM": 1, "LOW": 2}));
    assert_eq!(breakdown.total(), 5);
}

fn alert() -> Alert {
    Alert {
        id: EventId::default(),
        finding: Finding::IndicatorMatch { indicator: "process".into(), value: "evil.sh".into() },
        severity: Severity::High,
        state: AlertState::Open,
        source: Source::new(Source::WATCHER, "mac.local"),
        host: "mac.local".into(),
        process: Some(ProcessRef { pid: 4242, start_time: None, name: "Evil.sh".into() }),
        title: "known bad process".to_owned(),
        reasons: Vec::new(),
        count: 4,
        first_seen: at(0),
        last_seen: at(45),
        events: Vec::new(),
        kill_offered: false,
        note: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-01-15T10:00:00Z").unwrap().plus_seconds(seconds)
}
