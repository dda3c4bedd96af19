//! Which commands were seen, so that none is carried out twice: for servers that bind commands to nothing.

use std::collections::{HashSet, VecDeque};

/// Remembers the latest commands.
#[derive(Debug)]
pub(crate) struct CommandMemory {
    seen: HashSet<String>,
    order: VecDeque<String>,
    commands_max: usize,
}

impl CommandMemory {
    /// Remembers at most so many commands; the oldest is forgotten first.
    pub(crate) fn new(commands_max: usize) -> Self {
        Self { seen: HashSet::new(), order: VecDeque::new(), commands_max }
    }

    /// Whether the command was never seen; from now on it was.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        if self.seen.contains(id) {
            return false;
        }
        if self.order.len() >= self.commands_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.seen.insert(id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_new_once() {
        let mut memory = CommandMemory::new(2);
        for (id, expected) in
            [("a", true), ("a", false), ("b", true), ("c", true), ("c", false), ("a", true)]
        {
            assert_eq!(memory.is_new(id), expected, "{id}");
        }
        assert_eq!(memory.order.len(), 2);
    }
}
