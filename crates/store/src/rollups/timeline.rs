use super::counts::RollupCounts;
use super::kinds::{KINDS, SEVERITIES, kind_in, number_of, severity_in};
use super::level::moment_of;
use super::packed::unpack;
use super::plan::Plan;
use super::{Series, SeriesKey, Timeline, TimelineBy, TimelineQuery};
use crate::{Session, StoreError};
use ringwall_event::{Severity, Source, Timestamp};
use rusqlite::{OptionalExtension, params};
use std::collections::HashMap;

type Totals = HashMap<u64, u64, foldhash::fast::RandomState>;

pub(super) fn timeline(
    session: &Session<'_>,
    query: &TimelineQuery,
    pending: &[&RollupCounts],
) -> Result<Timeline, StoreError> {
    let plan = Plan::of(query);
    let Some(filter) = Filter::of(session, query)? else {
        // Who never sent anything has a line all the same: a flat one.
        return Ok(timeline_of(&plan, query, Vec::new(), Vec::new()));
    };
    let walk = Walk::new(session, &plan, pending)?;
    let buckets = plan.buckets();
    let sources = match (query.by, filter.source) {
        (TimelineBy::Source, Some(source)) => vec![source],
        (TimelineBy::Source, None) => {
            let totals = walk.totals(&filter)?;
            largest(&totals, query.series_max).into_iter().map(|(source, _)| source).collect()
        }
        _ => Vec::new(),
    };
    let (lanes, lane): (usize, Box<dyn Fn(u64, u8) -> usize>) = match query.by {
        TimelineBy::Nothing => (1, Box::new(|_, _| 0)),
        TimelineBy::Kind => (KINDS.len(), Box::new(|_, code| kind_in(code))),
        TimelineBy::Severity => (SEVERITIES, Box::new(|_, code| severity_in(code))),
        TimelineBy::Source => {
            let others = sources.len();
            let lanes: HashMap<u64, usize, foldhash::fast::RandomState> =
                sources.iter().enumerate().map(|(lane, source)| (*source, lane)).collect();
            let lane = move |source, _| lanes.get(&source).copied().unwrap_or(others);
            (others + 1, Box::new(lane))
        }
    };
    let mut counts = vec![vec![0u64; buckets]; lanes];
    walk.each(|bucket, source, code, count| {
        if filter.lets(source, code)
            && let Some(counted) =
                counts.get_mut(lane(source, code)).and_then(|lane| lane.get_mut(bucket))
        {
            *counted = counted.saturating_add(count);
        }
    })?;
    drop(lane);
    let mut keys: Vec<Option<SeriesKey>> = match query.by {
        TimelineBy::Nothing => vec![Some(SeriesKey::All)],
        TimelineBy::Kind => KINDS.iter().map(|kind| Some(SeriesKey::Kind(kind))).collect(),
        TimelineBy::Severity => {
            Severity::ALL.iter().map(|severity| Some(SeriesKey::Severity(*severity))).collect()
        }
        TimelineBy::Source => sources
            .iter()
            .map(|source| Ok(session.source(*source)?.map(SeriesKey::Source)))
            .collect::<Result<_, StoreError>>()?,
    };
    keys.resize(counts.len(), None);
    let mut series = Vec::with_capacity(keys.len());
    let mut rest = Vec::new();
    for (key, counts) in keys.into_iter().zip(counts) {
        let total = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        match key {
            Some(key) => series.push(Series { key, counts, total }),
            None => rest.push(counts),
        }
    }
    Ok(timeline_of(&plan, query, series, rest))
}

pub(super) fn top_sources(
    session: &Session<'_>,
    (since, until): (Timestamp, Timestamp),
    limit: usize,
    pending: &[&RollupCounts],
) -> Result<Vec<(Source, u64)>, StoreError> {
    let plan = Plan::of_sources(since, until);
    let totals = Walk::new(session, &plan, pending)?.totals(&Filter::default())?;
    let mut named = Vec::with_capacity(limit.min(totals.len()));
    for (source, count) in largest(&totals, limit) {
        named.extend(session.source(source)?.map(|source| (source, count)));
    }
    Ok(named)
}

/// The largest first; what is counted under no source is nobody's.
fn largest(totals: &Totals, limit: usize) -> Vec<(u64, u64)> {
    let mut sources: Vec<(u64, u64)> =
        totals.iter().filter(|(source, _)| **source != 0).map(|(s, n)| (*s, *n)).collect();
    sources.sort_unstable_by_key(|(source, count)| (std::cmp::Reverse(*count), *source));
    sources.truncate(limit);
    sources
}

fn timeline_of(
    plan: &Plan,
    query: &TimelineQuery,
    mut series: Vec<Series>,
    mut rest: Vec<Vec<u64>>,
) -> Timeline {
    series.sort_by_key(|series| std::cmp::Reverse(series.total));
    series.retain(|series| series.total > 0);
    if series.is_empty() && query.by == TimelineBy::Nothing {
        let counts = vec![0; plan.buckets()];
        series.push(Series { key: SeriesKey::All, counts, total: 0 });
    }
    let small = series.split_off(series.len().min(query.series_max.max(1)));
    rest.extend(small.into_iter().map(|series| series.counts));
    let mut other = vec![0u64; plan.buckets()];
    for counts in rest {
        for (sum, count) in other.iter_mut().zip(counts) {
            *sum = sum.saturating_add(count);
        }
    }
    if other.iter().all(|count| *count == 0) {
        other.clear();
    }
    let total = series
        .iter()
        .map(|series| series.total)
        .chain(other.iter().copied())
        .fold(0, u64::saturating_add);
    Timeline {
        since: moment_of(plan.minutes.start),
        until: moment_of(plan.minutes.end),
        step_minutes: u32::try_from(plan.step).unwrap_or(u32::MAX),
        series,
        other,
        total,
    }
}

/// Which cells count.
#[derive(Default)]
struct Filter {
    kind: Option<usize>,
    severity: Option<usize>,
    source: Option<u64>,
}

impl Filter {
    /// None where the source is unknown: then nothing counts.
    fn of(session: &Session<'_>, query: &TimelineQuery) -> Result<Option<Self>, StoreError> {
        let source = match &query.source {
            Some(source) => match session.known_source_id(source)? {
                Some(id) => Some(id.unsigned_abs()),
                None => return Ok(None),
            },
            None => None,
        };
        let kind = query.kind.as_deref().map(number_of).transpose()?.map(usize::from);
        Ok(Some(Self { kind, severity: query.severity.map(|severity| severity as usize), source }))
    }

    fn lets(&self, source: u64, code: u8) -> bool {
        self.source.is_none_or(|wanted| wanted == source)
            && self.kind.is_none_or(|wanted| wanted == kind_in(code))
            && self.severity.is_none_or(|wanted| wanted == severity_in(code))
    }
}

/// All cells that a plan needs: those of the table and those that are not there yet.
struct Walk<'a> {
    session: &'a Session<'a>,
    plan: &'a Plan,
    /// With each, the ids of its sources.
    pending: Vec<(&'a RollupCounts, Vec<u64>)>,
}

impl<'a> Walk<'a> {
    fn new(
        session: &'a Session<'a>,
        plan: &'a Plan,
        pending: &[&'a RollupCounts],
    ) -> Result<Self, StoreError> {
        let mut with_ids = Vec::with_capacity(pending.len());
        for counts in pending {
            let mut ids = Vec::new();
            if plan.level.has_sources() {
                // A source that this transaction does not see yet has sent nothing that was
                // answered before it began.
                for source in counts.sources() {
                    ids.push(session.known_source_id(source)?.map_or(0, i64::unsigned_abs));
                }
            }
            with_ids.push((*counts, ids));
        }
        Ok(Self { session, plan, pending: with_ids })
    }

    fn each(&self, mut each: impl FnMut(usize, u64, u8, u64)) -> Result<(), StoreError> {
        let plan = self.plan;
        let (level, width) = (plan.level, plan.level.minutes());
        let mut statement = self.session.connection.prepare_cached(
            "SELECT start, body FROM rollup
             WHERE level = ? AND start >= ? AND start < ? ORDER BY start",
        )?;
        let mut rows = statement.query(params![
            level.number(),
            plan.minutes.start.div_euclid(width),
            plan.minutes.end.div_euclid(width),
        ])?;
        while let Some(row) = rows.next()? {
            let start: i64 = row.get(0)?;
            let Some(bucket) = plan.bucket(start.saturating_mul(width)) else { continue };
            row.get_ref(1)?
                .as_blob()
                .map_err(|error| error.to_string())
                .and_then(|body| {
                    unpack(level, body, |cell| each(bucket, cell.source, cell.code, cell.count))
                })
                .map_err(|why| damaged(level.name_of(start), &why))?;
        }
        for (counts, ids) in &self.pending {
            counts.cells(level, plan.minutes.clone(), |minute, source, code, count| {
                let source = ids.get(source as usize).copied().unwrap_or(0);
                if let Some(bucket) = plan.bucket(minute) {
                    each(bucket, source, code, count);
                }
            });
        }
        Ok(())
    }

    fn totals(&self, filter: &Filter) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        self.each(|_, source, code, count| {
            if filter.lets(source, code) {
                let total = totals.entry(source).or_default();
                *total = total.saturating_add(count);
            }
        })?;
        Ok(totals)
    }
}

pub(super) fn damaged(row: String, why: &str) -> StoreError {
    StoreError::Unreadable { what: "counts", why: format!("those of the {row}: {why}") }
}

impl Session<'_> {
    fn source(&self, id: u64) -> Result<Option<Source>, StoreError> {
        let text = |row: &rusqlite::Row<'_>, column| row.get::<_, String>(column);
        Ok(self
            .connection
            .prepare_cached("SELECT dialect, name FROM source WHERE id = ?")?
            .query_row([i64::try_from(id).unwrap_or(i64::MAX)], |row| {
                Ok(Source::new(&text(row, 0)?, &text(row, 1)?))
            })
            .optional()?)
    }
}
