//! SQL through a real server: the command line and the API, their bounds, and what must stay hidden.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::sysscore::{Agent, batch, item};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

const SECRET: &str = "agent secret";
const PATH: &str = "/api/v1/query";
/// Counts for ever.
const ENDLESS: &str =
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";

/// A server that has thirty system calls of three processes.
async fn with_events(setup: Setup) -> Result<Server> {
    let server = setup.sysscore_agent("agent-1", SECRET).start().await?;
    let now = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros(),
    )?;
    let items: Vec<Value> = (0..30)
        .map(|n| {
            let call = if n % 10 == 0 { "execve" } else { "open" };
            item(100 + n % 3, call, now - n * 1_000_000, json!({ "n": n }))
        })
        .collect();
    let agent = Agent::new("agent-1", SECRET);
    agent
        .send(&Http::new(server.dialect("sysscore")?), "first", &batch(&items))
        .await?
        .expect(207)?;
    Ok(server)
}

async fn ask(server: &Server, sql: &str) -> Result<Value> {
    server.api().post(PATH, &json!({ "sql": sql })).await?.expect(200)?.json()
}

async fn tool(server: &Server, arguments: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::from(server.tool());
    Ok(command.arg("query").args(arguments).output().await?)
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_by_every_door() -> Result<()> {
    let server = with_events(Setup::new()?).await?;
    let by_call = "SELECT kernel_name, count(*) AS n FROM events GROUP BY 1 ORDER BY 2 DESC";
    let answer = ask(&server, by_call).await?;
    assert_eq!(answer["rows"], json!([["open", 27], ["execve", 3]]));
    assert_eq!(answer["columns"][0], json!({ "name": "kernel_name", "type": "text" }));
    assert_eq!(answer["done"]["truncated"], json!(false));
    let answer = ask(&server, "SELECT id, events FROM hosts").await?;
    assert_eq!(answer["rows"], json!([["sysscore:agent-1", 30]]));
    let answer = ask(&server, "SELECT count(*) > 0, max(risk_score) > 0 FROM scores").await?;
    assert_eq!(answer["rows"], json!([[1, 1]]));
    let answer =
        ask(&server, "SELECT actor, reason FROM audit WHERE action = 'query' LIMIT 1").await?;
    assert_eq!(answer["rows"][0][1], json!(by_call));

    let output = tool(&server, &[by_call]).await?;
    assert_eq!(printed(&output), "kernel_name   n\nopen         27\nexecve        3\n");
    let output = tool(&server, &[by_call, "--csv"]).await?;
    assert_eq!(printed(&output), "kernel_name,n\r\nopen,27\r\nexecve,3\r\n");
    let output = tool(&server, &[by_call, "--json"]).await?;
    let rows: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        rows,
        json!([{ "kernel_name": "open", "n": 27 }, { "kernel_name": "execve", "n": 3 }])
    );
    let output = tool(&server, &["SELECT time FROM events", "--limit", "3", "--csv"]).await?;
    assert_eq!(printed(&output).lines().count(), 4);
    assert_eq!(said(&output), "there are more than 3 rows; a larger --limit shows more\n");
    let output = tool(&server, &["SELECT proces_pid FROM events"]).await?;
    assert_eq!(
        said(&output),
        "error: 1:8: no such column: proces_pid\nhint: did you mean `process_pid`?\n"
    );
    assert_eq!(output.status.code(), Some(2));
    let newest = "SELECT process_pid FROM events WHERE time > ago('1h') ORDER BY time DESC LIMIT 2";
    let output = tool(&server, &[newest, "--explain"]).await?;
    assert_eq!(
        printed(&output).lines().last().unwrap_or_default(),
        "SCAN events newest first; columns time metadata_uid process_pid; where time >"
    );
    // Without its server the store is read directly.
    let stopped = server.stop().await?;
    let data = stopped.data();
    let data = data.to_str().context("a path in UTF-8")?;
    let output = stopped.tool().args(["query", by_call, "--csv", "--data-dir", data]).output()?;
    assert_eq!(printed(&output), "kernel_name,n\r\nopen,27\r\nexecve,3\r\n", "{}", said(&output));
    Ok(())
}

/// Keys, tokens, sessions, other files: no way of asking leads there, and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_hidden() -> Result<()> {
    let server = with_events(Setup::new()?).await?;
    for sql in [
        "SELECT * FROM document",
        "SELECT count(*) FROM document",
        "SELECT * FROM store.document",
        "SELECT body FROM store.checkpoint",
        "WITH alerts AS (SELECT * FROM store.document) SELECT * FROM alerts",
        "SELECT (SELECT group_concat(body) FROM document)",
        "SELECT * FROM store.sqlite_schema",
        "SELECT * FROM pragma_database_list",
        "ATTACH 'master.key' AS k",
        "SELECT readfile('master.key')",
        "SELECT load_extension('x')",
        "VACUUM INTO 'copy.db'",
        "DELETE FROM audit",
        "DROP TABLE store.document",
        "SELECT 1; DROP TABLE store.document",
        "PRAGMA query_only = 0",
        "SELECT sqlite_version() || randomblob(9)",
    ] {
        let answer = server.api().post(PATH, &json!({ "sql": sql })).await?;
        ensure!(matches!(answer.status, 400 | 403), "{sql}: {} {}", answer.status, answer.text());
        ensure!(!answer.text().contains("rwt_") && !answer.text().contains("argon2"), "{sql}");
    }
    // Who may not read the audit elsewhere may not read it here.
    let token = json!({ "name": "reader", "role": "read_only" });
    let token = server.api().post("/api/v1/tokens", &token).await?.expect(201)?.json()?;
    let reader =
        Http::new(&server.ready().main).bearer(token["token"].as_str().unwrap_or_default());
    let query = |sql: &str| json!({ "sql": sql });
    reader.post(PATH, &query("SELECT count(*) FROM events")).await?.expect(200)?;
    reader.post(PATH, &query("SELECT count(*) FROM audit")).await?.expect(403)?;
    reader.post(PATH, &query("SELECT * FROM audit")).await?.expect(403)?;
    Http::new(&server.ready().main).post(PATH, &query("SELECT 1")).await?.expect(401)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_hold() -> Result<()> {
    let config = "[query]\nmemory_bytes_max = 134217728\n";
    let server = with_events(Setup::new()?.config(config)?).await?;
    let ask = |sql: &str, limit: &str, value: u64| {
        let mut body = json!({ "sql": sql });
        body[limit] = value.into();
        let api = server.api();
        async move { api.post(PATH, &body).await }
    };
    let began = Instant::now();
    let late = ask(ENDLESS, "time_limit_ms", 300).await?.expect(400)?;
    ensure!(late.text().contains("longer than it may"), "{}", late.text());
    ensure!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let some = ask("SELECT time FROM events", "row_limit", 5).await?.expect(200)?.json()?;
    assert_eq!((&some["done"]["rows"], &some["done"]["truncated"]), (&json!(5), &json!(true)));
    ask("SELECT 1", "row_limit", 0).await?.expect(400)?;
    ask("SELECT 1", "time_limit_ms", 86_400_000).await?.expect(400)?;
    let greedy = "WITH RECURSIVE n(x, y) AS (SELECT 1, hex(printf('%.*c', 50000, 'x'))
                  UNION ALL SELECT x + 1, y || x FROM n WHERE x < 100000)
                  SELECT count(DISTINCT y) FROM n";
    let refused = ask(greedy, "time_limit_ms", 60_000).await?.expect(400)?;
    ensure!(refused.text().contains("memory"), "{}", refused.text());
    // The server took no harm.
    server.api().get("/api/v1/health").await?.expect(200)?;
    Ok(())
}

/// Two run at once; a third is told to come back. Whoever hangs up ends the query.
#[tokio::test(flavor = "multi_thread")]
async fn places_are_few_and_given_back() -> Result<()> {
    let server = with_events(Setup::new()?).await?;
    let body = json!({ "sql": ENDLESS, "time_limit_ms": 60_000 });
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (api, body) = (server.api(), body.clone());
        waiting.push(tokio::spawn(async move { api.post(PATH, &body).await }));
    }
    until(|| async { Ok(workers(server.pid())? == 2) }).await?;
    let third = server.api().post(PATH, &json!({ "sql": "SELECT 1" })).await?.expect(429)?;
    ensure!(!third.header("retry-after").is_empty(), "no Retry-After");
    for one in waiting {
        one.abort();
    }
    until(|| async { Ok(workers(server.pid())? == 0) }).await?;
    server.api().post(PATH, &json!({ "sql": "SELECT 1" })).await?.expect(200)?;

    // A server that stops leaves none behind, and does not wait for them.
    let (api, body) = (server.api(), body.clone());
    let running = tokio::spawn(async move { api.post(PATH, &body).await });
    until(|| async { Ok(workers(server.pid())? == 1) }).await?;
    let began = Instant::now();
    server.stop().await?;
    ensure!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    running.abort();
    Ok(())
}

/// Waits until something is so.
async fn until<F: Future<Output = Result<bool>>>(mut is_so: impl FnMut() -> F) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await? {
        ensure!(Instant::now() < deadline, "it does not come to that");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// How many queries this server runs.
fn workers(server: u32) -> Result<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir("/proc")? {
        let folder = entry?.path();
        // Processes end while we look.
        let (Ok(stat), Ok(line)) =
            (std::fs::read_to_string(folder.join("stat")), std::fs::read(folder.join("cmdline")))
        else {
            continue;
        };
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let parent = after_name.split_whitespace().nth(1).and_then(|text| text.parse().ok());
        let is_worker = line.split(|byte| *byte == 0).any(|word| word == b"query-worker");
        found += usize::from(parent == Some(server) && is_worker);
    }
    Ok(found)
}
