//! How a scan is watched and stopped.

use crate::StoreError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Shared by those who scan and those who wait for it.
#[derive(Debug, Default)]
pub struct ScanControl {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
    parts: AtomicU64,
    parts_done: AtomicU64,
    events_scanned: AtomicU64,
    events_skipped: AtomicU64,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanProgress {
    /// Row groups and intake there are to look at.
    pub parts: u64,
    /// Those looked at.
    pub parts_done: u64,
    /// Events whose values were looked at.
    pub events_scanned: u64,
    /// Events of which it was known without looking.
    pub events_skipped: u64,
}

impl ScanControl {
    /// One that ends by itself at this moment.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..Self::default() }
    }

    /// Ends the scan soon, with [`StoreError::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// How far it is.
    pub fn progress(&self) -> ScanProgress {
        ScanProgress {
            parts: self.parts.load(Ordering::Relaxed),
            parts_done: self.parts_done.load(Ordering::Relaxed),
            events_scanned: self.events_scanned.load(Ordering::Relaxed),
            events_skipped: self.events_skipped.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let is_late = || self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if self.cancelled.load(Ordering::Relaxed) || is_late() {
            return Err(StoreError::Cancelled);
        }
        Ok(())
    }

    pub(crate) fn add_parts(&self, parts: usize) {
        self.parts.fetch_add(parts as u64, Ordering::Relaxed);
    }

    pub(crate) fn part_done(&self, scanned: u64, skipped: u64) {
        self.parts_done.fetch_add(1, Ordering::Relaxed);
        self.events_scanned.fetch_add(scanned, Ordering::Relaxed);
        self.events_skipped.fetch_add(skipped, Ordering::Relaxed);
    }
}
