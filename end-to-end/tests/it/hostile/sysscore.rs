//! The SysScore dialect against senders that are wrong, broken or bad.

use super::{deep, is_problem, is_unharmed, is_validation};
use anyhow::Result;
use http::Method;
use ringwall_end_to_end::http_client::{Answer, Http};
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, EVENTS, Receipt, batch, item};
use ringwall_end_to_end::tour;
use serde_json::{Value, json};

const GOOD: &str =
    r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "2026-01-15T10:00:00.5"}]}"#;

async fn start() -> Result<(Server, Http, Agent)> {
    let server = Setup::new()?.sysscore_agent("agent-1", "secret").start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    Ok((server, http, Agent::new("agent-1", "secret")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_well_is_refused_before_it_is_read() -> Result<()> {
    let (server, http, agent) = start().await?;
    let right = agent.signature(GOOD.as_bytes())?;
    let url_safe = right.replace('+', "-").replace('/', "_");
    let wrong = [
        ("agent-1", "nonsense", GOOD),
        ("agent-1", right.trim_end_matches('='), GOOD),
        ("agent-1", &format!("{right}="), GOOD),
        ("agent-1", &right, &GOOD.replace('7', "8")),
        ("nobody", &right, GOOD),
        // Not even JSON, and still 401: nothing of an unknown sender is parsed.
        ("agent-1", &right, "{"),
        ("agent-1", &right, &deep(100_000)),
        ("agent-1", "", GOOD),
    ];
    let mut bodies = Vec::new();
    for (id, signature, body) in wrong {
        let answer = post(&http, id, signature, Some("key"), body).await?;
        is_problem(&answer, 401);
        let mut body = answer.json()?;
        body["correlation_id"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "who is known can be told from the answers: {bodies:?}");
    if url_safe != right {
        is_problem(&post(&http, "agent-1", &url_safe, Some("key"), GOOD).await?, 401);
    }
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_headers_are_named() -> Result<()> {
    let (server, http, agent) = start().await?;
    let signature = agent.signature(GOOD.as_bytes())?;
    let json = ("content-type", "application/json");
    let key = ("idempotency-key", "k");
    for (headers, missing) in [
        (vec![json, key, ("x-agent-signature", &signature)], "X-Agent-ID"),
        (vec![json, key, ("x-agent-id", "agent-1")], "X-Agent-Signature"),
    ] {
        let answer = http.send(Method::POST, EVENTS, &headers, GOOD).await?;
        is_validation(&answer);
        assert_eq!(answer.json()?["detail"][0]["loc"], json!(["header", missing]));
    }
    let answer = post(&http, "agent-1", &signature, None, GOOD).await?;
    is_problem(&answer, 400);
    assert_eq!(answer.json()?["title"], "Idempotency Key Required");
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_nonsense_is_refused_in_the_form_of_the_original() -> Result<()> {
    let (server, http, agent) = start().await?;
    for (key, body) in [
        ("not-json", "{".to_owned()),
        ("empty", String::new()),
        ("array", "[]".to_owned()),
        ("no-events", "{}".to_owned()),
        ("events-object", r#"{"events": {}}"#.to_owned()),
        ("no-pid", r#"{"events": [{"syscall": "open"}]}"#.to_owned()),
        ("fraction", r#"{"events": [{"pid": 1.5, "syscall": "open"}]}"#.to_owned()),
        ("prose", r#"{"events": [{"pid": "seven", "syscall": "open"}]}"#.to_owned()),
        ("no-name", r#"{"events": [{"pid": 7}]}"#.to_owned()),
        ("time", r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "soon"}]}"#.to_owned()),
        ("metadata", r#"{"events": [{"pid": 7, "syscall": "open", "metadata": []}]}"#.to_owned()),
        ("deep", deep(100_000)),
    ] {
        let answer = agent.send(&http, key, body.as_bytes()).await?;
        is_validation(&answer);
        assert!(answer.body.len() < 4_000, "{key}: the answer repeats the input");
    }
    // Bytes that are no UTF-8 at all.
    is_validation(&agent.send(&http, "bytes", b"{\"events\": [\xff\xfe]}").await?);
    let text = [("content-type", "text/plain")];
    let answer = signed(&http, &agent, &text, GOOD).await?;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(stored(&server).await?.len(), 0);
    is_unharmed(&server).await
}

/// Flaws 4 and 5: one bad item turned the batch into a 500 and marked its neighbours as seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_item_leaves_its_neighbours_alone() -> Result<()> {
    let (server, http, agent) = start().await?;
    let depth = 200;
    let nested =
        format!(r#"{{"pid": 8, "syscall": "open", "metadata": {{"deep": {}}}}}"#, deep(depth));
    for (key, bad) in [
        ("big", r#"{"pid": 99999999999999999999999999, "syscall": "open"}"#),
        ("negative", r#"{"pid": -99999999999999999999, "syscall": "open"}"#),
        ("deep", &nested),
    ] {
        let body = format!(
            r#"{{"events": [{{"pid": 7, "syscall": "a-{key}"}}, {bad}, {{"pid": 9, "syscall": "b-{key}"}}]}}"#
        );
        let answer = agent.send(&http, key, body.as_bytes()).await?;
        if answer.status == 422 && key == "deep" {
            // Whole-body limits are allowed to refuse the whole body.
            continue;
        }
        let body = answer.json()?;
        let receipt = Receipt::read(answer)?;
        assert_eq!((receipt.accepted, receipt.errors), (2, 1), "{key}: {body}");
        assert_eq!(body["results"][1]["status"], "error", "{body}");
        assert_eq!(body["results"][1]["id"], "", "{body}");
        let names: Vec<String> = stored(&server).await?;
        for name in [format!("a-{key}"), format!("b-{key}")] {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
    }
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_told_so_and_another_body_is_taken() -> Result<()> {
    let (server, http, agent) = start().await?;
    let one = batch(&[item(7, "open", 1_780_000_000_000_001, json!({}))]);
    let other = batch(&[item(8, "read", 1_780_000_000_000_002, json!({}))]);
    let first = Receipt::read(agent.send(&http, "k", &one).await?)?;
    assert_eq!((first.accepted, first.duplicates), (1, 0));
    let again = Receipt::read(agent.send(&http, "k", &one).await?)?;
    assert_eq!((again.accepted, again.duplicates), (0, 1));
    assert_eq!(again.ids, first.ids);
    // Flaw 2: a used key swallowed any other body.
    let second = Receipt::read(agent.send(&http, "k", &other).await?)?;
    assert_eq!((second.accepted, second.duplicates), (1, 0));
    // And the same after a kill.
    let server = server.kill().await?.start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    let again = Receipt::read(agent.send(&http, "k", &one).await?)?;
    assert_eq!((again.accepted, again.duplicates, &again.ids), (0, 1, &first.ids));
    assert_eq!(stored(&server).await?.len(), 2);
    Ok(())
}

/// Flaw 3: keys were global, so that one agent could void another's batch.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_agents_have_nothing_to_do_with_each_other() -> Result<()> {
    let setup = Setup::new()?.sysscore_agent("agent-1", "secret");
    let server = setup.sysscore_agent("agent-2", "other").start().await?;
    let http = Http::new(server.dialect("sysscore")?);
    for agent in [Agent::new("agent-1", "secret"), Agent::new("agent-2", "other")] {
        let receipt = Receipt::read(agent.send(&http, "k", GOOD.as_bytes()).await?)?;
        assert_eq!((receipt.accepted, receipt.duplicates), (1, 0), "{}", agent.id);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_comes_back_as_data_only() -> Result<()> {
    let (server, http, agent) = start().await?;
    let text = "\u{1b}[31m<script>alert(1)</script>\0\r\n\u{7}\u{202e}'; DROP TABLE events; --";
    let metadata = json!({"command": text, text: text});
    let receipt = Receipt::read(
        agent
            .send(&http, text_key(), &batch(&[item(7, text, 1_780_000_000_000_001, metadata)]))
            .await?,
    )?;
    assert_eq!(receipt.accepted, 1);
    assert_eq!(stored(&server).await?, [text]);
    let shown = server.ringwall(&["events"]).await?;
    let has_control = shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    assert!(!has_control, "control characters for a terminal: {shown:?}");
    // Flaw 14: the caller's text as correlation id, unescaped.
    let echoed = http.clone().with_header("x-correlation-id", "<b>\"'--").get("/health").await?;
    assert!(!echoed.text().contains("<b>"), "{}", echoed.text());
    let refused = http.with_header("x-correlation-id", "a\"b<b>").get("/api/v1/events").await?;
    refused.json()?;
    is_unharmed(&server).await
}

/// Flaw 7: the cursor led nowhere, and `limit` had no lower bound.
#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_limits_are_checked() -> Result<()> {
    let (server, http, agent) = start().await?;
    let items: Vec<_> =
        (0..25).map(|n| item(7, &format!("n-{n}"), 1_780_000_000_000_000 + n, json!({}))).collect();
    assert_eq!(Receipt::read(agent.send(&http, "k", &batch(&items)).await?)?.accepted, 25);
    let reader = tour::sysscore_reader(&server)?;
    let rows = pages::of_sysscore(&reader, "/api/v1/events?limit=4").await?;
    assert_eq!(rows.len(), 25, "following cursors reaches every row once");
    for cursor in ["nonsense", "e30=", "AAAA", "%00", &"A".repeat(5_000)] {
        let answer = reader.get(&format!("/api/v1/events?cursor={cursor}")).await?;
        is_problem(&answer, 400);
        assert_eq!(answer.json()?["title"], "Invalid Cursor");
    }
    for limit in ["-2", "0", "soon", "99999999999999999999999"] {
        let answer = reader.get(&format!("/api/v1/events?limit={limit}")).await?;
        let rows = answer.json()?["data"].as_array().map(Vec::len);
        assert!(answer.status == 422 || rows <= Some(1000), "{limit}: {}", answer.text());
    }
    is_validation(&reader.get("/api/v1/scores?risk_min=101").await?);
    is_unharmed(&server).await
}

fn text_key() -> &'static str {
    "a key, with \"quotes\" <and> more"
}

async fn post(
    http: &Http,
    id: &str,
    signature: &str,
    key: Option<&str>,
    body: &str,
) -> Result<Answer> {
    let mut headers = vec![
        ("x-agent-id", id),
        ("x-agent-signature", signature),
        ("content-type", "application/json"),
    ];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    http.send(Method::POST, EVENTS, &headers, body.to_owned()).await
}

async fn signed(
    http: &Http,
    agent: &Agent,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let signature = agent.signature(body.as_bytes())?;
    let mut all = vec![
        ("x-agent-id", agent.id.as_str()),
        ("x-agent-signature", &signature),
        ("idempotency-key", "signed"),
    ];
    all.extend(headers);
    http.send(Method::POST, EVENTS, &all, body.to_owned()).await
}

/// The names of the stored calls.
async fn stored(server: &Server) -> Result<Vec<String>> {
    let rows = pages::of_sysscore(&tour::sysscore_reader(server)?, "/api/v1/events").await?;
    rows.iter().map(|row| Ok(pages::text(row, "/syscall")?.to_owned())).collect()
}
