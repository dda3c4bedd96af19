//! A FastAPI application behind the original middleware, which reports to the real server and takes its
//! rules from there.

use crate::guard_agents::{endpoint, project, stored};
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::original_guard::OriginalApplication;
use ringwall_end_to_end::server::Setup;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn status(application: &OriginalApplication, client: &str, path: &str) -> Result<u16> {
    let http = application.http().clone().with_header("x-forwarded-for", client);
    Ok(http.get(path).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_middleware_reports_and_obeys() -> Result<()> {
    let home = Folder::new()?;
    let server = Setup::new()?.start().await?;
    let project = project(&server, "shop").await?;
    let rules = json!({"ip_blacklist": ["203.0.113.0/28"], "blocked_user_agents": ["badbot"]});
    let path = "/api/v1/guard/projects/shop/rules";
    let current = server.api().get_json(path).await?;
    let body = json!({"rules": rules, "base_version": current["version"]}).to_string();
    let json_body = [("content-type", "application/json")];
    server.api().send(http::Method::PUT, path, &json_body, body).await?.expect(200)?;

    let middleware = json!({
        "trusted_proxies": ["127.0.0.1"], "enable_redis": false, "rate_limit": 1000,
        "auto_ban_threshold": 3, "enable_dynamic_rules": true, "dynamic_rule_interval": 60,
    });
    let agent = json!({
        "api_key": project.key, "endpoint": endpoint(&server), "project_id": project.name,
        "options": {"agent_payload_signing_secret": project.signing_secret},
    });
    let application = OriginalApplication::start(home.path(), middleware, Some(agent)).await?;

    let deadline = Instant::now() + Duration::from_secs(60);
    while status(&application, "203.0.113.9", "/").await? != 403 {
        ensure!(Instant::now() < deadline, "the rules never arrive");
        sleep(Duration::from_millis(200)).await;
    }
    ensure!(status(&application, "198.51.100.7", "/").await? == 200);
    let attack = "/search?q=%27%20union%20select%20password%20from%20users--";
    let answers = [
        status(&application, "198.51.100.66", attack).await?,
        status(&application, "198.51.100.66", attack).await?,
        status(&application, "198.51.100.66", attack).await?,
        status(&application, "198.51.100.66", "/").await?,
    ];
    ensure!(answers == [400, 400, 403, 403], "{answers:?}");
    let bad = application.http().clone().with_header("user-agent", "badbot/1.0");
    ensure!(bad.with_header("x-forwarded-for", "198.51.100.8").get("/").await?.status == 403);

    let wanted = ["penetration_attempt", "pattern_detected", "ip_banned", "user_agent_blocked"];
    let deadline = Instant::now() + Duration::from_secs(60);
    let rows = loop {
        let rows = stored(&server, "shop").await?;
        let there = |kind: &&str| rows.iter().any(|row| row["event_type"] == **kind);
        if wanted.iter().all(there) {
            break rows;
        }
        ensure!(Instant::now() < deadline, "not all arrives: {}", json!(rows));
        sleep(Duration::from_millis(200)).await;
    };
    let attack = rows.iter().find(|row| row["event_type"] == "penetration_attempt");
    let attack = attack.context("just seen")?;
    ensure!(attack["address"] == "198.51.100.66", "{attack}");
    let alerts = server.api().get_json("/api/v1/alerts").await?;
    let found = alerts["data"]
        .as_array()
        .context("alerts")?
        .iter()
        .any(|alert| alert.to_string().contains("198.51.100.66"));
    ensure!(found, "no alert of the attack: {alerts}");
    let metrics = "/api/v1/guard/metrics?project=shop&metric=request_count";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer: Value = server.api().get_json(metrics).await?;
        if answer["points"].as_array().is_some_and(|points| !points.is_empty()) {
            break;
        }
        ensure!(Instant::now() < deadline, "no metrics: {answer}");
        sleep(Duration::from_millis(200)).await;
    }
    application.stop().await?;
    server.stop().await?;
    Ok(())
}
