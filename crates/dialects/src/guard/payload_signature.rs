//! `X-Payload-Signature`: a MAC over a body, without time or nonce.

use ringwall_signing::{Secret, mac, verify_mac};

const VERSION: &str = "v1=";

/// The header's value: `v1=` and the HMAC-SHA256 of the body in lower-case hexadecimal.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    let mut out = String::with_capacity(VERSION.len() + 64);
    out.push_str(VERSION);
    for byte in mac(secret, body) {
        for digit in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    out
}

/// Whether `header` is the signature of the body, compared in constant time.
///
/// Agents 2.5 to 3.0 sign the bytes on the wire, later ones the uncompressed JSON: a server tries
/// both. Only the one spelling counts that [`sign`] writes.
pub fn verify(secret: &Secret, body: &[u8], header: &str) -> bool {
    decode(header).is_some_and(|claimed| verify_mac(secret, body, &claimed))
}

fn decode(header: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = header.strip_prefix(VERSION)?.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: &str = "v1=5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d";

    #[test]
    fn the_contracts_vector_holds() {
        let secret = Secret::from("s3cret");
        assert_eq!(sign(&secret, br#"{"a":1}"#), VECTOR);
        check(VECTOR, true);
        check(&VECTOR.to_uppercase(), false);
        check(&VECTOR[3..], false);
        check(&format!("{VECTOR}0"), false);
        check(&VECTOR[..66], false);
        check(&VECTOR.replace("v1=", "v2="), false);
        check(&VECTOR.replace('5', "6"), false);
        check("", false);
    }

    #[track_caller]
    fn check(header: &str, expected: bool) {
        assert_eq!(verify(&Secret::from("s3cret"), br#"{"a":1}"#, header), expected, "{header}");
    }

    proptest::proptest! {
        #[test]
        fn a_signature_verifies_and_its_neighbour_does_not(
            key: Vec<u8>, body: Vec<u8>, at in 3usize..67,
        ) {
            let secret = Secret::from(key);
            let signature = sign(&secret, &body);
            proptest::prop_assert!(verify(&secret, &body, &signature));
            let mut other = signature.into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            proptest::prop_assert!(!verify(&secret, &body, &other));
        }

        #[test]
        fn no_header_panics(header: String) {
            proptest::prop_assert!(!verify(&Secret::from("s"), b"", &header));
        }
    }
}
