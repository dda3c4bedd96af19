use super::Fixture;
use super::fixture::started;
use axum::http::Method;
use ringwall_event::{
    Activity, AgentHealth, Connection, Container, Inventory, Process, ProcessRef, SystemInfo,
    Timestamp,
};
use ringwall_server_api::{AgentEvent, paths};
use serde_json::{Value, json};

const HOST_ID: &str = "host-agent:web-1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_768_471_200_000_000).plus_seconds(second)
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// SysScore contract §15, flaw 7: the second page was empty, and there was no way back in time.
#[tokio::test]
async fn pages_go_back_in_time_to_the_end() {
    let fixture = Fixture::new().await;
    for sequence in 0..5 {
        // Times go up and down over the reports.
        let events = (0..5).map(|n| started(100 + n, "nginx", at((n * 7 + sequence * 3) % 11)));
        fixture.report(u64::try_from(sequence).unwrap(), events.collect()).await;
    }
    let whole = fixture.get(paths::EVENTS).await;
    let times: Vec<&str> =
        whole["data"].as_array().unwrap().iter().map(|r| r["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert_eq!(times.len(), 25);
    assert_eq!(whole["next_cursor"], Value::Null);
    let mut collected = Vec::new();
    let mut path = format!("{}?limit=4", paths::EVENTS);
    loop {
        let page = fixture.get(&path).await;
        collected.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{}?limit=4&cursor={cursor}", paths::EVENTS);
    }
    assert_eq!(collected, ids(&whole));
}

#[tokio::test]
async fn cursors_fit_only_the_list_they_came_from() {
    let fixture = Fixture::new().await;
    let events = (0..3).map(|n| started(100 + n, "nginx", at(n))).collect();
    fixture.report(1, events).await;
    let page = fixture.get(&format!("{}?limit=1", paths::EVENTS)).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let mut changed = cursor.to_owned();
    let first = if changed.starts_with('A') { "B" } else { "A" };
    changed.replace_range(..1, first);
    for path in [
        format!("{}?cursor={changed}", paths::EVENTS),
        format!("{}?cursor={}", paths::EVENTS, &cursor[1..]),
        format!("{}?cursor={cursor}AAAA", paths::EVENTS),
        format!("{}?cursor=", paths::EVENTS),
        format!("{}?cursor=%00%ff", paths::EVENTS),
        format!("{}?cursor={}", paths::EVENTS, "A".repeat(5000)),
        // Another filter, another list.
        format!("{}?pid=100&cursor={cursor}", paths::EVENTS),
        format!("{}?cursor={cursor}", paths::ALERTS),
        format!("{}?cursor={cursor}", paths::AUDIT),
        format!("{}?cursor={cursor}", paths::HOSTS),
        format!("{}?cursor={cursor}", paths::SCORES),
        format!("{}?cursor={cursor}", paths::INDICATORS),
        format!("{}?cursor={cursor}", paths::COMMANDS),
    ] {
        let answer = fixture.ask(Method::GET, &path).token(&fixture.admin).send().await;
        assert_eq!(answer.status.as_u16(), 400, "{path}: {}", answer.text);
        if !path.contains("%ff") {
            answer.is_problem(400, "invalid-cursor");
        }
    }
    // Another page size is the same list.
    let next = fixture.get(&format!("{}?limit=7&cursor={cursor}", paths::EVENTS)).await;
    assert_eq!(ids(&next).len(), 2);
}

#[tokio::test]
async fn every_list_turns_its_pages() {
    let fixture = Fixture::new().await;
    let calls = (0..6).map(|pid| call(100 + pid, "ptrace", 1 + pid)).collect();
    fixture.report(1, calls).await;
    for (sequence, name) in [(2, "evil.sh"), (3, "mimikatz.exe"), (4, "netcat")] {
        let pid = 4000 + i64::try_from(sequence).unwrap();
        fixture.start_process(sequence, pid, name).await;
    }
    for path in [
        paths::ALERTS,
        paths::COMMANDS,
        paths::SCORES,
        paths::INDICATORS,
        paths::AUDIT,
        paths::HOSTS,
    ] {
        let whole = fixture.get(path).await;
        let rows = whole["data"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path}");
        let mut collected = Vec::new();
        let mut next = format!("{path}?limit=1");
        loop {
            let page = fixture.get(&next).await;
            collected.extend(page["data"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{path}?limit=1&cursor={cursor}");
        }
        assert_eq!(&collected, rows, "{path}");
    }
}

fn call(pid: i64, name: &str, seconds_ago: i64) -> AgentEvent {
    AgentEvent {
        time: crate::engine::now().plus_seconds(-seconds_ago),
        severity: None,
        activity: Activity::SystemCall {
            process: ProcessRef { pid, start_time: None, name: "strace".into() },
            name: name.into(),
            risk_score: None,
            anomaly_score: Some(12.5),
        },
    }
}

#[tokio::test]
async fn events_are_found_by_host_process_kind_and_time() {
    let fixture = Fixture::new().await;
    let events =
        vec![started(100, "nginx", at(0)), started(200, "php", at(10)), call(100, "open", 0)];
    fixture.report(1, events).await;
    let count = async |query: &str| {
        fixture.get(&format!("{}?{query}", paths::EVENTS)).await["data"].as_array().unwrap().len()
    };
    assert_eq!(count("host=host-agent%3Aweb-1").await, 3);
    assert_eq!(count("host=host-agent:web-1").await, 3);
    assert_eq!(count("host=host-agent:web-2").await, 0);
    assert_eq!(count("pid=100").await, 2);
    assert_eq!(count("kind=process_started").await, 2);
    assert_eq!(count("kind=inventory").await, 0);
    assert_eq!(count("until=2026-01-15T10:00:10Z").await, 1);
    assert_eq!(count("since=2026-01-15T10:00:10Z").await, 2);
    assert_eq!(count("since=2026-01-15T15:30:10%2B05:30&pid=200").await, 1);
    let page = fixture.get(&format!("{}?pid=200", paths::EVENTS)).await;
    let row = &page["data"][0];
    assert_eq!(row["summary"], "php (pid 200) started");
    assert_eq!(row["ocsf"]["class_uid"], 1007);
    assert_eq!(row["source"], HOST_ID);
    let id = row["id"].as_str().unwrap();
    assert_eq!(&fixture.get(&paths::fill(paths::EVENT, id)).await, row);
}

#[tokio::test]
async fn a_host_shows_its_processes_and_connections() {
    let fixture = Fixture::new().await;
    let inventory = Inventory {
        processes: vec![
            Process { pid: 1, name: "init".into(), ..Process::default() },
            Process {
                pid: 42,
                name: "nginx".into(),
                parent_pid: Some(1),
                command_line: Some("nginx: <b>master</b>".into()),
                ..Process::default()
            },
        ],
        connections: vec![Connection {
            protocol: "tcp".into(),
            local_address: "0.0.0.0".into(),
            local_port: 80,
            status: "LISTEN".into(),
            pid: Some(42),
            ..Connection::default()
        }],
        system: SystemInfo { platform: Some("Linux".into()), ..SystemInfo::default() },
    };
    let activity = Activity::Inventory(Box::new(inventory));
    let event = AgentEvent { time: crate::engine::now(), severity: None, activity };
    fixture.report(1, vec![event, call(42, "ptrace", 0)]).await;
    let hosts = fixture.get(paths::HOSTS).await;
    let host = &hosts["data"][0];
    assert_eq!(host["id"], HOST_ID);
    assert_eq!(host["online"], true);
    assert_eq!((&host["processes"], &host["connections"]), (&json!(2), &json!(1)));
    assert_eq!(host["system"]["platform"], "Linux");
    assert_eq!(host["risk_max"], 100.0);
    for id in [HOST_ID, "host-agent%3Aweb-1"] {
        assert_eq!(&fixture.get(&format!("/api/v1/hosts/{id}")).await["hostname"], "web-1");
        let processes = fixture.get(&format!("/api/v1/hosts/{id}/processes")).await;
        let nginx = &processes["data"][1];
        assert_eq!((&nginx["pid"], &nginx["parent_pid"]), (&json!(42), &json!(1)));
        assert_eq!(nginx["command_line"], "nginx: <b>master</b>");
        assert_eq!(nginx["risk_score"], 100.0);
        let connections = fixture.get(&format!("/api/v1/hosts/{id}/connections")).await;
        assert_eq!(connections["data"][0]["local_port"], 80);
    }
    let scores = fixture.get(&format!("{}?risk_min=50", paths::SCORES)).await;
    let score = &scores["data"][0];
    assert_eq!(score["process_id"], "web-1:42");
    assert_eq!(score["anomaly_score"], 12.5);
    assert!(!score["reasons"].as_array().unwrap().is_empty());
    let none = fixture.get(&format!("{}?risk_max=50", paths::SCORES)).await;
    assert_eq!(none["data"], json!([]));
    let elsewhere = fixture.get(&format!("{}?host=sysscore:web-1", paths::SCORES)).await;
    assert_eq!(elsewhere["data"], json!([]));
}

#[tokio::test]
async fn the_overview_counts_what_is_there() {
    let fixture = Fixture::new().await;
    fixture.report(1, vec![call(42, "ptrace", 0)]).await;
    fixture.start_process(2, 4321, "evil.sh").await;
    let overview = fixture.get(paths::OVERVIEW).await;
    assert_eq!(overview["hosts"], json!({"total": 1, "online": 1}));
    assert_eq!(overview["events"]["total"], 2);
    assert!(overview["alerts"]["open"].as_u64().unwrap() >= 1);
    let by_severity = overview["alerts"]["by_severity"].as_object().unwrap();
    let sum: u64 = by_severity.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(sum, overview["alerts"]["open"].as_u64().unwrap());
    assert_eq!(overview["commands"]["open"], 1);
    let timeline = overview["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 60);
    let events: u64 = timeline.iter().map(|minute| minute["events"].as_u64().unwrap()).sum();
    assert_eq!(events, 2);
    assert_eq!(overview["top_risk"][0]["pid"], 42);
    assert_eq!(overview["recent_alerts"][0]["commands"].as_array().unwrap().len(), 1);
    assert!(overview["server"]["data_dir_bytes"].as_u64().unwrap() > 0);
    assert!(overview["server"]["intake"]["capacity"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_host_shows_how_its_agent_said_it_is_and_the_containers_of_its_processes() {
    let fixture = Fixture::new().await;
    fixture.start_process(1, 42, "nginx").await;
    let path = paths::fill(paths::HOST, HOST_ID);
    assert_eq!(fixture.get(&path).await["health"], Value::Null);

    let health = |dropped| AgentEvent {
        time: at(1),
        severity: None,
        activity: Activity::AgentHealth(Box::new(AgentHealth {
            version: "0.1.0".into(),
            started: Some(at(0)),
            rss_bytes: 6 << 20,
            cpu_percent: 0.5,
            throttled: true,
            dropped,
            ..AgentHealth::default()
        })),
    };
    let container =
        Container { uid: "4bc1".into(), runtime: "docker".into(), ..Container::default() };
    let mut contained = started(43, "web", at(1));
    if let Activity::ProcessStarted(process) = &mut contained.activity {
        process.container = Some(Box::new(container));
    }
    fixture.report(2, vec![health(1), contained]).await;
    fixture.report(3, vec![health(4)]).await;
    let found = fixture.get(&path).await["health"].clone();
    assert_eq!(
        (&found["version"], &found["rss_bytes"], &found["throttled"], &found["dropped"]),
        (&json!("0.1.0"), &json!(6 << 20), &json!(true), &json!(4))
    );
    assert!(found["reported"].is_string(), "{found}");
    let processes = fixture.get(&paths::fill(paths::HOST_PROCESSES, HOST_ID)).await;
    let container = |row: usize| &processes["data"][row]["container"];
    assert_eq!(container(0), &Value::Null);
    assert_eq!(container(1)["runtime"], "docker");

    // It is an event like all others, but nothing is concluded from it.
    let events = fixture.get(&format!("{}?kind=agent_health", paths::EVENTS)).await;
    assert_eq!(events["data"].as_array().unwrap().len(), 2);
    let summary = events["data"][0]["summary"].as_str().unwrap();
    assert!(summary.contains("6.0 MiB") && summary.contains("4 dropped"), "{summary}");
}
