//! Bytes above ASCII: overlong forms, and characters that are taken for ASCII.

use super::{Decoded, Unit};
use crate::payload::text::{at, slice};

/// Bytes above ASCII: overlong forms, and characters that are taken for ASCII.
pub(super) fn wide(input: &[u8], index: usize) -> Option<Unit> {
    let (first, second, third) = (at(input, index), at(input, index + 1), at(input, index + 2));
    match first {
        // Lax decoders take only the low bits of what follows.
        0xc0 | 0xc1 if (0x20..0xc0).contains(&second) => {
            let byte = ((first & 1) << 6) | (second & 0x3f);
            let byte = if second < 0x80 { second } else { byte };
            Unit::overlong(2, byte)
        }
        0xe0 if (0x80..0xa0).contains(&second) && third & 0xc0 == 0x80 => {
            let value = (u32::from(second & 0x1f) << 6) | u32::from(third & 0x3f);
            let byte = u8::try_from(value).ok()?;
            (byte < 0x80).then(|| Unit::overlong(3, byte))?
        }
        0xf0 if second == 0x80 && third & 0xfe == 0x80 => {
            let fourth = at(input, index + 3);
            if fourth & 0xc0 != 0x80 {
                return None;
            }
            Unit::overlong(4, ((third & 1) << 6) | (fourth & 0x3f))
        }
        _ => {
            let (value, length) = character(input, index)?;
            if let Some(unit) = cut_line_break(input, index, value, length) {
                return Some(unit);
            }
            let decoded = fold(value)?;
            Some(Unit { length, decoded, overlong: false })
        }
    }
}

/// Two characters beside each other whose low bytes are carriage return and line feed: what cuts characters to bytes makes
/// a line break of them. Each alone is a letter of some language.
fn cut_line_break(input: &[u8], index: usize, value: u32, length: usize) -> Option<Unit> {
    if value <= 0xff || value & 0xff != 0x0d {
        return None;
    }
    let (next, next_length) = character(input, index + length)?;
    let is_break = next > 0xff && next & 0xff == 0x0a;
    is_break.then(|| Unit {
        length: length + next_length,
        decoded: Decoded::Byte(b'\n'),
        overlong: false,
    })
}

/// The character that begins there, and its length.
fn character(input: &[u8], index: usize) -> Option<(u32, usize)> {
    let length = character_length(input, index);
    let text = std::str::from_utf8(slice(input, index, index + length)).ok()?;
    Some((u32::from(text.chars().next()?), length))
}

/// How long the character is that begins there; 1 where it is not valid.
pub(super) fn character_length(input: &[u8], index: usize) -> usize {
    let length = match at(input, index) {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if std::str::from_utf8(slice(input, index, index + length)).is_ok() { length } else { 1 }
}

/// What a look-alike becomes in normalisation (NFKC) or in the best fit of older character sets.
pub(super) fn fold(value: u32) -> Option<Decoded> {
    let letter = |base: u8, offset: u32| {
        u8::try_from(offset).ok().map(|offset| Decoded::Byte(base.wrapping_add(offset)))
    };
    match value {
        // Full width.
        0xff01..=0xff5e => letter(b'!', value - 0xff01),
        // In circles.
        0x24b6..=0x24cf => letter(b'A', value - 0x24b6),
        0x24d0..=0x24e9 => letter(b'a', value - 0x24d0),
        0x2460..=0x2468 => letter(b'1', value - 0x2460),
        0x24ea => Some(Decoded::Byte(b'0')),
        // Mathematical letters, in alphabets of 52, and digits.
        0x1d400..=0x1d6a3 => {
            let offset = (value - 0x1d400) % 52;
            if offset < 26 { letter(b'A', offset) } else { letter(b'a', offset - 26) }
        }
        0x1d7ce..=0x1d7ff => letter(b'0', (value - 0x1d7ce) % 10),
        0x17f => Some(Decoded::Byte(b's')),
        0x212a => Some(Decoded::Byte(b'K')),
        0x131 => Some(Decoded::Byte(b'i')),
        0x2b9 | 0x2bc | 0x2c8 | 0x2032 | 0xfe10 => Some(Decoded::Byte(b'\'')),
        0x2ba | 0x2033 => Some(Decoded::Byte(b'"')),
        0x2044 | 0x2215 | 0x29f8 => Some(Decoded::Byte(b'/')),
        0x2216 | 0x29f5 | 0x29f9 | 0xfe68 => Some(Decoded::Byte(b'\\')),
        // Resolvers take the full stops of Chinese for dots.
        0x2024 | 0x3002 | 0xfe52 | 0xff61 => Some(Decoded::Byte(b'.')),
        0x2025 => None,
        0x2039 | 0xfe64 | 0x3008 | 0x2329 => Some(Decoded::Byte(b'<')),
        0x203a | 0xfe65 | 0x3009 | 0x232a => Some(Decoded::Byte(b'>')),
        0xfe54 => Some(Decoded::Byte(b';')),
        0xfe55 => Some(Decoded::Byte(b':')),
        0xfe59 => Some(Decoded::Byte(b'(')),
        0xfe5a => Some(Decoded::Byte(b')')),
        0xfe5b => Some(Decoded::Byte(b'{')),
        0xfe5c => Some(Decoded::Byte(b'}')),
        0xfe66 => Some(Decoded::Byte(b'=')),
        // Their low bytes are carriage return and line feed.
        0x560d => Some(Decoded::Byte(b'\r')),
        0x560a => Some(Decoded::Byte(b'\n')),
        0xa0 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000 => {
            Some(Decoded::Byte(b' '))
        }
        0xad | 0x200b..=0x200d | 0x2060 | 0xfeff => Some(Decoded::Nothing),
        _ => None,
    }
}
