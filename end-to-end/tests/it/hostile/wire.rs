//! Below HTTP, and at its edges: floods, stalls, bodies without an end.

use super::is_unharmed;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::relay::address;
use ringwall_end_to_end::server::{Server, Setup};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_bring_a_listener_down() -> Result<()> {
    let server = Setup::new()?.sysscore_agent("agent-1", "secret").start().await?;
    let many_headers = (0..2_000).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let requests: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\xff\xff\xff\xff\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz"
            .to_vec(),
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
            .to_vec(),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{many_headers}\r\n").into_bytes(),
        format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        b"GET /..%2f..%2fetc/passwd HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
    ];
    for listener in listeners(&server)? {
        for request in &requests {
            let answer = exchange(listener, request).await?;
            let refused = answer.is_empty() || status(&answer).is_none_or(|status| status < 500);
            ensure!(refused, "{:.60?}: {answer}", String::from_utf8_lossy(request));
            ensure!(!answer.contains("root:x:"), "{answer}");
        }
    }
    is_unharmed(&server).await
}

/// A body larger than any real one is refused by its announced length, before it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_bounds_is_refused_at_once() -> Result<()> {
    let server = Setup::new()?.sysscore_agent("agent-1", "secret").start().await?;
    let ready = server.ready();
    for (url, path) in [
        (server.dialect("sysscore")?, "/api/v1/events"),
        (server.dialect("watcher")?, "/api/v1/collect"),
        (ready.main.as_str(), "/api/v1/agent/reports"),
        (ready.main.as_str(), "/dialects/sysscore/api/v1/events"),
    ] {
        let listener = address(url)?;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {listener}\r\ncontent-type: application/json\r\n\
             x-agent-id: agent-1\r\nx-agent-signature: AAAA\r\nidempotency-key: k\r\n\
             x-ringwall-agent: a\r\nx-ringwall-time: 1\r\nx-ringwall-nonce: 0123456789abcdef\r\n\
             x-ringwall-signature: v1=AAAA\r\ncontent-length: 10000000000\r\n\r\n{{"
        );
        let answer = exchange(listener, request.as_bytes()).await?;
        ensure!(matches!(status(&answer), Some(413 | 401)), "{url}{path}: {answer}");
        ensure!(answer.contains("json"), "not in the dialect's form: {answer}");
    }
    is_unharmed(&server).await
}

/// One who sends nothing, or half a request, costs the others nothing.
#[tokio::test(flavor = "multi_thread")]
async fn stalled_peers_do_not_hold_the_server_up() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let mut stalled = Vec::new();
    for listener in listeners(&server)? {
        for _ in 0..100 {
            let mut peer = TcpStream::connect(listener).await?;
            peer.write_all(b"POST /api/v1/collect HTTP/1.1\r\nhost: a\r\ncontent-le").await?;
            stalled.push(peer);
        }
    }
    is_unharmed(&server).await?;
    // A drain does not wait for them either.
    server.stop().await?;
    drop(stalled);
    Ok(())
}

fn listeners(server: &Server) -> Result<Vec<SocketAddr>> {
    let mut listeners = vec![address(&server.ready().main)?];
    for url in server.ready().dialects.values() {
        listeners.push(address(url)?);
    }
    Ok(listeners)
}

/// Sends these bytes and reads the head of the answer, if one comes.
async fn exchange(listener: SocketAddr, request: &[u8]) -> Result<String> {
    let mut peer = TcpStream::connect(listener).await?;
    // A server that refuses early resets the connection while we still write.
    peer.write_all(request).await.ok();
    let mut answer = vec![0; 64 << 10];
    let mut length = 0;
    let reading = async {
        while let Some(free) = answer.get_mut(length..).filter(|free| !free.is_empty()) {
            match peer.read(free).await {
                Ok(0) | Err(_) => break,
                Ok(read) => length += read,
            }
            let so_far = answer.get(..length).unwrap_or_default();
            if so_far.windows(4).any(|end| end == b"\r\n\r\n") {
                break;
            }
        }
    };
    // The server may wait for the rest of a request that is not whole.
    timeout(Duration::from_millis(700), reading).await.ok();
    let answer = answer.get(..length).context("no answer")?;
    Ok(String::from_utf8_lossy(answer).into_owned())
}

fn status(answer: &str) -> Option<u16> {
    answer.split(' ').nth(1)?.parse().ok()
}
