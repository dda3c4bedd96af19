//! Request bodies: whole, bounded in size and in time.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// Larger than allowed.
    #[error("body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client stopped sending.
    #[error("body did not arrive in time")]
    TooSlow,
    /// The connection broke.
    #[error("body broke off")]
    BrokeOff,
}

const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a whole body of at most `bytes_max` bytes within 30 seconds.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    // An announced length is believed: what is refused need not be sent.
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge(bytes_max));
    }
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(READ_TIMEOUT, whole).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(bytes_max)),
        Ok(Err(_)) => Err(BodyError::BrokeOff),
    }
}
