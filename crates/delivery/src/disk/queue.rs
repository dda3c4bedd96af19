//! The books of a disk spool: which items wait, which are under way, what became of the others.

use super::record::{PAYLOAD_BYTES_MAX, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, encode};
use super::segment::{Segment, write_whole};
use super::state::{Pinned, STATE_BYTES, State};
use super::{DiskSettings, Durability, WhenDiskFull, dead_letters};
use crate::item::{Batch, BatchBounds, BatchId, Counters, Item};
use crate::spool::{Appended, LABEL_BYTES_MAX, Settlement, SpoolError, SpoolStatus, now_ms};
use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use twox_hash::XxHash64;

/// See [`super::DiskSpool`].
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: DiskSettings,
    pub(super) state: State,
    /// Locked for as long as this lives.
    pub(super) state_file: File,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// The last segment, where it still takes records.
    pub(super) active: Option<File>,
    /// Where the next item to be read may lie.
    pub(super) cursor: Cursor,
    /// The items of [`State::pinned`], oldest first.
    pub(super) pinned: VecDeque<PinnedItem>,
    /// Known where it was asked for since the last change.
    pub(super) oldest_ms: Option<u64>,
    pub(super) is_full: bool,
    /// Written since the last sync, beside the active segment and the state.
    pub(super) sealed: Vec<(PathBuf, File)>,
    pub(super) is_unsynced: bool,
    /// The state file is behind: nothing new must be sent before it is not.
    pub(super) is_unsaved: bool,
}

/// A place in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The segment's first number.
    pub(super) segment: u64,
    pub(super) offset: u64,
}

impl Cursor {
    /// The first record of the segment that begins with this number.
    pub(super) const fn at(segment: u64) -> Self {
        Self { segment, offset: SEGMENT_HEADER_BYTES as u64 }
    }
}

/// An item that was taken for a batch.
#[derive(Debug)]
pub(super) struct PinnedItem {
    pub(super) number: u64,
    pub(super) time_ms: u64,
    pub(super) payload: Bytes,
}

/// No more files than these wait for a sync; the next ones are synced by the system when it likes.
const SEALED_MAX: usize = 16;

impl Queue {
    pub(super) fn append(&mut self, items: Vec<Item>) -> Result<Appended, SpoolError> {
        let time_ms = now_ms();
        let mut appended = Appended::default();
        let mut chunk = Chunk::default();
        for item in items {
            let record_bytes = item.payload.len() + RECORD_HEADER_BYTES;
            let is_refused = item.payload.len() > PAYLOAD_BYTES_MAX;
            let is_full = chunk.records.len() + record_bytes > self.segment_bytes();
            if chunk.count > 0 && (is_full || is_refused) {
                self.write(std::mem::take(&mut chunk), &mut appended)?;
            }
            if is_refused {
                let refused = Chunk { count: 1, is_refused, ..Chunk::default() };
                self.write(refused, &mut appended)?;
                continue;
            }
            let number = self.state.next + chunk.count;
            chunk.count += 1;
            chunk.giving_way += u64::from(item.gives_way);
            encode(&item, number, time_ms, self.state.spool, &mut chunk.records);
        }
        if chunk.count > 0 {
            self.write(chunk, &mut appended)?;
        }
        if appended.kept > 0 && self.waiting() == appended.kept {
            self.oldest_ms = Some(time_ms);
        }
        Ok(appended)
    }

    pub(super) fn count_lost(&mut self, count: u64) -> Result<(), SpoolError> {
        // Numbers without records: that is how losses are counted.
        self.state.next += count;
        self.save()
    }

    /// Writes records by one write, or counts them as dropped.
    fn write(&mut self, chunk: Chunk, appended: &mut Appended) -> Result<(), SpoolError> {
        match self.try_write(&chunk) {
            Ok(true) => {
                if self.is_full {
                    tracing::info!("the spool's disk has room again");
                }
                self.is_full = false;
                appended.kept += chunk.count;
                return Ok(());
            }
            Ok(false) => {}
            Err(error) => {
                let refuses = self.settings.when_disk_full == WhenDiskFull::Refuse;
                if !self.is_full {
                    tracing::error!(%error, refuses, "the spool's disk takes no more");
                }
                self.is_full = true;
                if refuses {
                    return Err(error);
                }
            }
        }
        // The numbers are used up all the same: that is how these items are counted.
        self.state.next += chunk.count;
        appended.dropped += chunk.count;
        self.save()
    }

    /// Whether there was room.
    fn try_write(&mut self, chunk: &Chunk) -> Result<bool, SpoolError> {
        let length = chunk.records.len() as u64;
        if chunk.is_refused || !self.make_room(length + SEGMENT_HEADER_BYTES as u64)? {
            return Ok(false);
        }
        let segment_bytes = self.segment_bytes() as u64;
        if self.segments.back().is_some_and(|last| last.bytes + length > segment_bytes) {
            self.seal();
        }
        let (first, end) = (self.state.next, self.state.next + chunk.count);
        match (&self.active, self.segments.back_mut()) {
            (Some(file), Some(last)) => {
                write_whole(file, &chunk.records, last.bytes)
                    .map_err(SpoolError::file("cannot write", &last.path))?;
                last.bytes += length;
                last.end = end;
                last.live += chunk.count;
                last.giving_way += chunk.giving_way;
            }
            _ => {
                let path = Segment::path(&self.settings.folder, first);
                let spool = self.state.spool;
                let (file, bytes) = Segment::create(&path, spool, &chunk.records)?;
                let (live, giving_way) = (chunk.count, chunk.giving_way);
                let seed = spool.seed();
                self.segments.push_back(Segment {
                    path,
                    first,
                    end,
                    bytes,
                    seed,
                    live,
                    giving_way,
                });
                self.active = Some(file);
                if self.settings.durability == Durability::Always {
                    self.sync_folder()?;
                }
            }
        }
        self.state.next = end;
        self.is_unsynced = true;
        if self.settings.durability == Durability::Always
            && let Some(file) = &self.active
        {
            file.sync_data().map_err(SpoolError::file("cannot sync", &self.settings.folder))?;
        }
        Ok(true)
    }

    pub(super) fn next_batch(
        &mut self,
        bounds: &BatchBounds,
        label: &[u8],
    ) -> Result<Option<Batch>, SpoolError> {
        if self.is_unsaved {
            self.save()?;
        }
        if self.state.pinned.is_none() {
            let before = self.cursor;
            let taken = self.take(bounds)?;
            let (Some(first), Some(last)) = (taken.front(), taken.back()) else { return Ok(None) };
            let label = label.get(..label.len().min(LABEL_BYTES_MAX)).unwrap_or_default();
            let pinned = Pinned {
                first: first.number,
                end: last.number + 1,
                gave_way: self.state.gave_way,
                part: taken.len() as u64,
                digest: 0,
                lost_total: 0,
                label: Bytes::copy_from_slice(label),
            };
            let head = std::mem::replace(&mut self.state.head, pinned.end);
            self.pinned = taken;
            self.oldest_ms = None;
            self.state.pinned = Some(pinned);
            if let Err(error) = self.begin() {
                // It was not begun: these items wait as before.
                self.state.head = head;
                self.cursor = before;
                self.put_back();
                return Err(error);
            }
        }
        Ok(self.under_way())
    }

    pub(super) fn settle(
        &mut self,
        id: BatchId,
        settlement: &Settlement,
    ) -> Result<(), SpoolError> {
        let not_under_way = || SpoolError::NotUnderWay(id.ordinal);
        if id != (BatchId { spool: self.state.spool, ordinal: self.state.ordinal }) {
            return Err(not_under_way());
        }
        let pinned = self.state.pinned.as_mut().ok_or_else(not_under_way)?;
        let part = pinned.part;
        let count = usize::try_from(part).unwrap_or(usize::MAX).min(self.pinned.len());
        match settlement {
            Settlement::Split if part < 2 => return Err(SpoolError::NotDivisible(id.ordinal)),
            Settlement::Split => {
                pinned.part = part / 2;
                return self.begin();
            }
            Settlement::Delivered => self.state.delivered += part,
            Settlement::Dead { reason } => {
                self.state.dead += part;
                let items = self.pinned.iter().take(count).map(|item| &item.payload);
                dead_letters::keep(&self.settings, id.ordinal, reason, items);
            }
        }
        self.pinned.drain(..count);
        self.oldest_ms = None;
        let saved = match (&mut self.state.pinned, self.pinned.front()) {
            (Some(pinned), Some(next)) => {
                pinned.first = next.number;
                pinned.part = part.min(self.pinned.len() as u64);
                self.begin()
            }
            _ => {
                self.state.pinned = None;
                self.save()
            }
        };
        // The files go after the books: else a batch that is still written down as under way would be
        // missing at the next start, and count as lost.
        if saved.is_ok() {
            self.remove_settled();
        }
        saved
    }

    pub(super) fn status(&mut self) -> SpoolStatus {
        if self.oldest_ms.is_none() && self.waiting() > 0 {
            self.oldest_ms = self.find_oldest();
        }
        SpoolStatus {
            id: self.state.spool,
            counters: self.counters(),
            bytes: self.bytes(),
            bytes_max: self.settings.bytes_max,
            oldest_ms: self.oldest_ms,
            is_full: self.is_full,
            is_durable: true,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        let State { base, next, delivered, dead, .. } = self.state;
        let (accepted, waiting) = (next - base, self.waiting());
        let dropped = accepted.saturating_sub(delivered + dead + waiting);
        Counters { accepted, delivered, dead, dropped, waiting }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.segments.iter().map(|segment| segment.live).sum::<u64>() + self.pinned.len() as u64
    }

    /// The bytes of all files, dead letters aside.
    pub(super) fn bytes(&self) -> u64 {
        STATE_BYTES + self.segments.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    /// A segment grows to this length, but for a single item that is larger.
    pub(super) fn segment_bytes(&self) -> usize {
        let part = usize::try_from(self.settings.bytes_max / 16).unwrap_or(usize::MAX);
        part.clamp(4 << 10, 1 << 20)
    }

    /// Whether a record waits and is in no batch.
    pub(super) fn is_live(&self, number: u64, gives_way: bool) -> bool {
        number >= self.state.head && (!gives_way || number >= self.state.gave_way)
    }

    /// Writes the state into the slot whose turn it is.
    pub(super) fn save(&mut self) -> Result<(), SpoolError> {
        self.state.generation += 1;
        let path = self.settings.folder.join(super::recovery::STATE_FILE);
        let slot = self.state.encode();
        (self.is_unsynced, self.is_unsaved) = (true, true);
        // The place has its room already: only a broken disk refuses.
        self.state_file
            .write_all_at(&slot, self.state.place())
            .map_err(SpoolError::file("cannot write", &path))?;
        if self.settings.durability == Durability::Always {
            self.state_file.sync_data().map_err(SpoolError::file("cannot sync", &path))?;
        }
        self.is_unsaved = false;
        Ok(())
    }

    /// Gives the first part of the pinned items a number of its own and writes that down.
    pub(super) fn begin(&mut self) -> Result<(), SpoolError> {
        let lost_total = self.counters().lost();
        let part = self.state.pinned.as_ref().map_or(0, |pinned| pinned.part);
        let digest = digest(&self.pinned, part);
        if let Some(pinned) = &mut self.state.pinned {
            pinned.digest = digest;
            pinned.lost_total = lost_total;
        }
        self.state.ordinal += 1;
        self.save()
    }

    fn under_way(&self) -> Option<Batch> {
        let pinned = self.state.pinned.as_ref()?;
        let part = usize::try_from(pinned.part).unwrap_or(usize::MAX);
        Some(Batch {
            id: BatchId { spool: self.state.spool, ordinal: self.state.ordinal },
            items: self.pinned.iter().take(part).map(|item| item.payload.clone()).collect(),
            lost_total: pinned.lost_total,
            label: pinned.label.clone(),
        })
    }

    /// Takes the oldest items out of the segments: at least one where there are any, and no more than the
    /// bounds.
    fn take(&mut self, bounds: &BatchBounds) -> Result<VecDeque<PinnedItem>, SpoolError> {
        let mut taken = VecDeque::new();
        let mut bytes = 0usize;
        let (head, gave_way) = (self.state.head, self.state.gave_way);
        let start = self.segments.partition_point(|segment| segment.first < self.cursor.segment);
        for segment in self.segments.iter_mut().skip(start) {
            if segment.first != self.cursor.segment {
                self.cursor = Cursor::at(segment.first);
            }
            if segment.live == 0 {
                continue;
            }
            let content = match segment.read_from(self.cursor.offset) {
                Ok(content) => content,
                // What was taken before goes first.
                Err(error) if !taken.is_empty() => {
                    tracing::warn!(%error, "a file of the spool cannot be read now");
                    return Ok(taken);
                }
                Err(error) => return Err(error),
            };
            let mut records = segment.records(&content);
            let from = self.cursor.offset;
            for record in records.by_ref() {
                let header = record.header;
                if header.number < head || (header.gives_way && header.number < gave_way) {
                    continue;
                }
                bytes = bytes.saturating_add(record.payload.len());
                let is_full = taken.len() >= bounds.count_max || bytes > bounds.bytes_max;
                if is_full && !taken.is_empty() {
                    self.cursor.offset = from + record.offset as u64;
                    return Ok(taken);
                }
                segment.live = segment.live.saturating_sub(1);
                segment.giving_way = segment.giving_way.saturating_sub(u64::from(header.gives_way));
                taken.push_back(PinnedItem {
                    number: header.number,
                    time_ms: header.time_ms,
                    payload: Bytes::copy_from_slice(record.payload),
                });
            }
            self.cursor.offset = from + records.end() as u64;
            if segment.live > 0 {
                tracing::error!(
                    path = %segment.path.display(),
                    items = segment.live,
                    "a file of the spool is damaged: items in it are lost, and counted as dropped"
                );
                (segment.live, segment.giving_way) = (0, 0);
            }
        }
        Ok(taken)
    }

    /// Undoes [`Queue::take`].
    fn put_back(&mut self) {
        self.state.pinned = None;
        for item in std::mem::take(&mut self.pinned) {
            let holder = self
                .segments
                .iter_mut()
                .find(|segment| segment.first <= item.number && item.number < segment.end);
            if let Some(segment) = holder {
                segment.live += 1;
            }
        }
    }

    fn find_oldest(&self) -> Option<u64> {
        if let Some(item) = self.pinned.front() {
            return Some(item.time_ms);
        }
        let segment = self.segments.iter().find(|segment| segment.live > 0)?;
        let is_current = segment.first == self.cursor.segment;
        let offset = if is_current { self.cursor.offset } else { SEGMENT_HEADER_BYTES as u64 };
        let content = segment.read_from(offset).ok()?;
        let oldest = segment
            .records(&content)
            .find(|record| self.is_live(record.header.number, record.header.gives_way))?;
        Some(oldest.header.time_ms)
    }

    /// No more records go into the last segment.
    pub(super) fn seal(&mut self) {
        if let (Some(file), Some(last)) = (self.active.take(), self.segments.back())
            && self.sealed.len() < SEALED_MAX
        {
            self.sealed.push((last.path.clone(), file));
        }
    }

    /// What is to be synced now.
    pub(super) fn unsynced(&mut self) -> Vec<(PathBuf, File)> {
        if !std::mem::take(&mut self.is_unsynced) {
            return Vec::new();
        }
        let mut files = std::mem::take(&mut self.sealed);
        let folder = &self.settings.folder;
        let active = self.active.as_ref().map(File::try_clone);
        // Items before the state that counts them.
        for file in active.into_iter().chain([File::open(folder), self.state_file.try_clone()]) {
            match file {
                Ok(file) => files.push((folder.clone(), file)),
                Err(error) => {
                    self.is_unsynced = true;
                    tracing::warn!(%error, "the spool cannot be synced yet");
                }
            }
        }
        files
    }

    pub(super) fn sync_folder(&self) -> Result<(), SpoolError> {
        let folder = &self.settings.folder;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(SpoolError::file("cannot sync", folder))
    }
}

impl Drop for Queue {
    /// The lock goes with the spool, at once: a sync that is still under way has a copy of the file, and so has
    /// for a moment whatever this process starts meanwhile. Either would keep the next one out.
    fn drop(&mut self) {
        if let Err(error) = flock(&self.state_file, FlockOperation::Unlock) {
            tracing::warn!(%error, "the spool stays locked until its last copy is closed");
        }
    }
}

/// Records of one write.
#[derive(Debug, Default)]
struct Chunk {
    records: Vec<u8>,
    count: u64,
    giving_way: u64,
    /// Holds an item that is too large for any spool.
    is_refused: bool,
}

/// Tells the same items from others.
pub(super) fn digest(items: &VecDeque<PinnedItem>, part: u64) -> u64 {
    let part = usize::try_from(part).unwrap_or(usize::MAX);
    items.iter().take(part).fold(part as u64, |seed, item| XxHash64::oneshot(seed, &item.payload))
}
