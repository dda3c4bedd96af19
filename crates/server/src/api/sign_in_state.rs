//! Who is signed in, and who guesses passwords.

use parking_lot::Mutex;
use ringwall_access::{Session, SessionError, Sessions, SignInLimit};
use ringwall_event::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

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
}

impl SignInState {
    pub(super) fn session(&self, cookie: &str, now: Timestamp) -> Result<Session, SessionError> {
        self.sessions.lock().find(cookie, now)
    }
}

impl Default for SignInState {
    fn default() -> Self {
        Self {
            sessions: Mutex::new(Sessions::new(SESSIONS_MAX)),
            limit: Mutex::new(SignInLimit::new(GUESSERS_MAX)),
            tokens_used: Mutex::new(HashMap::new()),
            passwords: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}
