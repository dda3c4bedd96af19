//! Webhooks from the real program: exactly one delivery for each alert however often the server is
//! killed, TLS that is not trusted blindly, and the tool for people.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, batch, item};
use ringwall_end_to_end::webhook_receiver::WebhookReceiver;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SECRET: &str = "agent secret";
const WEBHOOKS: &str = "/api/v1/webhooks";

const TO_LOOPBACK: &str = "\
[webhooks]
allow_networks = [\"127.0.0.0/8\"]
retry_first_seconds = 1
retry_longest_seconds = 1
attempts_max = 100
concurrent_max = 4
";

/// A process that does something risky: one alert.
async fn alert(server: &Server, agent: &Agent, pid: i64) -> Result<()> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_micros())?;
    let body = batch(&[item(pid, "ptrace", now, json!({"name": "odd"}))]);
    let key = format!("{}-{pid}", agent.id);
    let http = Http::new(server.dialect("sysscore")?);
    // The answer may be lost with the server: the same under the same key is taken once.
    agent.send(&http, &key, &body).await?.expect(207)?;
    Ok(())
}

async fn add(server: &Server, name: &str, url: &str) -> Result<Value> {
    let webhook = json!({"name": name, "url": url});
    server.api().post(WEBHOOKS, &webhook).await?.expect(201)?.json()
}

async fn rows(server: &Server, path: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.api().get_json(&format!("{path}?limit=1000{cursor}")).await?;
        rows.extend(page["data"].as_array().context("no rows")?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_is_told_exactly_once_but_for_repetitions_under_its_id() -> Result<()> {
    const AGENTS: usize = 3;
    const ALERTS_EACH: i64 = 60;
    let kills: u32 = match std::env::var("RINGWALL_KILLS") {
        Ok(kills) => kills.parse()?,
        Err(_) => 6,
    };
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("{kills} kills, RINGWALL_SEED={seed}");
    let receiver = WebhookReceiver::start(Some(random.fork())).await?;
    let agents: Vec<Agent> =
        (0..AGENTS).map(|number| Agent::new(&format!("agent-{number}"), SECRET)).collect();
    let mut setup = Setup::new()?.config(TO_LOOPBACK)?;
    for agent in &agents {
        setup = setup.sysscore_agent(&agent.id, SECRET);
    }
    let mut server = setup.start().await?;
    add(&server, "on call", &receiver.url()).await?;

    let mut to_raise: Vec<(usize, i64)> = (0..AGENTS)
        .flat_map(|agent| (1..=ALERTS_EACH).map(move |pid| (agent, 1000 + pid)))
        .collect();
    let between = to_raise.len() / (usize::try_from(kills)? + 1);
    for _ in 0..kills {
        for (agent, pid) in to_raise.split_off(to_raise.len().saturating_sub(between)) {
            alert(&server, &agents[agent], pid).await?;
        }
        sleep(Duration::from_millis(random.within(0..120))).await;
        server = server.kill().await?.start().await?;
    }
    for (agent, pid) in to_raise {
        alert(&server, &agents[agent], pid).await?;
    }

    let expected = AGENTS * usize::try_from(ALERTS_EACH)?;
    let deadline = Instant::now() + Duration::from_secs(90);
    let deliveries = loop {
        let deliveries = rows(&server, "/api/v1/deliveries").await?;
        if deliveries.len() == expected && deliveries.iter().all(|row| row["state"] == "success") {
            break deliveries;
        }
        if Instant::now() > deadline {
            let open: Vec<&Value> =
                deliveries.iter().filter(|row| row["state"] != "success").take(3).collect();
            anyhow::bail!(
                "{} of {expected} deliveries, of which open: {open:#?}",
                deliveries.len()
            );
        }
        sleep(Duration::from_millis(50)).await;
    };
    // Alerts and deliveries came true together: one for one.
    let alerts: BTreeSet<String> = texts(&rows(&server, "/api/v1/alerts").await?, "id");
    ensure!(alerts.len() == expected, "{} alerts", alerts.len());
    ensure!(texts(&deliveries, "subject") == alerts);
    // What the receiver got is what the outbox held, and a repetition is byte for byte the same.
    let mut bodies = BTreeMap::new();
    let mut repetitions = 0;
    for message in receiver.messages() {
        let known = bodies.insert(message.header("webhook-id").to_owned(), message.body.clone());
        if let Some(known) = known {
            repetitions += 1;
            ensure!(known == message.body);
        }
    }
    eprintln!("{repetitions} repetitions among {} messages", bodies.len() + repetitions);
    ensure!(bodies.keys().cloned().collect::<BTreeSet<_>>() == texts(&deliveries, "id"));
    let attempts: u64 = deliveries.iter().filter_map(|row| row["attempts"].as_u64()).sum();
    ensure!(attempts >= u64::try_from(expected)?);
    server.stop().await?;
    Ok(())
}

fn texts(rows: &[Value], field: &str) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row[field].as_str().map(str::to_owned)).collect()
}

/// Waits for the first attempt of a test of this webhook; its state and error.
async fn tried(server: &Server, webhook: &Value) -> Result<(String, String)> {
    let id = webhook["id"].as_str().context("no id")?;
    let path = format!("{WEBHOOKS}/{id}/test");
    let sent = server.api().post(&path, &json!({})).await?.expect(202)?.json()?;
    let path = format!("/api/v1/deliveries/{}", sent["id"].as_str().context("no id")?);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let detail = server.api().get_json(&path).await?;
        if !detail["attempts"].as_array().context("no attempts")?.is_empty() {
            let text = |field: &str| detail[field].as_str().unwrap_or_default().to_owned();
            return Ok((text("state"), text("last_error")));
        }
        ensure!(Instant::now() < deadline, "no attempt: {detail}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_with_certificates_of_an_unknown_authority_are_not_trusted() -> Result<()> {
    let folder = Folder::new()?;
    let receiver = TlsReceiver::start(folder.path()).await?;
    let (authority, url) = (receiver.certificate.clone(), receiver.url.clone());
    let server = Setup::new()?.config(TO_LOOPBACK)?.start().await?;
    let made = add(&server, "unknown", &url).await?;
    let (state, error) = tried(&server, &made).await?;
    ensure!(state == "failed" && error.contains("TLS with `localhost`"), "{state}: {error}");
    server.stop().await?;

    let trusting = format!("{TO_LOOPBACK}ca_file = \"{authority}\"\n");
    let server = Setup::new()?.config(&trusting)?.start().await?;
    let made = add(&server, "known", &url).await?;
    let (state, error) = tried(&server, &made).await?;
    ensure!(state == "success", "{state}: {error}");
    // The certificate is for the name only.
    let made = add(&server, "other name", &url.replace("localhost", "127.0.0.1")).await?;
    let (state, error) = tried(&server, &made).await?;
    ensure!(state == "failed" && error.contains("TLS with `127.0.0.1`"), "{state}: {error}");
    server.stop().await?;
    Ok(())
}

/// A receiver behind TLS, in Python; it ends when dropped.
struct TlsReceiver {
    child: Child,
    certificate: String,
    url: String,
}

impl TlsReceiver {
    async fn start(folder: &Path) -> Result<Self> {
        let place = |name: &str| folder.join(name).display().to_string();
        let (key, certificate, port) = (place("tls.key"), place("tls.pem"), place("tls.port"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            // Left to itself it makes a certificate of an authority, which no server may show.
            .args([
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])
            .stderr(Stdio::null())
            .status()?;
        ensure!(made.success(), "openssl: {made}");
        let child = Command::new(environment::python())
            .arg(environment::python_program("tls_receiver.py"))
            .args([&certificate, &key, &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut receiver = Self { child, certificate, url: String::new() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while receiver.url.is_empty() {
            match std::fs::read_to_string(&port) {
                Ok(port) if port.ends_with('\n') => {
                    receiver.url = format!("https://localhost:{}/", port.trim());
                }
                _ => sleep(Duration::from_millis(10)).await,
            }
            ensure!(Instant::now() < deadline, "the receiver did not start");
            ensure!(receiver.child.try_wait()?.is_none(), "the receiver ended");
        }
        Ok(receiver)
    }
}

impl Drop for TlsReceiver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_mend_with_the_tool() -> Result<()> {
    let receiver = WebhookReceiver::start(None).await?;
    let server =
        Setup::new()?.config(TO_LOOPBACK)?.sysscore_agent("agent-1", SECRET).start().await?;
    let added = server
        .ringwall_json(&["webhooks", "add", "on call", &receiver.url(), "--min-severity", "low"])
        .await?;
    ensure!(added["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    let shown = server.ringwall(&["webhooks", "test", "on call"]).await?;
    ensure!(shown.contains("success") && shown.contains("answered 200"), "{shown}");
    ensure!(shown.contains("  noted"), "{shown}");
    let table = server.ringwall(&["webhooks"]).await?;
    ensure!(table.contains("on call") && table.contains("standard"), "{table}");
    let paused = server.ringwall_json(&["webhooks", "pause", "on call"]).await?;
    ensure!(paused["enabled"] == false, "{paused}");
    let output = tokio::process::Command::from(server.tool())
        .args(["webhooks", "test", "on call"])
        .output()
        .await?;
    ensure!(output.status.code() == Some(1) || output.status.code() == Some(2), "{output:?}");
    server.ringwall(&["webhooks", "resume", "on call"]).await?;

    let agent = Agent::new("agent-1", SECRET);
    alert(&server, &agent, 4711).await?;
    let deadline = Instant::now() + Duration::from_secs(30);
    let delivered = loop {
        let rows = server
            .ringwall_json(&["webhooks", "deliveries", "on call", "--state", "success"])
            .await?;
        let rows = rows.as_array().context("no rows")?.clone();
        if rows.len() == 2 {
            break rows;
        }
        ensure!(Instant::now() < deadline, "{rows:?}");
        sleep(Duration::from_millis(50)).await;
    };
    ensure!(delivered[0]["event_type"] == "alert.raised", "{delivered:?}");
    let id = delivered[0]["id"].as_str().context("no id")?;
    let shown = server.ringwall(&["webhooks", "show", &id[..20]]).await?;
    ensure!(shown.contains("answered 200") && shown.contains("risk of odd"), "{shown}");
    server.ringwall(&["webhooks", "replay", id]).await?;
    let rotated = server.ringwall_json(&["webhooks", "rotate-secret", "on call"]).await?;
    ensure!(rotated["secret"] != added["secret"]);
    let counted = server
        .ringwall_json(&["query", "SELECT state, count(*) AS n FROM deliveries GROUP BY state"])
        .await?;
    ensure!(counted.to_string().contains("success"), "{counted}");
    let removed = server.ringwall_json(&["webhooks", "remove", "on call"]).await?;
    ensure!(removed["removed"] == added["id"], "{removed}");
    ensure!(server.ringwall_json(&["webhooks"]).await? == json!([]));
    ensure!(!server.log().contains("whsec_"), "a secret in the log");
    server.stop().await?;
    Ok(())
}
