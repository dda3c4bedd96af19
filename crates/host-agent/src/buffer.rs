//! What was seen and not yet delivered: bounded in bytes, and what did not fit is counted.

use crate::own_health::Waiting;
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// A queue of events, each as its JSON text.
#[derive(Debug)]
pub(crate) struct Buffer {
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
    pictures: usize,
    /// Dropped since the last batch was taken.
    dropped: u64,
    /// Dropped since it was made.
    dropped_total: u64,
}

#[derive(Debug)]
struct Entry {
    event: Box<RawValue>,
    is_picture: bool,
}

/// Events to be sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Oldest first.
    pub(crate) events: Vec<Box<RawValue>>,
    /// How many events were dropped since the batch before.
    pub(crate) dropped: u64,
}

/// What an entry costs beside its text.
const ENTRY_BYTES: usize = 48;

impl Buffer {
    /// An empty buffer that holds at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
            pictures: 0,
            dropped: 0,
            dropped_total: 0,
        }
    }

    /// Adds an event. Where there is no room, pictures make way first, all but the latest, as the next
    /// one tells more than the one before; then the oldest events.
    pub(crate) fn push(&mut self, event: Box<RawValue>, is_picture: bool) {
        self.bytes += cost(&event);
        self.pictures += usize::from(is_picture);
        self.entries.push_back(Entry { event, is_picture });
        while self.bytes > self.bytes_max && !self.entries.is_empty() {
            let victim = match self.pictures {
                0 | 1 => 0,
                _ => self.entries.iter().position(|entry| entry.is_picture).unwrap_or(0),
            };
            if let Some(entry) = self.entries.remove(victim) {
                self.account_for_removal(&entry);
                self.dropped += 1;
                self.dropped_total += 1;
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > 4096 {
            self.entries.shrink_to(256);
        }
    }

    /// Takes the oldest events: at least one where there are any, and no more than the bounds.
    pub(crate) fn take(&mut self, events_max: usize, bytes_max: usize) -> Batch {
        let mut batch = Batch { events: Vec::new(), dropped: std::mem::take(&mut self.dropped) };
        let mut bytes = 0;
        while let Some(entry) = self.entries.front() {
            bytes += entry.event.get().len();
            let full = batch.events.len() >= events_max || bytes > bytes_max;
            if full && !batch.events.is_empty() {
                break;
            }
            if let Some(entry) = self.entries.pop_front() {
                self.account_for_removal(&entry);
                batch.events.push(entry.event);
            }
        }
        batch
    }

    /// Counts events that were taken and could not be delivered after all.
    pub(crate) fn count_dropped(&mut self, events: u64) {
        self.dropped = self.dropped.saturating_add(events);
    }

    /// What waits, and what was dropped.
    pub(crate) fn waiting(&self) -> Waiting {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Waiting {
            events: number(self.entries.len()),
            bytes: number(self.bytes),
            bytes_max: number(self.bytes_max),
            dropped: self.dropped_total,
        }
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn account_for_removal(&mut self, entry: &Entry) {
        self.bytes -= cost(&entry.event);
        self.pictures -= usize::from(entry.is_picture);
    }
}

fn cost(event: &RawValue) -> usize {
    event.get().len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(number: usize) -> Box<RawValue> {
        RawValue::from_string(number.to_string()).unwrap()
    }

    fn texts(batch: &Batch) -> Vec<&str> {
        batch.events.iter().map(|event| event.get()).collect()
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let mut buffer = Buffer::new(3 * (ENTRY_BYTES + 1));
        for number in 0..5 {
            buffer.push(event(number), false);
        }
        let batch = buffer.take(10, 1000);
        assert_eq!((texts(&batch), batch.dropped), (vec!["2", "3", "4"], 2));
        assert_eq!(buffer.take(10, 1000).dropped, 0);
    }

    #[test]
    fn older_pictures_make_way_for_events() {
        let mut buffer = Buffer::new(3 * (ENTRY_BYTES + 1));
        buffer.push(event(0), false);
        buffer.push(event(1), true);
        buffer.push(event(2), true);
        buffer.push(event(3), false);
        assert_eq!(texts(&buffer.take(10, 1000)), ["0", "2", "3"]);
    }

    #[test]
    fn a_batch_is_bounded_but_never_empty() {
        let mut buffer = Buffer::new(1 << 20);
        for number in 10..20 {
            buffer.push(event(number), false);
        }
        assert_eq!(buffer.take(3, 1000).events.len(), 3);
        assert_eq!(buffer.take(100, 4).events.len(), 2);
        assert_eq!(buffer.take(100, 0).events.len(), 1);
        assert_eq!(buffer.take(0, 100).events.len(), 1);
        assert_eq!(buffer.len(), 3);
    }

    #[test]
    fn what_is_larger_than_the_buffer_is_dropped_itself() {
        let mut buffer = Buffer::new(10);
        buffer.push(event(1), true);
        assert!(buffer.is_empty());
        assert_eq!(buffer.take(1, 1).dropped, 1);
    }

    proptest! {
        #[test]
        fn nothing_goes_uncounted(
            sizes in prop::collection::vec((1usize..200, any::<bool>()), 1..60),
            bytes_max in 0usize..4000,
        ) {
            let mut buffer = Buffer::new(bytes_max);
            for (size, is_picture) in &sizes {
                let text = format!("\"{}\"", "x".repeat(*size));
                buffer.push(RawValue::from_string(text).unwrap(), *is_picture);
                prop_assert!(buffer.bytes <= bytes_max);
            }
            let batch = buffer.take(usize::MAX, usize::MAX);
            prop_assert_eq!(batch.events.len() as u64 + batch.dropped, sizes.len() as u64);
            prop_assert_eq!((buffer.bytes, buffer.pictures), (0, 0));
        }
    }
}
