//! Bad input over the wire: a clear answer in the dialect's own form, nothing lost beside it, and
//! the server goes on.

mod api;
mod host_agent;
mod sysscore;
mod watcher;
mod wire;

use anyhow::{Result, ensure};
use ringwall_end_to_end::http_client::Answer;
use ringwall_end_to_end::server::Server;

/// A problem of RFC 9457 with this status.
#[track_caller]
fn is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text());
    let body = answer.json().unwrap_or_default();
    assert_eq!(body["status"], status, "{body}");
    assert!(body["title"].is_string(), "{body}");
}

/// The 422 of the original frameworks: `{"detail":[{"type","loc","msg",…}]}`.
#[track_caller]
fn is_validation(answer: &Answer) {
    assert_eq!(answer.status, 422, "{}", answer.text());
    let body = answer.json().unwrap_or_default();
    let first = &body["detail"][0];
    assert!(first["type"].is_string() && first["msg"].is_string(), "{body}");
    assert!(first["loc"].is_array(), "{body}");
}

/// The server is well and has not panicked.
async fn is_unharmed(server: &Server) -> Result<()> {
    let health = server.api().get_json("/api/v1/health").await?;
    ensure!(health["status"] == "ok", "{health}");
    let log = server.log();
    ensure!(!log.contains("panicked"), "the server panicked:\n{log}");
    // What senders write must not move the cursor of whoever reads the log.
    ensure!(!log.contains('\u{1b}'), "an escape character in the log:\n{log}");
    Ok(())
}

/// Arrays in arrays, deeper than any parser should follow.
fn deep(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}
