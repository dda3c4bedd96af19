use crate::{Role, Subject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, mac, sha256, verify_mac};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

/// The characters of a session's id: 256 bits in URL-safe base64.
const ID_CHARS: usize = 43;
/// 64 bits of the digest: enough to tell sessions apart, of no use for anything else.
const PUBLIC_ID_BYTES: usize = 8;
const CSRF_DOMAIN: &[u8] = b"ringwall-csrf-v1\0";

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// One that nobody used for this long is over.
    pub idle_seconds: i64,
    /// One is over this long after signing in, used or not.
    pub age_seconds: i64,
}

/// 12 hours without use, 7 days in all.
impl Default for SessionTimes {
    fn default() -> Self {
        Self { idle_seconds: 12 * 3600, age_seconds: 7 * 86_400 }
    }
}

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
    /// From where they signed in.
    pub address: IpAddr,
    /// SHA-256 of the id: who reads our memory or backups cannot become somebody else.
    id_digest: [u8; 32],
}

impl Session {
    /// The person, as [`authorise`](crate::authorise) wants to know them.
    pub fn subject(&self) -> Subject {
        Subject::User { name: self.user.clone(), role: self.role }
    }

    /// Names it in paths; opens nothing.
    pub fn public_id(&self) -> String {
        self.id_digest.iter().take(PUBLIC_ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    /// When it ends, should nobody use it any more.
    pub fn ends(&self, times: SessionTimes) -> Timestamp {
        let by_age = self.created.plus_seconds(times.age_seconds);
        by_age.min(self.last_used.plus_seconds(times.idle_seconds))
    }

    fn check(&self, times: SessionTimes, now: Timestamp) -> Result<(), SessionError> {
        if now >= self.created.plus_seconds(times.age_seconds) {
            Err(SessionError::TooOld)
        } else if now >= self.last_used.plus_seconds(times.idle_seconds) {
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
    /// Not used for too long.
    #[error("session was idle for too long")]
    Idle,
    /// Opened too long ago.
    #[error("session is too old")]
    TooOld,
}

/// The open sessions, at most as many as given; the longest unused makes room for a new one.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<[u8; 32], Session>,
    max: usize,
    times: SessionTimes,
}

impl Sessions {
    /// No sessions yet, and never more than `max`.
    pub fn new(max: usize, times: SessionTimes) -> Self {
        Self { open: HashMap::new(), max: max.max(1), times }
    }

    /// How long they last.
    pub const fn times(&self) -> SessionTimes {
        self.times
    }

    /// Opens a session for somebody whose password was right; `random` becomes its id.
    pub fn open(
        &mut self,
        user: &str,
        role: Role,
        address: IpAddr,
        random: &[u8; 32],
        now: Timestamp,
    ) -> NewSession {
        let times = self.times;
        if self.open.len() >= self.max {
            self.open.retain(|_, session| session.check(times, now).is_ok());
        }
        while self.open.len() >= self.max {
            let oldest = self.open.values().min_by_key(|session| session.last_used);
            let Some(digest) = oldest.map(|session| session.id_digest) else { break };
            self.open.remove(&digest);
        }
        let id_digest = sha256(random);
        let session =
            Session { user: user.into(), role, created: now, last_used: now, address, id_digest };
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
        if let Err(error) = session.check(self.times, now) {
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
        self.open.get(&session.id_digest).is_some_and(|kept| kept.check(self.times, now).is_ok())
    }

    /// Closes one session.
    pub fn close(&mut self, session: &Session) {
        self.open.remove(&session.id_digest);
    }

    /// Closes all sessions of a user, as when the role changes.
    pub fn close_all_of(&mut self, user: &str) {
        self.open.retain(|_, session| session.user != user);
    }

    /// Closes all sessions of a user but this one, as when they change their password.
    pub fn close_others_of(&mut self, kept: &Session) {
        self.open.retain(|digest, session| session.user != kept.user || *digest == kept.id_digest);
    }

    /// The sessions that are open at this moment, the one used last first.
    pub fn list(&self, now: Timestamp) -> Vec<Session> {
        let mut open: Vec<Session> = self
            .open
            .values()
            .filter(|session| session.check(self.times, now).is_ok())
            .cloned()
            .collect();
        open.sort_unstable_by_key(|session| {
            (std::cmp::Reverse(session.last_used), session.id_digest)
        });
        open
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const TIMES: SessionTimes = SessionTimes { idle_seconds: 12 * 3600, age_seconds: 7 * 86_400 };
    const AGE_SECONDS: i64 = TIMES.age_seconds;
    const IDLE_SECONDS: i64 = TIMES.idle_seconds;
    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn cookie(new: &NewSession) -> String {
        String::from_utf8(new.id.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_session_lives_while_used_and_at_most_a_week() {
        let mut sessions = Sessions::new(10, TIMES);
        let new = sessions.open("ada", Role::Analyst, HERE, &[1; 32], NOW);
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
        let mut sessions = Sessions::new(10, TIMES);
        let idle = NOW.plus_seconds(IDLE_SECONDS);
        let new = sessions.open("ada", Role::Admin, HERE, &[1; 32], NOW);
        assert!(sessions.find(&cookie(&new), idle.plus_micros(-1)).is_ok());
        let new = sessions.open("ada", Role::Admin, HERE, &[2; 32], NOW);
        assert_eq!(sessions.find(&cookie(&new), idle), Err(SessionError::Idle));
    }

    #[test]
    fn the_number_is_bounded_and_the_longest_unused_goes_first() {
        let mut sessions = Sessions::new(2, TIMES);
        let first = sessions.open("a", Role::Admin, HERE, &[1; 32], NOW);
        let second = sessions.open("b", Role::Admin, HERE, &[2; 32], NOW.plus_seconds(1));
        sessions.find(&cookie(&first), NOW.plus_seconds(2)).unwrap();
        let third = sessions.open("c", Role::Admin, HERE, &[3; 32], NOW.plus_seconds(3));
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
    fn sessions_are_listed_and_closed_by_others() {
        let mut sessions = Sessions::new(10, TIMES);
        let first = sessions.open("ada", Role::Admin, HERE, &[1; 32], NOW).session;
        let second = sessions.open("ada", Role::Admin, HERE, &[2; 32], NOW.plus_seconds(1)).session;
        let other = sessions.open("eve", Role::Admin, HERE, &[3; 32], NOW.plus_seconds(2)).session;
        let now = NOW.plus_seconds(3);
        assert_eq!(sessions.list(now), [other.clone(), second.clone(), first.clone()]);
        assert_eq!(first.public_id().len(), 16);
        assert_ne!(first.public_id(), second.public_id());
        assert_eq!(first.ends(TIMES), NOW.plus_seconds(IDLE_SECONDS));
        sessions.close_others_of(&first);
        assert_eq!(sessions.list(now), [other.clone(), first.clone()]);
        assert_eq!(sessions.list(NOW.plus_seconds(IDLE_SECONDS)), [other]);
        assert!(!sessions.is_open(&second, now));
        sessions.close_all_of("ada");
        assert!(!sessions.is_open(&first, now));
    }

    #[test]
    fn a_csrf_value_belongs_to_one_session_and_key() {
        let key = Secret::from("key");
        let mut sessions = Sessions::new(10, TIMES);
        let a = sessions.open("ada", Role::Admin, HERE, &[1; 32], NOW).session;
        let b = sessions.open("ada", Role::Admin, HERE, &[2; 32], NOW).session;
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
        let new = Sessions::new(1, TIMES).open("ada", Role::Admin, HERE, &[0xab; 32], NOW);
        let printed = format!("{new:?}");
        assert!(!printed.contains(&cookie(&new)), "{printed}");
        assert!(!printed.contains("171"), "{printed}");
        assert_ne!(new.session.id_digest, [0xab; 32]);
    }

    proptest::proptest! {
        #[test]
        fn no_cookie_panics(text in ".{0,60}") {
            let mut sessions = Sessions::new(1, TIMES);
            sessions.open("ada", Role::Admin, HERE, &[1; 32], NOW);
            proptest::prop_assert_eq!(sessions.find(&text, NOW), Err(SessionError::Unknown));
        }
    }
}
