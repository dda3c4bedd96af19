use crate::TokenError;
use crate::token::{self, PresentedToken};
use ringwall_event::Timestamp;
use ringwall_signing::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What every enrolment token begins with, so that scanners for leaked secrets recognise it.
const PREFIX: &str = "rwe_";
/// Of the hosts that a token enrolled, the names of so many are kept, the latest; the audit log has all.
const NAMES_KEPT: usize = 100;

/// Leave for host agents to enrol, as it is kept: the secret of its token only as a digest.
///
/// The secret has 256 random bits, so a plain SHA-256 is as good as a slow hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentRecord {
    /// Public: 16 hexadecimal digits, found in the token itself.
    pub id: String,
    /// The name that the host gets; none lets it choose.
    pub name: Option<String>,
    /// The name of a host that may be taken over, as after its machine was replaced.
    pub replaces: Option<String>,
    /// SHA-256 of the secret, in URL-safe base64.
    pub secret_digest: String,
    /// Who gave leave.
    pub created_by: String,
    /// When.
    pub created: Timestamp,
    /// From this moment it is void.
    pub expires: Timestamp,
    /// How many more hosts it enrols.
    pub uses_left: u32,
    /// The hosts that it enrolled: the latest hundred.
    pub used_by: Vec<String>,
}

/// What a new enrolment shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentTerms {
    /// The name that the host gets; none lets it choose.
    pub name: Option<String>,
    /// The name of a host that may be taken over.
    pub replaces: Option<String>,
    /// How many hosts it enrols.
    pub uses: u32,
    /// From this moment it is void.
    pub expires: Timestamp,
    /// Who gives leave.
    pub created_by: String,
}

impl EnrolmentRecord {
    /// Makes an enrolment from 40 random bytes. The token's text is shown once and kept by nobody here.
    pub fn create(terms: EnrolmentTerms, random: &[u8; 40], now: Timestamp) -> NewEnrolment {
        let issued = token::issue(PREFIX, random);
        let record = Self {
            id: issued.id,
            name: terms.name,
            replaces: terms.replaces,
            secret_digest: issued.secret_digest,
            created_by: terms.created_by,
            created: now,
            expires: terms.expires,
            uses_left: terms.uses,
            used_by: Vec::new(),
        };
        NewEnrolment { record, text: issued.text }
    }

    /// Whether this is the record of the token, in constant time. Says nothing of its being void.
    ///
    /// # Errors
    /// Where it is another token.
    pub fn check(&self, presented: &PresentedEnrolment) -> Result<(), TokenError> {
        presented.0.check(&self.id, &self.secret_digest)
    }

    /// Whether it enrols nobody any more.
    pub fn is_void(&self, now: Timestamp) -> bool {
        self.uses_left == 0 || now >= self.expires
    }

    /// Notes that it enrolled a host.
    pub fn use_for(&mut self, name: &str) {
        self.uses_left = self.uses_left.saturating_sub(1);
        if self.used_by.len() >= NAMES_KEPT {
            self.used_by.remove(0);
        }
        self.used_by.push(name.to_owned());
    }
}

impl fmt::Debug for EnrolmentRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentRecord")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("expires", &self.expires)
            .field("uses_left", &self.uses_left)
            .finish_non_exhaustive()
    }
}

/// An enrolment that was just made.
#[derive(Debug)]
pub struct NewEnrolment {
    /// What is kept.
    pub record: EnrolmentRecord,
    /// What the host is given: `rwe_<id>_<secret>`.
    pub text: Secret,
}

/// A text with the form of an enrolment token, from a request.
#[derive(Debug)]
pub struct PresentedEnrolment(PresentedToken);

impl PresentedEnrolment {
    /// Reads `rwe_<16 hexadecimal digits>_<43 characters of URL-safe base64>`; none for all else.
    pub fn parse(text: &str) -> Option<Self> {
        token::read(PREFIX, text).map(Self)
    }

    /// By which the record is found; not secret.
    pub fn id(&self) -> &str {
        self.0.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn enrolment(byte: u8, uses: u32) -> NewEnrolment {
        let terms = EnrolmentTerms {
            name: None,
            replaces: None,
            uses,
            expires: NOW.plus_seconds(60),
            created_by: "user:admin".into(),
        };
        EnrolmentRecord::create(terms, &[byte; 40], NOW)
    }

    fn text(new: &NewEnrolment) -> String {
        String::from_utf8(new.text.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_token_opens_its_own_record_and_is_kept_nowhere() {
        let new = enrolment(0xab, 1);
        assert_eq!(text(&new), "rwe_abababababababab_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s");
        let presented = PresentedEnrolment::parse(&text(&new)).unwrap();
        assert_eq!(presented.id(), new.record.id);
        assert_eq!(new.record.check(&presented), Ok(()));
        assert_eq!(enrolment(0xac, 1).record.check(&presented), Err(TokenError::Unknown));
        let forged = EnrolmentRecord { id: new.record.id.clone(), ..enrolment(0xac, 1).record };
        assert_eq!(forged.check(&presented), Err(TokenError::Unknown));
        let stored = serde_json::to_string(&new.record).unwrap();
        for printed in [stored, format!("{:?}", new.record), format!("{presented:?}")] {
            assert!(!printed.contains("q6urq6"), "{printed}");
        }
        // A token of the API is no enrolment, and the other way round.
        assert!(PresentedEnrolment::parse(&text(&new).replace("rwe_", "rwt_")).is_none());
        assert!(PresentedToken::parse(&text(&new)).is_none());
    }

    #[test]
    fn it_is_void_when_used_up_or_too_late() {
        let mut record = enrolment(1, 2).record;
        assert!(!record.is_void(NOW.plus_seconds(59)));
        assert!(record.is_void(NOW.plus_seconds(60)));
        record.use_for("web-1");
        assert!(!record.is_void(NOW));
        record.use_for("web-2");
        assert!(record.is_void(NOW));
        record.use_for("web-3");
        assert_eq!((record.uses_left, record.used_by.len()), (0, 3));
        for number in 0..200 {
            record.use_for(&number.to_string());
        }
        assert_eq!(record.used_by.len(), NAMES_KEPT);
        assert_eq!(record.used_by.last().unwrap(), "199");
    }
}
