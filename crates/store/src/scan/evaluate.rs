//! A predicate over the rows of a batch.

use super::predicate::{Predicate, Test};
use super::text::TextMatcher;
use crate::archive::columns::{Column, ColumnKind};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::BooleanBuffer;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A predicate, prepared for many batches.
pub(crate) enum Evaluator {
    Constant(bool),
    All(Vec<Evaluator>),
    Any(Vec<Evaluator>),
    Leaf(Box<Leaf>),
}

pub(crate) struct Leaf {
    column: Column,
    negated: bool,
    test: Prepared,
    /// Batches of one row group share their dictionary: which of its values fit is worked out once.
    dictionary: Option<(ArrayRef, Vec<bool>)>,
}

pub(crate) enum Prepared {
    Present,
    Missing,
    Within(i64, i64),
    OneOfNumbers(BTreeSet<i64>),
    FloatWithin(f64, f64),
    OneOf(BTreeSet<String>),
    OneOfUids(BTreeSet<u128>),
    Text(Box<TextMatcher>),
}

impl Prepared {
    pub(crate) fn new(test: &Test) -> Self {
        match test {
            Test::Present => Self::Present,
            Test::Missing => Self::Missing,
            Test::Within { min, max } => Self::Within(*min, *max),
            Test::OneOfNumbers(numbers) => Self::OneOfNumbers(numbers.clone()),
            Test::FloatWithin { min, max } => Self::FloatWithin(*min, *max),
            Test::OneOf(texts) => Self::OneOf(texts.clone()),
            Test::OneOfUids(uids) => Self::OneOfUids(uids.clone()),
            Test::Text(pattern) => Self::Text(Box::new(TextMatcher::new(pattern))),
        }
    }

    /// Whether a text fits; a test of numbers fits none.
    pub(crate) fn fits_text(&self, text: &str) -> bool {
        match self {
            Self::Present => true,
            Self::OneOf(texts) => texts.contains(text),
            Self::Text(matcher) => matcher.fits(text.as_bytes()),
            _ => false,
        }
    }

    fn fits_number(&self, number: i64) -> bool {
        match self {
            Self::Present => true,
            Self::Within(min, max) => (*min..=*max).contains(&number),
            Self::OneOfNumbers(numbers) => numbers.contains(&number),
            _ => false,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is compared as a float")]
    fn fits_float(&self, number: f64) -> bool {
        match self {
            Self::Present => true,
            Self::FloatWithin(min, max) => (*min..=*max).contains(&number),
            Self::Within(min, max) => (*min as f64..=*max as f64).contains(&number),
            _ => false,
        }
    }
}

impl Evaluator {
    pub(crate) fn new(predicate: &Predicate) -> Self {
        match predicate {
            Predicate::True => Self::Constant(true),
            Predicate::False => Self::Constant(false),
            Predicate::All(parts) => Self::All(parts.iter().map(Self::new).collect()),
            Predicate::Any(parts) => Self::Any(parts.iter().map(Self::new).collect()),
            Predicate::Has(column, test) => Self::Leaf(Box::new(Leaf::new(*column, test, false))),
            Predicate::HasNot(column, test) => Self::Leaf(Box::new(Leaf::new(*column, test, true))),
        }
    }

    /// Which rows fit. A column that the batch does not have counts as without values.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> BooleanBuffer {
        let rows = batch.num_rows();
        match self {
            Self::Constant(true) => BooleanBuffer::new_set(rows),
            Self::Constant(false) => BooleanBuffer::new_unset(rows),
            Self::All(parts) => {
                let mut all = BooleanBuffer::new_set(rows);
                for part in parts {
                    all = &all & &part.rows(batch);
                    if all.count_set_bits() == 0 {
                        break;
                    }
                }
                all
            }
            Self::Any(parts) => parts
                .iter_mut()
                .fold(BooleanBuffer::new_unset(rows), |any, part| &any | &part.rows(batch)),
            Self::Leaf(leaf) => match batch.column_by_name(leaf.column.name()) {
                Some(array) => leaf.rows(array),
                None if matches!(leaf.test, Prepared::Missing) => BooleanBuffer::new_set(rows),
                None => BooleanBuffer::new_unset(rows),
            },
        }
    }
}

impl Leaf {
    fn new(column: Column, test: &Test, negated: bool) -> Self {
        Self { column, negated, test: Prepared::new(test), dictionary: None }
    }

    fn rows(&mut self, array: &ArrayRef) -> BooleanBuffer {
        let valid = || match array.logical_nulls() {
            Some(nulls) => nulls.into_inner(),
            None => BooleanBuffer::new_set(array.len()),
        };
        match self.test {
            Prepared::Present if self.negated => return BooleanBuffer::new_unset(array.len()),
            Prepared::Present => return valid(),
            Prepared::Missing => return !&valid(),
            _ => {}
        }
        let fits = self.fits(array);
        let fits = if self.negated { !&fits } else { fits };
        &fits & &valid()
    }

    fn fits(&mut self, array: &ArrayRef) -> BooleanBuffer {
        let none = || BooleanBuffer::new_unset(array.len());
        match self.column.kind() {
            ColumnKind::Text => self.text_fits(array),
            ColumnKind::Integer => match array.as_primitive_opt::<Int64Type>() {
                Some(numbers) => number_fits(numbers.values(), &self.test),
                None => none(),
            },
            ColumnKind::Time => match array.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(times) => number_fits(times.values(), &self.test),
                None => none(),
            },
            ColumnKind::Float => match array.as_primitive_opt::<Float64Type>() {
                Some(numbers) => {
                    numbers.values().iter().map(|number| self.test.fits_float(*number)).collect()
                }
                None => none(),
            },
            ColumnKind::Uid => match (array.as_fixed_size_binary_opt(), &self.test) {
                (Some(uids), Prepared::OneOfUids(wanted)) => {
                    BooleanBuffer::collect_bool(uids.len(), |row| {
                        <[u8; 16]>::try_from(uids.value(row))
                            .is_ok_and(|uid| wanted.contains(&u128::from_be_bytes(uid)))
                    })
                }
                _ => none(),
            },
        }
    }

    fn text_fits(&mut self, array: &ArrayRef) -> BooleanBuffer {
        let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else {
            return BooleanBuffer::new_unset(array.len());
        };
        let values = dictionary.values();
        let known = self.dictionary.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, values));
        if !known {
            let fitting = match values.as_string_opt::<i32>() {
                Some(texts) => {
                    texts.iter().map(|text| text.is_some_and(|t| self.test.fits_text(t))).collect()
                }
                None => Vec::new(),
            };
            self.dictionary = Some((Arc::clone(values), fitting));
        }
        let Some((_, fitting)) = &self.dictionary else {
            return BooleanBuffer::new_unset(array.len());
        };
        if !fitting.contains(&true) {
            return BooleanBuffer::new_unset(array.len());
        }
        let keys = dictionary.keys().values();
        keys.iter()
            .map(|key| {
                usize::try_from(*key).is_ok_and(|key| fitting.get(key).copied().unwrap_or(false))
            })
            .collect()
    }
}

fn number_fits(numbers: &[i64], test: &Prepared) -> BooleanBuffer {
    match test {
        Prepared::Within(min, max) => {
            numbers.iter().map(|number| number >= min && number <= max).collect()
        }
        test => numbers.iter().map(|number| test.fits_number(*number)).collect(),
    }
}
