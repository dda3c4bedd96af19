//! Bodies: held back up to a bound, searched while they stream beyond it, bounded in memory.

use crate::application::{Application, chunked, read, settings};
use ringwall_app_guard::{DetectionSettings, GuardSettings, RouteEntry, RouteRules};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const CLIENT: &str = "203.0.113.9";

pub(crate) fn holding(bytes: usize) -> GuardSettings {
    let detection = DetectionSettings { body_hold_bytes: bytes, ..DetectionSettings::default() };
    GuardSettings { detection, ..settings() }
}

pub(crate) fn head(framing: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nx-forwarded-for: {CLIENT}\r\ncontent-type: text/plain\r\n{framing}\r\n"
    )
}

/// Flaw 29 of the original: a chunked body passes whatever its size.
#[tokio::test]
async fn the_size_is_that_of_the_bytes_not_of_a_header() {
    let rules = RouteRules::new().max_request_size(10_000);
    let routes = vec![RouteEntry { path: "/echo".to_owned(), method: None, rules }];
    let application = Application::start(GuardSettings { routes, ..holding(1024) }).await;
    let piece = [b'x'; 1000];
    let pieces = |count| chunked(&vec![&piece[..]; count]);
    let answer = application.ask(&head("transfer-encoding: chunked"), &pieces(10)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "10000 bytes"));
    let answer = application.ask(&head("transfer-encoding: chunked"), &pieces(11)).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "Request too large"));
    let answer = application.post(CLIENT, "text/plain", &[b'x'; 10_001]).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "Request too large"));
}

/// A client that sends its body slowly, or waits for the answer's beginning before it goes on, is not held
/// back for ever: after a while what came is handed on, and the search goes on.
#[tokio::test]
async fn a_slow_body_is_handed_on() {
    let application = Application::start(holding(1 << 20)).await;
    let mut stream = application.connect().await;
    let head = head("content-length: 8\r\nconnection: close\r\nhost: shop.example");
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(b"half").await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while application.served() == 0 {
        assert!(std::time::Instant::now() < deadline, "it is still held back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.write_all(b"half").await.unwrap();
    let answer = read(&mut stream).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "8 bytes"));
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing_behind() {
    let application = Application::start(holding(1 << 20)).await;
    for _ in 0..20 {
        let mut stream = application.connect().await;
        stream.write_all(head("content-length: 800000\r\nhost: x").as_bytes()).await.unwrap();
        stream.write_all(b"\r\nbegun").await.unwrap();
        drop(stream);
    }
    let answer = application.get(CLIENT, "/").await;
    assert_eq!(answer.status, 200);
}
