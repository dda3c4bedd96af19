//! What goes to a Ringwall server, as JSON.

use bytes::Bytes;
use ringwall_delivery::Batch;
use ringwall_event::{Activity, Inventory};
use ringwall_host_probes::Observation;
use ringwall_server_api::AgentEvent;
use serde::Serialize;

/// A single event of more than this many bytes is cut down.
pub(crate) const EVENT_BYTES_MAX: usize = 2 << 20;
/// A report has at most this many bytes, but for a single event that is larger.
pub(crate) const REPORT_BYTES_MAX: usize = 1 << 20;
/// A report has at most this many events.
pub(crate) const REPORT_EVENTS_MAX: usize = 2000;

/// An observation as JSON; none where it cannot be written.
pub(crate) fn event(observation: Observation) -> Option<Bytes> {
    let mut event =
        AgentEvent { time: observation.time, severity: None, activity: observation.activity };
    // A host may run ten thousand processes with arguments of pages each: first their ends go, then
    // the arguments, then what is still too much.
    for characters in [1000, 100, 0] {
        match write(&event) {
            Written::Whole(text) => return Some(text),
            Written::TooLong => {}
            Written::Never => return None,
        }
        if let Activity::Inventory(inventory) = &mut event.activity {
            cut_command_lines(inventory, characters);
        }
    }
    loop {
        match write(&event) {
            Written::Whole(text) => return Some(text),
            Written::TooLong => {}
            Written::Never => return None,
        }
        let Activity::Inventory(inventory) = &mut event.activity else {
            tracing::warn!(kind = event.activity.kind(), "an event is too large to be sent");
            return None;
        };
        let (processes, connections) = (inventory.processes.len(), inventory.connections.len());
        tracing::warn!(processes, connections, "a picture is too large: half of it is left out");
        // The newest stay: what began long ago was told before.
        inventory.processes.sort_by_key(|process| process.start_time);
        inventory.processes.drain(..processes - processes / 2);
        inventory.connections.drain(..connections - connections / 2);
    }
}

fn cut_command_lines(inventory: &mut Inventory, characters: usize) {
    for process in &mut inventory.processes {
        if let Some(line) = &mut process.command_line
            && line.chars().count() > characters
        {
            *line = line.chars().take(characters).chain(std::iter::once('…')).collect();
        }
    }
}

enum Written {
    Whole(Bytes),
    TooLong,
    Never,
}

/// Never takes more memory than an event may have: whoever starts thousands of processes with long
/// arguments must not have the agent run out of it.
fn write(event: &AgentEvent) -> Written {
    let mut text = Bounded(Vec::new());
    match serde_json::to_writer(&mut text, event) {
        Ok(()) => Written::Whole(text.0.into()),
        Err(error) if error.is_io() => Written::TooLong,
        Err(error) => {
            tracing::error!(%error, "an event cannot be written");
            Written::Never
        }
    }
}

struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > EVENT_BYTES_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The body of a report: [`ringwall_server_api::AgentReport`] over events that are written already. The
/// same for the same batch, whatever this host is called by now: its label has the name.
pub(crate) fn body(batch: &Batch) -> Option<Bytes> {
    /// All of it but the events.
    #[derive(Serialize)]
    struct Head<'a> {
        spool_id: String,
        sequence: u64,
        hostname: &'a str,
        dropped_total: u64,
    }
    let head = Head {
        spool_id: batch.id.spool.to_string(),
        sequence: batch.id.ordinal,
        hostname: std::str::from_utf8(&batch.label).ok()?,
        dropped_total: batch.lost_total,
    };
    let head = serde_json::to_vec(&head)
        .inspect_err(|error| tracing::error!(%error, "a report cannot be written"))
        .ok()?;
    let events: usize = batch.items.iter().map(|event| event.len() + 1).sum();
    let mut body = Vec::with_capacity(head.len() + events + 16);
    body.extend_from_slice(head.strip_suffix(b"}")?);
    body.extend_from_slice(b",\"events\":[");
    for (position, event) in batch.items.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event);
    }
    body.extend_from_slice(b"]}");
    Some(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_delivery::{BatchBounds, Item, MemorySpool, Spool};
    use ringwall_event::{Process, Timestamp};
    use ringwall_server_api::AgentReport;

    fn picture(processes: usize, line: &str) -> Observation {
        let process = Process {
            pid: 7,
            name: "x".into(),
            command_line: Some(line.into()),
            ..Process::default()
        };
        let inventory = Inventory { processes: vec![process; processes], ..Inventory::default() };
        Observation {
            time: Timestamp::from_micros(5),
            activity: Activity::Inventory(Box::new(inventory)),
            system_call: None,
        }
    }

    #[tokio::test]
    async fn a_report_is_what_the_server_reads() {
        let event = event(picture(2, "x \u{1b}[31m é \u{0}")).unwrap();
        let spool = MemorySpool::new(1 << 20).unwrap();
        spool.count_lost(3).await.unwrap();
        let items = vec![Item::new(event.clone()), Item::new(event)];
        spool.append(items).await.unwrap();
        let batch = spool.next_batch(&BatchBounds::default(), b"h\"ost").await.unwrap().unwrap();
        let report: AgentReport = serde_json::from_slice(&body(&batch).unwrap()).unwrap();
        assert_eq!((report.sequence, report.dropped_total, report.events.len()), (1, 3, 2));
        assert_eq!((report.spool_id, &*report.hostname), (batch.id.spool.to_string(), "h\"ost"));
        assert_eq!(report.events[0].activity.kind(), "inventory");
    }

    #[test]
    fn a_picture_that_is_too_large_is_cut_down() {
        check(20, "short", 20, 5);
        check(1_500, &"x".repeat(4_000), 1_500, 1_001);
        check(10_000, &"é".repeat(1_000), 10_000, 1);
        check(40_000, "short", 10_000, 1);
    }

    /// What is too long is given up at the bound: the whole of it is never in memory.
    #[test]
    fn a_picture_is_never_larger_in_memory_than_an_event_may_be() {
        let observation = picture(5_000, &"x".repeat(4_000));
        let Observation { time, activity, .. } = observation;
        let event = AgentEvent { time, severity: None, activity };
        let mut text = Bounded(Vec::new());
        let error = serde_json::to_writer(&mut text, &event).unwrap_err();
        assert!(error.is_io(), "{error}");
        assert!(text.0.len() <= EVENT_BYTES_MAX, "{}", text.0.len());
        // A vector grows by doubling.
        assert!(text.0.capacity() <= 2 * EVENT_BYTES_MAX, "{}", text.0.capacity());
        assert!(matches!(write(&event), Written::TooLong));
        let mut exact = Bounded(vec![0; EVENT_BYTES_MAX - 2]);
        std::io::Write::write_all(&mut exact, b"ab").unwrap();
        assert!(std::io::Write::write_all(&mut exact, b"c").is_err());
        assert_eq!(exact.0.len(), EVENT_BYTES_MAX);
    }

    #[test]
    fn the_newest_processes_stay_in_a_picture_that_is_cut() {
        let mut observation = picture(40_000, "short");
        let Activity::Inventory(inventory) = &mut observation.activity else {
            panic!("no picture")
        };
        for (second, process) in (0..).zip(inventory.processes.iter_mut().rev()) {
            process.start_time = Some(Timestamp::from_micros(second * 1_000_000));
        }
        let text = event(observation).unwrap();
        let event: AgentEvent = serde_json::from_slice(&text).unwrap();
        let Activity::Inventory(found) = event.activity else { panic!("no picture") };
        let kept = found.processes.len() as i64;
        let oldest = found.processes.iter().filter_map(|process| process.start_time).min();
        assert_eq!(oldest, Some(Timestamp::from_micros((40_000 - kept) * 1_000_000)));
    }

    #[track_caller]
    fn check(processes: usize, line: &str, expected: usize, characters: usize) {
        let text = event(picture(processes, line)).unwrap();
        assert!(text.len() <= EVENT_BYTES_MAX);
        let event: AgentEvent = serde_json::from_slice(&text).unwrap();
        let Activity::Inventory(found) = event.activity else { panic!("no picture") };
        assert_eq!(found.processes.len(), expected);
        let line = found.processes[0].command_line.as_ref().unwrap();
        assert_eq!(line.chars().count(), characters);
    }
}
