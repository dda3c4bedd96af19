//! What all parts of a running query share.

use parking_lot::Mutex;
use ringwall_event::Timestamp;
use std::time::Instant;

/// One query on its way: when it began, when it must end, and what went wrong inside SQLite's callbacks,
/// which cannot always say so themselves.
#[derive(Debug)]
pub(super) struct Running {
    /// The wall clock at the start: `now` for the whole query.
    pub(super) started: Timestamp,
    /// When it is given up.
    pub(super) deadline: Instant,
    complaint: Mutex<Option<String>>,
}

impl Running {
    pub(super) fn new(started: Timestamp, deadline: Instant) -> Self {
        Self { started, deadline, complaint: Mutex::default() }
    }

    /// Ends the query with this error; the first stands.
    pub(super) fn complain(&self, why: String) {
        self.complaint.lock().get_or_insert(why);
    }

    /// What went wrong.
    pub(super) fn complaint(&self) -> Option<String> {
        self.complaint.lock().clone()
    }

    /// Whether there is no point in going on.
    pub(super) fn is_over(&self) -> bool {
        self.complaint.lock().is_some() || Instant::now() >= self.deadline
    }
}
