use crate::{Role, Subject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, mac, sha256, verify_mac};
use std::collections::HashMap;
use std::fmt;

/// A session that nobody used for this long is over: 12 hours.
const IDLE_SECONDS: i64 = 12 * 3600;
/// A session is over this long after signing in, used or not: 7 days.
const AGE_SECONDS: i64 = 7 * 86_400;
/// The characters of a session's id: 256 bits in URL-safe base64.
const ID_CHARS: usize = 43;
const CSRF_DOMAIN: &[u8] = b"ringwall-csrf-v1\0";

/// Somebody who signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The name they signed in with.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// When they signed in.
    pub created: Timestamp,
    /// When they last asked for something.
    pub last_used: Timestamp,
    /// SHA-256 of the id: who reads our memory or backups cannot become somebody else.
    id_digest: [u8; 32],
}

impl Session {
    /// The person, as [`authorise`](crate::authorise) wants to know them.
    pub fn subject(&self) -> Subject {
        Subject::User { name: self.user.clone(), role: self.role }
    }

    fn check(&self, now: Timestamp) -> Result<(), SessionError> {
        if now >= self.created.plus_seconds(AGE_SECONDS) {
            Err(SessionError::TooOld)
        } else if now >= self.last_used.plus_seconds(IDLE_SECONDS) {
            Err(SessionError::Idle)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A session that was just opened.
#[derive(Debug)]
pub struct NewSession {
    /// The value of the cookie: 43 URL-safe characters.
    pub id: Secret,
    /// What is kept.
    pub session: Session,
}

/// Why a cookie opens nothing. To who presented it, all look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Never opened, closed, or pushed out by newer ones.
    #[error("session is not known")]
    Unknown,
    /// Not used for 12 hours.
    #[error("session was idle for too long")]
    Idle,
    /// Opened 7 days ago.
    #[error("session is too old")]
    TooOld,
}

/// The open sessions, at most as many as given; the longest unused makes room for a new one.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<[u8; 32], Session>,
    max: usize,
}

impl Sessions {
    /// No sessions yet, and never more than `max`.
    pub fn new(max: usize) -> Self {
        Self { open: HashMap::new(), max: max.max(1) }
    }

    /// Opens a session for somebody whose password was right; `random` becomes its id.
    pub fn open(
        &mut self,
        user: &str,
        role: Role,
        random: &[u8; 32],
        now: Timestamp,
    ) -> NewSession {
        if self.open.len() >= self.max {
            self.open.retain(|_, session| session.check(now).is_ok());
        }
        while self.open.len() >= self.max {
            let oldest = self.open.values().min_by_key(|session| session.last_used);
            let Some(digest) = oldest.map(|session| session.id_digest) else { break };
            self.open.remove(&digest);
        }
        let id_digest = sha256(random);
        let session = Session { user: user.into(), role, created: now, last_used: now, id_digest };
        self.open.insert(id_digest, session.clone());
        NewSession { id: Secret::from(URL_SAFE_NO_PAD.encode(random)), session }
    }

    /// The session of this cookie, which counts as used now. What has expired is forgotten.
    ///
    /// # Errors
    /// Where there is no such session, or its time is over.
    pub fn find(&mut self, cookie: &str, now: Timestamp) -> Result<Session, SessionError> {
        let digest = id_digest(cookie).ok_or(SessionError::Unknown)?;
        let session = self.open.get_mut(&digest).ok_or(SessionError::Unknown)?;
        if let Err(error) = session.check(now) {
            self.open.remove(&digest);
            return Err(error);
        }
        // A clock that was set back must not shorten the session.
        session.last_used = session.last_used.max(now);
        Ok(session.clone())
    }

    /// Whether this session is still open. It does not count as used: an open page that only
    /// listens must not keep its session alive for ever.
    pub fn is_open(&self, session: &Session, now: Timestamp) -> bool {
        self.open.get(&session.id_digest).is_some_and(|kept| kept.check(now).is_ok())
    }

    /// Closes one session.
    pub fn close(&mut self, session: &Session) {
        self.open.remove(&session.id_digest);
    }

    /// Closes all sessions of a user, as when the password changes.
    pub fn close_all_of(&mut self, user: &str) {
        self.open.retain(|_, session| session.user != user);
    }

    /// How many are open, those included whose time is over and who did not come back.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// The value that a page of this session sends with everything that changes something.
///
/// Bound to the session by a MAC, so that nothing needs to be kept for it.
pub fn csrf_value(key: &Secret, session: &Session) -> String {
    URL_SAFE_NO_PAD.encode(mac(key, &csrf_message(session)))
}

/// Whether `text` is the [`csrf_value`] of this session, compared in constant time.
pub fn verify_csrf(key: &Secret, session: &Session, text: &str) -> bool {
    text.len() == ID_CHARS
        && URL_SAFE_NO_PAD
            .decode(text)
            .is_ok_and(|claimed| verify_mac(key, &csrf_message(session), &claimed))
}

fn csrf_message(session: &Session) -> Vec<u8> {
    [CSRF_DOMAIN, session.id_digest.as_slice()].concat()
}

fn id_digest(cookie: &str) -> Option<[u8; 32]> {
    if cookie.len() != ID_CHARS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    Some(sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn cookie(new: &NewSession) -> String {
        String::from_utf8(new.id.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_session_lives_while_used_and_at_most_a_week() {
        let mut sessions = Sessions::new(10);
        let new = sessions.open("ada", Role::Analyst, &[1; 32], NOW);
        let cookie = cookie(&new);
        let mut now = NOW;
        while now < NOW.plus_seconds(AGE_SECONDS - 11 * 3600) {
            assert_eq!(sessions.find(&cookie, now).map(|s| s.user), Ok("ada".into()));
            now = now.plus_seconds(11 * 3600);
        }
        let end = NOW.plus_seconds(AGE_SECONDS);
        assert!(sessions.find(&cookie, now).is_ok());
        assert_eq!(sessions.find(&cookie, end), Err(SessionError::TooOld));
        assert_eq!(sessions.find(&cookie, end), Err(SessionError::Unknown));
        assert!(sessions.is_empty());
    }

    #[test]
    fn an_idle_session_ends_after_twelve_hours() {
        let mut sessions = Sessions::new(10);
        let idle = NOW.plus_seconds(IDLE_SECONDS);
        let new = sessions.open("ada", Role::Admin, &[1; 32], NOW);
        assert!(sessions.find(&cookie(&new), idle.plus_micros(-1)).is_ok());
        let new = sessions.open("ada", Role::Admin, &[2; 32], NOW);
        assert_eq!(sessions.find(&cookie(&new), idle), Err(SessionError::Idle));
    }

    #[test]
    fn the_number_is_bounded_and_the_longest_unused_goes_first() {
        let mut sessions = Sessions::new(2);
        let first = sessions.open("a", Role::Admin, &[1; 32], NOW);
        let second = sessions.open("b", Role::Admin, &[2; 32], NOW.plus_seconds(1));
        sessions.find(&cookie(&first), NOW.plus_seconds(2)).unwrap();
        let third = sessions.open("c", Role::Admin, &[3; 32], NOW.plus_seconds(3));
        assert_eq!(sessions.len(), 2);
        let now = NOW.plus_seconds(4);
        assert!(sessions.find(&cookie(&first), now).is_ok());
        assert_eq!(sessions.find(&cookie(&second), now), Err(SessionError::Unknown));
        assert!(sessions.find(&cookie(&third), now).is_ok());
        assert!(sessions.is_open(&first.session, now));
        assert!(!sessions.is_open(&first.session, now.plus_seconds(IDLE_SECONDS)));
        sessions.close(&first.session);
        assert!(!sessions.is_open(&first.session, now));
        assert!(sessions.find(&cookie(&first), now).is_err());
        sessions.close_all_of("c");
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_csrf_value_belongs_to_one_session_and_key() {
        let key = Secret::from("key");
        let mut sessions = Sessions::new(10);
        let a = sessions.open("ada", Role::Admin, &[1; 32], NOW).session;
        let b = sessions.open("ada", Role::Admin, &[2; 32], NOW).session;
        let value = csrf_value(&key, &a);
        assert!(verify_csrf(&key, &a, &value));
        assert!(!verify_csrf(&key, &b, &value));
        assert!(!verify_csrf(&Secret::from("other"), &a, &value));
        for text in ["", "x", &value[1..], &format!("{value}="), &"A".repeat(43)] {
            assert!(!verify_csrf(&key, &a, text), "text {text:?}");
        }
    }

    #[test]
    fn nothing_secret_is_printed_or_kept() {
        let new = Sessions::new(1).open("ada", Role::Admin, &[0xab; 32], NOW);
        let printed = format!("{new:?}");
        assert!(!printed.contains(&cookie(&new)), "{printed}");
        assert!(!printed.contains("171"), "{printed}");
        assert_ne!(new.session.id_digest, [0xab; 32]);
    }

    proptest::proptest! {
        #[test]
        fn no_cookie_panics(text in ".{0,60}") {
            let mut sessions = Sessions::new(1);
            sessions.open("ada", Role::Admin, &[1; 32], NOW);
            proptest::prop_assert_eq!(sessions.find(&text, NOW), Err(SessionError::Unknown));
        }
    }
}
