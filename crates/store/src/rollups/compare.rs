//! What tells two rows of the same minutes from each other.

use super::level::{Level, moment_of};
use super::packed::{Cell, unpack};
use ringwall_event::Timestamp;
use std::collections::BTreeMap;

/// A row that is not what was counted anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowDifference {
    /// Which row, for people.
    pub(crate) name: String,
    /// When it begins.
    pub(crate) since: Timestamp,
    /// When it ends.
    pub(crate) until: Timestamp,
    /// How many events the row counts; or why it cannot be read.
    pub(crate) noted: Result<u64, String>,
    /// How many were counted anew.
    pub(crate) counted: u64,
    /// Whether the row counts no less than was counted anew, of every sort.
    pub(crate) only_exceeds: bool,
}

/// Compares a row of the table with the same row counted anew; none where they say the same.
pub(crate) fn difference(
    level: i64,
    start: i64,
    noted: Option<&[u8]>,
    counted: Option<&[u8]>,
) -> Option<RowDifference> {
    let told = |name, minutes: i64| {
        let since = start.saturating_mul(minutes);
        RowDifference {
            name,
            since: moment_of(since),
            until: moment_of(since.saturating_add(minutes)),
            noted: Ok(0),
            counted: 0,
            only_exceeds: true,
        }
    };
    let Some(level) = Level::ALL.into_iter().find(|known| known.number() == level) else {
        let noted = Err("no rows are of this kind".to_owned());
        return Some(RowDifference { noted, ..told(format!("row {level}/{start}"), 1) });
    };
    let difference = told(level.name_of(start), level.minutes());
    // What was counted just now is as it was packed.
    let counted = cells(level, counted).unwrap_or_default();
    let sum = |cells: &Cells| cells.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let noted = match cells(level, noted) {
        Ok(cells) => cells,
        Err(why) => {
            let counted = sum(&counted);
            return Some(RowDifference { noted: Err(why), counted, ..difference });
        }
    };
    // Where a row was full, it depends on the order of events which sources are counted under none.
    let is_folded = |cells: &Cells| level.has_sources() && cells.keys().any(|key| key.0 == 0);
    let (noted, counted) = if is_folded(&noted) || is_folded(&counted) {
        (by_code(&noted), by_code(&counted))
    } else {
        (noted, counted)
    };
    (noted != counted).then(|| RowDifference {
        only_exceeds: counted
            .iter()
            .all(|(key, count)| noted.get(key).is_some_and(|noted| noted >= count)),
        noted: Ok(sum(&noted)),
        counted: sum(&counted),
        ..difference
    })
}

/// Counts by source and code.
type Cells = BTreeMap<(u64, u8), u64>;

fn cells(level: Level, body: Option<&[u8]>) -> Result<Cells, String> {
    let mut cells = Cells::new();
    if let Some(body) = body {
        unpack(level, body, |Cell { source, code, count }| {
            cells.insert((source, code), count);
        })?;
    }
    Ok(cells)
}

fn by_code(cells: &Cells) -> Cells {
    let mut sums = Cells::new();
    for ((_, code), count) in cells {
        let sum = sums.entry((0, *code)).or_default();
        *sum = sum.saturating_add(*count);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::packed::pack;
    use super::*;

    const CELLS: [Cell; 2] =
        [Cell { source: 3, code: 1, count: 10 }, Cell { source: 5, code: 1, count: 20 }];

    #[test]
    fn rows_are_compared_by_what_they_count() {
        check(Some(CELLS), Some(CELLS), None);
        check(None, None, None);
        let more = [CELLS[0], Cell { count: 21, ..CELLS[1] }];
        check(Some(more), Some(CELLS), Some((31, 30, true)));
        check(Some(CELLS), Some(more), Some((30, 31, false)));
        check(None, Some(CELLS), Some((0, 30, false)));
        check(Some(CELLS), None, Some((30, 0, true)));
        let moved = [Cell { count: 11, ..CELLS[0] }, Cell { count: 19, ..CELLS[1] }];
        check(Some(moved), Some(CELLS), Some((30, 30, false)));
        // Of a row that was full, only the sum can be told.
        let folded = [Cell { source: 0, code: 1, count: 12 }, Cell { count: 18, ..CELLS[1] }];
        check(Some(folded), Some(CELLS), None);
    }

    #[track_caller]
    fn check(
        noted: Option<[Cell; 2]>,
        counted: Option<[Cell; 2]>,
        expected: Option<(u64, u64, bool)>,
    ) {
        let body = |cells: Option<[Cell; 2]>| cells.map(|c| pack(Level::HourAll, &c).unwrap());
        let (noted, counted) = (body(noted), body(counted));
        let level = Level::HourAll.number();
        let found = difference(level, 7, noted.as_deref(), counted.as_deref())
            .map(|found| (found.noted.unwrap(), found.counted, found.only_exceeds));
        assert_eq!(found, expected);
    }

    #[test]
    fn damage_is_told() {
        let found = difference(Level::HourAll.number(), 7, Some(b"\x09"), None).unwrap();
        assert_eq!(found.noted, Err("unknown form 9".to_owned()));
        assert_eq!(found.until.micros_since(found.since), 3_600_000_000);
        assert!(difference(99, 7, Some(b""), None).is_some());
    }
}
