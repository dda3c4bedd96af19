//! Up to which second signed requests were accepted, on the disk with whatever followed from them.
//!
//! The memory of nonces does not outlive the server, so what was signed before its start is refused. That
//! holds only where the clock goes forward: were it set back across a restart, a recorded request could
//! seem to be signed after the start. So every commit carries the latest second that was accepted by then,
//! and a start goes by that where the clock is behind it.

use parking_lot::Mutex;
use ringwall_store::{Database, Session, StateStore, StoreError};

/// The kind and the key under which it is kept.
const KIND: &str = "identity-accepted";
const KEY: &str = "all";

/// Seconds since 1970.
#[derive(Default)]
pub(super) struct AcceptedUpTo(Mutex<Seconds>);

#[derive(Clone, Copy, Default)]
struct Seconds {
    accepted: i64,
    written: i64,
}

impl AcceptedUpTo {
    pub(super) fn note(&self, second: i64) {
        let mut seconds = self.0.lock();
        seconds.accepted = seconds.accepted.max(second);
    }

    /// Part of every commit.
    pub(super) fn keep(&self, session: &Session<'_>) -> Result<(), StoreError> {
        let Seconds { accepted, written } = *self.0.lock();
        if accepted > written {
            let known: Option<i64> = session.document(KIND, KEY)?;
            if known.is_none_or(|known| known < accepted) {
                session.put_document(KIND, KEY, &accepted)?;
            }
            self.0.lock().written = accepted;
        }
        Ok(())
    }

    /// The commit failed: what was written is not there.
    pub(super) fn undo(&self) {
        self.0.lock().written = 0;
    }
}

/// The latest second that an earlier run accepted; none where none did.
///
/// # Errors
/// Where the database cannot be read.
pub(crate) fn accepted_up_to(database: &Database) -> Result<Option<i64>, StoreError> {
    database.read(|session| session.document(KIND, KEY))
}
