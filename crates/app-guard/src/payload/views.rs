//! What a value looks like once its encodings are taken off, one round at a time.
//!
//! One round takes off all encodings together, in one pass, and never makes the value longer.

mod base64;
mod comments;
mod entities;
mod escapes;
mod lookups;
mod wide;

pub(crate) use base64::from_base64;
pub(crate) use comments::without_comments;
pub(crate) use lookups::without_lookups;

use super::text::{at, from, slice};
use entities::entity;
use escapes::{escape, percent};
use wide::{character_length, fold, wide};

/// What the encodings of a view hid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// How many rounds of decoding came before it.
    pub(crate) rounds: u8,
    /// A dot was written in an encoding, or anything in an overlong form.
    pub(crate) dots: bool,
}

/// A value with one round of encodings taken off, or nothing where there are none.
pub(crate) fn decode(input: &[u8], plus_is_space: bool, hidden: &mut Hidden) -> Option<Vec<u8>> {
    let first = input.iter().position(|&byte| may_be_encoded(byte, plus_is_space))?;
    let mut out: Option<Vec<u8>> = None;
    let mut index = first;
    // Everything before `copied` is in `out`, once there is one.
    let mut copied = 0;
    while let Some(&byte) = input.get(index) {
        if !may_be_encoded(byte, plus_is_space) {
            index += 1;
            continue;
        }
        let Some(unit) = decode_one(input, index, plus_is_space) else {
            index += if byte >= 0x80 { character_length(input, index) } else { 1 };
            continue;
        };
        let out = out.get_or_insert_with(|| Vec::with_capacity(input.len()));
        out.extend_from_slice(slice(input, copied, index));
        if unit.overlong || unit.decoded == Decoded::Byte(b'.') {
            hidden.dots = true;
        }
        match unit.decoded {
            Decoded::Nothing => {}
            Decoded::Byte(byte) => out.push(byte),
            Decoded::Character(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        index += unit.length;
        copied = index;
    }
    let mut out = out?;
    out.extend_from_slice(from(input, copied));
    hidden.rounds = hidden.rounds.saturating_add(1);
    Some(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Decoded {
    Nothing,
    Byte(u8),
    Character(char),
}

struct Unit {
    length: usize,
    decoded: Decoded,
    overlong: bool,
}

impl Unit {
    fn byte(length: usize, byte: u8) -> Option<Self> {
        Some(Self { length, decoded: Decoded::Byte(byte), overlong: false })
    }

    fn overlong(length: usize, byte: u8) -> Option<Self> {
        Some(Self { length, decoded: Decoded::Byte(byte), overlong: true })
    }

    /// A code point, as the ASCII character that it is taken for if there is one.
    fn code_point(length: usize, value: u32) -> Option<Self> {
        if let Some(folded) = fold(value) {
            return Some(Self { length, decoded: folded, overlong: false });
        }
        match u8::try_from(value) {
            Ok(byte) if byte < 0x80 => Self::byte(length, byte),
            _ => {
                let character = char::from_u32(value)?;
                Some(Self { length, decoded: Decoded::Character(character), overlong: false })
            }
        }
    }
}

#[inline]
fn may_be_encoded(byte: u8, plus_is_space: bool) -> bool {
    byte >= 0x80 || matches!(byte, b'%' | b'&' | b'\\' | 0) || (plus_is_space && byte == b'+')
}

fn decode_one(input: &[u8], index: usize, plus_is_space: bool) -> Option<Unit> {
    match at(input, index) {
        b'%' => percent(input, index),
        b'&' => entity(input, index),
        b'\\' => escape(input, index),
        b'+' if plus_is_space => Unit::byte(1, b' '),
        // Databases and browsers skip it, or stop at it; either way what stands around it comes together.
        0 => Some(Unit { length: 1, decoded: Decoded::Nothing, overlong: false }),
        byte if byte >= 0x80 => wide(input, index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Option<&str>) {
        let decoded = decode(input.as_bytes(), false, &mut Hidden::default());
        let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(decoded.as_deref(), expected, "input {input:?}");
    }

    #[test]
    fn one_round_takes_off_one_layer_of_each_encoding() {
        check("plain", None);
        check("100% sure", None);
        check("%27", Some("'"));
        check("%2527", Some("%27"));
        check("%u0027%U0027", Some("''"));
        check(r"\x27\u0027\u{27}\047", Some("''''"));
        check(r"C:\temp\new", None);
        check("&lt;&#60;&#x3c;&#0000060&colon;", Some("<<<<:"));
        check("&copy; Tom & Jerry", None);
        check("＜ｓｃｒｉｐｔ＞", Some("<script>"));
        check("ſelect", Some("select"));
        check("naïve café", None);
        check("a\0b", Some("ab"));
        check("uni\u{200b}on", Some("union"));
    }

    #[test]
    fn overlong_forms_are_read_and_remembered() {
        for input in [&b"\xc0\xae"[..], b"\xe0\x80\xae", b"\xf0\x80\x80\xae"] {
            let mut hidden = Hidden::default();
            assert_eq!(decode(input, false, &mut hidden).as_deref(), Some(&b"."[..]));
            assert!(hidden.dots);
        }
        let mut hidden = Hidden::default();
        assert_eq!(decode(b"\xc0\x2f", false, &mut hidden).as_deref(), Some(&b"/"[..]));
    }
}
