//! Bodies that come packed: `Content-Encoding: zstd` (RFC 8878), bounded in size and in how much they
//! grow.

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use std::io::{self, Read};

/// Why a body was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// Packed in a way that is not known here.
    #[error("the body must be packed with `zstd` or not at all")]
    UnknownEncoding,
    /// It grows beyond what a body may be.
    #[error("the body unpacks to more than {0} bytes")]
    TooLarge(usize),
    /// It is not what it says.
    #[error("the body cannot be unpacked: {0}")]
    Damaged(io::Error),
}

/// Honest reports shrink to a tenth, pictures of equal processes to a hundredth. What grows further
/// wants to fill the memory.
const RATIO_MAX: usize = 500;
/// Bodies of this length are never too much.
const ALWAYS_FINE_BYTES: usize = 1 << 20;
/// The decoder's memory: 8 MiB. RFC 8878 asks every decoder for as much.
const WINDOW_LOG_MAX: u32 = 23;

/// The body as it was before it was packed, as `headers` say; at most `bytes_max` bytes of it. Whoever
/// calls this has authenticated the packed bytes.
pub(crate) fn unpack(
    headers: &HeaderMap,
    body: Bytes,
    bytes_max: usize,
) -> Result<Bytes, UnpackError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => return Ok(body),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"identity") => return Ok(body),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"zstd") => {}
        _ => return Err(UnpackError::UnknownEncoding),
    }
    let most = body.len().saturating_mul(RATIO_MAX).max(ALWAYS_FINE_BYTES).min(bytes_max);
    let mut decoder = zstd::stream::read::Decoder::new(&*body).map_err(UnpackError::Damaged)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(UnpackError::Damaged)?;
    let mut whole = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut whole).map_err(UnpackError::Damaged)?;
    if whole.len() > most { Err(UnpackError::TooLarge(most)) } else { Ok(whole.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(encodings: &[&'static str]) -> HeaderMap {
        let values = encodings.iter().map(|value| value.parse().unwrap());
        values.map(|value| (header::CONTENT_ENCODING, value)).collect()
    }

    #[track_caller]
    fn check(encodings: &[&'static str], body: &[u8], expected: Result<&[u8], &str>) {
        let unpacked = unpack(&headers(encodings), Bytes::copy_from_slice(body), 4 << 20);
        match (unpacked, expected) {
            (Ok(found), Ok(expected)) => assert!(found == expected),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{error}");
            }
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_was_packed_comes_out_and_bombs_do_not() {
        let text = b"a process was started; ".repeat(1000);
        let packed = zstd::bulk::compress(&text, 1).unwrap();
        check(&[], &text, Ok(&text));
        check(&["identity"], &text, Ok(&text));
        check(&["zstd"], &packed, Ok(&text));
        check(&["ZSTD"], &packed, Ok(&text));
        check(&["gzip"], &packed, Err("`zstd` or not at all"));
        check(&["zstd", "zstd"], &packed, Err("`zstd` or not at all"));
        check(&["zstd"], &packed[..packed.len() - 5], Err("cannot be unpacked"));
        check(&["zstd"], &text, Err("cannot be unpacked"));

        let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
        assert!(bomb.len() < 16 << 10);
        check(&["zstd"], &bomb, Err("more than"));
        let large = zstd::bulk::compress(&vec![b' '; 900 << 10], 1).unwrap();
        check(&["zstd"], &large, Ok(&vec![b' '; 900 << 10]));
    }
}
