//! Where events come in: on the path of a request, so in well under a microsecond.
//!
//! Pieces of fixed size instead of one buffer that grows: nothing is copied when there is more, and what
//! was taken out is given back to the system.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

const PIECE_BYTES: usize = 64 << 10;
const LENGTH_BYTES: usize = 4;

/// Records that nobody has taken out yet.
#[derive(Debug)]
pub(super) struct Entrance {
    inner: Mutex<Inner>,
    bytes_max: usize,
    dropped: AtomicU64,
    /// Rings when there is something.
    pub(super) filled: Notify,
    /// Rings when there is room again.
    pub(super) emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Nobody takes out any more what comes in.
    is_closed: bool,
}

/// Records one after the other, each with its length before it.
#[derive(Debug, Default)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    pub(super) count: u64,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the buffer for events is full")]
pub struct BufferFull;

impl Entrance {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            bytes_max: bytes_max.max(PIECE_BYTES * 2),
            dropped: AtomicU64::new(0),
            filled: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Takes a record. Where there is no room, the oldest make way or it is refused.
    pub(super) fn push(&self, record: &[u8], makes_way: bool) -> Result<(), BufferFull> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            if makes_way {
                self.count_lost(1);
                return Ok(());
            }
            return Err(BufferFull);
        }
        let was_empty = inner.pieces.is_empty();
        let needed = record.len() + LENGTH_BYTES;
        let has_room = |piece: &Piece| piece.bytes.capacity() - piece.bytes.len() >= needed;
        if !inner.pieces.back().is_some_and(has_room) {
            let capacity = PIECE_BYTES.max(needed);
            while inner.bytes + capacity > self.bytes_max {
                if !makes_way {
                    return Err(BufferFull);
                }
                let Some(oldest) = inner.pieces.pop_front() else { return Err(BufferFull) };
                inner.bytes -= oldest.bytes.capacity();
                self.dropped.fetch_add(oldest.count, Ordering::Relaxed);
            }
            inner.bytes += capacity;
            inner.pieces.push_back(Piece { bytes: Vec::with_capacity(capacity), count: 0 });
        }
        if let Some(piece) = inner.pieces.back_mut() {
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
            piece.bytes.extend_from_slice(&length.to_le_bytes());
            piece.bytes.extend_from_slice(record);
            piece.count += 1;
        }
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// The oldest piece.
    pub(super) fn take(&self) -> Option<Piece> {
        let piece = {
            let mut inner = self.inner.lock();
            let piece = inner.pieces.pop_front()?;
            inner.bytes -= piece.bytes.capacity();
            piece
        };
        self.emptied.notify_waiters();
        Some(piece)
    }

    /// What comes from now on is lost, and counted; whoever waits for room is told that there is none.
    pub(super) fn close(&self) {
        self.inner.lock().is_closed = true;
        self.emptied.notify_waiters();
    }

    /// Whether nothing comes in any more.
    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().is_closed
    }

    /// Whether nothing waits here.
    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().pieces.is_empty()
    }

    /// How many records wait here.
    pub(super) fn count(&self) -> u64 {
        self.inner.lock().pieces.iter().map(|piece| piece.count).sum()
    }

    /// How many made way, since the last time this was asked.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// How many made way and are in no other books yet.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Counts one that was refused.
    pub(super) fn count_refused(&self) {
        self.count_lost(1);
    }

    /// Counts what was taken out and could not be kept.
    pub(super) fn count_lost(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }
}

impl Piece {
    /// The records, oldest first.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (record, after) = after.split_at_checked(length)?;
            rest = after;
            Some(record)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(entrance: &Entrance) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = entrance.take() {
            all.extend(piece.records().map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn records_come_out_in_their_order() {
        let entrance = Entrance::new(1 << 20);
        let records: Vec<Vec<u8>> = (0..3000u32).map(|n| n.to_le_bytes().repeat(20)).collect();
        for record in &records {
            entrance.push(record, true).unwrap();
        }
        entrance.push(&vec![7; PIECE_BYTES * 2], true).unwrap();
        assert_eq!(entrance.count(), 3001);
        let found = all(&entrance);
        assert_eq!(found[..3000], records);
        assert_eq!(found[3000].len(), PIECE_BYTES * 2);
        assert_eq!((entrance.take_dropped(), entrance.is_empty()), (0, true));
    }

    #[test]
    fn without_room_the_oldest_make_way_or_the_new_one_is_refused() {
        let entrance = Entrance::new(PIECE_BYTES * 2);
        let record = [1; 1000];
        while entrance.push(&record, false).is_ok() {}
        let full = entrance.count();
        assert_eq!(entrance.push(&record, false), Err(BufferFull));
        entrance.push(&[2; 1000], true).unwrap();
        let dropped = entrance.take_dropped();
        assert_eq!(entrance.count() + dropped, full + 1);
        assert!(dropped > 0 && entrance.take_dropped() == 0);
        assert_eq!(all(&entrance).last().unwrap(), &[2; 1000]);
        assert_eq!(entrance.push(&vec![0; PIECE_BYTES * 3], true), Err(BufferFull));
    }
}
