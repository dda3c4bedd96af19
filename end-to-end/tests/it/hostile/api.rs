//! Our own API.

use super::{is_problem, is_unharmed};
use anyhow::Result;
use http::Method;
use ringwall_end_to_end::host_agent::{HostAgent, REPORTS};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::Setup;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_strangers() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let stranger = Http::new(&server.ready().main);
    for path in [
        "/api/v1/overview",
        "/api/v1/hosts",
        "/api/v1/events",
        "/api/v1/alerts",
        "/api/v1/commands",
        "/api/v1/scores",
        "/api/v1/indicators",
        "/api/v1/keys",
        "/api/v1/enrolments",
        "/api/v1/identities",
        "/api/v1/tokens",
        "/api/v1/audit",
        "/api/v1/stream",
    ] {
        is_problem(&stranger.get(path).await?, 401);
        is_problem(&stranger.clone().bearer("rwt_guess").get(path).await?, 401);
    }
    for path in ["/api/v1/health", "/api/v1/openapi.json", "/api/v1/docs", "/"] {
        stranger.get(path).await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_problems() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let api = server.api();
    for (path, status) in [
        ("/api/v1/nowhere", 404),
        ("/api/v1/alerts/00000000000000000000000000000000", 404),
        ("/api/v1/alerts/nonsense", 404),
        ("/api/v1/commands/nonsense", 404),
        ("/api/v1/hosts/host-agent:nobody", 404),
        ("/api/v1/events/nonsense", 404),
        ("/api/v1/events?cursor=nonsense", 400),
        ("/api/v1/alerts?cursor=nonsense", 400),
        ("/api/v1/events?limit=0", 400),
        ("/api/v1/events?limit=1001", 400),
        ("/api/v1/events?limit=soon", 400),
        ("/api/v1/events?since=soon", 400),
        ("/api/v1/events?kind=nonsense", 400),
        ("/api/v1/alerts?state=nonsense", 400),
        ("/api/v1/hosts/%ff%fe", 400),
    ] {
        let answer = api.get(path).await?;
        // 422 says the same of a value that cannot be read; both are in use.
        let status = if status == 400 && answer.status == 422 { 422 } else { status };
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        is_problem(&answer, status);
    }
    is_problem(&api.send(Method::PUT, "/api/v1/alerts", &[], "").await?, 405);
    for body in [json!({}), json!({"kind": "nonsense", "value": "a"}), json!([]), json!(null)] {
        let answer = api.post("/api/v1/indicators", &body).await?;
        assert!([400, 422].contains(&answer.status), "{body}: {}", answer.text());
        is_problem(&answer, answer.status);
    }
    is_unharmed(&server).await
}

/// Orders against what must live are refused with the reason, and written down.
#[tokio::test(flavor = "multi_thread")]
async fn protected_processes_are_not_ordered_away() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let agent = HostAgent::enrol(&server, "web-1").await?;
    let process = json!({"ProcessStarted": {"pid": 4242, "name": "systemd"}});
    let report = json!({
        "spool_id": "boot-1", "sequence": 1, "hostname": "web-1", "dropped_total": 0,
        "events": [{"time": "2026-01-15T10:00:00.000000Z", "activity": process}],
    });
    let http = Http::new(&server.ready().main);
    let body = report.to_string();
    agent.send(&http, Method::POST, REPORTS, body.as_bytes()).await?.expect(200)?;
    for (pid, name) in [(0, "a"), (1, "init"), (-1, "a"), (4242, "systemd")] {
        let order = json!({
            "host": "host-agent:web-1", "action": "kill_process", "pid": pid, "name": name,
            "reason": "a test",
        });
        let answer = server.api().post("/api/v1/commands", &order).await?;
        assert!([400, 403, 422].contains(&answer.status), "{pid} {name}: {}", answer.text());
        is_problem(&answer, answer.status);
    }
    let commands = pages::of_api(&server.api(), "/api/v1/commands").await?;
    assert!(commands.is_empty(), "{commands:?}");
    let audit = pages::of_api(&server.api(), "/api/v1/audit").await?;
    let refused = audit.iter().filter(|entry| entry["outcome"] == "refused").count();
    assert!(refused >= 1, "{audit:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_passwords_gets_slow() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(&server.ready().main);
    for _ in 0..50 {
        let guess = json!({"user": "admin", "password": "guess"});
        let answer = http.post("/api/v1/session", &guess).await?;
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
            is_problem(&answer, 429);
            return is_unharmed(&server).await;
        }
        is_problem(&answer, 401);
    }
    panic!("fifty guesses, and nobody minded");
}

/// A page of another site must not read our answers, nor write in the name of who is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_are_not_let_in() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let answer =
        server.api().with_header("origin", "https://evil.example").get("/api/v1/hosts").await?;
    let allowed = answer.header("access-control-allow-origin");
    assert!(!["*", "https://evil.example"].contains(&allowed), "{:?}", answer.headers);
    let page = Http::new(&server.ready().main).get("/").await?;
    assert!(!page.header("content-security-policy").is_empty(), "{:?}", page.headers);
    Ok(())
}
