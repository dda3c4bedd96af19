//! Request bodies: whole, bounded in size and in time.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

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
    /// Too many bodies arrive at once.
    #[error("too many requests at once")]
    NoRoom,
}

/// Of all bodies that are arriving: senders are told apart only once theirs is whole.
const ARRIVING_KIBIBYTES_MAX: usize = 512 << 10;
static ROOM: Semaphore = Semaphore::const_new(ARRIVING_KIBIBYTES_MAX);

const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a whole body of at most `bytes_max` bytes within 30 seconds.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    read_within(body, bytes_max, |_| Some(())).await
}

/// The same, for a sender that has a share of its own: `room` takes so many bytes more of it, and what it
/// gives is held until the body is whole.
pub(crate) async fn read_within<R>(
    body: Body,
    bytes_max: usize,
    room: impl Fn(usize) -> Option<R>,
) -> Result<Bytes, BodyError> {
    // An announced length is believed: what is refused need not be sent.
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge(bytes_max));
    }
    let whole = collect(Limited::new(body, bytes_max), bytes_max, room);
    tokio::time::timeout(READ_TIMEOUT, whole).await.unwrap_or(Err(BodyError::TooSlow))
}

/// Takes room for each frame as it comes, and gives it back when the body is whole: from then on the
/// bound of the write queue holds.
async fn collect<R>(
    mut body: Limited<Body>,
    bytes_max: usize,
    room: impl Fn(usize) -> Option<R>,
) -> Result<Bytes, BodyError> {
    let mut held: Option<SemaphorePermit<'_>> = None;
    let mut of_share: Vec<R> = Vec::new();
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                BodyError::TooLarge(bytes_max)
            } else {
                BodyError::BrokeOff
            }
        })?;
        let Ok(data) = frame.into_data() else { continue };
        // Charged for the total: charged for each frame, single bytes would cost a kibibyte each.
        total = total.saturating_add(data.len());
        let have = held.as_ref().map_or(0, SemaphorePermit::num_permits);
        if let Ok(more @ 1..) = u32::try_from(total.div_ceil(1024).saturating_sub(have)) {
            let bytes = usize::try_from(more).unwrap_or(usize::MAX).saturating_mul(1024);
            of_share.push(room(bytes).ok_or(BodyError::NoRoom)?);
            let more = ROOM.try_acquire_many(more).map_err(|_| BodyError::NoRoom)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
        }
        match (first.take(), whole.is_empty()) {
            // Most bodies are one frame, which need not be copied.
            (None, true) => first = Some(data),
            (earlier, _) => {
                whole.extend_from_slice(&earlier.unwrap_or_default());
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    #[tokio::test]
    async fn frames_are_put_together_within_the_bound() {
        for parts in [vec![], vec!["abc"], vec!["abc", "def"], vec!["a", "", "b", "cd", "ef"]] {
            let expected = parts.concat();
            let frames =
                parts.iter().map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::from(*part))));
            let body =
                Body::new(StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())));
            assert_eq!(read(body, 6).await, Ok(Bytes::from(expected)), "{parts:?}");
        }
        assert_eq!(read(Body::from("1234567"), 6).await, Err(BodyError::TooLarge(6)));
        assert_eq!(ROOM.available_permits(), ARRIVING_KIBIBYTES_MAX, "all room is given back");
    }

    /// Three megabytes of single bytes once took all the room there is.
    #[tokio::test]
    async fn single_bytes_take_no_more_room_than_they_are() {
        let frames =
            (0..3000).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"x"))));
        let last = futures_util::stream::once(async {
            assert!(ROOM.available_permits() >= ARRIVING_KIBIBYTES_MAX - 64);
            Ok(Frame::data(Bytes::new()))
        });
        let body = futures_util::stream::iter(frames).chain(last);
        let body = read(Body::new(StreamBody::new(Box::pin(body))), 1 << 20).await.unwrap();
        assert_eq!(body.len(), 3000);
    }
}
