//! The tokens of people and readers: JSON Web Tokens (RFC 7519) under HS256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_event::Timestamp;
use ringwall_signing::{Secret, verify_mac};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8192;

/// Why a token is refused: for the log, not for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorTokenError {
    /// Not three parts of base64 with JSON in them.
    #[error("token is malformed")]
    Malformed,
    /// Anything but `HS256`: `none` above all.
    #[error("token is not signed with HS256")]
    Algorithm,
    /// Not signed under this secret.
    #[error("token signature does not verify")]
    Signature,
    /// `exp` is reached.
    #[error("token is expired")]
    Expired,
    /// `nbf` is not reached.
    #[error("token is not valid yet")]
    NotYetValid,
}

/// Checks a token: its signature in constant time, and `exp` and `nbf` where present. No claim is
/// required, and no other is looked at.
///
/// # Errors
/// Where it must not be honoured.
pub fn verify_operator_token(
    token: &str,
    secret: &Secret,
    now: Timestamp,
) -> Result<(), OperatorTokenError> {
    use OperatorTokenError as Error;
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Error::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Error::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Error::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Malformed);
    let header: Header = object(&decode(header)?)?;
    // An extension that must be understood is not (RFC 7515 §4.1.11).
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(Error::Algorithm);
    }
    if !verify_mac(secret, signed.as_bytes(), &decode(signature)?) {
        return Err(Error::Signature);
    }
    let claims: Claims = object(&decode(claims)?)?;
    let now = now.as_micros() as f64 / 1e6;
    if claims.exp.is_some_and(|expires| now >= expires) {
        return Err(Error::Expired);
    }
    if claims.nbf.is_some_and(|begins| now < begins) {
        return Err(Error::NotYetValid);
    }
    Ok(())
}

/// Derived readers take lists too; these must be objects.
fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, OperatorTokenError> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(OperatorTokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| OperatorTokenError::Malformed)
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_signing::mac;

    const NOW: i64 = 1_768_471_200;
    const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn a_token_made_elsewhere_verifies() {
        // The example of jwt.io.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        check(token, "your-256-bit-secret", Ok(()));
        check(token, "another-secret", Err(OperatorTokenError::Signature));
        check(
            &token.replace("SflK", "SflL"),
            "your-256-bit-secret",
            Err(OperatorTokenError::Signature),
        );
    }

    #[test]
    fn times_are_honoured_where_present() {
        check_claims("{}", Ok(()));
        check_claims(&format!("{{\"exp\":{}}}", NOW + 1), Ok(()));
        check_claims(&format!("{{\"exp\":{NOW}}}"), Err(OperatorTokenError::Expired));
        check_claims(&format!("{{\"exp\":{}.5}}", NOW), Ok(()));
        check_claims(&format!("{{\"nbf\":{NOW}}}"), Ok(()));
        check_claims(&format!("{{\"nbf\":{}}}", NOW + 1), Err(OperatorTokenError::NotYetValid));
        check_claims("{\"exp\":\"soon\"}", Err(OperatorTokenError::Malformed));
        check_claims("[]", Err(OperatorTokenError::Malformed));
    }

    #[track_caller]
    fn check_claims(claims: &str, expected: Result<(), OperatorTokenError>) {
        check(&token(HEADER, claims), "secret", expected);
    }

    #[test]
    fn only_hs256_is_an_algorithm() {
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        ] {
            check(&token(header, "{}"), "secret", Err(OperatorTokenError::Algorithm));
        }
        let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}"));
        check(&unsigned, "secret", Err(OperatorTokenError::Algorithm));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = format!("{}.a", "x".repeat(TOKEN_BYTES_MAX));
        for text in ["", ".", "..", "a.b.c", "a.b.c.d", &long, "e30.e30.e30"] {
            check(text, "secret", Err(OperatorTokenError::Malformed));
        }
    }

    #[track_caller]
    fn check(token: &str, secret: &str, expected: Result<(), OperatorTokenError>) {
        let now = Timestamp::from_micros(NOW * 1_000_000);
        let found = verify_operator_token(token, &Secret::from(secret), now);
        assert_eq!(found, expected, "token {token:.80}");
    }

    fn token(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mac = mac(&Secret::from("secret"), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_verifies(text in "[a-zA-Z0-9._-]{0,80}") {
            let now = Timestamp::from_micros(0);
            proptest::prop_assert!(verify_operator_token(&text, &Secret::from("s"), now).is_err());
        }
    }
}
