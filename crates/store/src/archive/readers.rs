//! Who reads at this moment, so that no file is unlinked under somebody's hands.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// Readers inside this process, numbered in the order of their beginning.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    active: BTreeSet<u64>,
}

/// One that reads; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    readers: &'a Readers,
    number: u64,
}

impl Readers {
    /// Notes one more. To be called before its transaction begins: what it sees is then no older than
    /// its number.
    pub(crate) fn enter(&self) -> Reader<'_> {
        let mut numbers = self.0.lock();
        let number = numbers.next;
        numbers.next += 1;
        numbers.active.insert(number);
        Reader { readers: self, number }
    }

    /// The number of the next reader: whoever has a lower one began before now.
    pub(crate) fn next(&self) -> u64 {
        self.0.lock().next
    }

    /// Whether every reader with a lower number is gone.
    pub(crate) fn all_gone_before(&self, number: u64) -> bool {
        self.0.lock().active.first().is_none_or(|oldest| *oldest >= number)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.readers.0.lock().active.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_began_before_are_waited_for_and_later_ones_are_not() {
        let readers = Readers::default();
        let (first, second) = (readers.enter(), readers.enter());
        let now = readers.next();
        let later = readers.enter();
        assert!(!readers.all_gone_before(now));
        drop(first);
        assert!(!readers.all_gone_before(now));
        drop(second);
        assert!(readers.all_gone_before(now));
        drop(later);
        assert!(readers.all_gone_before(readers.next()));
    }
}
