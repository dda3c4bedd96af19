use crate::StoreError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far a long piece of work is, for others to look at while it goes on; and their wish that it
/// be given up.
#[derive(Debug, Default)]
pub struct Progress {
    stage: Mutex<&'static str>,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    files_done: AtomicU64,
    files_total: AtomicU64,
    is_cancelled: AtomicBool,
}

/// What [`Progress`] says at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressNow {
    /// What is being done, in a word or two.
    pub stage: &'static str,
    /// Bytes that are behind.
    pub bytes_done: u64,
    /// Bytes in all; 0 where that is not known.
    pub bytes_total: u64,
    /// Files that are behind.
    pub files_done: u64,
    /// Files in all; 0 where it is not about files.
    pub files_total: u64,
}

impl Progress {
    /// Where the work is.
    pub fn now(&self) -> ProgressNow {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ProgressNow {
            stage: *self.stage.lock(),
            bytes_done: read(&self.bytes_done),
            bytes_total: read(&self.bytes_total),
            files_done: read(&self.files_done),
            files_total: read(&self.files_total),
        }
    }

    /// Asks for an early end.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether an early end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self, stage: &'static str, bytes: u64, files: u64) {
        *self.stage.lock() = stage;
        self.bytes_done.store(0, Ordering::Relaxed);
        self.bytes_total.store(bytes, Ordering::Relaxed);
        self.files_done.store(0, Ordering::Relaxed);
        self.files_total.store(files, Ordering::Relaxed);
    }

    /// Notes that more bytes are behind, and ends the work where that was asked for.
    pub(crate) fn advance(&self, bytes: u64) -> Result<(), StoreError> {
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.go_on()
    }

    pub(crate) fn reach(&self, bytes: u64) {
        self.bytes_done.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn file_done(&self) {
        self.files_done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) -> Result<(), StoreError> {
        if self.is_cancelled() { Err(StoreError::Cancelled) } else { Ok(()) }
    }
}
