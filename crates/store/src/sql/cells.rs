//! The values of a batch of rows, as SQL shows them.

use super::moment;
use super::plan::Shown;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use ringwall_event::{EventId, Timestamp};
use rusqlite::Result;
use rusqlite::types::Null;
use rusqlite::vtab::Context;

/// A batch, its columns in the places of the table; those that are not there are null.
#[derive(Default)]
pub(super) struct Cells {
    rows: usize,
    columns: Vec<Cell>,
}

enum Cell {
    Missing,
    Time(TimestampMicrosecondArray),
    Integer(Int64Array),
    Float(Float64Array),
    Words { keys: Int32Array, words: StringArray },
    Text(StringArray),
    Uid(FixedSizeBinaryArray),
    EventId { batch: FixedSizeBinaryArray, sequence: Int64Array },
}

impl Cells {
    pub(super) fn show(&mut self, batch: &RecordBatch) {
        self.rows = batch.num_rows();
        self.columns.clear();
        self.columns.extend(Shown::all().map(|column| match column {
            Shown::Stored(column) => {
                batch.column_by_name(column.name()).map_or(Cell::Missing, cell_of)
            }
            Shown::MetadataUid => event_ids(batch).unwrap_or(Cell::Missing),
        }));
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Gives a value to SQLite.
    pub(super) fn give(&self, row: usize, column: usize, context: &mut Context) -> Result<()> {
        let Some(cell) = self.columns.get(column).filter(|cell| cell.has(row)) else {
            return context.set_result(Null);
        };
        match cell {
            Cell::Missing => context.set_result(Null),
            Cell::Time(values) => {
                let text = moment::text_of(Timestamp::from_micros(values.value(row)));
                context.set_result(text.as_str())
            }
            Cell::Integer(values) => context.set_result(values.value(row)),
            Cell::Float(values) => context.set_result(values.value(row)),
            Cell::Words { keys, words } => {
                match usize::try_from(keys.value(row)).ok().filter(|key| *key < words.len()) {
                    Some(key) if words.is_valid(key) => context.set_result(words.value(key)),
                    _ => context.set_result(Null),
                }
            }
            Cell::Text(values) => context.set_result(values.value(row)),
            Cell::Uid(values) => match number(values, row) {
                Some(number) => context.set_result(hexadecimal(number).as_str()),
                None => context.set_result(Null),
            },
            Cell::EventId { batch, sequence } => {
                let position = u16::try_from(sequence.value(row)).unwrap_or(u16::MAX);
                match number(batch, row) {
                    Some(number) => {
                        let id = EventId::from_u128(number).at(position);
                        context.set_result(hexadecimal(id.as_u128()).as_str())
                    }
                    None => context.set_result(Null),
                }
            }
        }
    }
}

impl Cell {
    fn has(&self, row: usize) -> bool {
        let array: &dyn Array = match self {
            Self::Missing => return false,
            Self::Time(values) => values,
            Self::Integer(values) => values,
            Self::Float(values) => values,
            Self::Words { keys, .. } => keys,
            Self::Text(values) => values,
            Self::Uid(values) => values,
            Self::EventId { sequence, .. } => sequence,
        };
        row < array.len() && array.is_valid(row)
    }
}

fn cell_of(array: &ArrayRef) -> Cell {
    if let Some(values) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        return Cell::Time(values.clone());
    }
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        return Cell::Integer(values.clone());
    }
    if let Some(values) = array.as_primitive_opt::<Float64Type>() {
        return Cell::Float(values.clone());
    }
    if let Some(values) = array.as_dictionary_opt::<Int32Type>()
        && let Some(words) = values.values().as_string_opt::<i32>()
    {
        return Cell::Words { keys: values.keys().clone(), words: words.clone() };
    }
    if let Some(values) = array.as_string_opt::<i32>() {
        return Cell::Text(values.clone());
    }
    if let Some(values) = array.as_fixed_size_binary_opt() {
        return Cell::Uid(values.clone());
    }
    Cell::Missing
}

fn event_ids(rows: &RecordBatch) -> Option<Cell> {
    use crate::archive::columns::Column;
    let batch = rows.column_by_name(Column::MetadataBatchUid.name())?;
    let sequence = rows.column_by_name(Column::MetadataSequence.name())?;
    Some(Cell::EventId {
        batch: batch.as_fixed_size_binary_opt()?.clone(),
        sequence: sequence.as_primitive_opt::<Int64Type>()?.clone(),
    })
}

fn number(values: &FixedSizeBinaryArray, row: usize) -> Option<u128> {
    Some(u128::from_be_bytes(values.value(row).try_into().ok()?))
}

/// 32 digits.
fn hexadecimal(number: u128) -> Hexadecimal {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 32];
    let mut rest = number;
    for place in text.iter_mut().rev() {
        *place = DIGITS.get((rest & 0xf) as usize).copied().unwrap_or(b'0');
        rest >>= 4;
    }
    Hexadecimal(text)
}

struct Hexadecimal([u8; 32]);

impl Hexadecimal {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
