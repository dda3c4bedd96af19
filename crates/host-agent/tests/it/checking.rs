//! `check`.

use crate::agent::output;
use crate::ringwall_server::RingwallServer;
use serde_json::Value;

#[tokio::test]
async fn all_is_well_with_a_server_and_an_identity() {
    let server = RingwallServer::start().await;
    let state_dir = server.state_dir();
    let state_dir = state_dir.to_str().unwrap();
    let arguments = ["check", "--json", "--server", &server.url, "--state-dir", state_dir];
    let (code, answer, words) = output(&arguments).await;
    assert_eq!(code, Some(0), "{answer} {words}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["ok"], true);
    let checks = answer["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["collection", "connectivity", "transmission", "polling", "killing"]);
    assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{checks:?}");
    assert_eq!(server.seen(|seen| seen.reports.len()), 1);
}

#[tokio::test]
async fn without_an_identity_some_checks_are_skipped() {
    let server = RingwallServer::start().await;
    let (code, answer, _) = output(&["check", "--server", &server.url]).await;
    assert_eq!(code, Some(0));
    assert!(answer.contains("transmission  skipped  this host is not enrolled"), "{answer}");
    assert!(answer.contains("killing       passed"), "{answer}");
}

#[tokio::test]
async fn a_server_that_is_away_is_a_no() {
    let (code, answer, _) = output(&["check", "--server", "http://127.0.0.1:1"]).await;
    assert_eq!(code, Some(1));
    assert!(answer.contains("connectivity  failed   cannot reach http://127.0.0.1:1"), "{answer}");
    let (code, _, words) = output(&["check", "--server", "nonsense"]).await;
    assert_eq!(code, Some(2), "{words}");
}
