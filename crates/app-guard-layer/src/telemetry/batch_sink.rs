//! From the items of a spool to the body of a request.

use super::door::{AGENT, Door};
use super::on_error::Stage;
use super::options::Checked;
use super::record;
use bytes::Bytes;
use ringwall_delivery::{Batch, Outcome, Parcel, Sink};
use ringwall_dialects::guard::{self, EncryptionKey, Envelope, TimeForm, read_batch};
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, mac, sha256};
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// What a spool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Events,
    Metrics,
}

/// Brings events, or metrics, to the server.
#[derive(Debug)]
pub(super) struct BatchSink {
    kind: Kind,
    door: Arc<Door>,
    project_id: Option<Box<str>>,
    guard_version: Option<Box<str>>,
    guard_core_version: Option<Box<str>>,
    sealing: Option<Sealing>,
}

/// The key, and another made from it for nonces.
#[derive(Clone, Debug)]
struct Sealing {
    key: EncryptionKey,
    nonce_key: Secret,
}

impl BatchSink {
    pub(super) fn new(kind: Kind, door: Arc<Door>, checked: &Checked) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let sealing = checked.encryption_key.as_ref().map(|key| Sealing {
            key: key.clone(),
            nonce_key: Secret::from(
                sha256(format!("ringwall guard nonce {}", key.to_base64()).as_bytes()).to_vec(),
            ),
        });
        Self {
            kind,
            door,
            project_id: text(&checked.options.project_id),
            guard_version: text(&checked.options.guard_version),
            guard_core_version: text(&checked.options.guard_core_version),
            sealing,
        }
    }

    fn batch(&self, batch: &Batch) -> guard::Batch {
        let label = std::str::from_utf8(&batch.label).ok();
        let created_ms = label.and_then(|label| label.parse().ok()).unwrap_or_default();
        let mut body = match self.kind {
            Kind::Events => guard::Batch {
                events: batch.items.iter().filter_map(|item| record::read_item(item)).collect(),
                ..guard::Batch::default()
            },
            Kind::Metrics => read_metrics(&batch.items),
        };
        let unread = batch.items.len().saturating_sub(body.events.len() + body.metrics.len());
        if unread > 0 {
            tracing::error!(items = unread, "items of the spool are of another version: left out");
        }
        body.project_id = self.project_id.clone();
        body.batch_id = Some(batch_id(batch, created_ms).into());
        body.created_at = Some(Timestamp::from_millis(created_ms));
        body.agent_version = Some(AGENT.into());
        body.guard_version = self.guard_version.clone();
        body.guard_core_version = self.guard_core_version.clone();
        body
    }
}

impl Sink for BatchSink {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Events => "guard events",
            Kind::Metrics => "guard metrics",
        }
    }

    /// When the batch was made.
    fn label(&self) -> Bytes {
        (record::micros(SystemTime::now()) / 1000).to_string().into()
    }

    fn write(&self, batch: &Batch) -> Option<Bytes> {
        let body = self.batch(batch);
        if body.events.is_empty() && body.metrics.is_empty() {
            return None;
        }
        let Some(Sealing { key, nonce_key }) = &self.sealing else {
            return Some(body.write(TimeForm::Space).into());
        };
        // The same batch always gives the same bytes, and another one another nonce.
        let plaintext = body.write_plaintext();
        let digest = mac(nonce_key, &plaintext);
        let nonce = digest.first_chunk().copied()?;
        match Envelope::seal(&body, key, nonce) {
            Ok(envelope) => Some(envelope.write().into()),
            Err(error) => {
                self.door.tell(Stage::Encryption, &error.to_string());
                None
            }
        }
    }

    async fn deliver(&mut self, parcel: &Parcel) -> Outcome {
        let path = match (self.kind, &self.sealing) {
            (_, Some(_)) => "/api/v1/events/encrypted",
            (Kind::Events, None) => "/api/v1/events",
            (Kind::Metrics, None) => "/api/v1/metrics",
        };
        let outcome = self.door.post(path, &parcel.body).await;
        if parcel.items == 1
            && let Outcome::TooLarge { why } = &outcome
        {
            let stage = match self.kind {
                Kind::Events => Stage::FlushEvents,
                Kind::Metrics => Stage::FlushMetrics,
            };
            self.door.tell(stage, &format!("one item alone is too large: {why}"));
        }
        outcome
    }
}

/// Milliseconds and eight digits, the same through all attempts, and another for each half of a batch
/// that was split.
fn batch_id(batch: &Batch, created_ms: i64) -> String {
    let digest = sha256(format!("{} {}", batch.id.spool, batch.id.ordinal).as_bytes());
    let mut id = format!("{created_ms}-");
    for byte in digest.iter().take(4) {
        // Writing to a text has no way to fail.
        if write!(id, "{byte:02x}").is_err() {
            break;
        }
    }
    id
}

/// Metrics wait as JSON.
fn read_metrics(items: &[Bytes]) -> guard::Batch {
    let mut body = b"{\"metrics\":[".to_vec();
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item);
    }
    body.extend_from_slice(b"]}");
    read_batch(&body).unwrap_or_default()
}
