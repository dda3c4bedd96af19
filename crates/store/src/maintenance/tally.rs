//! Rows of the archive counted by minute, source, kind and severity.

use crate::archive::columns::Column;
use crate::archive::events_of::Rows;
use crate::{Counted, StoreError};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, RecordBatch};
use ringwall_event::{Severity, Source, Timestamp};
use std::collections::HashMap;

const MINUTE_MICROS: i64 = 60_000_000;

/// Which columns a batch must have to be counted.
pub(super) const COLUMNS: [Column; 5] = [
    Column::MetadataLoggedTime,
    Column::MetadataLogProvider,
    Column::MetadataLogName,
    Column::Kind,
    Column::SeverityId,
];

/// By minute, keys of dialect, name and kind, and severity: the first row of the sort, and how many.
type Sorts = HashMap<(i64, [i32; 3], i64), (usize, u64), foldhash::fast::RandomState>;

/// Tells how many rows of each sort a batch has.
///
/// # Errors
/// What `each` gives; where a value is missing that every event has.
pub(super) fn tally(
    batch: &RecordBatch,
    each: &mut dyn FnMut(&Counted<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let dialects = keys(batch, Column::MetadataLogProvider)?;
    let names = keys(batch, Column::MetadataLogName)?;
    let kinds = keys(batch, Column::Kind)?;
    let rows = Rows::new(batch);
    let number = |column: Column, row| {
        rows.integer(column, row).ok_or_else(|| damaged(column, "a value is missing"))
    };
    // Few sorts, many rows: texts are looked at once for each sort.
    let mut sorts = Sorts::default();
    let texts = dialects.keys().values().iter().zip(names.keys().values());
    for (row, ((dialect, name), kind)) in texts.zip(kinds.keys().values()).enumerate() {
        let minute = number(Column::MetadataLoggedTime, row)?.div_euclid(MINUTE_MICROS);
        let severity = number(Column::SeverityId, row)?;
        sorts.entry((minute, [*dialect, *name, *kind], severity)).or_insert((row, 0)).1 += 1;
    }
    let text = |column: Column, row| {
        rows.text(column, row).ok_or_else(|| damaged(column, "a value is missing"))
    };
    for ((minute, _, severity), (row, count)) in sorts {
        let severity = u8::try_from(severity)
            .ok()
            .and_then(Severity::from_id)
            .ok_or_else(|| damaged(Column::SeverityId, "no severity"))?;
        let source = Source::new(
            text(Column::MetadataLogProvider, row)?,
            text(Column::MetadataLogName, row)?,
        );
        each(&Counted {
            received: Timestamp::from_micros(minute.saturating_mul(MINUTE_MICROS)),
            source: &source,
            kind: text(Column::Kind, row)?,
            severity,
            count,
        })?;
    }
    Ok(())
}

fn keys(batch: &RecordBatch, column: Column) -> Result<&DictionaryArray<Int32Type>, StoreError> {
    batch
        .column_by_name(column.name())
        .and_then(|array| array.as_dictionary_opt::<Int32Type>())
        .ok_or_else(|| damaged(column, "not text"))
}

pub(super) fn damaged(column: Column, why: &str) -> StoreError {
    StoreError::Archive { file: "row".to_owned(), why: format!("{}: {why}", column.name()) }
}
