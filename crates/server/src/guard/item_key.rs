//! What makes an item of a batch the same as one that came before.

use ringwall_dialects::guard::{Batch, Event};
use ringwall_signing::sha256;
use serde_json::Value;
use std::collections::HashMap;

/// Makes the keys of one project's items. Another project's, or one of the same name that was removed,
/// are others.
pub(crate) struct ItemKeys<'a> {
    project_id: &'a str,
    /// What the sender calls the batch; agents requeue under another name, with the same event keys.
    batch_id: Option<&'a str>,
}

/// How often an item without a key of its own came in this batch.
#[derive(Default)]
pub(crate) struct Repeats(HashMap<[u8; 32], u64>);

impl<'a> ItemKeys<'a> {
    /// For a batch of the project with this id.
    pub(crate) fn new(project_id: &'a str, batch: &'a Batch) -> Self {
        Self { project_id, batch_id: batch.batch_id.as_deref() }
    }

    /// The key of an event: by its own, which never changes; else by its batch, its content and how often
    /// that came there. None where neither is given: it is taken whenever it comes.
    pub(crate) fn event(&self, event: &Event, repeats: &mut Repeats) -> Option<[u8; 16]> {
        if let Some(key) = &event.idempotency_key {
            return Some(self.key(&[b"event", key.as_bytes()]));
        }
        let batch_id = self.batch_id?;
        let content = sha256(Value::from(event).to_string().as_bytes());
        let times = repeats.0.entry(content).or_default();
        *times += 1;
        Some(self.key(&[b"keyless", batch_id.as_bytes(), &content, &times.to_be_bytes()]))
    }

    /// The key of what is told of a batch's items that could not be read.
    pub(crate) fn set_aside(&self, batch: &Batch) -> Option<[u8; 16]> {
        let batch_id = self.batch_id?;
        let content = sha256(format!("{:?}", batch.left_out).as_bytes());
        Some(self.key(&[b"set aside", batch_id.as_bytes(), &content]))
    }

    /// The key of all measurements of a batch. By their content, too: the halves of a batch that was too
    /// large have names of their own, but an agent that gives two batches one name loses neither.
    pub(crate) fn metrics(&self, batch: &Batch) -> Option<[u8; 16]> {
        let batch_id = self.batch_id?;
        let mut content = Vec::new();
        for metric in &batch.metrics {
            metric.push_json(&mut content, ringwall_dialects::guard::TimeForm::Iso);
        }
        Some(self.key(&[b"metrics", batch_id.as_bytes(), &sha256(&content)]))
    }

    fn key(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut text = b"ringwall guard item\0".to_vec();
        for part in [self.project_id.as_bytes()].iter().chain(parts) {
            text.extend_from_slice(&part.len().to_le_bytes());
            text.extend_from_slice(part);
        }
        let digest = sha256(&text);
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(batch_id: Option<&str>) -> Batch {
        Batch { batch_id: batch_id.map(Into::into), ..Batch::default() }
    }

    fn event(key: Option<&str>, reason: &str) -> Event {
        Event {
            idempotency_key: key.map(Into::into),
            event_type: "ip_banned".into(),
            reason: reason.into(),
            ..Event::default()
        }
    }

    #[test]
    fn an_event_with_a_key_is_the_same_in_every_batch_of_its_project() {
        let (one, other) = (batch(Some("1")), batch(Some("2")));
        let key = |project: &str, batch: &Batch, event: &Event| {
            ItemKeys::new(project, batch).event(event, &mut Repeats::default())
        };
        let keyed = event(Some("k"), "a");
        assert_eq!(key("p", &one, &keyed), key("p", &other, &keyed));
        assert_ne!(key("p", &one, &keyed), key("q", &one, &keyed));
        assert_ne!(key("p", &one, &keyed), key("p", &one, &event(Some("l"), "a")));
        let old = event(None, "a");
        assert_eq!(key("p", &one, &old), key("p", &batch(Some("1")), &old));
        assert_ne!(key("p", &one, &old), key("p", &other, &old));
        assert_ne!(key("p", &one, &old), key("p", &one, &event(None, "b")));
        assert_eq!(key("p", &batch(None), &old), None);
    }

    #[test]
    fn equal_events_of_one_batch_are_several() {
        let batch = batch(Some("1"));
        let keys = ItemKeys::new("p", &batch);
        let mut repeats = Repeats::default();
        let old = event(None, "a");
        let first = keys.event(&old, &mut repeats);
        let second = keys.event(&old, &mut repeats);
        assert_ne!(first, second);
        let mut again = Repeats::default();
        assert_eq!((keys.event(&old, &mut again), keys.event(&old, &mut again)), (first, second));
    }
}
