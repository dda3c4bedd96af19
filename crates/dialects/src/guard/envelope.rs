use super::ascii_json::ObjectWriter;
use super::text::printed_field;
use super::{Batch, BatchError, NAME_BYTES_MAX, read_batch};
use crate::validation::{Json, SyntaxError};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use ringwall_signing::Secret;

/// With or without padding, as the newest agents take it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The body of `POST /api/v1/events/encrypted`: a batch that only the project's key opens. It names
/// no project; the header does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Nonce, ciphertext and tag of AES-256-GCM (NIST SP 800-38D) in URL-safe base64.
    pub encrypted_payload: Box<str>,
    /// As in [`Batch`].
    pub batch_id: Option<Box<str>>,
    /// As in [`Batch`].
    pub agent_version: Option<Box<str>>,
    /// As in [`Batch`].
    pub guard_version: Option<Box<str>>,
    /// As in [`Batch`].
    pub guard_core_version: Option<Box<str>>,
}

/// A project's key for [`Envelope`]s: 32 bytes.
#[derive(Clone, Debug)]
pub struct EncryptionKey(Secret);

/// Why a text is not an encryption key. Says nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptionKeyError {
    /// Not URL-safe base64.
    #[error("not URL-safe base64")]
    NotBase64,
    /// Of another length than AES-256 takes.
    #[error("{0} bytes, expected 32")]
    WrongLength(usize),
}

/// Why an envelope could not be read or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// JSON, but not an object with a text `encrypted_payload`.
    #[error("an envelope is an object with `encrypted_payload`")]
    NotAnEnvelope,
    /// The payload is not URL-safe base64 of at least a nonce and a tag.
    #[error("`encrypted_payload` is not a nonce, a ciphertext and a tag in URL-safe base64")]
    NotAPayload,
    /// Another key, or changed on the way.
    #[error("the key does not open it")]
    WrongKey,
    /// It opened, but nothing within can be read.
    #[error("the plaintext is no batch: {0}")]
    Plaintext(BatchError),
}

impl EncryptionKey {
    /// Reads the key as URL-safe base64, with or without padding, blanks around it or not.
    ///
    /// # Errors
    /// Where it is not base64, or not 32 bytes.
    pub fn parse(text: &str) -> Result<Self, EncryptionKeyError> {
        let bytes = LENIENT.decode(text.trim()).map_err(|_| EncryptionKeyError::NotBase64)?;
        let length = bytes.len();
        let secret = Secret::from(bytes);
        if length == 32 { Ok(Self(secret)) } else { Err(EncryptionKeyError::WrongLength(length)) }
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::from(bytes.to_vec()))
    }

    /// The padded form, which every agent takes.
    pub fn to_base64(&self) -> String {
        general_purpose::URL_SAFE.encode(self.0.expose())
    }

    /// Encrypts a plaintext. The nonce must never be used twice with one key: 12 random bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::NotAPayload`] where the plaintext is longer than the cipher takes (64 GiB).
    pub fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        plaintext: &[u8],
    ) -> Result<String, EnvelopeError> {
        let sealed = self
            .cipher()
            .encrypt(&nonce.into(), plaintext)
            .map_err(|_| EnvelopeError::NotAPayload)?;
        let mut bytes = Vec::with_capacity(NONCE_BYTES + sealed.len());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(general_purpose::URL_SAFE.encode(bytes))
    }

    /// Decrypts what [`EncryptionKey::seal`] made.
    ///
    /// # Errors
    /// Where the payload is none, or this is not its key.
    pub fn open(&self, payload: &str) -> Result<Vec<u8>, EnvelopeError> {
        let bytes = LENIENT.decode(payload.trim()).map_err(|_| EnvelopeError::NotAPayload)?;
        let (nonce, sealed) =
            bytes.split_first_chunk::<NONCE_BYTES>().ok_or(EnvelopeError::NotAPayload)?;
        if sealed.len() < TAG_BYTES {
            return Err(EnvelopeError::NotAPayload);
        }
        self.cipher().decrypt(&(*nonce).into(), sealed).map_err(|_| EnvelopeError::WrongKey)
    }

    fn cipher(&self) -> Aes256Gcm {
        #[expect(clippy::expect_used, reason = "both constructors make 32 bytes")]
        Aes256Gcm::new_from_slice(self.0.expose()).expect("a key has 32 bytes")
    }
}

impl Envelope {
    /// Seals a batch; ids and versions stay readable.
    ///
    /// # Errors
    /// As [`EncryptionKey::seal`].
    pub fn seal(
        batch: &Batch,
        key: &EncryptionKey,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, EnvelopeError> {
        Ok(Self {
            encrypted_payload: key.seal(nonce, &batch.write_plaintext())?.into(),
            batch_id: batch.batch_id.clone(),
            agent_version: batch.agent_version.clone(),
            guard_version: batch.guard_version.clone(),
            guard_core_version: batch.guard_core_version.clone(),
        })
    }

    /// Opens the batch within; its ids and versions are the envelope's.
    ///
    /// # Errors
    /// Where the key does not open it, or what is within is no batch.
    pub fn open(&self, key: &EncryptionKey) -> Result<Batch, EnvelopeError> {
        let plaintext = key.open(&self.encrypted_payload)?;
        let batch = read_batch(&plaintext).map_err(EnvelopeError::Plaintext)?;
        Ok(Batch {
            batch_id: self.batch_id.clone().or(batch.batch_id),
            agent_version: self.agent_version.clone().or(batch.agent_version),
            guard_version: self.guard_version.clone().or(batch.guard_version),
            guard_core_version: self.guard_core_version.clone().or(batch.guard_core_version),
            ..batch
        })
    }

    /// Reads the body of a POST.
    ///
    /// # Errors
    /// Where it is not an object with a text `encrypted_payload`.
    pub fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let members = Json::read(bytes)?.model().map_err(|_| EnvelopeError::NotAnEnvelope)?;
        let payload = members.given("encrypted_payload").ok_or(EnvelopeError::NotAnEnvelope)?;
        let payload = payload.text().map_err(|_| EnvelopeError::NotAnEnvelope)?;
        let name = |field| printed_field(&members, field, NAME_BYTES_MAX);
        Ok(Self {
            encrypted_payload: payload.into(),
            batch_id: name("batch_id"),
            agent_version: name("agent_version"),
            guard_version: name("guard_version"),
            guard_core_version: name("guard_core_version"),
        })
    }

    /// The body of a POST.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encrypted_payload.len() + 256);
        let mut object = ObjectWriter::new(&mut out);
        object.text("encrypted_payload", &self.encrypted_payload);
        object.text_or_null("batch_id", self.batch_id.as_deref());
        object.text_or_null("agent_version", self.agent_version.as_deref());
        object.text_or_null("guard_version", self.guard_version.as_deref());
        object.text_or_null("guard_core_version", self.guard_core_version.as_deref());
        object.end();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const PAYLOAD: &str = "ZGVmZ2hpamtsbW5vMzm7EByHIu0cWAST-AAcmCy2WX7yHJZQnfPFOKTBxCb6jCTiYDDpYZyAF1HfeOiTbmuoghloPHXW08Gzm_PM6Xuu4VWLNhkHm3XOFDdQk9sViWg15iA=";
    const PLAINTEXT: &[u8] =
        br#"{"events":[{"event_type":"ip_banned","reason":"\u00e9"}],"metrics":[]}"#;

    fn key() -> EncryptionKey {
        EncryptionKey::parse(KEY).unwrap()
    }

    #[test]
    fn the_contracts_vector_holds() {
        assert_eq!(key().open(PAYLOAD).as_deref(), Ok(PLAINTEXT));
        assert_eq!(key().seal(*b"defghijklmno", PLAINTEXT).as_deref(), Ok(PAYLOAD));
        assert_eq!(key().open(PAYLOAD.trim_end_matches('=')).as_deref(), Ok(PLAINTEXT));
    }

    #[test]
    fn keys_are_taken_as_the_newest_agents_take_them() {
        check(KEY, Ok(()));
        check(&format!("  {KEY}\n"), Ok(()));
        check(KEY.trim_end_matches('='), Ok(()));
        check("AAEC", Err(EncryptionKeyError::WrongLength(3)));
        check("", Err(EncryptionKeyError::WrongLength(0)));
        check("not a key", Err(EncryptionKeyError::NotBase64));
        check(&KEY.replace('A', "+"), Err(EncryptionKeyError::NotBase64));
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(), EncryptionKeyError>) {
        assert_eq!(EncryptionKey::parse(text).map(drop), expected, "{text:?}");
    }

    #[test]
    fn another_key_or_another_payload_opens_nothing() {
        let other = EncryptionKey::from_bytes([7; 32]);
        assert_eq!(other.open(PAYLOAD), Err(EnvelopeError::WrongKey));
        for payload in ["", "AAAA", "%%%", &PAYLOAD[..32]] {
            assert_eq!(key().open(payload), Err(EnvelopeError::NotAPayload), "{payload}");
        }
        assert_eq!(key().open(&PAYLOAD.replacen('Z', "Y", 1)), Err(EnvelopeError::WrongKey));
        assert!(!format!("{other:?}").contains('7'));
    }

    #[test]
    fn an_envelope_is_read_whatever_stands_beside_it() {
        let body = format!(r#"{{"encrypted_payload":"{PAYLOAD}","batch_id":"b","x":[1]}}"#);
        let envelope = Envelope::read(body.as_bytes()).unwrap();
        assert_eq!(envelope.batch_id.as_deref(), Some("b"));
        let batch = envelope.open(&key()).unwrap();
        // The vector's event has no time: it is set aside, and said so.
        assert_eq!((batch.events.len(), batch.left_out.items_total), (0, 1));
        for body in ["[]", "{}", r#"{"encrypted_payload":7}"#, r#"{"encrypted_payload":null}"#] {
            assert_eq!(Envelope::read(body.as_bytes()), Err(EnvelopeError::NotAnEnvelope));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_sealed_opens(secret: [u8; 32], nonce: [u8; 12], plaintext: Vec<u8>) {
            let key = EncryptionKey::from_bytes(secret);
            let sealed = key.seal(nonce, &plaintext).unwrap();
            proptest::prop_assert_eq!(key.open(&sealed), Ok(plaintext));
            proptest::prop_assert_eq!(EncryptionKey::parse(&key.to_base64()).unwrap().0, key.0);
        }

        #[test]
        fn no_text_panics(text: String) {
            let opened = key().open(&text);
            proptest::prop_assert!(opened.is_err());
        }
    }
}
