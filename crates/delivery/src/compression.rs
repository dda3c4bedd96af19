//! How a body is packed on its way.

use bytes::Bytes;
use std::io;

/// A content coding of HTTP (RFC 9110 §8.4.1, RFC 8878 for zstd).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// Zstandard.
    Zstd,
    /// For peers that know nothing newer.
    #[cfg(feature = "gzip")]
    Gzip,
}

impl Encoding {
    /// The value of `Content-Encoding`; none where the header is left out.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Zstd => Some("zstd"),
            #[cfg(feature = "gzip")]
            Self::Gzip => Some("gzip"),
        }
    }
}

/// Why a body could not be packed.
#[derive(Debug, thiserror::Error)]
#[error("cannot compress: {0}")]
pub struct CompressionError(#[from] io::Error);

/// Below this many bytes packing is not worth the peer's time.
const WORTHWHILE_BYTES: usize = 512;
/// Reports shrink to about a tenth at the quickest level already, in a fraction of the memory.
const ZSTD_LEVEL: i32 = 1;

/// Packs a body, where that makes it smaller; the encoding is what was done in truth.
///
/// # Errors
/// Where there is no memory for it.
pub fn compress(body: Bytes, encoding: Encoding) -> Result<(Bytes, Encoding), CompressionError> {
    if body.len() < WORTHWHILE_BYTES {
        return Ok((body, Encoding::Identity));
    }
    let packed = match encoding {
        Encoding::Identity => return Ok((body, Encoding::Identity)),
        Encoding::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL)?,
        #[cfg(feature = "gzip")]
        Encoding::Gzip => {
            use std::io::Write;
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body)?;
            encoder.finish()?
        }
    };
    if packed.len() < body.len() {
        Ok((packed.into(), encoding))
    } else {
        Ok((body, Encoding::Identity))
    }
}
