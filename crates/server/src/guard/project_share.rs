//! What one project's guards may take of the room that all senders share: whoever has one key must leave
//! room for others.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests of one project are looked at at once: a quarter of what may wait for the disk.
pub(crate) const REQUESTS_MAX: usize = 1000;
/// What its bodies take at once, while they arrive and while they are looked at: half of what there is for
/// those of all guards.
const KIBIBYTES_MAX: usize = 128 << 10;
/// The largest body that finds room while it arrives.
pub(crate) const BODY_BYTES_MAX: usize = KIBIBYTES_MAX << 10;

/// Places and room of one project, whatever is changed of it, its keys included: what is under way goes on.
pub(crate) struct ProjectShare {
    requests: Arc<Semaphore>,
    kibibytes: Arc<Semaphore>,
}

impl Default for ProjectShare {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            kibibytes: Arc::new(Semaphore::new(KIBIBYTES_MAX)),
        }
    }
}

impl ProjectShare {
    /// A place for one more request; none where all are taken.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// Room for so many bytes; none where there is not so much. What is larger than all there is has it for
    /// itself.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kibibytes = bytes.div_ceil(1024).clamp(1, KIBIBYTES_MAX);
        let kibibytes = u32::try_from(kibibytes).unwrap_or(u32::MAX);
        Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes).ok()
    }

    /// How many places and kibibytes are taken.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> (usize, usize) {
        let Self { requests, kibibytes } = self;
        (REQUESTS_MAX - requests.available_permits(), KIBIBYTES_MAX - kibibytes.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_room_come_back() {
        let share = ProjectShare::default();
        let places: Vec<_> = (0..REQUESTS_MAX).map_while(|_| share.place()).collect();
        assert_eq!(places.len(), REQUESTS_MAX);
        assert!(share.place().is_none());
        drop(places);
        assert!(share.place().is_some());
        let whole = share.room(usize::MAX).unwrap();
        assert!(share.room(1).is_none());
        drop(whole);
        let (_most, _rest) =
            (share.room((KIBIBYTES_MAX - 1) << 10).unwrap(), share.room(0).unwrap());
        assert!(share.room(1).is_none());
    }
}
