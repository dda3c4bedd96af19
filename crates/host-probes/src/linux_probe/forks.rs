use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Processes that forked a moment ago, until they run another program, end, or their time is up.
#[derive(Debug, Default)]
pub(super) struct Forks {
    parents: HashMap<u32, Fork>,
    /// In the order of their times; those that were taken out meanwhile are skipped.
    order: VecDeque<(u32, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Fork {
    parent: u32,
    due: Instant,
}

/// More forks than this are not held: a look at all processes finds them.
pub(super) const FORKS_MAX: usize = 8192;

impl Forks {
    /// Adds a fork to be looked at when `due`; whether there was room for it.
    pub(super) fn add(&mut self, child: u32, parent: u32, due: Instant) -> bool {
        if self.order.len() >= FORKS_MAX {
            return false;
        }
        self.parents.insert(child, Fork { parent, due });
        self.order.push_back((child, due));
        true
    }

    /// Takes the fork of this process out and gives its parent.
    pub(super) fn take(&mut self, child: u32) -> Option<u32> {
        self.parents.remove(&child).map(|fork| fork.parent)
    }

    pub(super) fn contains(&self, child: u32) -> bool {
        self.parents.contains_key(&child)
    }

    /// Takes out a process whose time is up, and its parent.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<(u32, u32)> {
        while let Some((child, due)) = self.order.front().copied() {
            let current = self.parents.get(&child).filter(|fork| fork.due == due);
            if current.is_some() && due > now {
                return None;
            }
            self.order.pop_front();
            if current.is_some() {
                return self.take(child).map(|parent| (child, parent));
            }
        }
        None
    }

    /// When the next one is due.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.order.front().map(|(_, due)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_ran_another_program_is_not_due_any_more() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut forks = Forks::default();
        assert!(forks.add(10, 1, at(5)));
        assert!(forks.add(11, 1, at(6)));
        assert!(forks.add(12, 2, at(7)));
        assert_eq!(forks.take(10), Some(1));
        assert_eq!(forks.take(10), None);
        assert_eq!(forks.next_due(at(4)), None);
        assert_eq!(forks.earliest(), Some(at(6)));
        assert_eq!(forks.next_due(at(8)), Some((11, 1)));
        assert_eq!(forks.next_due(at(8)), Some((12, 2)));
        assert_eq!(forks.next_due(at(8)), None);
    }

    #[test]
    fn a_number_that_comes_again_is_due_at_its_new_time() {
        let start = Instant::now();
        let mut forks = Forks::default();
        forks.add(10, 1, start);
        forks.take(10);
        forks.add(10, 3, start + Duration::from_secs(1));
        assert_eq!(forks.next_due(start), None);
        assert_eq!(forks.next_due(start + Duration::from_secs(1)), Some((10, 3)));
    }

    #[test]
    fn there_is_a_bound() {
        let now = Instant::now();
        let mut forks = Forks::default();
        for child in 0..FORKS_MAX {
            assert!(forks.add(child as u32, 1, now));
        }
        assert!(!forks.add(9_999, 1, now));
    }
}
