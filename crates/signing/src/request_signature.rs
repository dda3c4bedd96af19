//! How a host agent signs its requests: one profile of HTTP Message Signatures (RFC 9421) with Ed25519.
//!
//! Three headers carry it: `Content-Digest` (RFC 9530, sha-256 only), `Signature-Input` and `Signature`,
//! both under the one label `ringwall`. What is covered is not for the sender to choose: method, path,
//! query, content digest, and `Content-Type` and `Content-Encoding` where the request has them, in this
//! order, with the parameters `created`, `keyid`, `alg`, `nonce` and `tag`, in this order. Everything else is
//! refused, nearly all of it before any cryptography. Freshness of time and nonce is not judged here: that
//! needs a clock and a memory.
//!
//! ```
//! use ringwall_signing::SigningKey;
//! use ringwall_signing::request_signature::{Claim, Message, Signer};
//!
//! let key = SigningKey::from_seed(&[7; 32]);
//! let message = Message::new("POST", "/api/v1/agent/reports", b"{}")
//!     .with_content(Some("application/json"), None);
//! let nonce = "0123456789abcdef";
//! let headers = Signer { key: &key, agent: "web-1" }.sign(&message, 1_763_740_800, nonce)?;
//!
//! let claim = Claim::read(&headers.input, &headers.signature)?;
//! assert_eq!((claim.agent(), claim.created()), ("web-1", 1_763_740_800));
//! let genuine = claim.verify(&key.public_key(), &message, &headers.content_digest)?;
//! assert_eq!(genuine.nonce(), nonce);
//! # Ok::<(), ringwall_signing::request_signature::RequestSignatureError>(())
//! ```

mod message;

pub use message::{Message, content_digest};

use message::Covered;

use crate::{PublicKey, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The header with the digest of the body (RFC 9530 §2).
pub const CONTENT_DIGEST_HEADER: &str = "content-digest";
/// The header that says what is signed (RFC 9421 §4.1).
pub const INPUT_HEADER: &str = "signature-input";
/// The header with the signature (RFC 9421 §4.2).
pub const SIGNATURE_HEADER: &str = "signature";
/// Stands in place of the name of an agent that has none yet: in requests to enrol. No agent's name begins
/// with it.
pub const UNNAMED: &str = "-";
/// A nonce has at least this many characters.
pub const NONCE_CHARS_MIN: usize = 16;
/// A nonce has at most this many characters.
pub const NONCE_CHARS_MAX: usize = 64;
/// The name of an agent has at most this many characters.
pub const AGENT_CHARS_MAX: usize = 128;

const LABEL: &str = "ringwall=";
const ALGORITHM: &str = "ed25519";
const TAG: &str = "ringwall-agent";
/// Until the year 33658: enough, and far from any overflow.
const CREATED_DIGITS_MAX: usize = 12;
const KEY_ID_DIGITS: usize = 16;

/// Why a signed request was not accepted, or cannot be signed.
///
/// For the log only: to the sender every reason looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestSignatureError {
    /// `Signature-Input` is not exactly that of this profile.
    #[error("signature-input is not of the profile")]
    Profile,
    /// `created` is no moment from 1970 on, in plain decimal digits.
    #[error("created is not a plain number of seconds")]
    Created,
    /// The nonce is too short, too long, or has other characters than `A-Z a-z 0-9 - _`.
    #[error("nonce is not 16 to 64 url-safe characters")]
    Nonce,
    /// `keyid` is not the name of an agent, a slash and the id of a key.
    #[error("keyid is not NAME/KEY")]
    KeyId,
    /// `Signature` is not `ringwall=:…:` around 64 bytes in base64.
    #[error("signature is not 64 bytes under the label `ringwall`")]
    Signature,
    /// Method, path, query or a header hold a line break.
    #[error("method, target or a header is more than one line")]
    Target,
    /// The request has a header that is not signed, or lacks one that is.
    #[error("the headers of the body are not those that are signed")]
    Covered,
    /// `Content-Digest` is not that of this body.
    #[error("content-digest is not that of the body")]
    Digest,
    /// Not this key's signature of this request.
    #[error("signature does not match")]
    Mismatch,
}

/// What a signed request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// Of `Content-Digest`.
    pub content_digest: String,
    /// Of `Signature-Input`.
    pub input: String,
    /// Of `Signature`.
    pub signature: String,
}

/// Signs for one agent.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// Its key.
    pub key: &'a SigningKey,
    /// Its name; [`UNNAMED`] where it has none yet.
    pub agent: &'a str,
}

impl Signer<'_> {
    /// Signs a request. `created` is the present moment in seconds since 1970; the nonce must never have
    /// been used before.
    ///
    /// # Errors
    /// Where name, moment or nonce are not such as the profile allows.
    pub fn sign(
        &self,
        message: &Message<'_>,
        created: i64,
        nonce: &str,
    ) -> Result<SignatureHeaders, RequestSignatureError> {
        if !is_agent(self.agent) {
            return Err(RequestSignatureError::KeyId);
        }
        if !is_nonce(nonce) {
            return Err(RequestSignatureError::Nonce);
        }
        if !(0..1_000_000_000_000).contains(&created) {
            return Err(RequestSignatureError::Created);
        }
        if !message.is_unambiguous() {
            return Err(RequestSignatureError::Target);
        }
        let key_id = self.key.public_key().id();
        let agent = self.agent;
        let parameters = format!(
            "{};created={created};keyid=\"{agent}/{key_id}\";alg=\"{ALGORITHM}\";\
             nonce=\"{nonce}\";tag=\"{TAG}\"",
            message.covered().list()
        );
        let content_digest = content_digest(message.body());
        let signature = self.key.sign_text(&message.signature_base(&content_digest, &parameters));
        Ok(SignatureHeaders {
            content_digest,
            input: format!("{LABEL}{parameters}"),
            signature: format!("{LABEL}:{}:", STANDARD.encode(signature)),
        })
    }
}

/// What a request says of its signature, before any of it is believed.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    parameters: &'a str,
    covered: Covered,
    created: i64,
    nonce: &'a str,
    agent: &'a str,
    key_id: &'a str,
    signature: [u8; 64],
}

impl<'a> Claim<'a> {
    /// Reads the values of `Signature-Input` and `Signature`.
    ///
    /// # Errors
    /// Where they are not exactly of the profile: nothing is skipped, reordered or made up for.
    pub fn read(input: &'a str, signature: &str) -> Result<Self, RequestSignatureError> {
        use RequestSignatureError as Error;
        let parameters = input.strip_prefix(LABEL).ok_or(Error::Profile)?;
        let (covered, rest) = Covered::read(parameters).ok_or(Error::Profile)?;
        let rest = rest.strip_prefix(";created=").ok_or(Error::Profile)?;
        let (created, rest) = rest.split_once(";keyid=\"").ok_or(Error::Profile)?;
        let (key, rest) = rest.split_once("\";alg=\"").ok_or(Error::Profile)?;
        let (algorithm, rest) = rest.split_once("\";nonce=\"").ok_or(Error::Profile)?;
        let (nonce, rest) = rest.split_once("\";tag=\"").ok_or(Error::Profile)?;
        if algorithm != ALGORITHM || rest.strip_suffix('"') != Some(TAG) {
            return Err(Error::Profile);
        }
        let created = read_created(created).ok_or(Error::Created)?;
        if !is_nonce(nonce) {
            return Err(Error::Nonce);
        }
        let (agent, key_id) = key.split_once('/').ok_or(Error::KeyId)?;
        if !is_agent(agent) || !is_key_id(key_id) {
            return Err(Error::KeyId);
        }
        let signature = read_signature(signature).ok_or(Error::Signature)?;
        Ok(Self { parameters, covered, created, nonce, agent, key_id, signature })
    }

    /// Whose signature it claims to be; [`UNNAMED`] in a request to enrol.
    pub const fn agent(&self) -> &'a str {
        self.agent
    }

    /// Which of the agent's keys is said to have signed.
    pub const fn key_id(&self) -> &'a str {
        self.key_id
    }

    /// When it was signed, as it claims, in seconds since 1970.
    pub const fn created(&self) -> i64 {
        self.created
    }

    /// Checks that the holder of the key signed exactly this request.
    ///
    /// # Errors
    /// Where the digest is not that of the body, or the signature not this key's.
    pub fn verify(
        &self,
        key: &PublicKey,
        message: &Message<'_>,
        digest: &str,
    ) -> Result<Genuine, RequestSignatureError> {
        if !message.is_unambiguous() {
            return Err(RequestSignatureError::Target);
        }
        if self.covered != message.covered() {
            return Err(RequestSignatureError::Covered);
        }
        if digest != content_digest(message.body()) {
            return Err(RequestSignatureError::Digest);
        }
        let base = message.signature_base(digest, self.parameters);
        if !key.has_signed_text(&base, &self.signature) {
            return Err(RequestSignatureError::Mismatch);
        }
        Ok(Genuine {
            agent: self.agent.to_owned(),
            key_id: self.key_id.to_owned(),
            created: self.created,
            nonce: self.nonce.to_owned(),
        })
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("agent", &self.agent)
            .field("key_id", &self.key_id)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// A request whose signature holds. Only [`Claim::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genuine {
    agent: String,
    key_id: String,
    created: i64,
    nonce: String,
}

impl Genuine {
    /// Whose key signed, by name.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Which of its keys.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// When it was signed, in seconds since 1970, by the clock of who signed.
    pub const fn created(&self) -> i64 {
        self.created
    }

    /// What must not have been used before.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }
}

/// Whether the text may serve as a nonce: 16 to 64 characters of `A-Z a-z 0-9 - _`.
pub fn is_nonce(text: &str) -> bool {
    (NONCE_CHARS_MIN..=NONCE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether the text may name a host agent: 1 to 128 characters of `A-Z a-z 0-9 . _ -`, a letter or a digit
/// first. Such a name stands in headers, paths and on command lines as it is.
pub fn is_agent_name(text: &str) -> bool {
    text.len() <= AGENT_CHARS_MAX
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_agent(text: &str) -> bool {
    text == UNNAMED || is_agent_name(text)
}

fn is_key_id(text: &str) -> bool {
    text.len() == KEY_ID_DIGITS
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// One way to write each number: what is signed is the text.
fn read_created(text: &str) -> Option<i64> {
    let is_plain = (1..=CREATED_DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn read_signature(text: &str) -> Option<[u8; 64]> {
    let text = text.strip_prefix(LABEL)?.strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
