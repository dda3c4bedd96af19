//! Reading a stream of server-sent events (WHATWG HTML §9.2).

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    unread: Vec<u8>,
}

/// One event of a stream.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    /// The `event:` field.
    pub name: String,
    /// The `data:` field as JSON; null where it is something else.
    pub data: Value,
}

impl EventStream {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, unread: Vec::new() }
    }

    /// The next event; comments are passed over.
    ///
    /// # Errors
    ///
    /// When the stream ended.
    pub async fn next(&mut self) -> Result<StreamEvent> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Ok(event);
                }
            }
            let frame = self.body.frame().await.context("the stream ended")??;
            if let Some(bytes) = frame.data_ref() {
                self.unread.extend_from_slice(bytes);
            }
        }
    }

    /// The first event that `wanted` likes; others are passed over.
    ///
    /// # Errors
    ///
    /// When the stream ended or the time ran out.
    pub async fn wait_for(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&StreamEvent) -> bool,
    ) -> Result<StreamEvent> {
        let deadline = Instant::now() + limit;
        let mut seen = Vec::new();
        loop {
            let Ok(event) = timeout_at(deadline, self.next()).await else {
                bail!("not on the stream within {limit:?}; there were: {seen:?}");
            };
            let event = event?;
            if wanted(&event) {
                return Ok(event);
            }
            if event.name != "tick" && seen.len() < 20 {
                seen.push(format!("{} {:.200}", event.name, event.data.to_string()));
            }
        }
    }
}

fn parse(block: &str) -> Option<StreamEvent> {
    let mut name = String::from("message");
    let mut data = String::new();
    for line in block.lines() {
        if let Some(value) = line.strip_prefix("event:") {
            name = value.trim().to_owned();
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push_str(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    if data.is_empty() {
        return None;
    }
    Some(StreamEvent { name, data: serde_json::from_str(&data).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_an_event_or_a_comment() {
        check("event: alert\ndata: {\"id\": 1}\n\n", Some(("alert", "{\"id\":1}")));
        check("data: [1,\ndata: 2]\n\n", Some(("message", "[1,2]")));
        check(": heartbeat\n\n", None);
    }

    #[track_caller]
    fn check(block: &str, expected: Option<(&str, &str)>) {
        let found = parse(block).map(|event| (event.name, event.data.to_string()));
        let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(found, expected, "block {block:?}");
    }
}
