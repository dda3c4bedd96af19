//! People and programs that read: tokens of SysScore operators (made by PyJWT), and our own.

use anyhow::{Result, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::json;

const SECRET: &str = "an-operator-secret-of-32-bytes-or-more";

#[tokio::test(flavor = "multi_thread")]
async fn sysscore_reads_take_operator_tokens_and_ours() -> Result<()> {
    let server = Setup::new()?.variable("OAUTH2_SECRET_KEY", SECRET).start().await?;
    check(&server, &operator_token(&[SECRET]).await?, 200).await?;
    check(&server, &operator_token(&[SECRET, "-60"]).await?, 401).await?;
    check(&server, &operator_token(&["another-secret-of-32-bytes-or-more!!"]).await?, 401).await?;
    check(&server, &server.ready().admin_token.clone(), 200).await?;
    check(&server, "rwt_nothing", 401).await?;
    check(&server, "", 401).await?;
    // {"alg":"none"}.{"sub":"operator"}.
    check(&server, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcGVyYXRvciJ9.", 401).await?;
    Ok(())
}

/// Without a configured secret no operator token is good, the original's default least of all.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_built_in() -> Result<()> {
    let server = Setup::new()?.start().await?;
    check(&server, &operator_token(&["change-me-in-production"]).await?, 401).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_password() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let http = Http::new(&server.ready().main);
    let wrong = json!({"user": "admin", "password": "guess"});
    let refused = http.post("/api/v1/session", &wrong).await?.expect(401)?;
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let right = json!({"user": "admin", "password": server.ready().admin_password});
    let answer = http.post("/api/v1/session", &right).await?.expect(200)?;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap_or_default();
    let person = http.with_header("cookie", pair);
    person.get("/api/v1/overview").await?.expect(200)?;
    // What changes something needs the word that only our own page knows.
    let indicator = json!({"kind": "process", "value": "one.sh"});
    person.post("/api/v1/indicators", &indicator).await?.expect(403)?;
    let csrf = answer.json()?["csrf"].as_str().unwrap_or_default().to_owned();
    let person = person.with_header("x-ringwall-csrf", &csrf);
    person.post("/api/v1/indicators", &indicator).await?.expect(201)?;
    person.delete("/api/v1/session").await?.expect(204)?;
    person.get("/api/v1/overview").await?.expect(401)?;
    Ok(())
}

/// The first password and the administrator's token are the same after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_stays_the_same() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let before = server.ready().clone();
    let server = server.stop().await?.start().await?;
    let after = server.ready();
    assert_eq!(before.admin_token, after.admin_token);
    assert_eq!(before.admin_password, after.admin_password);
    Ok(())
}

async fn operator_token(arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(environment::python())
        .arg(environment::python_program("operator_token.py"))
        .args(arguments)
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn check(server: &Server, token: &str, expected: u16) -> Result<()> {
    for path in ["/api/v1/events", "/api/v1/scores", "/api/v1/processes", "/api/v1/agents"] {
        let sysscore = Http::new(server.dialect("sysscore")?);
        let sysscore = if token.is_empty() { sysscore } else { sysscore.bearer(token) };
        let answer = sysscore.get(path).await?;
        ensure!(
            answer.status == expected,
            "{path} with `{token}`: {} {}",
            answer.status,
            answer.text()
        );
    }
    Ok(())
}
