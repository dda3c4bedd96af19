//! How a host agent signs its requests: method, path, time, nonce and body digest.
//!
//! The signature stands in the header `X-Ringwall-Signature`, beside `X-Ringwall-Agent`,
//! `X-Ringwall-Time` and `X-Ringwall-Nonce`. Freshness of time and nonce is not judged here: that
//! needs a clock and a memory.
//!
//! ```
//! use ringwall_signing::{Secret, request_mac};
//!
//! let secret = Secret::from("agent key");
//! let nonce = "0123456789abcdef";
//! let signature =
//!     request_mac::sign_agent_request(&secret, "POST", "/api/v1/agent/reports", 1, nonce, b"{}");
//! assert!(signature.starts_with("v1="));
//! request_mac::verify_agent_request(
//!     &secret, "POST", "/api/v1/agent/reports", 1, nonce, b"{}", &signature,
//! )?;
//! # Ok::<(), request_mac::RequestMacError>(())
//! ```

use crate::{Secret, mac_base64, sha256_hex, verify_mac_base64};

/// The header with the host agent's name.
pub const AGENT_HEADER: &str = "x-ringwall-agent";
/// The header with the moment of signing, in milliseconds since 1970.
pub const TIME_HEADER: &str = "x-ringwall-time";
/// The header with the nonce: a text that this agent never used before.
pub const NONCE_HEADER: &str = "x-ringwall-nonce";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-ringwall-signature";
/// A nonce has at least this many characters.
pub const NONCE_CHARS_MIN: usize = 16;
/// A nonce has at most this many characters.
pub const NONCE_CHARS_MAX: usize = 64;

/// The first line of the signed text: keeps these MACs apart from all others under the same key.
const DOMAIN: &str = "ringwall-agent-v1";
/// What stands before the base64 in the header.
const SCHEME: &str = "v1=";

/// Why a signed request was not accepted.
///
/// For the log only: to the sender every reason looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestMacError {
    /// The nonce is too short, too long, or has other characters than `A-Z a-z 0-9 - _`.
    #[error("nonce is not 16 to 64 url-safe characters")]
    Nonce,
    /// The signature does not begin with `v1=`.
    #[error("signature scheme is not `v1`")]
    Scheme,
    /// The MAC is not that of this request under this secret.
    #[error("mac does not match")]
    Mac,
}

/// The text that is signed for one request.
///
/// `path_and_query` is the request target as sent, percent-encoding included.
pub fn agent_request_string(
    method: &str,
    path_and_query: &str,
    time_ms: i64,
    nonce: &str,
    body: &[u8],
) -> String {
    let digest = sha256_hex(body);
    format!("{DOMAIN}\n{method}\n{path_and_query}\n{time_ms}\n{nonce}\n{digest}")
}

/// The value of the signature header: `v1=` and the MAC in base64.
pub fn sign_agent_request(
    secret: &Secret,
    method: &str,
    path_and_query: &str,
    time_ms: i64,
    nonce: &str,
    body: &[u8],
) -> String {
    let text = agent_request_string(method, path_and_query, time_ms, nonce, body);
    format!("{SCHEME}{}", mac_base64(secret, text.as_bytes()))
}

/// Checks the value of the signature header against the request as received.
///
/// # Errors
/// Where the nonce is malformed, the scheme unknown, or the MAC another one.
pub fn verify_agent_request(
    secret: &Secret,
    method: &str,
    path_and_query: &str,
    time_ms: i64,
    nonce: &str,
    body: &[u8],
    signature: &str,
) -> Result<(), RequestMacError> {
    // A nonce with a line break could shift the fields of the signed text.
    if !is_nonce(nonce) {
        return Err(RequestMacError::Nonce);
    }
    let claimed = signature.strip_prefix(SCHEME).ok_or(RequestMacError::Scheme)?;
    let text = agent_request_string(method, path_and_query, time_ms, nonce, body);
    if verify_mac_base64(secret, text.as_bytes(), claimed) {
        Ok(())
    } else {
        Err(RequestMacError::Mac)
    }
}

/// Whether the text may serve as a nonce: 16 to 64 characters of `A-Z a-z 0-9 - _`.
pub fn is_nonce(text: &str) -> bool {
    (NONCE_CHARS_MIN..=NONCE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "AAAAAAAAAAAAAAAA";

    fn secret() -> Secret {
        Secret::from("key")
    }

    /// Counter-checked with `openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signed_text_is_six_lines() {
        assert_eq!(
            agent_request_string("GET", "/api/v1/agent/commands?wait=25", 17, NONCE, b""),
            "ringwall-agent-v1\nGET\n/api/v1/agent/commands?wait=25\n17\nAAAAAAAAAAAAAAAA\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            sign_agent_request(&secret(), "GET", "/api/v1/agent/commands?wait=25", 17, NONCE, b""),
            "v1=pWWibHCEZqnhWUQrcCwY1tIk/3k8wk3LDdzqlVQpDuo="
        );
    }

    #[test]
    fn every_part_is_covered() {
        let signature = sign_agent_request(&secret(), "POST", "/a?b", 5, NONCE, b"body");
        let nonce = NONCE.replace("AA", "AB");
        let check = |method, path, time, nonce: &str, body: &[u8], signature: &str| {
            verify_agent_request(&secret(), method, path, time, nonce, body, signature)
        };
        assert_eq!(check("POST", "/a?b", 5, NONCE, b"body", &signature), Ok(()));
        let mac = Err(RequestMacError::Mac);
        assert_eq!(check("PUT", "/a?b", 5, NONCE, b"body", &signature), mac);
        assert_eq!(check("POST", "/a", 5, NONCE, b"body", &signature), mac);
        assert_eq!(check("POST", "/a?b", 6, NONCE, b"body", &signature), mac);
        assert_eq!(check("POST", "/a?b", 5, &nonce, b"body", &signature), mac);
        assert_eq!(check("POST", "/a?b", 5, NONCE, b"bodY", &signature), mac);
        assert_eq!(check("POST", "/a?b", 5, NONCE, b"body", "v1="), mac);
        let scheme = Err(RequestMacError::Scheme);
        assert_eq!(check("POST", "/a?b", 5, NONCE, b"body", &signature[3..]), scheme);
        assert_eq!(check("POST", "/a?b", 5, NONCE, b"body", &signature.replace('1', "2")), scheme);
        let other = Secret::from("kez");
        assert_eq!(
            verify_agent_request(&other, "POST", "/a?b", 5, NONCE, b"body", &signature),
            mac
        );
    }

    #[test]
    fn nonces_cannot_shift_fields() {
        for (text, expected) in [
            ("0123456789abcde", false),
            ("0123456789abcdef", true),
            ("0123456789ab-_AZ", true),
            ("0123456789abcde\n", false),
            ("0123456789abcde ", false),
            ("0123456789abcdé", false),
        ] {
            assert_eq!(is_nonce(text), expected, "nonce {text:?}");
        }
        assert!(is_nonce(&"a".repeat(64)));
        assert!(!is_nonce(&"a".repeat(65)));
        let bad = "0123456789abcde\n";
        let signature = sign_agent_request(&secret(), "GET", "/", 0, bad, b"");
        assert_eq!(
            verify_agent_request(&secret(), "GET", "/", 0, bad, b"", &signature),
            Err(RequestMacError::Nonce)
        );
    }
}
