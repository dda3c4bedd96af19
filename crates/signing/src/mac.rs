use crate::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A MAC of 32 bytes has exactly this many characters in padded base64.
const MAC_BASE64_CHARS: usize = 44;

/// HMAC-SHA256 (RFC 2104) of the message under the secret's bytes as they are.
pub fn mac(secret: &Secret, message: &[u8]) -> [u8; 32] {
    keyed(secret, message).finalize().into_bytes().into()
}

/// [`mac`] as padded standard base64 (RFC 4648 §4).
pub fn mac_base64(secret: &Secret, message: &[u8]) -> String {
    STANDARD.encode(mac(secret, message))
}

/// Whether `claimed` is the [`mac`] of the message, compared in constant time.
///
/// All 32 bytes are needed; a truncated MAC is refused.
pub fn verify_mac(secret: &Secret, message: &[u8], claimed: &[u8]) -> bool {
    keyed(secret, message).verify_slice(claimed).is_ok()
}

/// Whether `text` is the [`mac`] of the message in padded standard base64.
///
/// The decoded bytes are compared in constant time. Only the one canonical spelling counts: no
/// missing padding, no stray bits, no URL-safe alphabet, no hexadecimal, no blanks.
pub fn verify_mac_base64(secret: &Secret, message: &[u8], text: &str) -> bool {
    decode_mac(text).is_some_and(|claimed| verify_mac(secret, message, &claimed))
}

fn decode_mac(text: &str) -> Option<Vec<u8>> {
    if text.len() != MAC_BASE64_CHARS {
        return None;
    }
    // This engine demands canonical padding and zero trailing bits.
    STANDARD.decode(text).ok()
}

fn keyed(secret: &Secret, message: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length: RFC 2104 §2")]
    let mut hmac =
        Hmac::<Sha256>::new_from_slice(secret.expose()).expect("HMAC takes keys of every length");
    hmac.update(message);
    hmac
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};

    /// The test vectors of the SysScore contract, §2.
    const VECTORS: [(&str, &str); 2] = [
        (
            r#"{"events": [{"pid": 1234, "syscall": "execve", "timestamp": "2026-01-15T10:00:00.000001", "metadata": {"risk_score": 12.5, "anomaly_score": 0}}]}"#,
            "Fcy92OMcGSOd2HBLdwOl631JIlwGKZtOvi+omPqijPU=",
        ),
        (
            r#"{"events": [{"pid": 7, "syscall": "open", "timestamp": "2026-01-15T10:00:00", "metadata": {"path": "/tmp/\u00e9"}}]}"#,
            "yXOxAJr+dXrTBgaSMTQmiQCVrfZt6BoGfPFRrAtEANA=",
        ),
    ];

    fn secret() -> Secret {
        Secret::from("secret-key-1")
    }

    #[test]
    fn the_contracts_vectors_hold() {
        for (body, signature) in VECTORS {
            assert_eq!(mac_base64(&secret(), body.as_bytes()), signature, "body {body}");
            assert!(verify_mac_base64(&secret(), body.as_bytes(), signature), "body {body}");
        }
    }

    #[test]
    fn only_the_canonical_spelling_counts() {
        let (body, signature) = VECTORS[0];
        let bytes = mac(&secret(), body.as_bytes());
        check(body, signature, true);
        check(body, "", false);
        check(body, &STANDARD_NO_PAD.encode(bytes), false);
        check(body, &URL_SAFE.encode(bytes), false);
        check(body, &crate::digest::hex(&bytes), false);
        check(body, &format!("{signature}="), false);
        check(body, &format!(" {signature}"), false);
        check(body, &format!("{signature}\n"), false);
        check(body, &signature.to_lowercase(), false);
        // The last character before the padding carries two unused bits: `U` and `V` decode alike
        // in a lax decoder.
        check(body, "Fcy92OMcGSOd2HBLdwOl631JIlwGKZtOvi+omPqijPV=", false);
        check(body, VECTORS[1].1, false);
        check(&body.replace(' ', ""), signature, false);
    }

    #[track_caller]
    fn check(body: &str, signature: &str, expected: bool) {
        assert_eq!(
            verify_mac_base64(&secret(), body.as_bytes(), signature),
            expected,
            "signature {signature:?}"
        );
    }

    #[test]
    fn keys_of_any_length_work_and_truncated_macs_do_not() {
        for length in [0, 1, 63, 64, 65, 200] {
            let secret = Secret::from(vec![7; length]);
            let full = mac(&secret, b"m");
            assert!(verify_mac(&secret, b"m", &full));
            assert!(!verify_mac(&secret, b"m", &full[..31]));
            assert!(!verify_mac(&secret, b"m", &[]));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_mac_verifies_and_its_neighbour_does_not(
            key: Vec<u8>, message: Vec<u8>, bit in 0usize..256,
        ) {
            let secret = Secret::from(key);
            let mut bytes = mac(&secret, &message);
            proptest::prop_assert!(verify_mac_base64(&secret, &message, &STANDARD.encode(bytes)));
            bytes[bit / 8] ^= 1 << (bit % 8);
            proptest::prop_assert!(!verify_mac_base64(&secret, &message, &STANDARD.encode(bytes)));
        }

        #[test]
        fn no_text_panics_or_verifies(text in ".{0,60}") {
            proptest::prop_assert!(!verify_mac_base64(&secret(), b"", &text));
        }
    }
}
