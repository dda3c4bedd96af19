//! The questions that are asked all day, over everything that fits a predicate: how many, when, which
//! values most, which values at all.

use super::control::ScanControl;
use super::predicate::Predicate;
use super::snapshot::{ScanRequest, Sink};
use crate::archive::columns::{Column, ColumnKind};
use crate::{Session, StoreError};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// One value of an event, of whatever kind its column is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// There is none.
    Missing,
    /// A number, or microseconds since 1970.
    Number(i64),
    /// The bits of a floating-point number.
    FloatBits(u64),
    /// A text.
    Text(Box<str>),
    /// Sixteen bytes.
    Uid(u128),
}

/// How often each combination of values occurs.
#[derive(Debug, Default)]
pub struct Groups {
    /// The values of the columns that were asked for, and how many events have them.
    pub counts: HashMap<Box<[Value]>, u64, foldhash::fast::RandomState>,
    /// Whether there were more groups than are held; the counts are then of no use.
    pub overflowed: bool,
}

/// More groups than this are not held: about 100 MB.
pub const GROUPS_MAX: usize = 1_000_000;

impl Session<'_> {
    /// How many events fit.
    ///
    /// # Errors
    /// As [`Session::scan`]; so for the others here.
    pub fn count(
        &self,
        predicate: &Predicate,
        threads: usize,
        control: &ScanControl,
    ) -> Result<u64, StoreError> {
        let request = ScanRequest { predicate: predicate.clone(), columns: Vec::new(), threads };
        let sinks = self.scan(&request, control, Count::default)?;
        Ok(sinks.iter().map(|sink| sink.0).sum())
    }

    /// How many events that fit fall into each step of time; steps without any are left out. A step
    /// is named by its first microsecond; steps count from 1970.
    ///
    /// # Errors
    /// As [`Session::scan`]; more steps than [`GROUPS_MAX`].
    pub fn timeline(
        &self,
        predicate: &Predicate,
        step_micros: i64,
        threads: usize,
        control: &ScanControl,
    ) -> Result<BTreeMap<i64, u64>, StoreError> {
        let columns = vec![Column::Time];
        let request = ScanRequest { predicate: predicate.clone(), columns, threads };
        let step = step_micros.max(1);
        let sinks = self.scan(&request, control, || Timeline { step, counts: BTreeMap::new() })?;
        let mut all = BTreeMap::new();
        for (start, count) in sinks.into_iter().flat_map(|sink| sink.counts) {
            *all.entry(start).or_default() += count;
        }
        Ok(all)
    }

    /// How many events that fit have each combination of values in these columns.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub fn group_counts(
        &self,
        predicate: &Predicate,
        columns: &[Column],
        threads: usize,
        control: &ScanControl,
    ) -> Result<Groups, StoreError> {
        let request =
            ScanRequest { predicate: predicate.clone(), columns: columns.to_vec(), threads };
        let sinks = self.scan(&request, control, || GroupSink {
            columns: columns.to_vec(),
            groups: Groups::default(),
        })?;
        let mut sinks = sinks.into_iter().map(|sink| sink.groups);
        let mut all = sinks.next().unwrap_or_default();
        for groups in sinks {
            all.overflowed |= groups.overflowed;
            for (values, count) in groups.counts {
                all.add(values, count);
            }
        }
        Ok(all)
    }
}

impl Groups {
    /// The most frequent groups; among equals, by their values.
    pub fn top(&self, limit: usize) -> Vec<(&[Value], u64)> {
        let mut all: Vec<(&[Value], u64)> =
            self.counts.iter().map(|(values, count)| (&**values, *count)).collect();
        all.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.cmp(b)));
        all.truncate(limit);
        all
    }

    fn add(&mut self, values: Box<[Value]>, count: u64) {
        if let Some(known) = self.counts.get_mut(&values) {
            *known += count;
        } else if self.counts.len() < GROUPS_MAX {
            self.counts.insert(values, count);
        } else {
            self.overflowed = true;
        }
    }
}

#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        self.0 += batch.num_rows() as u64;
        Ok(ControlFlow::Continue(()))
    }
}

struct Timeline {
    step: i64,
    counts: BTreeMap<i64, u64>,
}

impl Sink for Timeline {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        let Some(times) = batch
            .column_by_name(Column::Time.name())
            .and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>())
        else {
            return Ok(ControlFlow::Continue(()));
        };
        // Rows come sorted: most are in the same step as the one before.
        let mut run: Option<(i64, u64)> = None;
        for time in times.values() {
            let start = time.div_euclid(self.step).saturating_mul(self.step);
            match &mut run {
                Some((at, count)) if *at == start => *count += 1,
                _ => {
                    if let Some((at, count)) = run.replace((start, 1)) {
                        *self.counts.entry(at).or_default() += count;
                    }
                }
            }
        }
        if let Some((at, count)) = run {
            *self.counts.entry(at).or_default() += count;
        }
        if self.counts.len() > GROUPS_MAX {
            let why = format!("more than {GROUPS_MAX} steps of time: take longer steps");
            return Err(StoreError::Unreadable { what: "timeline", why });
        }
        Ok(ControlFlow::Continue(()))
    }
}

struct GroupSink {
    columns: Vec<Column>,
    groups: Groups,
}

impl Sink for GroupSink {
    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>, StoreError> {
        let columns: Vec<(Column, Option<&ArrayRef>)> = self
            .columns
            .iter()
            .map(|column| (*column, batch.column_by_name(column.name())))
            .collect();
        if let [(column, Some(array))] = columns.as_slice()
            && column.kind() == ColumnKind::Text
        {
            self.count_dictionary(array);
        } else {
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|(column, array)| value(*column, *array, row));
                self.groups.add(values.collect(), 1);
            }
        }
        // What was counted is of no use any more.
        if self.groups.overflowed {
            Ok(ControlFlow::Break(()))
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }
}

impl GroupSink {
    /// Counts by the keys of the dictionary, then once a value.
    fn count_dictionary(&mut self, array: &ArrayRef) {
        let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else { return };
        let Some(values) = dictionary.values().as_string_opt::<i32>() else { return };
        let mut counts = vec![0u64; values.len() + 1];
        let missing = values.len();
        let keys = dictionary.keys();
        for row in 0..keys.len() {
            let key = if keys.is_valid(row) {
                usize::try_from(keys.value(row)).unwrap_or(missing).min(missing)
            } else {
                missing
            };
            if let Some(count) = counts.get_mut(key) {
                *count += 1;
            }
        }
        for (key, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let value = if key < missing && values.is_valid(key) {
                Value::Text(values.value(key).into())
            } else {
                Value::Missing
            };
            self.groups.add([value].into(), count);
        }
    }
}

/// The value of a column in a row; missing where the batch does not have the column.
pub fn value(column: Column, array: Option<&ArrayRef>, row: usize) -> Value {
    let Some(array) = array.filter(|array| array.is_valid(row)) else { return Value::Missing };
    let found = match column.kind() {
        ColumnKind::Integer => {
            array.as_primitive_opt::<Int64Type>().map(|numbers| Value::Number(numbers.value(row)))
        }
        ColumnKind::Time => array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(|times| Value::Number(times.value(row))),
        ColumnKind::Float => array
            .as_primitive_opt::<Float64Type>()
            .map(|numbers| Value::FloatBits(numbers.value(row).to_bits())),
        ColumnKind::Uid => array.as_fixed_size_binary_opt().and_then(|uids| {
            uids.value(row).try_into().ok().map(|uid| Value::Uid(u128::from_be_bytes(uid)))
        }),
        ColumnKind::Text => array.as_dictionary_opt::<Int32Type>().and_then(|dictionary| {
            let values = dictionary.values().as_string_opt::<i32>()?;
            let key = usize::try_from(dictionary.keys().value(row)).ok()?;
            (key < values.len() && values.is_valid(key))
                .then(|| Value::Text(values.value(key).into()))
        }),
    };
    found.unwrap_or(Value::Missing)
}
