use crate::{PermissionSet, Role, Subject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, sha256};
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;

/// What every token begins with, so that scanners for leaked secrets recognise it.
const PREFIX: &str = "rwt_";
const ID_DIGITS: usize = 16;
const SECRET_CHARS: usize = 43;

/// A token as it is kept: its secret only as a digest.
///
/// The secret has 256 random bits, so a plain SHA-256 is as good as a slow hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Public: 16 hexadecimal digits, found in the token itself.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its holder may do at most.
    pub role: Role,
    /// What of that its holder may do; none for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<PermissionSet>,
    /// SHA-256 of the secret, in URL-safe base64.
    pub secret_digest: String,
    /// When it was made.
    pub created: Timestamp,
    /// From this moment it is void; none for never.
    pub expires: Option<Timestamp>,
}

impl TokenRecord {
    /// Makes a token from 40 random bytes. Its text is shown once and kept by nobody here.
    pub fn create(
        name: &str,
        role: Role,
        scopes: Option<PermissionSet>,
        expires: Option<Timestamp>,
        random: &[u8; 40],
        now: Timestamp,
    ) -> NewToken {
        let issued = issue(PREFIX, random);
        let record = Self {
            id: issued.id,
            name: name.into(),
            role,
            scopes,
            secret_digest: issued.secret_digest,
            created: now,
            expires,
        };
        NewToken { record, text: issued.text }
    }

    /// Its holder, as [`authorise`](crate::authorise) wants to know them.
    pub fn subject(&self) -> Subject {
        Subject::Token { name: self.name.clone(), role: self.role, scopes: self.scopes }
    }

    /// Checks a presented token against this record, in constant time.
    ///
    /// # Errors
    /// Where it is another token, or this one has expired.
    pub fn check(&self, presented: &PresentedToken, now: Timestamp) -> Result<(), TokenError> {
        presented.check(&self.id, &self.secret_digest)?;
        if self.expires.is_some_and(|expires| now >= expires) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("scopes", &self.scopes)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A token that was just made.
#[derive(Debug)]
pub struct NewToken {
    /// What is kept.
    pub record: TokenRecord,
    /// What its holder is given: `rwt_<id>_<secret>`.
    pub text: Secret,
}

/// A text with the form of a token, from a request.
#[derive(Debug)]
pub struct PresentedToken {
    id: String,
    secret: Secret,
}

impl PresentedToken {
    /// Reads `rwt_<16 hexadecimal digits>_<43 characters of URL-safe base64>`; none for all else.
    pub fn parse(text: &str) -> Option<Self> {
        read(PREFIX, text)
    }

    /// Whether this is the token with this id and digest, in constant time.
    pub(crate) fn check(&self, id: &str, secret_digest: &str) -> Result<(), TokenError> {
        let presented = digest(self.secret.expose());
        let equal: bool = presented.as_bytes().ct_eq(secret_digest.as_bytes()).into();
        if equal && self.id == id { Ok(()) } else { Err(TokenError::Unknown) }
    }

    /// By which the record is found; not secret.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Why a token opens nothing. To who presented it, both look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It was never made, or was deleted, or its secret is wrong.
    #[error("token is not known")]
    Unknown,
    /// Its time is over.
    #[error("token has expired")]
    Expired,
}

/// A token that was just drawn, of whatever kind.
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) secret_digest: String,
    pub(crate) text: Secret,
}

/// Makes a token of 40 random bytes: 8 for its public id, 32 for its secret.
pub(crate) fn issue(prefix: &str, random: &[u8; 40]) -> Issued {
    let (id, secret) = random.split_at(ID_DIGITS / 2);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = Secret::from(format!("{prefix}{id}_{}", URL_SAFE_NO_PAD.encode(secret)));
    Issued { id, secret_digest: digest(secret), text }
}

/// Reads `<prefix><16 hexadecimal digits>_<43 characters of URL-safe base64>`; none for all else.
pub(crate) fn read(prefix: &str, text: &str) -> Option<PresentedToken> {
    let (id, secret) = text.strip_prefix(prefix)?.split_once('_')?;
    let is_id =
        id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_id || secret.len() != SECRET_CHARS {
        return None;
    }
    let secret = Secret::from(URL_SAFE_NO_PAD.decode(secret).ok()?);
    Some(PresentedToken { id: id.into(), secret })
}

fn digest(secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sha256(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn text(token: &NewToken) -> String {
        String::from_utf8(token.text.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_token_is_read_and_checked() {
        let token = TokenRecord::create("ci", Role::Analyst, None, None, &[0xab; 40], NOW);
        let text = text(&token);
        assert_eq!(text, "rwt_abababababababab_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s");
        let presented = PresentedToken::parse(&text).unwrap();
        assert_eq!(presented.id(), token.record.id);
        assert_eq!(token.record.check(&presented, NOW), Ok(()));
        let stored = serde_json::to_string(&token.record).unwrap();
        assert!(!stored.contains("q6urq6"), "{stored}");
        assert_eq!(serde_json::from_str::<TokenRecord>(&stored).unwrap(), token.record);
        // Tokens of earlier versions have no scopes, and may all that their role includes.
        assert!(!stored.contains("scopes"), "{stored}");
        for printed in [format!("{token:?}"), format!("{presented:?}")] {
            assert!(!printed.contains("q6urq6"), "{printed}");
            assert!(!printed.contains(&token.record.secret_digest), "{printed}");
        }
    }

    #[test]
    fn expiry_is_exact() {
        let expires = Some(NOW.plus_seconds(60));
        let token = TokenRecord::create("ci", Role::Admin, None, expires, &[1; 40], NOW);
        let presented = PresentedToken::parse(&text(&token)).unwrap();
        assert_eq!(token.record.check(&presented, NOW.plus_seconds(59)), Ok(()));
        assert_eq!(token.record.check(&presented, NOW.plus_seconds(60)), Err(TokenError::Expired));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let good = "rwt_abababababababab_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s";
        for (text, expected) in [
            (good.to_owned(), true),
            (good.to_uppercase(), false),
            (good.replace("rwt_", "rwx_"), false),
            (good.replace("rwt_ab", "rwt_AB"), false),
            (good.replace("rwt_ab", "rwt_a"), false),
            (format!("{good}="), false),
            (format!("{good} "), false),
            // The last character carries two unused bits, which must be zero.
            (good.replace("urq6s", "urq6t"), false),
            (good.replace("urq6s", "urq6"), false),
            ("rwt__".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(PresentedToken::parse(&text).is_some(), expected, "text {text:?}");
        }
    }

    fn random() -> impl Strategy<Value = [u8; 40]> {
        prop::collection::vec(any::<u8>(), 40).prop_map(|bytes| bytes.try_into().unwrap())
    }

    proptest! {
        #[test]
        fn every_token_opens_its_record_and_no_other(a in random(), b in random()) {
            let first = TokenRecord::create("a", Role::Admin, None, None, &a, NOW);
            let second = TokenRecord::create("b", Role::Admin, None, None, &b, NOW);
            let presented = PresentedToken::parse(&text(&first)).unwrap();
            prop_assert_eq!(first.record.check(&presented, NOW), Ok(()));
            prop_assume!(a != b);
            prop_assert_eq!(second.record.check(&presented, NOW), Err(TokenError::Unknown));
        }

        #[test]
        fn no_text_panics(text in "(rwt_)?.{0,80}") {
            let _ = PresentedToken::parse(&text);
        }
    }
}
