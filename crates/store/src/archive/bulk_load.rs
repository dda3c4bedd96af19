//! Events straight into the archive, past intake: for generated data and imports.

use super::file::{FileLayout, FileWriter, NewFile};
use super::rows::BatchBuilder;
use crate::rollups::RollupStore;
use crate::rollups::counts::RollupCounts;
use crate::{Database, Session, StoreError};
use ringwall_event::{Event, EventId, Source, Timestamp};
use rusqlite::params;
use std::collections::HashMap;

/// Takes events in about the order of their receipt and writes files of the archive. Each file is
/// there with all that refers to it, or not at all.
pub struct BulkLoad<'d> {
    database: &'d Database,
    settings: BulkLoadSettings,
    day: Option<i64>,
    current: Option<Current>,
    /// Not written yet: later ones may be earlier in time.
    pending: Vec<Event>,
    /// Too late for the current file: they begin the next.
    late: Vec<Event>,
    loaded: BulkLoaded,
}

/// Bounds of a load.
#[derive(Clone, Copy, Debug)]
pub struct BulkLoadSettings {
    /// How the files are laid out.
    pub layout: FileLayout,
    /// How many events a file has at most.
    pub file_events_max: u64,
    /// How many events are held to be sorted.
    pub sorted_at_once: usize,
}

impl Default for BulkLoadSettings {
    fn default() -> Self {
        Self { layout: FileLayout::default(), file_events_max: 4 << 20, sorted_at_once: 256 << 10 }
    }
}

/// What a load brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkLoaded {
    /// Files written.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
}

struct Current {
    writer: FileWriter,
    sources: HashMap<Source, u64>,
    rollups: RollupCounts,
    newest: (Timestamp, EventId),
}

const ROWS_AT_ONCE: usize = 16 << 10;
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

impl<'d> BulkLoad<'d> {
    /// Begins a load.
    ///
    /// # Errors
    /// Where the archive folder cannot be made.
    pub fn open(database: &'d Database, settings: BulkLoadSettings) -> Result<Self, StoreError> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = database.archive_folder();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            StoreError::Archive { file: folder.display().to_string(), why: error.to_string() }
        })?;
        Ok(Self {
            database,
            settings,
            day: None,
            current: None,
            pending: Vec::new(),
            late: Vec::new(),
            loaded: BulkLoaded::default(),
        })
    }

    /// Adds events, with their ids and times of receipt.
    ///
    /// # Errors
    /// Where the disk refuses: what was not finished is then lost.
    pub fn add(&mut self, events: impl IntoIterator<Item = Event>) -> Result<(), StoreError> {
        for event in events {
            let day = event.received.as_micros().div_euclid(DAY_MICROS);
            if self.day != Some(day) {
                self.end_day()?;
                self.day = Some(day);
            }
            self.pending.push(event);
            if self.pending.len() >= self.settings.sorted_at_once {
                self.write_older_half()?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and says what was loaded.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(mut self) -> Result<BulkLoaded, StoreError> {
        self.end_day()?;
        Ok(self.loaded)
    }

    /// What was loaded so far.
    pub fn loaded(&self) -> BulkLoaded {
        self.loaded
    }

    fn end_day(&mut self) -> Result<(), StoreError> {
        while !self.pending.is_empty() || !self.late.is_empty() {
            self.pending.append(&mut self.late);
            sort(&mut self.pending);
            let rest = std::mem::take(&mut self.pending);
            self.write(rest)?;
            self.end_file()?;
        }
        self.end_file()
    }

    fn write_older_half(&mut self) -> Result<(), StoreError> {
        sort(&mut self.pending);
        let newer = self.pending.split_off(self.pending.len() / 2);
        let older = std::mem::replace(&mut self.pending, newer);
        self.write(older)?;
        let events = self.current.as_ref().map_or(0, |current| current.writer.events());
        if events >= self.settings.file_events_max || self.late.len() > self.settings.sorted_at_once
        {
            self.end_file()?;
            self.pending.append(&mut self.late);
        }
        Ok(())
    }

    /// Writes sorted events; those before what was written already wait for the next file.
    fn write(&mut self, sorted: Vec<Event>) -> Result<(), StoreError> {
        let Some(day) = self.day else { return Ok(()) };
        let current = match &mut self.current {
            Some(current) => current,
            None => self.current.insert(Current {
                writer: FileWriter::create(
                    self.database.archive_folder(),
                    day,
                    &self.settings.layout,
                )?,
                sources: HashMap::new(),
                rollups: RollupCounts::default(),
                newest: (Timestamp::from_micros(i64::MIN), EventId::default()),
            }),
        };
        let mut builder = BatchBuilder::default();
        for event in sorted {
            let key = (event.time, event.id);
            if key < current.newest {
                self.late.push(event);
                continue;
            }
            current.newest = key;
            match current.sources.get_mut(&event.source) {
                Some(count) => *count += 1,
                None => drop(current.sources.insert(event.source.clone(), 1)),
            }
            current.rollups.add_one(
                event.received,
                &event.source,
                event.activity.kind(),
                event.severity,
                1,
            )?;
            builder.push(&event)?;
            if builder.len() >= ROWS_AT_ONCE {
                current.writer.write(&builder.finish()?)?;
            }
        }
        if !builder.is_empty() {
            current.writer.write(&builder.finish()?)?;
        }
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), StoreError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        if current.writer.events() == 0 {
            return Ok(());
        }
        let file = current.writer.finish()?;
        self.database.write_now(|session| {
            session.merge_rollups(&current.rollups)?;
            session.refer_to(&file, &current.sources)
        })?;
        self.loaded.files += 1;
        self.loaded.events += file.events;
        self.loaded.bytes += file.bytes;
        Ok(())
    }
}

fn sort(events: &mut [Event]) {
    events.sort_unstable_by_key(|event| (event.time, event.id));
}

impl Session<'_> {
    /// Makes a finished file part of the archive, with this transaction.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn refer_to(
        &self,
        file: &NewFile,
        sources: &HashMap<Source, u64>,
    ) -> Result<i64, StoreError> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "INSERT INTO archive_file (name, day, events, bytes, time_min, time_max,
                     received_min, received_max, sha256, created, block_sums)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                file.name,
                file.day,
                whole(file.events),
                whole(file.bytes),
                file.time_min.as_micros(),
                file.time_max.as_micros(),
                file.received_min.as_micros(),
                file.received_max.as_micros(),
                file.sha256.as_slice(),
                file.received_max.as_micros(),
                file.block_sums,
            ])?;
        let id = self.connection.last_insert_rowid();
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO archive_file_source (file, source, events) VALUES (?, ?, ?)",
        )?;
        for (source, events) in sources {
            insert.execute(params![id, self.source_id(source)?, whole(*events)])?;
        }
        Ok(id)
    }
}
