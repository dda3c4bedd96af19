//! Character references of HTML.

use super::Unit;
use crate::payload::text::{at, slice};

/// A character reference of HTML, with or without its semicolon.
pub(super) fn entity(input: &[u8], index: usize) -> Option<Unit> {
    // Leading zeros are allowed, in numbers that fit; longer ones are not what a parser gets to see.
    const DIGITS_MAX: usize = 12;
    const NAME_MAX: usize = 12;
    if at(input, index + 1) == b'#' {
        let is_hexadecimal = at(input, index + 2) | 0x20 == b'x';
        let start = index + if is_hexadecimal { 3 } else { 2 };
        let digits = slice(input, start, start + DIGITS_MAX);
        let of_kind = |byte: &u8| {
            if is_hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() }
        };
        let length = digits.iter().position(|byte| !of_kind(byte)).unwrap_or(digits.len());
        if length == 0 {
            return None;
        }
        let radix = if is_hexadecimal { 16 } else { 10 };
        let text = std::str::from_utf8(slice(digits, 0, length)).ok()?;
        let value = u32::from_str_radix(text, radix).ok()?;
        let end = start + length;
        let end = end + usize::from(at(input, end) == b';');
        return Unit::code_point(end - index, value);
    }
    let name = slice(input, index + 1, index + 1 + NAME_MAX);
    let length = name.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = slice(name, 0, length);
    let end = index + 1 + length;
    if at(input, end) == b';' {
        return Unit::byte(length + 2, named(name)?);
    }
    // The old names work without a semicolon, too.
    for old in [&b"lt"[..], b"gt", b"quot", b"amp", b"LT", b"GT", b"QUOT", b"AMP"] {
        if name == old {
            return Unit::byte(1 + length, named(old)?);
        }
    }
    None
}

fn named(name: &[u8]) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_slice() {
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        b"amp" => b'&',
        b"colon" => b':',
        b"lpar" => b'(',
        b"rpar" => b')',
        b"tab" => b'\t',
        b"newline" => b'\n',
        b"nbsp" => b' ',
        b"sol" => b'/',
        b"bsol" => b'\\',
        b"lbrace" | b"lcub" => b'{',
        b"rbrace" | b"rcub" => b'}',
        b"lbrack" | b"lsqb" => b'[',
        b"rbrack" | b"rsqb" => b']',
        b"grave" | b"diacriticalgrave" => b'`',
        b"excl" => b'!',
        b"equals" => b'=',
        b"plus" => b'+',
        b"comma" => b',',
        b"period" => b'.',
        b"num" => b'#',
        b"dollar" => b'$',
        b"percnt" => b'%',
        b"ast" | b"midast" => b'*',
        b"semi" => b';',
        b"quest" => b'?',
        b"commat" => b'@',
        b"lowbar" => b'_',
        b"verbar" | b"vert" => b'|',
        _ => return None,
    })
}
