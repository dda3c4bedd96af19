mod page;

use crate::archive::columns::Column;
use crate::archive::events_of::events_of;
use crate::batch::{self, EncodedBatch};
use crate::scan::control::ScanControl;
use crate::scan::predicate::{Predicate, Test};
use crate::scan::snapshot::{Sink, scan_row_group};
use crate::{Session, StoreError};
use arrow_array::RecordBatch;
use ringwall_event::{Event, EventId, Source, Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

/// The events: appended in batches, read newest first.
pub trait EventStore {
    /// Adds a batch; the event at position `n` of it gets the id `base.at(n)`.
    ///
    /// Returns the batch's number, greater than all before.
    ///
    /// # Errors
    /// Where the database cannot be written.
    fn append_batch(
        &self,
        source: &Source,
        base: EventId,
        received: Timestamp,
        batch: &EncodedBatch,
    ) -> Result<i64, StoreError>;

    /// Up to `limit` events that fit the filter, newest first by (time, id), beginning after
    /// `after`.
    ///
    /// # Errors
    /// Where the database cannot be read, or a batch is damaged.
    fn events(
        &self,
        filter: &EventFilter,
        after: Option<PagePosition>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// As [`EventStore::events`], but ends once so much time is used up: the page may then be short or
    /// empty, and says where to go on.
    ///
    /// # Errors
    /// Where the database or a file cannot be read, or a batch is damaged.
    fn events_within(
        &self,
        filter: &EventFilter,
        after: Option<PagePosition>,
        limit: usize,
        budget: Duration,
    ) -> Result<EventPage, StoreError>;

    /// The event with this id.
    ///
    /// # Errors
    /// Where the database cannot be read, or a batch is damaged.
    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Calls `each` with every batch in intake after number `seq`, in order; of one dialect only, if it is
    /// named. Batches that a checkpoint contains may be archived already; see
    /// [`Session::recent_events`].
    ///
    /// # Errors
    /// What `each` gives; where the database cannot be read, or a batch is damaged.
    fn replay(
        &self,
        after_seq: i64,
        dialect: Option<&str>,
        each: &mut dyn FnMut(StoredBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// The latest time of receipt, archived events included.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn last_received(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many events are stored, archived ones included.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn event_count(&self) -> Result<u64, StoreError>;
}

/// Which events; every field that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Sent by this one.
    pub source: Option<Source>,
    /// Sent in this dialect.
    pub dialect: Option<String>,
    /// About the process with this pid.
    pub pid: Option<i64>,
    /// Of this kind (`Activity::kind`).
    pub kind: Option<String>,
    /// With these words in any of its texts; A to Z count as a to z.
    pub contains: Option<String>,
    /// Happened at or after.
    pub since: Option<Timestamp>,
    /// Happened before.
    pub until: Option<Timestamp>,
}

/// A place in the order newest first: what follows is older, or as old with a smaller id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PagePosition {
    /// The event's time.
    pub time: Timestamp,
    /// The event's id.
    pub id: EventId,
}

/// Events, newest first.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where to go on, if the time was used up before the page was full.
    pub resume: Option<PagePosition>,
}

/// One batch, unpacked.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    /// Its number.
    pub seq: i64,
    /// Who sent it.
    pub source: Source,
    /// When it was taken.
    pub received: Timestamp,
    /// Its events in the order sent.
    pub events: Vec<Event>,
}

const COLUMNS: &str = "b.seq, s.dialect, s.name, b.received, b.base, b.body FROM batch b JOIN source s ON s.id = b.source";

impl EventStore for Session<'_> {
    fn append_batch(
        &self,
        source: &Source,
        base: EventId,
        received: Timestamp,
        batch: &EncodedBatch,
    ) -> Result<i64, StoreError> {
        let source = self.source_id(source)?;
        self.connection
            .prepare_cached(
                // The newest batches may be archived already: numbers never go back all the same.
                "INSERT INTO batch
                     (seq, source, received, time_min, time_max, events, base, keys, body)
                 VALUES (1 + max(coalesce((SELECT max(seq) FROM batch), 0),
                                 coalesce((SELECT value FROM meta WHERE name = 'archived_seq'), 0)),
                         ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                source,
                received.as_micros(),
                batch.time_min.as_micros(),
                batch.time_max.as_micros(),
                i64::try_from(batch.events).unwrap_or(i64::MAX),
                base.as_u128().to_be_bytes().as_slice(),
                batch.keys,
                batch.body,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn events(
        &self,
        filter: &EventFilter,
        after: Option<PagePosition>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        page::page(self, filter, after, limit, None).map(|page| page.events)
    }

    fn events_within(
        &self,
        filter: &EventFilter,
        after: Option<PagePosition>,
        limit: usize,
        budget: Duration,
    ) -> Result<EventPage, StoreError> {
        page::page(self, filter, after, limit, Some(budget))
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let millis = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX).saturating_mul(1000);
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE b.received >= ? AND b.received < ? AND b.base = ?"
        ))?;
        let base = id.at(0).as_u128().to_be_bytes();
        let mut rows =
            statement.query(params![millis, millis.saturating_add(1000), base.as_slice()])?;
        match rows.next()? {
            Some(row) => Ok(unpack(row)?.events.into_iter().find(|event| event.id == id)),
            None => self.archived_event(id, millis),
        }
    }

    fn replay(
        &self,
        after_seq: i64,
        dialect: Option<&str>,
        each: &mut dyn FnMut(StoredBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT {COLUMNS} WHERE b.seq > ?1 AND (?2 IS NULL OR s.dialect = ?2) ORDER BY b.seq"
        ))?;
        let mut rows = statement.query(params![after_seq, dialect])?;
        while let Some(row) = rows.next()? {
            each(unpack(row)?)?;
        }
        Ok(())
    }

    fn last_received(&self) -> Result<Option<Timestamp>, StoreError> {
        // Each is the last entry of an index.
        let micros: Option<i64> = self.connection.query_row(
            "SELECT max(received) FROM (
                 SELECT max(received) AS received FROM batch
                 UNION ALL SELECT max(received_max) FROM archive_file WHERE state = 0
                 UNION ALL SELECT max(received_max) FROM archive_file WHERE state = 1)",
            [],
            |row| row.get(0),
        )?;
        Ok(micros.map(Timestamp::from_micros))
    }

    fn event_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row(
            "SELECT (SELECT coalesce(sum(events), 0) FROM batch)
                 + (SELECT coalesce(sum(events), 0) FROM archive_file WHERE state = 0)",
            [],
            |row| row.get(0),
        )?;
        Ok(count.unsigned_abs())
    }
}

impl Session<'_> {
    /// Looks for an event that was received in this millisecond (its first microsecond).
    fn archived_event(&self, id: EventId, received: i64) -> Result<Option<Event>, StoreError> {
        let until = received.saturating_add(999);
        let uid = BTreeSet::from([id.at(0).as_u128()]);
        let wanted = Predicate::Has(Column::MetadataBatchUid, Test::OneOfUids(uid))
            .and(Predicate::number(Column::MetadataSequence, i64::from(id.position())))
            .and(Predicate::Has(
                Column::MetadataLoggedTime,
                Test::Within { min: received, max: until },
            ));
        let mut statement = self.connection.prepare_cached(
            "SELECT name FROM archive_file
             WHERE state = 0 AND received_max >= ? AND received_min <= ?",
        )?;
        let names = statement.query_map([received, until], |row| row.get::<_, String>(0))?;
        let mut found = FirstEvent(None);
        for name in names {
            let file = self.archive_file(&name?)?;
            for group in 0..file.row_groups() {
                let control = ScanControl::default();
                let looked =
                    scan_row_group(&file, group, &wanted, Column::ALL, &control, &mut found)?;
                if looked.is_break() {
                    return Ok(found.0);
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn known_source_id(&self, source: &Source) -> Result<Option<i64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT id FROM source WHERE dialect = ? AND name = ?")?
            .query_row(params![source.dialect, source.name], |row| row.get(0))
            .optional()?)
    }

    pub(crate) fn source_id(&self, source: &Source) -> Result<i64, StoreError> {
        if let Some(id) = self.known_source_id(source)? {
            return Ok(id);
        }
        self.connection
            .prepare_cached("INSERT INTO source (dialect, name) VALUES (?, ?)")?
            .execute(params![source.dialect, source.name])?;
        Ok(self.connection.last_insert_rowid())
    }
}

struct FirstEvent(Option<Event>);

impl Sink for FirstEvent {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        self.0 = events_of(batch)?.into_iter().next();
        Ok(ControlFlow::Break(()))
    }
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn unpack(row: &Row<'_>) -> Result<StoredBatch, StoreError> {
    let text = |column: usize| -> Result<String, rusqlite::Error> { row.get(column) };
    let source = Source::new(&text(1)?, &text(2)?);
    let received = Timestamp::from_micros(row.get(3)?);
    let base: [u8; 16] = row.get(4)?;
    let body = row.get_ref(5)?.as_blob().map_err(unreadable("batch body"))?;
    let base = EventId::from_u128(u128::from_be_bytes(base));
    let events = batch::decode(body, &source, base, received).map_err(unreadable("batch"))?;
    Ok(StoredBatch { seq: row.get(0)?, source, received, events })
}

pub(crate) fn unreadable<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| StoreError::Unreadable { what, why: error.to_string() }
}
