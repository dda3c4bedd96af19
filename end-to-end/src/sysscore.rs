//! A SysScore agent: batches signed over their raw bytes (contract, section 2).
//!
//! Signed by other code than the server's, so that an error of ours is not made twice alike.

use crate::http_client::{Answer, Http};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

/// The path of the intake.
pub const EVENTS: &str = "/api/v1/events";

/// One agent and its secret.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The id it signs as.
    pub id: String,
    /// The secret, used as is.
    pub secret: String,
}

/// What the server said about a batch (section 3).
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Newly stored.
    pub accepted: u64,
    /// Known before.
    pub duplicates: u64,
    /// Failed.
    pub errors: u64,
    /// The id of each event, in the order of the request.
    pub ids: Vec<String>,
}

impl Agent {
    /// An agent.
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned() }
    }

    /// Padded base64 of HMAC-SHA256 over the body.
    ///
    /// # Errors
    ///
    /// Never: HMAC takes keys of any length.
    pub fn signature(&self, body: &[u8]) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(body);
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// Sends a body under a key, signed.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn send(&self, http: &Http, key: &str, body: &[u8]) -> Result<Answer> {
        let signature = self.signature(body)?;
        let headers = [
            ("x-agent-id", self.id.as_str()),
            ("x-agent-signature", &signature),
            ("idempotency-key", key),
            ("content-type", "application/json"),
        ];
        http.send(Method::POST, EVENTS, &headers, body.to_vec()).await
    }
}

/// One item of a batch, with a fraction in its time.
pub fn item(pid: i64, syscall: &str, time_us: i64, metadata: Value) -> Value {
    let time = ringwall_event::Timestamp::from_micros(time_us).to_naive_iso();
    json!({"pid": pid, "syscall": syscall, "timestamp": time, "metadata": metadata})
}

/// The body of a batch.
pub fn batch(items: &[Value]) -> Vec<u8> {
    json!({ "events": items }).to_string().into_bytes()
}

impl Receipt {
    /// Reads a 207.
    ///
    /// # Errors
    ///
    /// When it is another answer, or its counts do not sum up to its results.
    pub fn read(answer: Answer) -> Result<Self> {
        let body = answer.expect(207)?.json()?;
        let count =
            |name| body.get(name).and_then(Value::as_u64).with_context(|| format!("{body}"));
        let results = body.get("results").and_then(Value::as_array).context("no results")?;
        let ids: Vec<String> = results
            .iter()
            .map(|result| result.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
            .collect();
        let receipt = Self {
            accepted: count("accepted")?,
            duplicates: count("duplicates")?,
            errors: count("errors")?,
            ids,
        };
        let sum = receipt.accepted + receipt.duplicates + receipt.errors;
        anyhow::ensure!(sum == receipt.ids.len() as u64, "counts do not sum up: {body}");
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the contract's section 2.
    #[test]
    fn signatures_are_those_of_the_contract() {
        let first = r#"{"events": [{"pid": 1234, "syscall": "execve", "timestamp": "2026-01-15T10:00:00.000001", "metadata": {"risk_score": 12.5, "anomaly_score": 0}}]}"#;
        let second = r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "2026-01-15T10:00:00", "metadata": {"path": "/tmp/\u00e9"}}]}"#;
        check(first, "Fcy92OMcGSOd2HBLdwOl631JIlwGKZtOvi+omPqijPU=");
        check(second, "yXOxAJr+dXrTBgaSMTQmiQCVrfZt6BoGfPFRrAtEANA=");
    }

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let signature = Agent::new("agent-1", "secret-key-1").signature(body.as_bytes());
        assert_eq!(signature.unwrap(), expected, "body {body}");
    }
}
