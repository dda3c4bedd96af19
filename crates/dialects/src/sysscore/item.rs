use super::metadata::MetadataError;
use super::{METADATA_BYTES_MAX, METADATA_DEPTH_MAX, Metadata, SYSCALL_BYTES_MAX};
use ringwall_event::{Activity, Event, EventId, ProcessRef, Severity, Source, Timestamp};

/// One event of a batch, as the agent sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The process id; any integer of 64 bits, negative ones included.
    pub pid: i64,
    /// The name of the call; may be empty.
    pub syscall: Box<str>,
    /// When it happened, as the agent claims; none means the time of receipt.
    pub timestamp: Option<Timestamp>,
    /// What else the agent says.
    pub metadata: Metadata,
}

/// Why one item of a batch is not stored, while the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The schema has no upper bound; the original answers 500 and loses the batch (flaws 4 and 5).
    #[error("pid is outside the range of 64-bit integers")]
    PidOutOfRange,
    /// More than [`SYSCALL_BYTES_MAX`].
    #[error("syscall is longer than {SYSCALL_BYTES_MAX} bytes")]
    SyscallTooLong,
    /// More than [`METADATA_BYTES_MAX`].
    #[error("metadata is longer than {METADATA_BYTES_MAX} bytes")]
    MetadataTooLong,
    /// More than [`METADATA_DEPTH_MAX`].
    #[error("metadata is nested deeper than {METADATA_DEPTH_MAX} levels")]
    MetadataTooDeep,
}

impl From<MetadataError> for ItemError {
    fn from(error: MetadataError) -> Self {
        match error {
            MetadataError::TooLong => Self::MetadataTooLong,
            MetadataError::TooDeep => Self::MetadataTooDeep,
        }
    }
}

/// Who sent a batch, and when it came: what turns its items into events.
#[derive(Clone, Debug)]
pub struct EventContext {
    source: Source,
    received: Timestamp,
}

impl EventContext {
    /// A batch of this authenticated agent, received at this moment.
    pub fn new(agent_id: &str, received: Timestamp) -> Self {
        Self { source: Source::new(Source::SYSSCORE, agent_id), received }
    }

    /// The event of an item. It has no id yet.
    pub fn event(&self, item: Item) -> Event {
        let Metadata { text, risk_score, anomaly_score, process_name, start_time } = item.metadata;
        Event {
            id: EventId::default(),
            time: item.timestamp.unwrap_or(self.received),
            received: self.received,
            source: self.source.clone(),
            host: self.source.name.clone(),
            severity: Severity::Informational,
            activity: Activity::SystemCall {
                process: ProcessRef {
                    pid: item.pid,
                    start_time,
                    name: process_name.unwrap_or_default(),
                },
                name: item.syscall,
                risk_score,
                anomaly_score,
            },
            original: text,
        }
    }
}

/// For each item the position of the first one with equal pid, syscall and timestamp: its own
/// where it is the first, or where it is an error.
///
/// Items that are equal in these three collapse, whatever their metadata: only the first is stored,
/// the others are its duplicates.
pub fn first_equals(items: &[Result<Item, ItemError>]) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..items.len()).collect();
    let mut sorted: Vec<(i64, Option<Timestamp>, &str, usize)> = items
        .iter()
        .enumerate()
        .filter_map(|(position, item)| {
            let item = item.as_ref().ok()?;
            Some((item.pid, item.timestamp, &*item.syscall, position))
        })
        .collect();
    // The position comes last, so the first of each run of equals is the earliest.
    sorted.sort_unstable();
    for run in sorted.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
        let Some(&(_, _, _, first)) = run.first() else { continue };
        for &(_, _, _, position) in run {
            if let Some(slot) = firsts.get_mut(position) {
                *slot = first;
            }
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysscore::Batch;

    #[test]
    fn an_item_becomes_an_event() {
        let received = Timestamp::from_micros(5);
        let context = EventContext::new("agent-1", received);
        let item = Item {
            pid: -3,
            syscall: "execve".into(),
            timestamp: None,
            metadata: Metadata {
                text: Some("{\"comm\":\"sh\"}".into()),
                process_name: Some("sh".into()),
                anomaly_score: Some(4.0),
                ..Metadata::default()
            },
        };
        let event = context.event(item);
        assert_eq!(event.source.to_string(), "sysscore:agent-1");
        assert_eq!((&*event.host, event.time, event.received), ("agent-1", received, received));
        assert_eq!(event.original.as_deref(), Some("{\"comm\":\"sh\"}"));
        let expected = Activity::SystemCall {
            process: ProcessRef { pid: -3, start_time: None, name: "sh".into() },
            name: "execve".into(),
            risk_score: None,
            anomaly_score: Some(4.0),
        };
        assert_eq!(event.activity, expected);
    }

    #[test]
    fn equal_items_collapse_into_the_first() {
        check(r#"{"pid":1,"syscall":"a"},{"pid":1,"syscall":"a"}"#, &[0, 0]);
        check(r#"{"pid":1,"syscall":"a","metadata":{"x":1}},{"pid":"1","syscall":"a"}"#, &[0, 0]);
        check(r#"{"pid":2,"syscall":"a"},{"pid":1,"syscall":"a"}"#, &[0, 1]);
        check(r#"{"pid":1,"syscall":"a"},{"pid":1,"syscall":"b"}"#, &[0, 1]);
        check(
            r#"{"pid":1,"syscall":"a","timestamp":"2026-01-15T10:00:00Z"},
               {"pid":1,"syscall":"a"},
               {"pid":1,"syscall":"a","timestamp":"2026-01-15T11:00:00+01:00"},
               {"pid":1,"syscall":"a","timestamp":"2026-01-15T10:00:00.000001"}"#,
            &[0, 1, 0, 3],
        );
        let huge = "99999999999999999999";
        check(
            &format!("{{\"pid\":{huge},\"syscall\":\"a\"}},{{\"pid\":{huge},\"syscall\":\"a\"}}"),
            &[0, 1],
        );
        check("", &[]);
    }

    #[track_caller]
    fn check(items: &str, expected: &[usize]) {
        let body = format!("{{\"events\":[{items}]}}");
        let batch = Batch::read(body.as_bytes()).expect("a batch");
        assert_eq!(first_equals(&batch.items), expected, "items {items}");
    }
}
