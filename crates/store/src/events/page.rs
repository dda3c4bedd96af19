//! A page of events, newest first, over intake and archive.
//!
//! Batches and row groups are taken by their newest event; an event is next when nothing still to come
//! can hold a newer one. Of a row group only the columns of the filter are unpacked, from its end and
//! ever more at a time, and whole rows only where they are on the page.

use super::{EventFilter, EventPage, PagePosition, unpack, unreadable};
use crate::archive::columns::Column;
use crate::archive::events_of::{Rows, events_of};
use crate::archive::file::ArchiveFile;
use crate::archive::rows::BatchBuilder;
use crate::batch;
use crate::scan::evaluate::Evaluator;
use crate::scan::predicate::Predicate;
use crate::scan::prune::prune;
use crate::{Session, StoreError};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use ringwall_event::{Event, EventId, Timestamp};
use rusqlite::params;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// Rows of a row group that are looked at first; each time after, twice as many.
const ROWS_AT_FIRST: usize = 8 << 10;

pub(super) fn page(
    session: &Session<'_>,
    filter: &EventFilter,
    after: Option<PagePosition>,
    limit: usize,
    budget: Option<Duration>,
) -> Result<EventPage, StoreError> {
    let mut wanted = Wanted::new(filter, after);
    let source = match &filter.source {
        None => None,
        Some(source) => match session.known_source_id(source)? {
            Some(id) => Some(id),
            None => return Ok(EventPage::default()),
        },
    };
    let began = Instant::now();
    let bounds = (wanted.oldest_allowed.as_micros(), wanted.newest_allowed.as_micros());
    let mut units: BinaryHeap<Unit> = session
        .live_files_of(bounds, source)?
        .into_iter()
        .map(|file| Unit { time_max: file.time_max, what: What::File(file.name) })
        .collect();
    // Bodies are fetched one by one: SQLite would read each into memory, wanted or not.
    let mut fetch =
        session.connection.prepare_cached(&format!("SELECT {} WHERE b.seq = ?", super::COLUMNS))?;
    let mut statement = session.connection.prepare_cached(&format!(
        "SELECT b.seq, s.dialect, b.time_max, b.keys
         FROM batch b JOIN source s ON s.id = b.source
         WHERE {} b.time_max >= ? AND b.time_min <= ? ORDER BY b.time_max DESC",
        if source.is_some() { "b.source = ? AND" } else { "? IS NULL AND" }
    ))?;
    let mut rows = statement.query(params![source, bounds.0, bounds.1])?;
    let mut row = rows.next()?;
    let mut chosen: Vec<Newest> = Vec::with_capacity(limit.min(1024));
    let mut waiting: BinaryHeap<Newest> = BinaryHeap::new();
    let mut resume = None;
    let mut looked = false;
    loop {
        let batch_max = match row {
            Some(row) => Some(Timestamp::from_micros(row.get(2)?)),
            None => None,
        };
        let unit_max = units.peek().map(|unit| unit.time_max);
        let Some(next_max) = batch_max.max(unit_max) else { break };
        while chosen.len() < limit && waiting.peek().is_some_and(|newest| newest.time > next_max) {
            chosen.extend(waiting.pop());
        }
        if chosen.len() >= limit || next_max < wanted.oldest_allowed {
            break;
        }
        // However little time there is, each page comes further than the one before.
        let here = PagePosition { time: next_max, id: EventId::from_u128(u128::MAX) };
        if looked
            && budget.is_some_and(|budget| began.elapsed() >= budget)
            && after.is_none_or(|after| here < after)
        {
            resume = Some(here);
            break;
        }
        looked = true;
        if unit_max >= batch_max {
            if let Some(unit) = units.pop() {
                look(session, unit, &wanted, limit, &mut units, &mut waiting)?;
            }
        } else if let Some(batch) = row {
            let dialect = batch.get_ref(1)?.as_str().map_err(unreadable("source"))?;
            let keys = batch.get_ref(3)?.as_blob().map_err(unreadable("batch keys"))?;
            if wanted.may_hold(keys, dialect) {
                let mut bodies = fetch.query([batch.get::<_, i64>(0)?])?;
                if let Some(body) = bodies.next()? {
                    let mut events = unpack(body)?.events;
                    events.retain(|event| wanted.fits(event));
                    wanted.keep_containing(&mut events)?;
                    waiting.extend(events.into_iter().map(Newest::event));
                }
            }
            row = rows.next()?;
        }
        // What can never be on this page need not wait for it.
        if waiting.len() > 4 * limit + 4096 {
            let mut best = std::mem::take(&mut waiting).into_sorted_vec();
            let surplus = best.len().saturating_sub(limit.saturating_add(1));
            best.drain(..surplus);
            wanted.raise_oldest(best.first().map(|oldest| oldest.time));
            waiting = best.into();
        }
    }
    if resume.is_none() {
        while chosen.len() < limit {
            match waiting.pop() {
                Some(newest) => chosen.push(newest),
                None => break,
            }
        }
    }
    Ok(EventPage { events: fetch_rows(chosen)?, resume })
}

/// A part of the archive that may hold events of the page.
struct Unit {
    /// None of its events is later.
    time_max: Timestamp,
    what: What,
}

enum What {
    File(String),
    Group(Box<Group>),
}

/// The rows of a row group before `end`.
struct Group {
    file: ArchiveFile,
    group: usize,
    end: usize,
    rows_next: usize,
    /// What is left to ask of its rows; none before that is worked out.
    left: Option<Predicate>,
}

impl PartialEq for Unit {
    fn eq(&self, other: &Self) -> bool {
        self.time_max == other.time_max
    }
}

impl Eq for Unit {}

impl PartialOrd for Unit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.time_max.cmp(&other.time_max)
    }
}

/// Looks into a part of the archive: what it holds waits, what is left of it is to be looked at later.
fn look(
    session: &Session<'_>,
    unit: Unit,
    wanted: &Wanted<'_>,
    limit: usize,
    units: &mut BinaryHeap<Unit>,
    waiting: &mut BinaryHeap<Newest>,
) -> Result<(), StoreError> {
    match unit.what {
        What::File(name) => {
            let file = session.archive_file(&name)?;
            for group in 0..file.row_groups() {
                let (time_min, time_max) = file.times_of(group).unwrap_or((i64::MIN, i64::MAX));
                if time_min > wanted.newest_allowed.as_micros()
                    || time_max < wanted.oldest_allowed.as_micros()
                {
                    continue;
                }
                let time_max = Timestamp::from_micros(time_max).min(wanted.newest_allowed);
                let group = Group {
                    end: file.rows_until(group, wanted.newest_allowed),
                    file: file.clone(),
                    group,
                    rows_next: ROWS_AT_FIRST,
                    left: None,
                };
                units.push(Unit { time_max, what: What::Group(Box::new(group)) });
            }
            Ok(())
        }
        What::Group(group) => look_into_group(*group, wanted, limit, units, waiting),
    }
}

fn look_into_group(
    mut group: Group,
    wanted: &Wanted<'_>,
    limit: usize,
    units: &mut BinaryHeap<Unit>,
    waiting: &mut BinaryHeap<Newest>,
) -> Result<(), StoreError> {
    let left = match group.left.take() {
        Some(left) => left,
        None => prune(&group.file, group.group, &wanted.predicate)?,
    };
    if left == Predicate::False || group.end == 0 {
        return Ok(());
    }
    let begin = group.end.saturating_sub(group.rows_next);
    let mut evaluator = Evaluator::new(&left);
    let mut columns: Vec<Column> = left.columns().into_iter().collect();
    columns.push(Column::Time);
    let selection = between(begin, group.end);
    let mut row = begin;
    let mut first_time = None;
    // Rows are sorted: the last that fit are the newest.
    let mut found: Vec<usize> = Vec::new();
    for batch in group.file.read(vec![group.group], &columns, Some(selection))? {
        let batch = batch?;
        let fits = evaluator.rows(&batch);
        let times = Rows::new(&batch);
        for at in 0..batch.num_rows() {
            let time = times.integer(Column::Time, at).map(Timestamp::from_micros);
            first_time = first_time.or(time);
            if fits.value(at) && time.is_some_and(|time| time <= wanted.newest_allowed) {
                found.push(row + at);
            }
        }
        row += batch.num_rows();
    }
    // Those as old as the place that the page begins after may be on the page before: they are many
    // only where thousands happened in one microsecond.
    let ids = [Column::Time, Column::MetadataBatchUid, Column::MetadataSequence];
    let mut kept = 0;
    let mut upto = found.len();
    while kept < limit && upto > 0 {
        let from = upto.saturating_sub(limit.max(64));
        let part = found.get(from..upto).unwrap_or_default();
        let mut places = part.iter();
        for batch in group.file.read(vec![group.group], &ids, Some(these(part)))? {
            let batch = batch?;
            let rows = Rows::new(&batch);
            for at in 0..batch.num_rows() {
                let Some(place) = places.next() else { break };
                let time = rows.integer(Column::Time, at).unwrap_or_default();
                let newest = Newest {
                    time: Timestamp::from_micros(time),
                    id: rows.id(at)?,
                    what: Found::Row(group.file.clone(), group.group, *place),
                };
                if wanted.comes_after(newest.time, newest.id) {
                    waiting.push(newest);
                    kept += 1;
                }
            }
        }
        upto = from;
    }
    if begin > 0
        && let Some(time_max) = first_time
        && time_max >= wanted.oldest_allowed
        && kept < limit
    {
        group.end = begin;
        group.rows_next = group.rows_next.saturating_mul(2);
        group.left = Some(left);
        units.push(Unit { time_max, what: What::Group(Box::new(group)) });
    }
    Ok(())
}

/// The rows from `begin` up to `end`.
fn between(begin: usize, end: usize) -> RowSelection {
    vec![RowSelector::skip(begin), RowSelector::select(end - begin)].into()
}

/// These rows, which come in order.
fn these(rows: &[usize]) -> RowSelection {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut at = 0;
    for row in rows {
        if *row > at {
            selectors.push(RowSelector::skip(*row - at));
        }
        match selectors.last_mut() {
            Some(last) if !last.skip => last.row_count += 1,
            _ => selectors.push(RowSelector::select(1)),
        }
        at = *row + 1;
    }
    selectors.into()
}

/// The whole events, in the order they were chosen in.
fn fetch_rows(chosen: Vec<Newest>) -> Result<Vec<Event>, StoreError> {
    let mut places: BTreeMap<(std::sync::Arc<str>, usize), (ArchiveFile, Vec<usize>)> =
        BTreeMap::new();
    for newest in &chosen {
        if let Found::Row(file, group, row) = &newest.what {
            places
                .entry((file.name.clone(), *group))
                .or_insert_with(|| (file.clone(), Vec::new()))
                .1
                .push(*row);
        }
    }
    let mut fetched: BTreeMap<EventId, Event> = BTreeMap::new();
    for ((_, group), (file, mut rows)) in places {
        rows.sort_unstable();
        for batch in file.read(vec![group], Column::ALL, Some(these(&rows)))? {
            fetched.extend(events_of(&batch?)?.into_iter().map(|event| (event.id, event)));
        }
    }
    chosen
        .into_iter()
        .map(|newest| match newest.what {
            Found::Event(event) => Ok(event),
            Found::Row(file, ..) => fetched.remove(&newest.id).ok_or_else(|| {
                let why = "a row is gone that was there".to_owned();
                StoreError::Archive { file: file.name.to_string(), why }
            }),
        })
        .collect()
}

/// The filter, ready for many batches and row groups.
struct Wanted<'a> {
    filter: &'a EventFilter,
    after: Option<PagePosition>,
    fingerprints: Vec<u32>,
    newest_allowed: Timestamp,
    oldest_allowed: Timestamp,
    /// All of the filter, for the archive.
    predicate: Predicate,
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
        let predicate = predicate_of(filter);
        Self { filter, after, fingerprints, newest_allowed, oldest_allowed, predicate }
    }

    fn may_hold(&self, keys: &[u8], dialect: &str) -> bool {
        self.filter.dialect.as_deref().is_none_or(|wanted| wanted == dialect)
            && self.fingerprints.iter().all(|wanted| batch::has_fingerprint(keys, *wanted))
    }

    fn fits(&self, event: &Event) -> bool {
        event.time <= self.newest_allowed
            && event.time >= self.oldest_allowed
            && self.comes_after(event.time, event.id)
            && self.filter.pid.is_none_or(|pid| event.pid() == Some(pid))
            && self.filter.kind.as_deref().is_none_or(|kind| event.activity.kind() == kind)
    }

    /// Drops the events without the words that are looked for.
    fn keep_containing(&self, events: &mut Vec<Event>) -> Result<(), StoreError> {
        let Some(words) = &self.filter.contains else { return Ok(()) };
        let mut builder = BatchBuilder::default();
        for event in &*events {
            builder.push(event)?;
        }
        let fits = Evaluator::new(&Predicate::any_text_contains(words)).rows(&builder.finish()?);
        let mut fits = fits.iter();
        events.retain(|_| fits.next() == Some(true));
        Ok(())
    }

    fn comes_after(&self, time: Timestamp, id: EventId) -> bool {
        self.after.is_none_or(|after| PagePosition { time, id } < after)
    }

    fn raise_oldest(&mut self, oldest: Option<Timestamp>) {
        self.oldest_allowed = self.oldest_allowed.max(oldest.unwrap_or(self.oldest_allowed));
    }
}

fn predicate_of(filter: &EventFilter) -> Predicate {
    let mut all = Predicate::True;
    if let Some(source) = &filter.source {
        all = all
            .and(Predicate::equals(Column::MetadataLogName, &source.name))
            .and(Predicate::equals(Column::MetadataLogProvider, &source.dialect));
    }
    if let Some(dialect) = &filter.dialect {
        all = all.and(Predicate::equals(Column::MetadataLogProvider, dialect));
    }
    if let Some(kind) = &filter.kind {
        all = all.and(Predicate::equals(Column::Kind, kind));
    }
    if let Some(pid) = filter.pid {
        all = all.and(Predicate::number(Column::ProcessPid, pid));
    }
    if let Some(words) = &filter.contains {
        all = all.and(Predicate::any_text_contains(words));
    }
    if let Some(since) = filter.since {
        all = all.and(Predicate::time_within(since.as_micros(), i64::MAX));
    }
    all
}

/// An event, or where it is, ordered by (time, id): the heap gives the newest first.
struct Newest {
    time: Timestamp,
    id: EventId,
    what: Found,
}

enum Found {
    Event(Event),
    Row(ArchiveFile, usize, usize),
}

impl Newest {
    fn event(event: Event) -> Self {
        Self { time: event.time, id: event.id, what: Found::Event(event) }
    }
}

impl PartialEq for Newest {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.id) == (other.time, other.id)
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
        (self.time, self.id).cmp(&(other.time, other.id))
    }
}
