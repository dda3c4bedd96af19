//! Text in base64.

use crate::payload::text::{find, from, slice, trim};

/// The text behind base64, where the value looks like that and gives text.
pub(crate) fn from_base64(value: &[u8]) -> Option<Vec<u8>> {
    const ENCODED_MIN: usize = 12;
    let mut value = trim(value);
    if let Some(start) = find(slice(value, 0, 128), b";base64,") {
        value = from(value, start + 8);
    }
    let value = value.trim_suffix_bytes(b'=');
    if value.len() < ENCODED_MIN || value.len() % 4 == 1 {
        return None;
    }
    // It grows with what is text: an image ends after its first bytes.
    let mut out = Vec::with_capacity(64);
    let (mut bits, mut count) = (0u32, 0u8);
    for &byte in value {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' | b' ' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
            // Random bytes are not text: it shows soon.
            if out.len() == 48 && !is_text(&out) {
                return None;
            }
        }
    }
    is_text(&out).then_some(out)
}

fn is_text(bytes: &[u8]) -> bool {
    let odd = bytes
        .iter()
        .filter(|byte| !(byte.is_ascii_graphic() || byte.is_ascii_whitespace()))
        .count();
    odd * 10 <= bytes.len() && !bytes.is_empty()
}

trait TrimSuffix {
    fn trim_suffix_bytes(&self, byte: u8) -> &[u8];
}

impl TrimSuffix for [u8] {
    fn trim_suffix_bytes(&self, byte: u8) -> &[u8] {
        let end = self.iter().rposition(|&other| other != byte).map_or(0, |last| last + 1);
        slice(self, 0, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_counts_where_text_comes_out() {
        let text = from_base64(b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==");
        assert_eq!(text.as_deref(), Some(&b"<script>alert(1)</script>"[..]));
        assert_eq!(from_base64(b"internationalization"), None);
        assert_eq!(
            from_base64(b"iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"),
            None
        );
    }
}
