//! Who is signed in, and who guesses passwords.

use parking_lot::Mutex;
use ringwall_access::{FailedSignIns, Session, SessionError, SessionTimes, Sessions, SignInLimit};
use ringwall_event::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

const SESSIONS_MAX: usize = 10_000;
const GUESSERS_MAX: usize = 10_000;
/// Each takes 19 MiB and a core for some ten milliseconds.
const PASSWORDS_AT_ONCE: usize = 2;
const STREAMS_MAX: usize = 256;

/// State of signing in that is not worth keeping over a restart: people sign in again.
pub(crate) struct SignInState {
    pub(super) sessions: Mutex<Sessions>,
    pub(super) limit: Mutex<SignInLimit>,
    /// When each token was last used, by its id.
    pub(super) tokens_used: Mutex<HashMap<String, Timestamp>>,
    pub(super) passwords: Arc<Semaphore>,
    pub(super) streams: Arc<Semaphore>,
    /// What of the failed attempts is still to be written down.
    pub(super) failed: Mutex<FailedSignIns>,
    /// Changes whenever somebody is signed out: answers that are held open look then whether they may
    /// go on.
    signed_out: watch::Sender<u64>,
}

impl SignInState {
    pub(super) fn session(&self, cookie: &str, now: Timestamp) -> Result<Session, SessionError> {
        self.sessions.lock().find(cookie, now)
    }

    /// Closes sessions, and has open streams look whether theirs is among them.
    pub(super) fn close(&self, close: impl FnOnce(&mut Sessions)) {
        close(&mut self.sessions.lock());
        self.tell_signed_out();
    }

    /// Has open streams look whether they may go on.
    pub(super) fn tell_signed_out(&self) {
        self.signed_out.send_modify(|times| *times = times.wrapping_add(1));
    }

    pub(super) fn watch_signed_out(&self) -> watch::Receiver<u64> {
        self.signed_out.subscribe()
    }
}

impl SignInState {
    /// Nobody is signed in.
    pub(crate) fn new(times: SessionTimes) -> Self {
        Self {
            sessions: Mutex::new(Sessions::new(SESSIONS_MAX, times)),
            failed: Mutex::new(FailedSignIns::default()),
            signed_out: watch::Sender::new(0),
            limit: Mutex::new(SignInLimit::new(GUESSERS_MAX)),
            tokens_used: Mutex::new(HashMap::new()),
            passwords: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

#[cfg(test)]
impl Default for SignInState {
    fn default() -> Self {
        Self::new(SessionTimes::default())
    }
}
