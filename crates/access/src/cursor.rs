use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_signing::{Secret, mac, verify_mac};

/// A cursor carries at most this many bytes.
pub const CURSOR_BYTES_MAX: usize = 512;

const DOMAIN: &[u8] = b"ringwall-cursor-v1\0";
const MAC_BYTES: usize = 32;
const TEXT_CHARS_MAX: usize = (MAC_BYTES + CURSOR_BYTES_MAX) * 4 / 3 + 1;

/// Why a text is not a cursor of ours. To who sent it, all look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// More than [`CURSOR_BYTES_MAX`] bytes.
    #[error("cursor is too long")]
    TooLong,
    /// Not URL-safe base64, or too short.
    #[error("cursor is not readable")]
    Encoding,
    /// Made by somebody else, changed, or made for another purpose.
    #[error("cursor is not ours")]
    Mac,
}

/// Wraps a place in a list as a text that clients hand back unchanged; safe in a URL.
///
/// `purpose` names the list and its filters, so that a cursor fits only where it was made. The
/// bytes are signed, not hidden.
///
/// # Errors
/// Where there are more than [`CURSOR_BYTES_MAX`] bytes.
pub fn seal_cursor(key: &Secret, purpose: &str, bytes: &[u8]) -> Result<String, CursorError> {
    if bytes.len() > CURSOR_BYTES_MAX {
        return Err(CursorError::TooLong);
    }
    let mac = mac(key, &message(purpose, bytes));
    Ok(URL_SAFE_NO_PAD.encode([mac.as_slice(), bytes].concat()))
}

/// The bytes of a cursor that [`seal_cursor`] made with the same key and purpose.
///
/// # Errors
/// For every other text.
pub fn open_cursor(key: &Secret, purpose: &str, text: &str) -> Result<Vec<u8>, CursorError> {
    if text.len() > TEXT_CHARS_MAX {
        return Err(CursorError::TooLong);
    }
    let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Encoding)?;
    let (claimed, bytes) = decoded.split_at_checked(MAC_BYTES).ok_or(CursorError::Encoding)?;
    if verify_mac(key, &message(purpose, bytes), claimed) {
        Ok(bytes.to_vec())
    } else {
        Err(CursorError::Mac)
    }
}

/// The length keeps `("a", "bc")` apart from `("ab", "c")`.
fn message(purpose: &str, bytes: &[u8]) -> Vec<u8> {
    let length = u64::try_from(purpose.len()).unwrap_or(u64::MAX).to_be_bytes();
    [DOMAIN, length.as_slice(), purpose.as_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Secret {
        Secret::from("cursor key")
    }

    #[test]
    fn a_cursor_fits_only_where_it_was_made() {
        let text = seal_cursor(&key(), "alerts", b"place").unwrap();
        let check = |key: &Secret, purpose: &str, text: &str, expected: Result<&[u8], _>| {
            let expected = expected.map(<[u8]>::to_vec);
            assert_eq!(open_cursor(key, purpose, text), expected, "text {text:?}");
        };
        check(&key(), "alerts", &text, Ok(b"place"));
        check(&key(), "events", &text, Err(CursorError::Mac));
        check(&Secret::from("other"), "alerts", &text, Err(CursorError::Mac));
        check(&key(), "alerts", &format!("{text}A"), Err(CursorError::Mac));
        check(&key(), "alerts", &format!("{text}AAA"), Err(CursorError::Encoding));
        check(&key(), "alerts", &text[..text.len() - 4], Err(CursorError::Encoding));
        check(&key(), "alerts", &text[..text.len() - 3], Err(CursorError::Encoding));
        check(&key(), "alerts", "", Err(CursorError::Encoding));
        check(&key(), "alerts", "%00", Err(CursorError::Encoding));
        check(&key(), "alerts", &"A".repeat(10_000), Err(CursorError::TooLong));
    }

    #[test]
    fn purpose_and_bytes_do_not_run_together() {
        let text = seal_cursor(&key(), "a", b"bc").unwrap();
        let other = seal_cursor(&key(), "ab", b"c").unwrap();
        assert_ne!(text.get(..43), other.get(..43));
    }

    #[test]
    fn size_is_bounded() {
        let longest = seal_cursor(&key(), "", &[0; CURSOR_BYTES_MAX]).unwrap();
        assert!(open_cursor(&key(), "", &longest).is_ok());
        let longer = seal_cursor(&key(), "", &[0; CURSOR_BYTES_MAX + 1]);
        assert_eq!(longer, Err(CursorError::TooLong));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_its_neighbour_does_not(
            purpose: String,
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            place: prop::sample::Index,
            character in "[A-Za-z0-9_-]",
        ) {
            let text = seal_cursor(&key(), &purpose, &bytes).unwrap();
            prop_assert_eq!(open_cursor(&key(), &purpose, &text), Ok(bytes));
            let place = place.index(text.len());
            let mut changed = text.clone();
            changed.replace_range(place..=place, &character);
            prop_assume!(changed != text);
            prop_assert!(open_cursor(&key(), &purpose, &changed).is_err());
        }

        #[test]
        fn no_text_panics_or_opens(text in ".{0,100}") {
            prop_assert!(open_cursor(&key(), "", &text).is_err());
        }
    }
}
