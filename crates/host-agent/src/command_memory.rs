//! Which commands were seen, so that none is carried out twice.

use std::collections::{HashMap, VecDeque};

/// Remembers the latest commands and what became of them.
#[derive(Debug)]
pub(crate) struct CommandMemory<R> {
    states: HashMap<String, Option<R>>,
    order: VecDeque<String>,
    commands_max: usize,
}

/// What is known of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen<R> {
    /// Nothing: it is to be carried out.
    Never,
    /// It is being carried out.
    UnderWay,
    /// It was carried out, and this came of it.
    Done(R),
}

impl<R: Clone> CommandMemory<R> {
    /// Remembers at most so many commands; the oldest is forgotten first. Commands expire long before
    /// so many others have come.
    pub(crate) fn new(commands_max: usize) -> Self {
        Self { states: HashMap::new(), order: VecDeque::new(), commands_max }
    }

    /// What is known of the command; from now on it is known to be under way.
    pub(crate) fn begin(&mut self, id: &str) -> Seen<R> {
        match self.states.get(id) {
            Some(Some(result)) => return Seen::Done(result.clone()),
            Some(None) => return Seen::UnderWay,
            None => {}
        }
        if self.order.len() >= self.commands_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.states.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.states.insert(id.to_owned(), None);
        Seen::Never
    }

    /// Notes what became of a command.
    pub(crate) fn finish(&mut self, id: &str, result: R) {
        if let Some(state) = self.states.get_mut(id) {
            *state = Some(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_begins_once() {
        let mut memory = CommandMemory::new(2);
        assert_eq!(memory.begin("a"), Seen::Never);
        assert_eq!(memory.begin("a"), Seen::UnderWay);
        memory.finish("a", 7);
        assert_eq!(memory.begin("a"), Seen::Done(7));
        assert_eq!(memory.begin("b"), Seen::Never);
        assert_eq!(memory.begin("c"), Seen::Never);
        memory.finish("a", 8);
        assert_eq!(memory.begin("c"), Seen::UnderWay);
        assert_eq!(memory.begin("a"), Seen::Never);
        assert_eq!(memory.order.len(), 2);
    }
}
