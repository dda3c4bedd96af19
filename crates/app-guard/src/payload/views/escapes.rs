//! Escapes of URLs and of scripts.

use super::Unit;
use crate::payload::text::{at, slice};

pub(super) fn percent(input: &[u8], index: usize) -> Option<Unit> {
    if at(input, index + 1) | 0x20 == b'u' {
        return Unit::code_point(6, hexadecimal(slice(input, index + 2, index + 6), 4)?);
    }
    let value = hexadecimal(slice(input, index + 1, index + 3), 2)?;
    Unit::byte(3, u8::try_from(value).ok()?)
}

/// `\xNN`, `\uNNNN`, `\u{N…}`, `\NNN`.
pub(super) fn escape(input: &[u8], index: usize) -> Option<Unit> {
    match at(input, index + 1) {
        b'x' | b'X' => {
            let value = hexadecimal(slice(input, index + 2, index + 4), 2)?;
            Unit::byte(4, u8::try_from(value).ok()?)
        }
        b'u' | b'U' if at(input, index + 2) == b'{' => {
            let digits = slice(input, index + 3, index + 10);
            let length = digits.iter().position(|&byte| byte == b'}')?;
            Unit::code_point(4 + length, hexadecimal(slice(digits, 0, length), length)?)
        }
        b'u' | b'U' => Unit::code_point(6, hexadecimal(slice(input, index + 2, index + 6), 4)?),
        b'0'..=b'3' => {
            let digits = slice(input, index + 1, index + 4);
            let is_octal = |byte: &u8| (b'0'..=b'7').contains(byte);
            if digits.len() < 3 || !digits.iter().all(is_octal) {
                return None;
            }
            let value = digits.iter().fold(0u32, |sum, byte| sum * 8 + u32::from(byte - b'0'));
            Unit::byte(4, u8::try_from(value).ok()?)
        }
        // `\74` of scripts: two digits, where a third cannot follow.
        b'4'..=b'7' => {
            let (first, second) = (at(input, index + 1) - b'0', at(input, index + 2));
            if !(b'0'..=b'7').contains(&second) || at(input, index + 3).is_ascii_digit() {
                return None;
            }
            Unit::byte(3, first * 8 + (second - b'0'))
        }
        _ => None,
    }
}

fn hexadecimal(digits: &[u8], count: usize) -> Option<u32> {
    if digits.len() != count || count == 0 {
        return None;
    }
    let mut value = 0u32;
    for &digit in digits {
        value = value.checked_mul(16)?.checked_add((digit as char).to_digit(16)?)?;
    }
    Some(value)
}
