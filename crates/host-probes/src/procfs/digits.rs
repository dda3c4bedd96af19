//! Numbers as the kernel prints them, read without a detour over `str`.

/// A decimal number; none where there are no digits, other bytes or more than 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A hexadecimal number; none where there are no digits, other bytes or more than 64 bits.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some((number << 4) | u64::from(digit))
    })
}

/// The bytes between blanks.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The number after `label`, as in `MemTotal:  1234 kB`, on the first line that begins so.
pub(crate) fn labelled(text: &[u8], label: &[u8]) -> Option<u64> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(label))?;
    decimal(words(line).next()?)
}
