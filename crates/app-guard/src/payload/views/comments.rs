//! Comments, which filters and databases take out.

use crate::payload::text::{at, contains, find, from, skip};

/// The value without comments of C, and with what MySQL reads in `/*!50000 … */`; nothing where there are none.
pub(crate) fn without_comments(value: &[u8]) -> Option<Vec<u8>> {
    if !contains(value, b"/*") {
        return None;
    }
    let mut out = Vec::with_capacity(value.len());
    let mut index = 0;
    while let Some(&byte) = value.get(index) {
        if byte == b'/' && at(value, index + 1) == b'*' {
            if at(value, index + 2) == b'!' {
                index += 3;
                index = skip(value, index, |byte| byte.is_ascii_digit());
                continue;
            }
            match find(from(value, index + 2), b"*/") {
                Some(length) => {
                    index += length + 4;
                    continue;
                }
                // Unclosed: the rest is a comment, which is for the tokens to judge.
                None => {
                    out.extend_from_slice(from(value, index));
                    return Some(out);
                }
            }
        }
        if byte == b'*' && at(value, index + 1) == b'/' {
            index += 2;
            continue;
        }
        out.push(byte);
        index += 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_vanish() {
        assert_eq!(
            without_comments(b"un/**/ion/*!50000select*/1").as_deref(),
            Some(&b"unionselect1"[..])
        );
        assert_eq!(without_comments(b"1/2"), None);
    }
}
