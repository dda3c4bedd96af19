use ringwall_event::{EventId, Timestamp};
use std::collections::HashMap;

/// The items of late, to recognise one that comes again in another batch.
///
/// Two generations: when the younger is full or old enough, the elder is dropped whole. So memory
/// and time are bounded without a list of ages.
#[derive(Debug)]
pub(crate) struct ItemWindow {
    young: HashMap<u128, EventId, foldhash::fast::RandomState>,
    old: HashMap<u128, EventId, foldhash::fast::RandomState>,
    young_since: Timestamp,
    generation_max: usize,
    generation_seconds: i64,
}

impl ItemWindow {
    pub(super) fn new(items_max: usize, seconds: i64) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            young_since: Timestamp::default(),
            generation_max: (items_max / 2).max(1),
            generation_seconds: seconds.max(1),
        }
    }

    pub(super) fn find(&self, item: u128) -> Option<EventId> {
        self.young.get(&item).or_else(|| self.old.get(&item)).copied()
    }

    pub(super) fn remember(&mut self, item: u128, id: EventId, received: Timestamp) {
        let age = received.micros_since(self.young_since);
        if self.young.len() >= self.generation_max
            || age > self.generation_seconds.saturating_mul(1_000_000)
        {
            self.old = std::mem::take(&mut self.young);
            self.young_since = received;
        }
        self.young.insert(item, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_for_the_whole_window_and_memory_is_bounded() {
        let mut window = ItemWindow::new(10, 60);
        let start = Timestamp::from_millis(1_700_000_000_000);
        for item in 0..1000u128 {
            window.remember(item, EventId::from_u128(item), start);
            assert_eq!(window.find(item), Some(EventId::from_u128(item)));
            assert!(window.young.len() + window.old.len() <= 10);
        }
        assert_eq!(window.find(0), None);
        window.remember(5000, EventId::from_u128(1), start.plus_seconds(59));
        assert!(window.find(999).is_some());
    }
}
