//! The parts of a URL behind its scheme.

use crate::payload::text::{at, from, is_space, slice};

/// Whom it asks: user, host and port.
pub(super) fn authority_of(rest: &[u8]) -> &[u8] {
    let end = rest
        .iter()
        .position(|&byte| {
            matches!(byte, 0 | b'/' | b'?' | b'#' | b'\\' | b'"' | b'\'' | b'<' | b'>' | b')')
                || is_space(byte)
        })
        .unwrap_or(rest.len());
    slice(rest, 0, end)
}

/// The host of what begins with an authority.
pub(super) fn host_of(rest: &[u8]) -> &[u8] {
    let authority = authority_of(rest);
    let host = authority.rsplit(|&byte| byte == b'@').next().unwrap_or(authority);
    if at(host, 0) == b'[' {
        return slice(
            host,
            0,
            host.iter().position(|&byte| byte == b']').map_or(host.len(), |end| end + 1),
        );
    }
    slice(
        host,
        0,
        host.iter()
            .position(|&byte| matches!(byte, b':' | b'&' | b',' | b';'))
            .unwrap_or(host.len()),
    )
}

pub(super) fn port_of(authority: &[u8]) -> Option<u16> {
    let colon = authority.iter().rposition(|&byte| byte == b':')?;
    std::str::from_utf8(from(authority, colon + 1)).ok()?.parse().ok()
}

pub(super) fn path_of(rest: &[u8], start: usize) -> &[u8] {
    let end = rest
        .iter()
        .position(|&byte| is_space(byte) || matches!(byte, b'"' | b'\''))
        .unwrap_or(rest.len());
    slice(rest, start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_is_asked() {
        assert_eq!(host_of(b"user:pw@example.com:80/x"), b"example.com");
        assert_eq!(host_of(b"[::1]:80/"), b"[::1]");
        assert_eq!(host_of(b"127.0.0.1?x"), b"127.0.0.1");
        assert_eq!(port_of(b"localhost:3000"), Some(3000));
    }
}
