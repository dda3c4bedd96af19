//! Opening a spool: taking stock of what the last process left, however it ended.

use super::DiskSettings;
use super::queue::{Cursor, PinnedItem, Queue, digest};
use super::record::{Records, segment_spool};
use super::segment::Segment;
use super::state::{STATE_BYTES, State};
use crate::item::SpoolId;
use crate::spool::SpoolError;
use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the state file.
pub(super) const STATE_FILE: &str = "state";

impl Queue {
    pub(super) fn open(settings: DiskSettings) -> Result<Self, SpoolError> {
        let settings =
            DiskSettings { bytes_max: settings.bytes_max.max(DiskSettings::BYTES_MIN), ..settings };
        let folder = &settings.folder;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(SpoolError::file("cannot make", folder))?;
        let (state_file, found) = open_state(folder)?;
        let paths = segment_paths(folder)?;
        let is_known = found.is_some();
        let state = match found {
            Some(state) => state,
            None => State::new(
                SpoolId::random().map_err(|error| SpoolError::NoRandomness(error.to_string()))?,
            ),
        };
        let mut queue = Self {
            settings,
            state,
            state_file,
            segments: VecDeque::new(),
            active: None,
            cursor: Cursor::at(0),
            pinned: VecDeque::new(),
            oldest_ms: None,
            is_full: false,
            sealed: Vec::new(),
            is_unsynced: true,
            is_unsaved: false,
        };
        if !is_known && let Some((first, _)) = paths.first() {
            tracing::error!(
                folder = %queue.settings.folder.display(),
                "the spool's state is lost: what is there is counted anew, and may arrive twice"
            );
            (queue.state.base, queue.state.head, queue.state.next) = (*first, *first, *first);
        }
        queue.take_stock(&paths)?;
        queue.resume()?;
        queue.remove_settled();
        // Whatever bound holds now.
        queue.make_room(0)?;
        let counters = queue.counters();
        if counters.waiting > 0 {
            tracing::info!(items = counters.waiting, "the spool holds what was not delivered yet");
        }
        Ok(queue)
    }

    /// Reads all segments: counts what waits and finds what is under way.
    fn take_stock(&mut self, paths: &[(u64, PathBuf)]) -> Result<(), SpoolError> {
        let mut last = None;
        for (position, (first, path)) in paths.iter().enumerate() {
            let is_last = position + 1 == paths.len();
            let content = fs::read(path).map_err(SpoolError::file("cannot read", path))?;
            let owner = segment_spool(&content);
            let mut segment = Segment {
                path: path.clone(),
                first: *first,
                end: *first,
                bytes: content.len() as u64,
                seed: owner.unwrap_or(self.state.spool).seed(),
                live: 0,
                giving_way: 0,
            };
            let mut records = Records::new(&content, self.state.spool);
            for record in records.by_ref() {
                let header = record.header;
                if last.is_some_and(|last| header.number <= last) {
                    continue;
                }
                last = Some(header.number);
                segment.end = header.number + 1;
                if self.is_live(header.number, header.gives_way) {
                    segment.live += 1;
                    segment.giving_way += u64::from(header.gives_way);
                } else if let Some(pinned) = &self.state.pinned
                    && (pinned.first..pinned.end).contains(&header.number)
                    && (!header.gives_way || header.number >= pinned.gave_way)
                {
                    self.pinned.push_back(PinnedItem {
                        number: header.number,
                        time_ms: header.time_ms,
                        payload: Bytes::copy_from_slice(record.payload),
                    });
                }
            }
            if segment.end == segment.first {
                // Its name may be that of the next segment: it must not be in the way.
                fs::remove_file(path).map_err(SpoolError::file("cannot remove", path))?;
                continue;
            }
            self.state.next = self.state.next.max(segment.end);
            let sound = records.end() as u64;
            if is_last && sound < segment.bytes {
                let bytes = segment.bytes - sound;
                tracing::warn!(bytes, path = %path.display(), "the spool's end was torn off: it is cut back");
            }
            if is_last && owner == Some(self.state.spool) {
                self.active = reopen(path, sound);
                if self.active.is_some() {
                    segment.bytes = sound;
                }
            }
            self.segments.push_back(segment);
        }
        if let Some(oldest) = self.segments.front() {
            self.cursor = Cursor::at(oldest.first);
        }
        Ok(())
    }

    /// Takes up the batch that was under way, under its number where all of it is there.
    fn resume(&mut self) -> Result<(), SpoolError> {
        let Some(pinned) = &mut self.state.pinned else { return self.save() };
        if self.pinned.is_empty() {
            tracing::error!("the batch under way is lost: it is counted as dropped");
            self.state.pinned = None;
            return self.save();
        }
        if self.pinned.len() as u64 >= pinned.part
            && digest(&self.pinned, pinned.part) == pinned.digest
        {
            return self.save();
        }
        tracing::error!("the batch under way is damaged: what is left of it may arrive twice");
        pinned.part = pinned.part.min(self.pinned.len() as u64);
        self.begin()
    }
}

/// The state file, locked, with its room on the disk taken; and the state in it.
fn open_state(folder: &Path) -> Result<(File, Option<State>), SpoolError> {
    let path = folder.join(STATE_FILE);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(SpoolError::file("cannot open", &path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        rustix::io::Errno::WOULDBLOCK => SpoolError::InUse(folder.to_owned()),
        error => SpoolError::file("cannot lock", &path)(error.into()),
    })?;
    let mut content = Vec::new();
    file.by_ref()
        .take(STATE_BYTES)
        .read_to_end(&mut content)
        .map_err(SpoolError::file("cannot read", &path))?;
    let missing = STATE_BYTES.saturating_sub(content.len() as u64);
    if missing > 0 {
        // Zeros that are written, not a hole: later writes need no room.
        let zeros = vec![0; usize::try_from(missing).unwrap_or(0)];
        file.write_all_at(&zeros, content.len() as u64)
            .and_then(|()| file.sync_all())
            .map_err(SpoolError::file("cannot make", &path))?;
    }
    let state = State::latest(&content);
    Ok((file, state))
}

/// The segments of a folder, oldest first. What an unfinished rewrite left is removed.
fn segment_paths(folder: &Path) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
    let list = || -> io::Result<_> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if let Some(first) = Segment::number(&path) {
                paths.push((first, path));
            } else if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(&path)?;
            }
        }
        paths.sort();
        Ok(paths)
    };
    list().map_err(SpoolError::file("cannot look through", folder))
}

/// Opens the last segment for more records, cut back to what is sound; none where that fails: then it
/// stays as it is, and a new one is begun.
fn reopen(path: &Path, sound: u64) -> Option<File> {
    let open = || {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(sound)?;
        Ok::<_, io::Error>(file)
    };
    open()
        .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "a new file is begun"))
        .ok()
}
