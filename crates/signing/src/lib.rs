//! Request MACs and signatures, Ed25519 keys, canonical JSON, and secrets that never print.
//!
//! Pure functions over bytes: no clock, no randomness, no I/O. Whoever needs a fresh key or nonce
//! draws it elsewhere and hands it in.
//!
//! ```
//! use ringwall_signing::{Secret, mac_base64, verify_mac_base64};
//!
//! let secret = Secret::from("secret-key-1");
//! let mac = mac_base64(&secret, b"the raw body");
//! assert!(verify_mac_base64(&secret, b"the raw body", &mac));
//! assert!(!verify_mac_base64(&secret, b"the raw body ", &mac));
//! ```
#![forbid(unsafe_code)]

mod canonical_json;
mod digest;
mod ed25519;
mod mac;
pub mod request_signature;
mod secret;

pub use canonical_json::canonical_json;
pub use digest::{Sha256Stream, sha256, sha256_hex};
pub use ed25519::{CommandSignatureError, PublicKey, PublicKeyError, SigningKey, verify_command};
pub use mac::{mac, mac_base64, verify_mac, verify_mac_base64};
pub use secret::Secret;
