//! Making room: what gives way goes first, then the oldest.

use super::queue::{Cursor, Queue};
use super::record::{Record, SEGMENT_HEADER_BYTES};
use super::segment::Segment;
use crate::spool::SpoolError;

impl Queue {
    /// Whether there is room for so many bytes; drops what must go for it.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<bool, SpoolError> {
        let bytes_max = self.settings.bytes_max;
        // What would not fit into an empty spool must not empty it.
        if bytes + super::state::STATE_BYTES + self.pinned_bytes() > bytes_max {
            return Ok(false);
        }
        while self.bytes() + bytes > bytes_max {
            if !self.thin_out()? && !self.drop_oldest()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes segments of which nothing is needed any more.
    pub(super) fn remove_settled(&mut self) {
        let pinned = self.pinned.front().map(|item| item.number);
        let head = self.state.head;
        while let Some(oldest) = self.segments.front() {
            let is_needed = oldest.end > head || pinned.is_some_and(|first| first < oldest.end);
            if is_needed || (self.segments.len() == 1 && self.active.is_some() && !self.is_large())
            {
                break;
            }
            self.remove(0);
        }
    }

    /// The last segment stays for the next items until it is worth a new file.
    fn is_large(&self) -> bool {
        let quarter = self.segment_bytes() as u64 / 4;
        self.segments.back().is_some_and(|last| last.bytes > quarter)
    }

    fn pinned_bytes(&self) -> u64 {
        let pinned = self.segments.iter().filter(|segment| self.is_pinned(segment));
        pinned.map(|segment| segment.bytes).sum()
    }

    /// Whether the segment holds items of the batch under way, which must be there after a restart.
    fn is_pinned(&self, segment: &Segment) -> bool {
        self.state
            .pinned
            .as_ref()
            .is_some_and(|pinned| segment.first < pinned.end && pinned.first < segment.end)
    }

    /// Drops the items that give way of the oldest segment that has any, but the latest of all; whether
    /// that made room.
    fn thin_out(&mut self) -> Result<bool, SpoolError> {
        let all: u64 = self.segments.iter().map(|segment| segment.giving_way).sum();
        let found = self.segments.iter().enumerate().find(|(_, segment)| {
            let spared = u64::from(segment.giving_way == all);
            !self.is_pinned(segment) && segment.giving_way > spared
        });
        let Some((index, segment)) = found else { return Ok(false) };
        let is_last = segment.giving_way == all;
        // What cannot be read is not kept: it must not stand in the way of all that comes.
        let content = segment.read_from(SEGMENT_HEADER_BYTES as u64).unwrap_or_else(|error| {
            tracing::error!(%error, "a file of the spool cannot be read: it is given up");
            Vec::new()
        });
        let live =
            |record: &Record<'_>| self.is_live(record.header.number, record.header.gives_way);
        let latest = segment
            .records(&content)
            .filter(|record| live(record) && record.header.gives_way)
            .last()
            .map(|record| record.header.number);
        let gave_way = match latest {
            Some(latest) if is_last => latest,
            _ => segment.end,
        };
        // First the books, then the files: what is counted as dropped never comes back.
        self.state.gave_way = self.state.gave_way.max(gave_way);
        self.oldest_ms = None;
        for segment in self.segments.iter_mut().take(index) {
            segment.live -= segment.giving_way;
            segment.giving_way = 0;
        }
        self.save()?;
        let before = self.bytes();
        if let Err(error) = self.rewrite(index, &content) {
            tracing::warn!(%error, "what gave way cannot be removed from the spool: the oldest goes as well");
        }
        Ok(self.bytes() < before)
    }

    /// Writes a segment anew with what waits in it alone, together with the one before it where both are
    /// small.
    fn rewrite(&mut self, index: usize, content: &[u8]) -> Result<(), SpoolError> {
        let Some(segment) = self.segments.get(index) else { return Ok(()) };
        let mut kept = Kept::default();
        for record in segment.records(content) {
            if self.is_live(record.header.number, record.header.gives_way) {
                kept.add(&record, content);
            }
        }
        // Counted anew first, whatever becomes of the file.
        let segment_bytes = self.segment_bytes() as u64;
        if let Some(segment) = self.segments.get_mut(index) {
            (segment.live, segment.giving_way) = (kept.live, kept.giving_way);
        }
        if index + 1 == self.segments.len() {
            self.seal();
        }
        if kept.live == 0 {
            self.remove(index);
            return Ok(());
        }
        let earlier =
            index.checked_sub(1).and_then(|index| self.segments.get(index)).filter(|earlier| {
                !self.is_pinned(earlier)
                    && earlier.seed == self.state.spool.seed()
                    && earlier.bytes + kept.bytes.len() as u64 <= segment_bytes
            });
        let merged = match earlier {
            Some(earlier) => {
                let content = earlier.read_from(SEGMENT_HEADER_BYTES as u64)?;
                let mut both = Kept::default();
                for record in earlier.records(&content) {
                    if self.is_live(record.header.number, record.header.gives_way) {
                        both.add(&record, &content);
                    }
                }
                Some(both)
            }
            None => None,
        };
        let (place, kept) = match merged {
            Some(mut both) => {
                both.bytes.extend_from_slice(&kept.bytes);
                both.live += kept.live;
                both.giving_way += kept.giving_way;
                (index - 1, both)
            }
            None => (index, kept),
        };
        let Some(target) = self.segments.get(place) else { return Ok(()) };
        let temporary = target.path.with_extension("new");
        let spool = self.state.spool;
        let (file, bytes) = Segment::create(&temporary, spool, &kept.bytes)?;
        std::fs::rename(&temporary, &target.path)
            .map_err(SpoolError::file("cannot put in place", &temporary))?;
        self.sealed.push((target.path.clone(), file));
        let end = self.segments.get(index).map_or(0, |segment| segment.end);
        if let Some(target) = self.segments.get_mut(place) {
            target.bytes = bytes;
            target.seed = spool.seed();
            target.end = end;
            (target.live, target.giving_way) = (kept.live, kept.giving_way);
            if self.cursor.segment >= target.first && self.cursor.segment < end {
                self.cursor = Cursor::at(target.first);
            }
        }
        if place != index {
            // Killed before this, the next start reads the same numbers twice and believes the first.
            self.remove(index);
        }
        Ok(())
    }

    /// Drops the oldest segment that holds nothing of the batch under way; whether there was one.
    fn drop_oldest(&mut self) -> Result<bool, SpoolError> {
        let found = self.segments.iter().position(|segment| !self.is_pinned(segment));
        let Some(index) = found else { return Ok(false) };
        let Some(segment) = self.segments.get(index) else { return Ok(false) };
        self.state.head = self.state.head.max(segment.end);
        self.oldest_ms = None;
        for segment in self.segments.iter_mut().take(index + 1) {
            (segment.live, segment.giving_way) = (0, 0);
        }
        self.save()?;
        self.remove(index);
        Ok(true)
    }

    fn remove(&mut self, index: usize) {
        if index + 1 == self.segments.len() {
            self.seal();
        }
        let Some(segment) = self.segments.remove(index) else { return };
        self.sealed.retain(|(path, _)| *path != segment.path);
        if let Err(error) = std::fs::remove_file(&segment.path) {
            // The next start sees that nothing of it is needed, and tries again.
            tracing::warn!(%error, path = %segment.path.display(), "a file of the spool cannot be removed");
        }
    }
}

/// Records that stay.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    live: u64,
    giving_way: u64,
}

impl Kept {
    fn add(&mut self, record: &Record<'_>, content: &[u8]) {
        let end = record.offset + record.header.record_bytes();
        self.bytes.extend_from_slice(content.get(record.offset..end).unwrap_or_default());
        self.live += 1;
        self.giving_way += u64::from(record.header.gives_way);
    }
}
