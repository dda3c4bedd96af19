use ringwall_event::{Activity, Event};
use sha2::{Digest, Sha256};
use std::fmt;

/// Recognises an item that comes again in another batch.
///
/// The guide's client resends what was not confirmed under a new key, mixed with new items. An item
/// is the same where agent, pid, call, timestamp and metadata are the same (contract §17.3), and
/// only where its timestamp has a fraction of a second: without one, real repetitions look alike.
///
/// The hash is SHA-256 over one block of key and then the fields, each with its length, cut to 128
/// bits: an agent that does not know the key cannot build an item that voids another agent's.
#[derive(Clone)]
pub struct IdentityHasher {
    keyed: Sha256,
}

impl IdentityHasher {
    /// A hasher under a secret key. The same key gives the same hashes.
    pub fn new(key: &[u8; 32]) -> Self {
        // A whole block, so that the state after the key is computed once.
        let mut block = [0; 64];
        for (slot, byte) in block.iter_mut().zip(key) {
            *slot = *byte;
        }
        let mut keyed = Sha256::new();
        keyed.update(block);
        Self { keyed }
    }

    /// The identity of the item behind an event; none where it cannot be recognised.
    pub fn identify(&self, event: &Event) -> Option<u128> {
        let Activity::SystemCall { process, name, .. } = &event.activity else { return None };
        // Where the agent gave no timestamp, the time is that of receipt, which says nothing.
        if !event.time.has_fraction() || event.time == event.received {
            return None;
        }
        let mut fields = Vec::with_capacity(256);
        fields.extend_from_slice(&process.pid.to_le_bytes());
        fields.extend_from_slice(&event.time.as_micros().to_le_bytes());
        push_field(&mut fields, event.source.name.as_bytes());
        push_field(&mut fields, name.as_bytes());
        push_without_blanks(&mut fields, event.original.as_deref().unwrap_or_default());
        let mut hasher = self.keyed.clone();
        hasher.update(&fields);
        let hash: [u8; 32] = hasher.finalize().into();
        hash.first_chunk().map(|half| u128::from_le_bytes(*half))
    }
}

impl fmt::Debug for IdentityHasher {
    /// The state holds the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityHasher")
    }
}

fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&field.len().to_le_bytes());
    out.extend_from_slice(field);
}

/// JSON text without blanks outside of strings: another serialisation of the same is the same.
fn push_without_blanks(out: &mut Vec<u8>, json: &str) {
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b' ' | b'\t' | b'\n' | b'\r' if !in_text => continue,
            _ => {}
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysscore::{Batch, EventContext};
    use ringwall_event::Timestamp;

    const ITEM: &str = r#"{"pid": 1, "syscall": "open", "timestamp": "2026-01-15T10:00:00.5", "metadata": {"path": "a b"}}"#;

    #[test]
    fn an_item_is_recognised_whatever_its_serialisation() {
        let compact = r#"{"metadata":{"path":"a b"},"syscall":"open","pid":"1","timestamp":"2026-01-15T10:00:00.500Z"}"#;
        assert!(identity("agent-1", ITEM).is_some());
        assert_eq!(identity("agent-1", ITEM), identity("agent-1", compact));
    }

    #[test]
    fn every_field_counts() {
        let first = identity("agent-1", ITEM);
        assert_ne!(first, identity("agent-2", ITEM));
        for (from, to) in
            [("1,", "2,"), ("open", "read"), ("00.5", "00.6"), ("a b", "ab"), ("path", "file")]
        {
            assert_ne!(first, identity("agent-1", &ITEM.replace(from, to)), "{from} to {to}");
        }
        let other_key = IdentityHasher::new(&[8; 32]).identify(&event("agent-1", ITEM));
        assert_ne!(first, other_key);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let item = |syscall| {
            format!(r#"{{"pid":1,"syscall":"{syscall}","timestamp":"2026-01-15T10:00:00.5"}}"#)
        };
        assert_ne!(identity("ab", &item("c")), identity("a", &item("bc")));
    }

    #[test]
    fn without_a_fraction_nothing_is_recognised() {
        assert_eq!(identity("agent-1", &ITEM.replace("00.5", "00")), None);
        assert_eq!(identity("agent-1", r#"{"pid":1,"syscall":"open"}"#), None);
    }

    fn identity(agent: &str, item: &str) -> Option<u128> {
        IdentityHasher::new(&[7; 32]).identify(&event(agent, item))
    }

    fn event(agent: &str, item: &str) -> Event {
        let batch = Batch::read(format!("{{\"events\":[{item}]}}").as_bytes()).expect("a batch");
        let item = batch.items.into_iter().next().expect("one").expect("fine");
        EventContext::new(agent, Timestamp::from_micros(1_768_471_300_000_123)).event(item)
    }
}
