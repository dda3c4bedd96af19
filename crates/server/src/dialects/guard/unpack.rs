//! Bodies that come as gzip (RFC 1952), bounded in size and in how much they grow, while they are
//! unpacked.

use super::refusal::Refusal;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use std::io::Read;

/// Batches of equal events shrink to a fiftieth. What grows further wants to fill the memory.
const RATIO_MAX: usize = 200;
/// Bodies of this length are never too much.
const ALWAYS_FINE_BYTES: usize = 1 << 20;

/// The body as it was before it was packed; at most `bytes_max` bytes of it. Whoever calls this has
/// looked at the key.
///
/// # Errors
/// Where it grows too much, is damaged, or is packed in another way.
pub(super) fn unpack(headers: &HeaderMap, body: Bytes, bytes_max: usize) -> Result<Bytes, Refusal> {
    if !is_packed(headers)? {
        return Ok(body);
    }
    let most = packed_bytes_max(body.len(), bytes_max);
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut whole = Vec::new();
    MultiGzDecoder::new(&*body)
        .take(limit)
        .read_to_end(&mut whole)
        .map_err(|error| Refusal::Unreadable(format!("the body cannot be unpacked: {error}")))?;
    if whole.len() > most {
        return Err(Refusal::TooLarge(format!("the body unpacks to more than {most} bytes")));
    }
    Ok(whole.into())
}

/// How many bytes a body of this length is at most when it is unpacked.
///
/// # Errors
/// Where it is packed in another way than [`unpack`] knows.
pub(super) fn unpacked_bytes_max(
    headers: &HeaderMap,
    length: usize,
    bytes_max: usize,
) -> Result<usize, Refusal> {
    // Beside what comes out of it, the packed body is there, too.
    let packed = || packed_bytes_max(length, bytes_max).saturating_add(length);
    Ok(if is_packed(headers)? { packed() } else { length })
}

fn packed_bytes_max(length: usize, bytes_max: usize) -> usize {
    length.saturating_mul(RATIO_MAX).max(ALWAYS_FINE_BYTES).min(bytes_max)
}

fn is_packed(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(false),
        (Some(one), None)
            if one.as_bytes().eq_ignore_ascii_case(b"gzip")
                || one.as_bytes().eq_ignore_ascii_case(b"x-gzip") =>
        {
            Ok(true)
        }
        _ => Err(Refusal::Unreadable("the body must be gzip or not packed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[track_caller]
    fn check(encodings: &[&'static str], body: &[u8], expected: Result<&[u8], &str>) {
        let headers: HeaderMap = encodings
            .iter()
            .map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()))
            .collect();
        match (unpack(&headers, Bytes::copy_from_slice(body), 4 << 20), expected) {
            (Ok(found), Ok(expected)) => assert!(found == expected),
            (Err(Refusal::TooLarge(_)), Err("too large")) => {}
            (Err(Refusal::Unreadable(_)), Err("unreadable")) => {}
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_was_packed_comes_out_and_bombs_do_not() {
        let text = br#"{"events":[]}"#.repeat(200);
        let packed = gzip(&text);
        check(&[], &text, Ok(&text));
        check(&["identity"], &text, Ok(&text));
        check(&["gzip"], &packed, Ok(&text));
        check(&["GZIP"], &packed, Ok(&text));
        check(&["br"], &packed, Err("unreadable"));
        check(&["gzip", "gzip"], &packed, Err("unreadable"));
        check(&["gzip"], &packed[..packed.len() - 5], Err("unreadable"));
        check(&["gzip"], &text, Err("unreadable"));
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100 << 10);
        check(&["gzip"], &bomb, Err("too large"));
        // Within the bound on the size, but grown beyond what is honest.
        let grown = gzip(&vec![b' '; 3 << 20]);
        assert!(grown.len() < 8 << 10);
        check(&["gzip"], &grown, Err("too large"));
    }
}
