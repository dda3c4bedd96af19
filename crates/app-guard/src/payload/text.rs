//! Reading bytes without ever going past their end.

/// The byte there; zero behind the end.
#[inline]
pub(crate) fn at(bytes: &[u8], index: usize) -> u8 {
    bytes.get(index).copied().unwrap_or(0)
}

/// The bytes of that range, as far as there are any.
#[inline]
pub(crate) fn slice(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    let end = end.min(bytes.len());
    bytes.get(start.min(end)..end).unwrap_or_default()
}

/// From there to the end.
#[inline]
pub(crate) fn from(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start.min(bytes.len())..).unwrap_or_default()
}

/// A letter, digit or underscore.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// White space, and the control characters that parsers take for it.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The first index from `index` on that is not white space.
#[inline]
pub(crate) fn skip_spaces(bytes: &[u8], index: usize) -> usize {
    skip(bytes, index, is_space)
}

/// The first index from `index` on whose byte is not of that kind.
#[inline]
pub(crate) fn skip(bytes: &[u8], index: usize, of_kind: fn(u8) -> bool) -> usize {
    let rest = from(bytes, index);
    index + rest.iter().position(|&byte| !of_kind(byte)).unwrap_or(rest.len())
}

/// The bytes without white space around them.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// Where `needle` stands in `bytes`.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

/// Whether `needle` stands in `bytes`.
pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    find(bytes, needle).is_some()
}

/// The same without regard to case; for short texts.
pub(crate) fn contains_ignoring_case(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len().max(1)).any(|window| window.eq_ignore_ascii_case(needle))
}

/// All places where `needle` stands.
pub(crate) fn places_of<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(bytes, needle)
}

/// Whether the value is one token: not empty, without white space inside.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let bytes = trim(bytes);
    !bytes.is_empty() && !bytes.iter().any(|&byte| is_space(byte))
}

/// How many words of at least two letters stand in the text, up to `max`.
pub(crate) fn words_up_to(bytes: &[u8], max: usize) -> usize {
    bytes
        .split(|&byte| is_space(byte))
        .filter(|word| {
            let letters =
                word.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
            letters >= 2 && letters + 2 >= word.len()
        })
        .take(max)
        .count()
}
