use crate::batch::{self, EncodedBatch};
use crate::{Session, StoreError};
use ringwall_event::{Event, EventId, Source, Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BinaryHeap;

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

    /// The event with this id.
    ///
    /// # Errors
    /// Where the database cannot be read, or a batch is damaged.
    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Calls `each` with every batch after number `seq`, in order; of one dialect only, if it is named.
    ///
    /// # Errors
    /// What `each` gives; where the database cannot be read, or a batch is damaged.
    fn replay(
        &self,
        after_seq: i64,
        dialect: Option<&str>,
        each: &mut dyn FnMut(StoredBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// The number of the first batch received at or after `moment`, or one more than the last.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn first_seq_since(&self, moment: Timestamp) -> Result<i64, StoreError>;

    /// The latest time of receipt.
    ///
    /// # Errors
    /// Where the database cannot be read.
    fn last_received(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many events are stored.
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
        let mut wanted = Wanted::new(filter, after);
        let source = match &filter.source {
            None => None,
            Some(source) => match self.known_source_id(source)? {
                Some(id) => Some(id),
                None => return Ok(Vec::new()),
            },
        };
        // Batches come by their newest event. An event is next when no batch still to come can
        // hold a newer one.
        let newest_allowed = wanted.newest_allowed.as_micros();
        let oldest_allowed = wanted.oldest_allowed.as_micros();
        // Bodies are fetched one by one: SQLite would read each into memory, wanted or not.
        let mut fetch =
            self.connection.prepare_cached(&format!("SELECT {COLUMNS} WHERE b.seq = ?"))?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT b.seq, s.dialect, b.time_max, b.keys
             FROM batch b JOIN source s ON s.id = b.source
             WHERE {} b.time_max >= ? AND b.time_min <= ? ORDER BY b.time_max DESC",
            if source.is_some() { "b.source = ? AND" } else { "? IS NULL AND" }
        ))?;
        let mut rows = statement.query(params![source, oldest_allowed, newest_allowed])?;
        let mut page: Vec<Event> = Vec::with_capacity(limit.min(1024));
        let mut waiting: BinaryHeap<Newest> = BinaryHeap::new();
        while let Some(row) = rows.next()? {
            let time_max = Timestamp::from_micros(row.get(2)?);
            while page.len() < limit
                && waiting.peek().is_some_and(|newest| newest.0.time > time_max)
            {
                page.extend(waiting.pop().map(|newest| newest.0));
            }
            if page.len() >= limit {
                return Ok(page);
            }
            let dialect = row.get_ref(1)?.as_str().map_err(unreadable("source"))?;
            let keys = row.get_ref(3)?.as_blob().map_err(unreadable("batch keys"))?;
            if !wanted.may_hold(keys, dialect) {
                continue;
            }
            let mut bodies = fetch.query([row.get::<_, i64>(0)?])?;
            let Some(body) = bodies.next()? else { continue };
            let events = unpack(body)?.events;
            waiting.extend(events.into_iter().filter(|event| wanted.fits(event)).map(Newest));
            // What can never be on this page need not wait for it.
            if waiting.len() > 4 * limit + 4096 {
                let mut best = std::mem::take(&mut waiting).into_sorted_vec();
                let surplus = best.len().saturating_sub(limit.saturating_add(1));
                best.drain(..surplus);
                wanted.raise_oldest(best.first().map(|oldest| oldest.0.time));
                waiting = best.into();
            }
        }
        while page.len() < limit {
            match waiting.pop() {
                Some(newest) => page.push(newest.0),
                None => break,
            }
        }
        Ok(page)
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        let millis = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX).saturating_mul(1000);
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE b.received >= ? AND b.received < ? AND b.base = ?"
        ))?;
        let base = id.at(0).as_u128().to_be_bytes();
        let mut rows =
            statement.query(params![millis, millis.saturating_add(1000), base.as_slice()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(unpack(row)?.events.into_iter().find(|event| event.id == id))
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

    fn first_seq_since(&self, moment: Timestamp) -> Result<i64, StoreError> {
        let found: Option<i64> = self.connection.query_row(
            "SELECT min(seq) FROM batch WHERE received >= ?",
            [moment.as_micros()],
            |row| row.get(0),
        )?;
        match found {
            Some(seq) => Ok(seq),
            None => Ok(self.connection.query_row(
                "SELECT coalesce(max(seq), 0) + 1 FROM batch",
                [],
                |row| row.get(0),
            )?),
        }
    }

    fn last_received(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> =
            self.connection.query_row("SELECT max(received) FROM batch", [], |row| row.get(0))?;
        Ok(micros.map(Timestamp::from_micros))
    }

    fn event_count(&self) -> Result<u64, StoreError> {
        let count: i64 =
            self.connection
                .query_row("SELECT coalesce(sum(events), 0) FROM batch", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

impl Session<'_> {
    fn known_source_id(&self, source: &Source) -> Result<Option<i64>, StoreError> {
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

/// The filter, ready for many batches.
struct Wanted<'a> {
    filter: &'a EventFilter,
    after: Option<PagePosition>,
    fingerprints: Vec<u32>,
    newest_allowed: Timestamp,
    oldest_allowed: Timestamp,
}

impl<'a> Wanted<'a> {
    fn new(filter: &'a EventFilter, after: Option<PagePosition>) -> Self {
        let mut newest_allowed = Timestamp::from_micros(i64::MAX);
        if let Some(until) = filter.until {
            newest_allowed = newest_allowed.min(until.plus_micros(-1));
        }
        if let Some(position) = after {
            newest_allowed = newest_allowed.min(position.time);
        }
        let oldest_allowed = filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
        let mut fingerprints: Vec<u32> =
            filter.pid.map(batch::pid_fingerprint).into_iter().collect();
        fingerprints.extend(filter.kind.as_deref().map(batch::kind_fingerprint));
        Self { filter, after, fingerprints, newest_allowed, oldest_allowed }
    }

    fn may_hold(&self, keys: &[u8], dialect: &str) -> bool {
        self.filter.dialect.as_deref().is_none_or(|wanted| wanted == dialect)
            && self.fingerprints.iter().all(|wanted| batch::has_fingerprint(keys, *wanted))
    }

    fn fits(&self, event: &Event) -> bool {
        event.time <= self.newest_allowed
            && event.time >= self.oldest_allowed
            && self
                .after
                .is_none_or(|after| PagePosition { time: event.time, id: event.id } < after)
            && self.filter.pid.is_none_or(|pid| event.pid() == Some(pid))
            && self.filter.kind.as_deref().is_none_or(|kind| event.activity.kind() == kind)
    }

    fn raise_oldest(&mut self, oldest: Option<Timestamp>) {
        self.oldest_allowed = self.oldest_allowed.max(oldest.unwrap_or(self.oldest_allowed));
    }
}

/// An event ordered by (time, id): the heap gives the newest first.
struct Newest(Event);

impl Newest {
    fn key(&self) -> (Timestamp, EventId) {
        (self.0.time, self.0.id)
    }
}

impl PartialEq for Newest {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Newest {}

impl PartialOrd for Newest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Newest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
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
