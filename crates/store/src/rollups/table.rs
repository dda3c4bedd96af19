//! The [`RollupStore`] of a session.

use super::counts::RollupCounts;
use super::level::{Level, minute_of};
use super::packed::{Cell, pack, unpack};
use super::timeline::{damaged, timeline, top_sources};
use super::{RollupStore, Timeline, TimelineQuery};
use crate::{Session, StoreError};
use ringwall_event::{Source, Timestamp};
use rusqlite::{OptionalExtension, params};
use std::collections::HashSet;

/// How many cells a row has at most: further sources are counted under none. Ten thousand sources
/// of a hundred sorts of event.
const CELLS_IN_ROW_MAX: usize = 1 << 20;

impl RollupStore for Session<'_> {
    fn merge_rollups(&self, counts: &RollupCounts) -> Result<(), StoreError> {
        let mut ids = Vec::with_capacity(counts.sources().len());
        for source in counts.sources() {
            ids.push(self.source_id(source)?.unsigned_abs());
        }
        for level in Level::ALL {
            for (start, cells) in counts.rows(level, &ids) {
                self.add_to_row(level, start, cells, CELLS_IN_ROW_MAX)?;
            }
        }
        Ok(())
    }

    fn rollup_seq(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE name = 'rollup_seq'")?
            .query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(0))
    }

    fn set_rollup_seq(&self, seq: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES ('rollup_seq', ?)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([seq])?;
        Ok(())
    }

    fn receipt_timeline(
        &self,
        query: &TimelineQuery,
        pending: &[&RollupCounts],
    ) -> Result<Timeline, StoreError> {
        timeline(self, query, pending)
    }

    fn top_sources(
        &self,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
        pending: &[&RollupCounts],
    ) -> Result<Vec<(Source, u64)>, StoreError> {
        top_sources(self, (since, until), limit, pending)
    }

    fn forget_rollups(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for level in Level::ALL {
            let first_kept = minute_of(before).div_euclid(level.minutes());
            let left = i64::try_from(limit.saturating_sub(forgotten)).unwrap_or(i64::MAX);
            forgotten += self
                .connection
                .prepare_cached(
                    "DELETE FROM rollup WHERE level = ?1 AND start IN
                         (SELECT start FROM rollup WHERE level = ?1 AND start < ?2
                          ORDER BY start LIMIT ?3)",
                )?
                .execute(params![level.number(), first_kept, left])?;
        }
        Ok(forgotten)
    }

    fn clear_rollups(&self) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM rollup", [])?;
        Ok(())
    }
}

impl Session<'_> {
    fn add_to_row(
        &self,
        level: Level,
        start: i64,
        added: Vec<Cell>,
        cells_max: usize,
    ) -> Result<(), StoreError> {
        let key = params![level.number(), start];
        let found: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT body FROM rollup WHERE level = ? AND start = ?")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let mut known = Vec::new();
        if let Some(body) = found
            && let Err(why) = unpack(level, &body, |cell| known.push(cell))
        {
            tracing::error!(
                row = level.name_of(start),
                why,
                "counts are damaged; `ringwall store rebuild` makes them anew"
            );
            return Ok(());
        }
        let cells = bounded_sum(&known, added, cells_max);
        let body = pack(level, &cells).map_err(|why| damaged(level.name_of(start), &why))?;
        self.connection
            .prepare_cached(
                "INSERT INTO rollup (level, start, body) VALUES (?, ?, ?)
                 ON CONFLICT (level, start) DO UPDATE SET body = excluded.body",
            )?
            .execute(params![level.number(), start, body])?;
        Ok(())
    }
}

/// The sum of cells, in order. Where it would be too many, sources that were not there before are
/// counted under none.
fn bounded_sum(known: &[Cell], added: Vec<Cell>, cells_max: usize) -> Vec<Cell> {
    let sum = sum(known, &added);
    if sum.len() <= cells_max {
        return sum;
    }
    let sources: HashSet<u64> = known.iter().map(|cell| cell.source).collect();
    let mut places = cells_max.saturating_sub(known.len());
    let mut kept: Vec<Cell> = added
        .into_iter()
        .map(|cell| {
            if sources.contains(&cell.source) {
                return cell;
            }
            match places.checked_sub(1) {
                Some(left) => {
                    places = left;
                    cell
                }
                None => Cell { source: 0, ..cell },
            }
        })
        .collect();
    kept.sort_unstable();
    kept.dedup_by(add_same);
    self::sum(known, &kept)
}

/// The sum of two lists of cells that are in order.
fn sum(a: &[Cell], b: &[Cell]) -> Vec<Cell> {
    let mut sum = Vec::with_capacity(a.len() + b.len());
    sum.extend_from_slice(a);
    sum.extend_from_slice(b);
    // Two runs: a stable sort merges them in one pass.
    sum.sort_by_key(|cell| (cell.source, cell.code));
    sum.dedup_by(add_same);
    sum
}

/// For `dedup_by`: adds the later of two cells of the same sort to the one that is kept.
pub(super) fn add_same(later: &mut Cell, kept: &mut Cell) -> bool {
    let same = (later.source, later.code) == (kept.source, kept.code);
    if same {
        kept.count = kept.count.saturating_add(later.count);
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_beyond_the_bound_are_counted_under_none() {
        let cell = |source, count| Cell { source, code: 0, count };
        let known = [cell(3, 10), cell(5, 20)];
        let added = vec![cell(1, 1), cell(2, 2), cell(3, 3), cell(9, 4)];
        let all = bounded_sum(&known, added.clone(), 5);
        assert_eq!(all, [cell(1, 1), cell(2, 2), cell(3, 13), cell(5, 20), cell(9, 4)]);
        let bounded = bounded_sum(&known, added.clone(), 3);
        assert_eq!(bounded, [cell(0, 6), cell(1, 1), cell(3, 13), cell(5, 20)]);
        let again = bounded_sum(&bounded, added, 3);
        assert_eq!(again, [cell(0, 12), cell(1, 2), cell(3, 16), cell(5, 20)]);
    }
}
