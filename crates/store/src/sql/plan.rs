//! What SQLite leaves to the scan of `events`: written by `best_index`, carried out by `filter`.
//!
//! A plan is a line that people can read (`EXPLAIN QUERY PLAN`, `ringwall query --explain`) and
//! [`Plan::read`] reads back. SQLite tests what a scan found once more, so a scan may find too much,
//! never too little; only conditions on time are left to the scan alone.

use super::moment;
use crate::archive::columns::{Column, ColumnKind};
use crate::scan::predicate::{Place, Predicate, Test, TextPattern};
use ringwall_event::EventId;
use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::fmt;

/// A column of the table `events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// One of the archive.
    Stored(Column),
    /// The id of the event: its batch's, counted on by its sequence.
    MetadataUid,
}

impl Shown {
    /// The name of the one that is computed.
    pub(super) const METADATA_UID: &'static str = "metadata_uid";
    /// How many there are.
    pub(super) const COUNT: usize = Column::ALL.len() + 1;

    /// All of them in the order of the table: the time, the id, and the rest.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).filter_map(Self::at)
    }

    /// The column at this place of the table.
    pub(super) fn at(index: usize) -> Option<Self> {
        match index {
            0 => Column::ALL.first().copied().map(Self::Stored),
            1 => Some(Self::MetadataUid),
            _ => Column::ALL.get(index - 1).copied().map(Self::Stored),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stored(column) => column.name(),
            Self::MetadataUid => Self::METADATA_UID,
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        if name == Self::METADATA_UID {
            return Some(Self::MetadataUid);
        }
        Column::by_name(name).map(Self::Stored)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Stored(column) if column.kind() == ColumnKind::Time)
    }
}

/// How a value is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Like,
    Glob,
    IsNull,
    IsNotNull,
    Is,
}

impl Operator {
    const NAMES: [(Self, &'static str); 12] = [
        (Self::Equal, "="),
        (Self::NotEqual, "<>"),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
        (Self::In, "in"),
        (Self::Like, "like"),
        (Self::Glob, "glob"),
        (Self::IsNull, "null"),
        (Self::IsNotNull, "not-null"),
        (Self::Is, "is"),
    ];

    /// Whether tests of such a column by this operator are of any help to a scan.
    pub(super) fn helps(self, column: Shown) -> bool {
        let Shown::Stored(column) = column else {
            return matches!(self, Self::Equal | Self::In | Self::Is);
        };
        match column.kind() {
            ColumnKind::Time | ColumnKind::Integer => !matches!(self, Self::Like | Self::Glob),
            ColumnKind::Float => {
                !matches!(self, Self::Like | Self::Glob | Self::In | Self::NotEqual)
            }
            ColumnKind::Text => !matches!(
                self,
                Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
            ),
            ColumnKind::Uid => matches!(self, Self::Equal | Self::In | Self::Is),
        }
    }
}

/// The plan of one scan of `events`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Rows come newest first.
    pub(super) newest_first: bool,
    /// Which columns are looked at, a bit for each place of the table.
    pub(super) columns: u64,
    /// Conditions, each with an argument.
    pub(super) conditions: Vec<(Shown, Operator)>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.newest_first { "newest first" } else { "all" })?;
        f.write_str("; columns")?;
        for (place, column) in Shown::all().enumerate() {
            if self.columns & (1 << place) != 0 {
                write!(f, " {}", column.name())?;
            }
        }
        f.write_str("; where")?;
        for (column, operator) in &self.conditions {
            let name = Operator::NAMES.iter().find(|(one, _)| one == operator);
            write!(f, " {} {}", column.name(), name.map_or("", |(_, name)| name))?;
        }
        Ok(())
    }
}

impl Plan {
    /// What [`fmt::Display`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split("; ");
        let newest_first = parts.next()? == "newest first";
        let names: Vec<&str> = parts.next()?.split(' ').skip(1).collect();
        let columns = Shown::all()
            .enumerate()
            .filter(|(_, column)| names.contains(&column.name()))
            .fold(0, |bits, (place, _)| bits | (1 << place));
        let words: Vec<&str> = parts.next()?.split(' ').skip(1).collect();
        let conditions = words
            .chunks(2)
            .map(|pair| match pair {
                [column, operator] => {
                    let operator = Operator::NAMES.iter().find(|(_, name)| name == operator)?.0;
                    Some((Shown::by_name(column)?, operator))
                }
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self { newest_first, columns, conditions })
    }

    /// The columns of the archive that must be read for the ones that are looked at.
    pub(super) fn stored_columns(&self) -> Vec<Column> {
        let mut stored: BTreeSet<Column> = BTreeSet::new();
        for (place, column) in Shown::all().enumerate() {
            if self.columns & (1 << place) == 0 {
                continue;
            }
            match column {
                Shown::Stored(column) => drop(stored.insert(column)),
                Shown::MetadataUid => {
                    stored.extend([Column::MetadataBatchUid, Column::MetadataSequence]);
                }
            }
        }
        if self.newest_first {
            stored.extend([Column::Time, Column::MetadataBatchUid, Column::MetadataSequence]);
        }
        stored.into_iter().collect()
    }
}

/// The value on the other side of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    One(Value),
    Set(Vec<Value>),
}

/// Sets of more values than this are left to SQLite.
const SET_MAX: usize = 200_000;

/// What a scan has to find for this condition: all events that SQLite would let through, and exactly
/// those for columns of time.
///
/// # Errors
/// Where a time is asked for and the value is none.
pub(super) fn predicate_of(
    column: Shown,
    operator: Operator,
    argument: &Argument,
) -> Result<Predicate, String> {
    let value = match argument {
        Argument::Set(values) => return set(column, values),
        Argument::One(value) => value,
    };
    match (operator, column) {
        (Operator::IsNull, Shown::Stored(column)) => return Ok(missing(column)),
        (Operator::IsNotNull, Shown::Stored(column)) => {
            return Ok(Predicate::Has(column, Test::Present));
        }
        (Operator::Is, Shown::Stored(column)) if *value == Value::Null => {
            return Ok(missing(column));
        }
        _ => {}
    }
    // Compared with nothing, nothing is true.
    if *value == Value::Null {
        return Ok(Predicate::False);
    }
    let Shown::Stored(column) = column else {
        return set(column, std::slice::from_ref(value));
    };
    match column.kind() {
        ColumnKind::Time => {
            let at = micros(value)?;
            Ok(numbers(column, operator, at, at, true))
        }
        ColumnKind::Integer => Ok(integer(column, operator, value)),
        ColumnKind::Float => Ok(float(column, operator, value)),
        ColumnKind::Text => Ok(text(column, operator, value)),
        ColumnKind::Uid => set(Shown::Stored(column), std::slice::from_ref(value)),
    }
}

fn missing(column: Column) -> Predicate {
    Predicate::Has(column, Test::Missing)
}

fn micros(value: &Value) -> Result<i64, String> {
    let moment = match value {
        Value::Integer(number) => moment::of_number(*number)?,
        Value::Text(text) => moment::parse(text)?,
        Value::Real(number) => return Err(format!("{number} is no time")),
        Value::Null | Value::Blob(_) => return Err("a blob is no time".to_owned()),
    };
    Ok(moment.as_micros())
}

/// A comparison with a number that lies between `low` and `high`, which differ where it is no whole one.
fn numbers(column: Column, operator: Operator, low: i64, high: i64, is_exact: bool) -> Predicate {
    let within = |min, max| Predicate::Has(column, Test::Within { min, max });
    match operator {
        Operator::Equal | Operator::Is if is_exact => within(low, high),
        Operator::NotEqual if is_exact => {
            Predicate::HasNot(column, Test::Within { min: low, max: high })
        }
        Operator::Less if is_exact => match low.checked_sub(1) {
            Some(max) => within(i64::MIN, max),
            None => Predicate::False,
        },
        Operator::Greater if is_exact => match high.checked_add(1) {
            Some(min) => within(min, i64::MAX),
            None => Predicate::False,
        },
        Operator::Less | Operator::LessOrEqual => within(i64::MIN, high),
        Operator::Greater | Operator::GreaterOrEqual => within(low, i64::MAX),
        _ => Predicate::True,
    }
}

/// Whole numbers up to here are the same as floating-point numbers.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

fn integer(column: Column, operator: Operator, value: &Value) -> Predicate {
    match value {
        Value::Integer(number) => numbers(column, operator, *number, *number, true),
        Value::Real(number) => real(column, operator, *number),
        // SQLite reads numbers in texts beside a column of numbers.
        Value::Text(text) => {
            if let Ok(number) = text.trim().parse::<i64>() {
                numbers(column, operator, number, number, true)
            } else if let Ok(number) = text.trim().parse::<f64>() {
                real(column, operator, number)
            } else {
                Predicate::True
            }
        }
        Value::Null | Value::Blob(_) => Predicate::True,
    }
}

fn real(column: Column, operator: Operator, number: f64) -> Predicate {
    if number.is_nan() || number.abs() >= EXACT_MAX {
        return Predicate::True;
    }
    #[expect(clippy::cast_possible_truncation, reason = "far from the bounds")]
    let (low, high) = (number.floor() as i64, number.ceil() as i64);
    numbers(column, operator, low, high, low == high)
}

fn float(column: Column, operator: Operator, value: &Value) -> Predicate {
    let number = match value {
        Value::Real(number) => *number,
        #[expect(clippy::cast_precision_loss, reason = "larger ones are left to SQLite")]
        Value::Integer(number) => *number as f64,
        Value::Text(text) => match text.trim().parse() {
            Ok(number) => number,
            Err(_) => return Predicate::True,
        },
        Value::Null | Value::Blob(_) => return Predicate::True,
    };
    if number.is_nan() || number.abs() >= EXACT_MAX {
        return Predicate::True;
    }
    let within = |min, max| Predicate::Has(column, Test::FloatWithin { min, max });
    match operator {
        Operator::Equal | Operator::Is => within(number, number),
        Operator::Less | Operator::LessOrEqual => within(f64::NEG_INFINITY, number),
        Operator::Greater | Operator::GreaterOrEqual => within(number, f64::INFINITY),
        _ => Predicate::True,
    }
}

fn text(column: Column, operator: Operator, value: &Value) -> Predicate {
    let words = match value {
        Value::Text(text) => text.clone(),
        // SQLite writes numbers as texts beside a column of texts.
        Value::Integer(number) => number.to_string(),
        Value::Null | Value::Real(_) | Value::Blob(_) => return Predicate::True,
    };
    match operator {
        Operator::Equal | Operator::Is => Predicate::equals(column, &words),
        Operator::NotEqual => Predicate::HasNot(column, Test::OneOf(BTreeSet::from([words]))),
        Operator::Like => pattern(column, &words, &['%', '_'], true),
        Operator::Glob => pattern(column, &words, &['*', '?', '['], false),
        _ => Predicate::True,
    }
}

/// The words between the wildcards, which a text that fits has all.
///
/// SQLite's `LIKE` looks at texts up to a NUL only, so that an end is no end: only starts are used.
fn pattern(column: Column, pattern: &str, wildcards: &[char], ignore_case: bool) -> Predicate {
    let pattern = pattern.split('\0').next().unwrap_or_default();
    // What is in brackets stands for one of many characters; what follows them is left to SQLite.
    let plain = if ignore_case { pattern } else { pattern.split('[').next().unwrap_or_default() };
    let parts = plain.split(wildcards).enumerate().filter(|(_, words)| !words.is_empty());
    let mut found = Predicate::Has(column, Test::Present);
    let mut none = true;
    for (place, words) in parts {
        let place = if place == 0 { Place::Start } else { Place::Anywhere };
        let pattern =
            TextPattern { place, words: words.to_owned(), ignore_ascii_case: ignore_case };
        let has = Predicate::Has(column, Test::Text(pattern));
        found = if none { has } else { found.and(has) };
        none = false;
    }
    found
}

fn set(column: Shown, values: &[Value]) -> Result<Predicate, String> {
    if values.len() > SET_MAX {
        return Ok(Predicate::True);
    }
    let values = values.iter().filter(|value| **value != Value::Null);
    let Shown::Stored(column) = column else {
        let ids: Vec<EventId> = values
            .filter_map(|value| match value {
                Value::Text(text) => text.parse().ok(),
                _ => None,
            })
            .collect();
        let batches = ids.iter().map(|id| id.at(0).as_u128()).collect();
        let places = ids.iter().map(|id| i64::from(id.position())).collect();
        let of_batch = Predicate::Has(Column::MetadataBatchUid, Test::OneOfUids(batches));
        let at_place = Predicate::Has(Column::MetadataSequence, Test::OneOfNumbers(places));
        return Ok(of_batch.and(at_place));
    };
    match column.kind() {
        ColumnKind::Time => {
            let moments = values.map(micros).collect::<Result<_, _>>()?;
            Ok(Predicate::Has(column, Test::OneOfNumbers(moments)))
        }
        ColumnKind::Integer => {
            let mut numbers = BTreeSet::new();
            for value in values {
                match integer(column, Operator::Equal, value) {
                    Predicate::Has(_, Test::Within { min, max }) if min == max => {
                        numbers.insert(min);
                    }
                    _ => return Ok(Predicate::True),
                }
            }
            Ok(Predicate::Has(column, Test::OneOfNumbers(numbers)))
        }
        ColumnKind::Text => {
            let mut texts = BTreeSet::new();
            for value in values {
                match text(column, Operator::Equal, value) {
                    Predicate::Has(_, Test::OneOf(one)) => texts.extend(one),
                    _ => return Ok(Predicate::True),
                }
            }
            Ok(Predicate::Has(column, Test::OneOf(texts)))
        }
        ColumnKind::Uid => {
            let ids = values.filter_map(|value| match value {
                Value::Text(text) => text.parse().ok().map(EventId::as_u128),
                _ => None,
            });
            Ok(Predicate::Has(column, Test::OneOfUids(ids.collect())))
        }
        ColumnKind::Float => Ok(Predicate::True),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_back() {
        let plan = Plan {
            newest_first: true,
            columns: 0b1011,
            conditions: vec![
                (Shown::Stored(Column::Time), Operator::GreaterOrEqual),
                (Shown::Stored(Column::ProcessName), Operator::In),
                (Shown::MetadataUid, Operator::Equal),
            ],
        };
        assert_eq!(
            plan.to_string(),
            "newest first; columns time metadata_uid metadata_sequence; where time >= \
             process_name in metadata_uid ="
        );
        assert_eq!(Plan::read(&plan.to_string()), Some(plan));
        assert_eq!(Plan::read(&Plan::default().to_string()), Some(Plan::default()));
        assert_eq!(Plan::read("?"), None);
    }

    #[test]
    fn patterns_become_words_that_must_be_there() {
        let words = |place, words: &str, ignore_ascii_case| {
            let pattern = TextPattern { place, words: words.to_owned(), ignore_ascii_case };
            Predicate::Has(Column::ProcessName, Test::Text(pattern))
        };
        let any = || Predicate::Has(Column::ProcessName, Test::Present);
        check(Operator::Like, "sh%", words(Place::Start, "sh", true));
        check(Operator::Like, "%sh", words(Place::Anywhere, "sh", true));
        check(
            Operator::Like,
            "a%b_c",
            words(Place::Start, "a", true).and(words(Place::Anywhere, "b", true)).and(words(
                Place::Anywhere,
                "c",
                true,
            )),
        );
        check(Operator::Like, "%", any());
        check(Operator::Glob, "*.sh", words(Place::Anywhere, ".sh", false));
        check(Operator::Glob, "a[bc]d", words(Place::Start, "a", false));
        check(Operator::Glob, "[a]", any());
    }

    #[track_caller]
    fn check(operator: Operator, words: &str, expected: Predicate) {
        let argument = Argument::One(Value::Text(words.to_owned()));
        let column = Shown::Stored(Column::ProcessName);
        assert_eq!(predicate_of(column, operator, &argument), Ok(expected), "{words:?}");
    }

    #[test]
    fn numbers_keep_the_bounds_of_their_type() {
        let check = |operator, value, expected| {
            let column = Shown::Stored(Column::ProcessPid);
            let found = predicate_of(column, operator, &Argument::One(value));
            assert_eq!(found, Ok(expected), "{operator:?}");
        };
        let within = |min, max| Predicate::Has(Column::ProcessPid, Test::Within { min, max });
        check(Operator::Less, Value::Integer(i64::MIN), Predicate::False);
        check(Operator::Greater, Value::Integer(i64::MAX), Predicate::False);
        check(Operator::Greater, Value::Real(5.5), within(5, i64::MAX));
        check(Operator::Equal, Value::Real(5.5), Predicate::True);
        check(Operator::Equal, Value::Real(5.0), within(5, 5));
        check(Operator::Equal, Value::Text(" 5 ".into()), within(5, 5));
        check(Operator::Equal, Value::Text("x".into()), Predicate::True);
        check(Operator::Equal, Value::Null, Predicate::False);
        check(
            Operator::NotEqual,
            Value::Integer(5),
            Predicate::HasNot(Column::ProcessPid, Test::Within { min: 5, max: 5 }),
        );
    }
}
