/// The longest correlation id that is taken from a caller.
pub const CORRELATION_ID_BYTES_MAX: usize = 128;

/// The caller's correlation id, where it may stand in answers and logs: 1 to
/// [`CORRELATION_ID_BYTES_MAX`] visible ASCII characters. Anything else is none, and the server then
/// makes one of its own.
pub fn accept_correlation_id(header: &[u8]) -> Option<&str> {
    let fine = (1..=CORRELATION_ID_BYTES_MAX).contains(&header.len())
        && header.iter().all(u8::is_ascii_graphic);
    if fine { std::str::from_utf8(header).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flaw_14_only_plain_correlation_ids_are_echoed() {
        check(b"3f1c2d9e-0000-4000-8000-000000000000", true);
        check(b"a", true);
        check(&[b'x'; CORRELATION_ID_BYTES_MAX], true);
        check(&[b'x'; CORRELATION_ID_BYTES_MAX + 1], false);
        check(b"", false);
        check(b"two words", false);
        check(b"line\nbreak", false);
        check(b"\x1b[31mred", false);
        check("é".as_bytes(), false);
        check(b"\xff", false);
    }

    #[track_caller]
    fn check(header: &[u8], accepted: bool) {
        let expected = accepted.then(|| std::str::from_utf8(header).expect("ASCII"));
        assert_eq!(accept_correlation_id(header), expected, "header {header:?}");
    }
}
