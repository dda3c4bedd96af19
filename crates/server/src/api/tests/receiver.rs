//! A receiver of webhooks that answers as the test says, byte for byte.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A message as it came in.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What it does with a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// Answers so, and closes.
    Say(&'static str),
    /// Begins to answer and never ends.
    Endless,
    /// Never answers.
    Silent,
    /// Resets the connection.
    Reset,
}

pub(super) const FINE: Manner = Manner::Say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
pub(super) const BROKEN: Manner =
    Manner::Say("HTTP/1.1 500 Oops\r\ncontent-length: 6\r\n\r\nbroken");

/// A server on a port of loopback, for as long as the test runs.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    manner: Arc<Mutex<Manner>>,
}

impl Receiver {
    pub(super) async fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let manner = Arc::new(Mutex::new(manner));
        let (seen, how) = (Arc::clone(&received), Arc::clone(&manner));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, how) = (Arc::clone(&seen), Arc::clone(&how));
                tokio::spawn(async move { serve(stream, &seen, &how).await });
            }
        });
        Self { address, received, manner }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn behave(&self, manner: Manner) {
        *self.manner.lock() = manner;
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    /// Waits until so many messages came in.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Received> {
        for _ in 0..12_000 {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} of {count} messages came in", self.received().len());
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Received>>, how: &Mutex<Manner>) {
    let Some(message) = read(&mut stream).await else { return };
    let manner = *how.lock();
    seen.lock().push(message);
    match manner {
        Manner::Say(answer) => drop(stream.write_all(answer.as_bytes()).await),
        Manner::Endless => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
        Manner::Silent => tokio::time::sleep(Duration::from_secs(60)).await,
        Manner::Reset => {
            let stream = stream.into_std().unwrap();
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
            drop(stream);
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes.get(..end)?.to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { line, headers, body })
}
