//! The Watcher dialect, which knows no credentials, against whoever reaches its port.

use super::{deep, is_unharmed, is_validation};
use anyhow::Result;
use http::Method;
use ringwall_end_to_end::host_agent::HostAgent;
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::Setup;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_the_form_of_the_original() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(server.dialect("watcher")?);
    let json_type = [("content-type", "application/json")];
    for body in [
        "{".to_owned(),
        String::new(),
        "[]".to_owned(),
        r#"{"timestamp": "t", "processes": []}"#.to_owned(),
        r#"{"hostname": "h", "timestamp": 5, "processes": []}"#.to_owned(),
        r#"{"hostname": "h", "timestamp": "t"}"#.to_owned(),
        r#"{"hostname": "h", "timestamp": "t", "processes": [{"pid": 1.5, "name": "a"}]}"#
            .to_owned(),
        r#"{"hostname": "h", "timestamp": "t", "processes": [{"pid": 5, "name": null}]}"#
            .to_owned(),
        r#"{"hostname": "h", "timestamp": "t", "processes": [], "connections": [{}]}"#.to_owned(),
        deep(100_000),
    ] {
        let answer = http.send(Method::POST, "/api/v1/collect", &json_type, body).await?;
        is_validation(&answer);
    }
    // curl's form default.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let good = r#"{"hostname": "h", "timestamp": "t", "processes": []}"#;
    assert_eq!(http.send(Method::POST, "/api/v1/collect", &form, good).await?.status, 422);
    is_validation(&http.get("/api/v1/commands").await?);
    is_validation(&http.get("/api/v1/events?limit=soon").await?);
    for limit in ["-3", "0", "999999999999999999999999"] {
        let answer = http.get(&format!("/api/v1/events?limit={limit}")).await?;
        assert!([200, 422].contains(&answer.status), "{limit}: {}", answer.text());
    }
    for (path, status) in [("/nowhere", 404), ("/api/v1/collect", 405)] {
        let answer = http.get(path).await?.expect(status)?;
        assert!(answer.json()?["detail"].is_string(), "{}", answer.text());
    }
    is_unharmed(&server).await
}

/// Flaw 1: reported pids 1, 0 and -1 became kill commands.
#[tokio::test(flavor = "multi_thread")]
async fn no_report_orders_the_death_of_what_is_protected() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(server.dialect("watcher")?);
    for pid in [json!(1), json!(0), json!(-1), json!(i64::MIN), json!(i64::MAX), json!("1")] {
        let report = json!({
            "hostname": "victim", "timestamp": "t",
            "processes": [{"pid": pid, "name": "evil.sh"}],
        });
        let answer = http.post("/api/v1/collect", &report).await?;
        assert!([200, 422].contains(&answer.status), "{pid}: {}", answer.text());
    }
    let commands = http.get_json("/api/v1/commands?host=victim").await?;
    let targets: Vec<&Value> =
        commands.as_array().into_iter().flatten().map(|command| &command["target"]).collect();
    let bad = targets.iter().any(|pid| ["0", "1", "-1"].map(Value::from).contains(pid));
    assert!(!bad, "{commands}");
    assert!(!targets.contains(&&json!(i64::MIN.to_string())), "{commands}");
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pids_beyond_64_bits_harm_nobody() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(server.dialect("watcher")?);
    let json_type = [("content-type", "application/json")];
    let report = r#"{"hostname": "h", "timestamp": "t", "processes":
        [{"pid": 99999999999999999999999, "name": "evil.sh"}, {"pid": 77, "name": "evil.sh"}]}"#;
    let answer = http.send(Method::POST, "/api/v1/collect", &json_type, report).await?;
    assert!([200, 422].contains(&answer.status), "{}", answer.text());
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_data() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(server.dialect("watcher")?);
    let text = "\u{1b}]0;owned\u{7}<img src=x onerror=alert(1)>\0\n\u{202e}";
    let report = json!({
        "hostname": text, "timestamp": text,
        "processes": [{"pid": 77, "name": "evil.sh", "command_line": text, "user": text},
                      {"pid": 78, "name": text}],
        "connections": [{"local_address": text, "local_port": 1, "status": text}],
        "system_info": {text: text},
    });
    http.post("/api/v1/collect", &report).await?.expect(200)?;
    let events = http.get_json("/api/v1/events").await?;
    assert_eq!(events[0]["hostname"], text);
    assert_eq!(events[0]["processes"][1]["name"], text);
    for list in ["events", "alerts", "hosts", "commands"] {
        let shown = server.ringwall(&[list]).await?;
        let has_control = shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        assert!(!has_control, "control characters for a terminal in {list}: {shown:?}");
    }
    is_unharmed(&server).await
}

/// Where a host has an enrolled agent, an order goes through it, never to whoever polls.
#[tokio::test(flavor = "multi_thread")]
async fn an_enrolled_host_is_not_commanded_through_the_open_door() -> Result<()> {
    let server = Setup::new()?.start().await?;
    HostAgent::enrol(&server, "guarded").await?;
    let http = Http::new(server.dialect("watcher")?);
    let report = json!({
        "hostname": "guarded", "timestamp": "t", "processes": [{"pid": 4242, "name": "evil.sh"}],
    });
    http.post("/api/v1/collect", &report).await?.expect(200)?;
    assert_eq!(http.get_json("/api/v1/commands?host=guarded").await?, json!([]));
    Ok(())
}
