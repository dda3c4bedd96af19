//! What is asked of an event.

use crate::archive::columns::{Column, ColumnKind};
use std::collections::BTreeSet;

/// Which events. An event without a value in a column fits no test of it, negated or not, as in SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every event.
    True,
    /// No event.
    False,
    /// Those that fit all of these.
    All(Vec<Predicate>),
    /// Those that fit one of these.
    Any(Vec<Predicate>),
    /// Those whose value in the column passes the test.
    Has(Column, Test),
    /// Those that have a value in the column which does not pass the test.
    HasNot(Column, Test),
}

/// What is asked of a value. A test of another kind than the column's fits nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// There is one.
    Present,
    /// There is none; never under [`Predicate::HasNot`].
    Missing,
    /// A number or time (microseconds) within these bounds, both included.
    Within {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number or time that is one of these.
    OneOfNumbers(BTreeSet<i64>),
    /// A floating-point number within these bounds, both included.
    FloatWithin {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// A text that is one of these.
    OneOf(BTreeSet<String>),
    /// Sixteen bytes that are one of these.
    OneOfUids(BTreeSet<u128>),
    /// A text that fits the pattern.
    Text(TextPattern),
}

/// What a text must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPattern {
    /// Where the words must stand.
    pub place: Place,
    /// The words.
    pub words: String,
    /// Whether the letters A to Z count as a to z, as SQL's `LIKE` has it.
    pub ignore_ascii_case: bool,
}

/// Where in a text the words of a pattern stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The text begins with them.
    Start,
    /// The text ends with them.
    End,
    /// Anywhere in it.
    Anywhere,
}

impl Predicate {
    /// Events whose time is within these microseconds, both included.
    pub fn time_within(min: i64, max: i64) -> Self {
        Self::Has(Column::Time, Test::Within { min, max })
    }

    /// Events that have this text in the column.
    pub fn equals(column: Column, text: &str) -> Self {
        Self::Has(column, Test::OneOf(BTreeSet::from([text.to_owned()])))
    }

    /// Events that have this number in the column.
    pub fn number(column: Column, number: i64) -> Self {
        Self::Has(column, Test::Within { min: number, max: number })
    }

    /// Events that have these words anywhere in any column of text, letters of either case.
    pub fn any_text_contains(words: &str) -> Self {
        let pattern = TextPattern {
            place: Place::Anywhere,
            words: words.to_owned(),
            ignore_ascii_case: true,
        };
        Self::Any(
            Column::ALL
                .iter()
                .filter(|column| column.kind() == ColumnKind::Text)
                .map(|column| Self::Has(*column, Test::Text(pattern.clone())))
                .collect(),
        )
    }

    /// Events that have one of these values, each in one of the columns that are looked up: names,
    /// addresses, digests, hosts, users.
    pub fn any_of_indicators(values: &BTreeSet<String>) -> Self {
        Self::Any(
            Column::ALL
                .iter()
                .filter(|column| column.kind() == ColumnKind::Text && column.has_bloom_filter())
                .map(|column| Self::Has(*column, Test::OneOf(values.clone())))
                .collect(),
        )
    }

    /// Both must hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, one) | (one, Self::True) => one,
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::All(mut all), one) => {
                all.push(one);
                Self::All(all)
            }
            (first, second) => Self::All(vec![first, second]),
        }
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> BTreeSet<Column> {
        let mut columns = BTreeSet::new();
        self.visit(&mut |column| columns.extend([column]));
        columns
    }

    fn visit(&self, each: &mut impl FnMut(Column)) {
        match self {
            Self::True | Self::False => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Has(column, _) | Self::HasNot(column, _) => each(*column),
        }
    }

    /// With each test replaced by what `decide` knows of it, and what follows from that; none keeps
    /// a test.
    #[must_use]
    pub(crate) fn simplify(
        &self,
        decide: &mut impl FnMut(Column, &Test, bool) -> Option<bool>,
    ) -> Self {
        match self {
            Self::True => Self::True,
            Self::False => Self::False,
            Self::All(parts) => {
                let mut kept = Vec::new();
                for part in parts {
                    match part.simplify(decide) {
                        Self::False => return Self::False,
                        Self::True => {}
                        part => kept.push(part),
                    }
                }
                one_or(kept, Self::True, Self::All)
            }
            Self::Any(parts) => {
                let mut kept = Vec::new();
                for part in parts {
                    match part.simplify(decide) {
                        Self::True => return Self::True,
                        Self::False => {}
                        part => kept.push(part),
                    }
                }
                one_or(kept, Self::False, Self::Any)
            }
            Self::Has(column, test) => match decide(*column, test, false) {
                Some(true) => Self::True,
                Some(false) => Self::False,
                None => self.clone(),
            },
            Self::HasNot(column, test) => match decide(*column, test, true) {
                Some(true) => Self::True,
                Some(false) => Self::False,
                None => self.clone(),
            },
        }
    }

    /// Bounds on the time of what fits, in microseconds, both included.
    pub fn time_bounds(&self) -> (i64, i64) {
        match self {
            Self::Has(Column::Time, Test::Within { min, max }) => (*min, *max),
            Self::Has(Column::Time, Test::OneOfNumbers(numbers)) => (
                numbers.first().copied().unwrap_or(i64::MAX),
                numbers.last().copied().unwrap_or(i64::MIN),
            ),
            Self::False => (i64::MAX, i64::MIN),
            Self::All(parts) => parts.iter().fold((i64::MIN, i64::MAX), |(min, max), part| {
                let (part_min, part_max) = part.time_bounds();
                (min.max(part_min), max.min(part_max))
            }),
            Self::Any(parts) => parts.iter().fold((i64::MAX, i64::MIN), |(min, max), part| {
                let (part_min, part_max) = part.time_bounds();
                (min.min(part_min), max.max(part_max))
            }),
            _ => (i64::MIN, i64::MAX),
        }
    }
}

fn one_or(
    mut parts: Vec<Predicate>,
    none: Predicate,
    many: fn(Vec<Predicate>) -> Predicate,
) -> Predicate {
    match parts.len() {
        0 => none,
        1 => parts.pop().unwrap_or(none),
        _ => many(parts),
    }
}
