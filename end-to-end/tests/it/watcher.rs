//! Watcher agents on psutil, and the manual test of their guide.

use anyhow::Result;
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::Setup;
use ringwall_end_to_end::suspect::Suspect;
use ringwall_end_to_end::tour;
use ringwall_end_to_end::watcher_agent::WatcherAgent;
use ringwall_end_to_end::{machine, pages};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn report_order_kill_and_confirmation() -> Result<()> {
    // The agent reports all processes of this machine, those of other tests too.
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    tour::watcher_cycle(&server).await
}

/// The guide's "Test Command Execution", after `ringwall indicators add process sleep`.
#[tokio::test(flavor = "multi_thread")]
async fn the_manual_test_of_the_guide_works() -> Result<()> {
    let server = Setup::new()?.start().await?;
    server.ringwall(&["indicators", "add", "process", "sleep"]).await?;
    let folder = server.folder().join("guide");
    std::fs::create_dir_all(&folder)?;
    let agent = WatcherAgent {
        url: server.dialect("watcher")?.to_owned(),
        hostname: "guide.local".into(),
        folder: folder.clone(),
    };
    let mut sleep = Suspect::new(&folder, "sleep")?.start()?;
    let report = json!({
        "hostname": agent.hostname,
        "timestamp": "2026-01-15T10:00:00+00:00",
        "processes": [{"pid": sleep.pid(), "name": "sleep"}],
        "connections": []
    });
    let watcher = Http::new(&agent.url);
    let answer = watcher.post("/api/v1/collect", &report).await?.expect(200)?.json()?;
    assert_eq!(answer["status"], "processed");
    let stats = watcher.get_json("/api/v1/dashboard/stats").await?;
    assert_eq!(stats["pending_command_hosts"], 1, "{stats}");

    let commands = agent.execute().await?;
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert_eq!(commands[0]["target"], sleep.pid().to_string());
    sleep.gone(tour::SOON).await?;
    assert!(agent.poll().await?.is_empty());

    let gone = json!({"hostname": agent.hostname, "timestamp": "later", "processes": []});
    watcher.post("/api/v1/collect", &gone).await?.expect(200)?;
    tour::command_ends(&server, pages::text(&commands[0], "/command_id")?, "succeeded").await?;
    Ok(())
}

/// Flaw 5 of the original: every payload repeats the alert and the order.
#[tokio::test(flavor = "multi_thread")]
async fn further_sightings_raise_a_count() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let watcher = Http::new(server.dialect("watcher")?);
    let report = json!({
        "hostname": "mac.local",
        "timestamp": "2026-01-15T10:00:00",
        "processes": [{"pid": 4242, "name": "evil.sh"}],
    });
    for _ in 0..4 {
        watcher.post("/api/v1/collect", &report).await?.expect(200)?;
    }
    let alerts = pages::of_api(&server.api(), "/api/v1/alerts?host=watcher:mac.local").await?;
    let bad: Vec<_> =
        alerts.iter().filter(|alert| alert["finding"]["type"] == "indicator_match").collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(bad[0]["count"], 4, "{bad:?}");
    let commands = watcher.get_json("/api/v1/commands?host=mac.local").await?;
    assert_eq!(commands.as_array().map(Vec::len), Some(1), "{commands}");
    // Flaw 3: a poll must not lose the order for good, and 15.2: an immediate second answers [].
    assert_eq!(watcher.get_json("/api/v1/commands?host=mac.local").await?, json!([]));
    Ok(())
}

/// Flaw 11: a restart loses alerts and waiting orders.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_orders_survive_a_kill() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let report = json!({
        "hostname": "mac.local",
        "timestamp": "2026-01-15T10:00:00",
        "processes": [{"pid": 4242, "name": "evil.sh"}],
    });
    let watcher = Http::new(server.dialect("watcher")?);
    watcher.post("/api/v1/collect", &report).await?.expect(200)?;
    let server = server.kill().await?.start().await?;
    let watcher = Http::new(server.dialect("watcher")?);
    let commands = watcher.get_json("/api/v1/commands?host=mac.local").await?;
    assert_eq!(commands[0]["target"], "4242", "{commands}");
    let alerts = watcher.get_json("/api/v1/alerts").await?;
    assert_eq!(alerts[0]["process_pid"], 4242, "{alerts}");
    Ok(())
}
