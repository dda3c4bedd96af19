//! People: the first password, users by the tool, and what becomes of the files that held it.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::{Value, json};

const NEW: &str = "a much better phrase";

/// Signs in; the status.
async fn sign_in(server: &Server, user: &str, password: &str) -> Result<u16> {
    let body = json!({ "user": user, "password": password });
    let answer = Http::new(&server.ready().main).post("/api/v1/session", &body).await?;
    Ok(answer.status)
}

fn set_mode(path: &str, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

fn file(server: &Server, name: &str) -> Result<Value> {
    let path = server.ready().data_dir.join(name);
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_password_is_gone_once_it_is_changed() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let first = server.ready().admin_password.clone();
    ensure!(file(&server, "first-credentials.json")?["admin_password"] == first.as_str());
    ensure!(sign_in(&server, "admin", &first).await? == 200);
    let path = server.folder().join("password");
    std::fs::write(&path, format!("{NEW}\n"))?;
    let path = path.to_str().context("path")?;
    // Others may read it: that is no way to hand over a password.
    set_mode(path, 0o644)?;
    ensure!(
        server.ringwall(&["users", "password", "admin", "--password-file", path]).await.is_err()
    );
    set_mode(path, 0o600)?;
    server.ringwall(&["users", "password", "admin", "--password-file", path]).await?;
    ensure!(sign_in(&server, "admin", &first).await? == 401);
    ensure!(sign_in(&server, "admin", NEW).await? == 200);
    for name in ["first-credentials.json", "ready.json"] {
        let text = file(&server, name)?;
        ensure!(!text.to_string().contains(&first), "{name}: {text}");
    }
    // The token beside it opens still, also after a restart, which makes no new password.
    let server = server.stop().await?.start().await?;
    ensure!(server.ready().admin_password.is_empty());
    ensure!(sign_in(&server, "admin", NEW).await? == 200);
    server.ringwall(&["users"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_looks_after_people() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let made = server.ringwall_json(&["users", "add", "ada", "--role", "responder"]).await?;
    let password = made["password"].as_str().context("password")?.to_owned();
    ensure!(sign_in(&server, "ada", &password).await? == 200);
    let listed = server.ringwall(&["users"]).await?;
    ensure!(listed.contains("ada") && listed.contains("responder"), "{listed}");
    let sessions = server.ringwall_json(&["users", "sessions", "ada"]).await?;
    ensure!(sessions.as_array().is_some_and(|rows| rows.len() == 1), "{sessions}");
    server.ringwall(&["users", "sign-out", "ada"]).await?;
    let sessions = server.ringwall_json(&["users", "sessions"]).await?;
    ensure!(sessions == json!([]), "{sessions}");
    server.ringwall(&["users", "role", "ada", "analyst"]).await?;
    server.ringwall(&["users", "disable", "ada"]).await?;
    ensure!(sign_in(&server, "ada", &password).await? == 401);
    server.ringwall(&["users", "enable", "ada"]).await?;
    ensure!(sign_in(&server, "ada", &password).await? == 200);
    let refused = server.ringwall(&["users", "remove", "admin"]).await.err().context("removed")?;
    ensure!(refused.to_string().contains("last administrator"), "{refused}");
    server.ringwall(&["users", "remove", "ada"]).await?;
    ensure!(sign_in(&server, "ada", &password).await? == 401);
    let audit = server.ringwall(&["audit"]).await?;
    for action in ["create_user", "change_user", "end_sessions", "delete_user", "sign_in"] {
        ensure!(audit.contains(action), "{action}: {audit}");
    }
    Ok(())
}
