//! `top` where nobody can press keys: one picture.

use crate::agent::output;
use crate::suspect::Suspect;
use serde_json::Value;

#[tokio::test]
async fn one_picture_is_plain_text_without_a_terminal() {
    let suspect = Suspect::named("topped");
    let (code, out, err) = output(&["top"]).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let pid = suspect.pid().to_string();
    let line = out.lines().find(|line| line.split_whitespace().next() == Some(&pid)).unwrap();
    assert!(line.contains("topped"), "{line}");
    assert!(out.lines().any(|line| line.contains("PID") && line.contains("SHA-256")), "{out}");
}

#[tokio::test]
async fn one_picture_is_json_for_programs() {
    let suspect = Suspect::named("topped");
    let (code, out, err) = output(&["top", "--json"]).await;
    assert_eq!(code, Some(0), "{err}");
    let seen: Value = serde_json::from_str(&out).unwrap();
    let processes = seen["processes"].as_array().unwrap();
    let found = processes.iter().find(|process| process["pid"] == suspect.pid()).unwrap();
    assert!(found["cpu_percent"].is_number(), "{found}");
    assert!(seen["capabilities"]["process_changes"]["by"].is_string(), "{}", seen["capabilities"]);
    assert!(seen["own"]["rss_bytes"].as_u64().unwrap() > 1 << 20);
}
