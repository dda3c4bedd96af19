use crate::connections::Link;
use crate::text::Peer;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What will happen on a host, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    heap: BinaryHeap<Due>,
    sequence: u32,
    ends: u64,
}

/// Something that will happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// A program is started by another, and ends before it.
    Start { program: u16, parent: u32, who: Who, until: i64 },
    /// A process ends.
    End { pid: u32, started: i64, program: u16 },
    /// A connection is closed.
    Close(Link),
    /// A client of the site asks for more.
    Visit(Peer),
    /// A scanner tries another path.
    Probe(Peer),
    /// Somebody guesses another password.
    Guess(Peer),
}

/// Who a process runs as, and who is behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) user: &'static str,
    pub(crate) person: u8,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    time: i64,
    sequence: u32,
    act: Act,
}

impl Act {
    /// Whether something that is there ends: it must be told, whatever else is left out.
    const fn is_end(&self) -> bool {
        matches!(self, Self::End { .. } | Self::Close(_))
    }
}

impl Pending {
    pub(crate) fn push(&mut self, time: i64, act: Act) {
        self.sequence += 1;
        self.ends += u64::from(act.is_end());
        self.heap.push(Due { time, sequence: self.sequence, act });
    }

    pub(crate) fn pop(&mut self) -> Option<(i64, Act)> {
        let due = self.heap.pop()?;
        self.ends -= u64::from(due.act.is_end());
        Some((due.time, due.act))
    }

    pub(crate) fn pop_end(&mut self) -> Option<(i64, Act)> {
        loop {
            let (time, act) = self.pop()?;
            if act.is_end() {
                return Some((time, act));
            }
        }
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<i64> {
        self.heap.peek().map(|due| due.time)
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// How many ends must be told.
    pub(crate) fn ends(&self) -> u64 {
        self.ends
    }
}

// The heap gives the greatest first: the earliest is the greatest.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.sequence).cmp(&(self.time, self.sequence))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
