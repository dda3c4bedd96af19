use crate::digest::{hex, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Stands before every signed command, so that a signature never serves for anything else.
const COMMAND_DOMAIN: &[u8] = b"ringwall-command-v1\0";

/// An Ed25519 private key (RFC 8032 §5.1); wiped when dropped, never printed.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of this seed: 32 bytes from a good source of randomness.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The half that others check signatures with.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a command's payload; the signature in padded base64.
    pub fn sign_command(&self, payload: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&with_domain(payload)).to_bytes())
    }

    /// Signs the signature base of a request, which begins as no command does.
    pub(crate) fn sign_text(&self, text: &str) -> [u8; 64] {
        self.0.sign(text.as_bytes()).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// An Ed25519 public key that is not weak.
///
/// In JSON it is the text of [`PublicKey::to_base64`].
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

/// Why a text or bytes are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not padded standard base64 of 32 bytes.
    #[error("a public key is 32 bytes in padded base64")]
    Encoding,
    /// No point of the curve, or one of the few under which almost anything verifies.
    #[error("not a usable ed25519 public key")]
    Point,
}

impl PublicKey {
    /// The key with these bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// Where they are no point of the curve, or a point of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::Point)?;
        if key.is_weak() { Err(PublicKeyError::Point) } else { Ok(Self(key)) }
    }

    /// Reads what [`PublicKey::to_base64`] wrote.
    ///
    /// # Errors
    /// Where the text is not base64 of 32 bytes, or they are no usable key.
    pub fn from_base64(text: &str) -> Result<Self, PublicKeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| PublicKeyError::Encoding)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| PublicKeyError::Encoding)?;
        Self::from_bytes(&bytes)
    }

    /// The key's 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key in padded standard base64.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.to_bytes())
    }

    /// Whether the holder of the key signed this text. Strict verification, as in [`verify_command`].
    pub(crate) fn has_signed_text(&self, text: &str, signature: &[u8; 64]) -> bool {
        self.0.verify_strict(text.as_bytes(), &Signature::from_bytes(signature)).is_ok()
    }

    /// A short name for people: the first 16 hexadecimal digits of the key's SHA-256.
    pub fn id(self) -> String {
        sha256(&self.to_bytes()).get(..8).map(hex).unwrap_or_default()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_base64()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        Self::from_base64(&text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// Why a command's signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandSignatureError {
    /// Not padded standard base64 of 64 bytes.
    #[error("a signature is 64 bytes in padded base64")]
    Encoding,
    /// Not this key's signature of this payload.
    #[error("signature does not match")]
    Mismatch,
}

/// Checks that the holder of the key signed exactly this payload as a command.
///
/// Strict verification: no malleable signatures, no points of small order.
///
/// # Errors
/// Where the signature is unreadable or does not match.
pub fn verify_command(
    public_key: &PublicKey,
    payload: &[u8],
    signature_base64: &str,
) -> Result<(), CommandSignatureError> {
    let bytes = STANDARD.decode(signature_base64).map_err(|_| CommandSignatureError::Encoding)?;
    let bytes = <[u8; 64]>::try_from(bytes).map_err(|_| CommandSignatureError::Encoding)?;
    public_key
        .0
        .verify_strict(&with_domain(payload), &Signature::from_bytes(&bytes))
        .map_err(|_| CommandSignatureError::Mismatch)
}

fn with_domain(payload: &[u8]) -> Vec<u8> {
    [COMMAND_DOMAIN, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32])
    }

    #[test]
    fn a_command_verifies_under_its_key_only() {
        let signature = key().sign_command(b"{}");
        let public = key().public_key();
        assert_eq!(verify_command(&public, b"{}", &signature), Ok(()));
        let mismatch = Err(CommandSignatureError::Mismatch);
        assert_eq!(verify_command(&public, b"{ }", &signature), mismatch);
        let other = SigningKey::from_seed(&[8; 32]).public_key();
        assert_eq!(verify_command(&other, b"{}", &signature), mismatch);
        let encoding = Err(CommandSignatureError::Encoding);
        assert_eq!(verify_command(&public, b"{}", &signature[1..]), encoding);
        assert_eq!(verify_command(&public, b"{}", ""), encoding);
    }

    #[test]
    fn a_bare_signature_is_no_command() {
        let bare = STANDARD.encode(key().0.sign(b"{}").to_bytes());
        assert_eq!(
            verify_command(&key().public_key(), b"{}", &bare),
            Err(CommandSignatureError::Mismatch)
        );
    }

    /// RFC 8032 §7.1, test 1.
    #[test]
    fn the_rfcs_key_pair_holds() {
        let seed: [u8; 32] =
            STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap()[..]
                .try_into()
                .unwrap();
        let key = SigningKey::from_seed(&seed);
        assert_eq!(
            hex(&key.public_key().to_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn keys_are_read_back_and_weak_ones_refused() {
        let public = key().public_key();
        assert_eq!(PublicKey::from_base64(&public.to_base64()), Ok(public));
        assert_eq!(PublicKey::from_base64("AAAA"), Err(PublicKeyError::Encoding));
        assert_eq!(PublicKey::from_base64("%"), Err(PublicKeyError::Encoding));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(PublicKeyError::Point));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(PublicKeyError::Point));
    }

    #[test]
    fn debug_prints_no_private_bytes() {
        assert_eq!(format!("{:?}", key()), "SigningKey");
        assert_eq!(format!("{:?}", key().public_key()).len(), "PublicKey()".len() + 16);
    }

    proptest::proptest! {
        #[test]
        fn a_signature_verifies_and_its_neighbour_does_not(
            seed: [u8; 32], payload: Vec<u8>, bit in 0usize..512,
        ) {
            let key = SigningKey::from_seed(&seed);
            let text = key.sign_command(&payload);
            proptest::prop_assert_eq!(verify_command(&key.public_key(), &payload, &text), Ok(()));
            let mut bytes = STANDARD.decode(&text).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = STANDARD.encode(bytes);
            proptest::prop_assert!(verify_command(&key.public_key(), &payload, &changed).is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,120}") {
            proptest::prop_assert!(verify_command(&key().public_key(), b"", &text).is_err());
            let _ = PublicKey::from_base64(&text);
        }
    }
}
