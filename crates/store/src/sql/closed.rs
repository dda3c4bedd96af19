//! Queries that a kernel answers faster than SQLite row by row: counts of what fits, by columns or by
//! steps of time, and the distinct values of columns.
//!
//! A small, strict reader recognises them. What it does not know in every letter it leaves to SQLite, so
//! it never has to be right about all of SQL, only about what it takes: conditions that the scan
//! answers exactly, and orders that are the same.

use super::moment;
use super::plan::{Argument, Operator, Shown, predicate_of};
use crate::archive::columns::{Column, ColumnKind};
use crate::scan::predicate::Predicate;
use ringwall_event::Timestamp;
use rusqlite::types::Value;

/// A question of a closed shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Closed {
    /// Which events.
    pub(super) predicate: Predicate,
    /// By what they are counted.
    pub(super) keys: Keys,
    /// What stands in the columns of the answer.
    pub(super) items: Vec<Item>,
    /// By which of the items the answer is ordered, and whether downwards; then by the keys.
    pub(super) order: Vec<(usize, bool)>,
    /// How many rows.
    pub(super) limit: Option<usize>,
}

/// By what events are counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Keys {
    /// All together.
    None,
    /// By the values of these columns, or by the lack of one.
    Columns(Vec<Column>),
    /// By steps of time, in microseconds.
    Steps(i64),
}

/// What stands in a column of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The key at this place.
    Key(usize),
    /// How many.
    Count,
}

/// Reads a query, where it is of a closed shape.
pub(super) fn read(sql: &str, now: Timestamp) -> Option<Closed> {
    let tokens = tokens(sql)?;
    let mut reader = Reader { rest: &tokens, now };
    let closed = reader.query()?;
    reader.take(&Token::Sign(';'));
    reader.rest.is_empty().then_some(closed)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name or word, in lower case.
    Word(String),
    Text(String),
    Number(i64),
    Sign(char),
    /// `<=`, `>=`, `<>`, `!=`, `==`.
    Double([char; 2]),
}

/// None where there is anything unusual: comments, quoted names, other kinds of numbers.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        let token = match letter {
            ' ' | '\t' | '\n' | '\r' => continue,
            'a'..='z' | 'A'..='Z' | '_' => {
                let mut word = String::from(letter);
                while let Some(more) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(more);
                }
                Token::Word(word.to_ascii_lowercase())
            }
            '0'..='9' => {
                let mut digits = String::from(letter);
                while let Some(more) = rest.next_if(char::is_ascii_digit) {
                    digits.push(more);
                }
                if rest.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_')) {
                    return None;
                }
                Token::Number(digits.parse().ok()?)
            }
            '\'' => {
                let mut text = String::new();
                loop {
                    match rest.next()? {
                        '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
                        '\'' => break,
                        other => text.push(other),
                    }
                }
                Token::Text(text)
            }
            '<' | '>' | '=' | '!' => {
                match rest.next_if(|next| {
                    matches!((letter, next), ('<', '=' | '>') | ('>' | '=' | '!', '='))
                }) {
                    Some(second) => Token::Double([letter, second]),
                    None if letter == '!' => return None,
                    None => Token::Sign(letter),
                }
            }
            '-' if rest.peek() == Some(&'-') => return None,
            '(' | ')' | ',' | '*' | ';' | '-' => Token::Sign(letter),
            _ => return None,
        };
        found.push(token);
    }
    Some(found)
}

struct Reader<'t> {
    rest: &'t [Token],
    now: Timestamp,
}

/// Something that is selected, or that groups.
#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Column(Column),
    Step(i64),
    Count,
}

/// Words that are no names of ours.
const RESERVED: &[&str] = &[
    "as", "from", "where", "group", "order", "limit", "by", "having", "and", "or", "not", "in",
    "is", "null", "between", "like", "asc", "desc", "distinct", "select", "offset", "union",
    "collate",
];

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first.clone())
    }

    /// Takes this token, if it is next.
    fn take(&mut self, token: &Token) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if first == token => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn sign(&mut self, sign: char) -> bool {
        self.take(&Token::Sign(sign))
    }

    fn must(is_there: bool) -> Option<()> {
        is_there.then_some(())
    }

    fn query(&mut self) -> Option<Closed> {
        Self::must(self.word("select"))?;
        let is_distinct = self.word("distinct");
        let mut selected = vec![self.selected()?];
        while self.sign(',') {
            selected.push(self.selected()?);
        }
        Self::must(self.word("from") && self.word(super::events_table::NAME))?;
        let mut predicate = Predicate::True;
        if self.word("where") {
            predicate = self.condition()?;
            while self.word("and") {
                predicate = predicate.and(self.condition()?);
            }
        }
        let groups = if self.word("group") {
            Self::must(self.word("by") && !is_distinct)?;
            let mut groups = vec![self.reference(&selected)?];
            while self.sign(',') {
                groups.push(self.reference(&selected)?);
            }
            groups
        } else if is_distinct {
            selected.iter().map(|(expression, _)| expression.clone()).collect()
        } else {
            Vec::new()
        };
        let keys = keys(&groups)?;
        let items = selected
            .iter()
            .map(|(expression, _)| match expression {
                Expression::Count if is_distinct => None,
                Expression::Count => Some(Item::Count),
                other => groups.iter().position(|group| group == other).map(Item::Key),
            })
            .collect::<Option<Vec<Item>>>()?;
        let order = self.order(&selected)?;
        let limit = if self.word("limit") {
            let Some(Token::Number(limit)) = self.next() else { return None };
            Some(usize::try_from(limit).ok()?)
        } else {
            None
        };
        Some(Closed { predicate, keys, items, order, limit })
    }

    fn order(&mut self, selected: &[(Expression, Option<String>)]) -> Option<Vec<(usize, bool)>> {
        let mut order = Vec::new();
        if !self.word("order") {
            return Some(order);
        }
        Self::must(self.word("by"))?;
        loop {
            let expression = self.reference(selected)?;
            let place = selected.iter().position(|(one, _)| *one == expression)?;
            let is_down = self.word("desc");
            if !is_down {
                self.word("asc");
            }
            order.push((place, is_down));
            if !self.sign(',') {
                return Some(order);
            }
        }
    }

    /// An expression, and the name that it gets.
    fn selected(&mut self) -> Option<(Expression, Option<String>)> {
        let expression = self.expression()?;
        if !self.word("as") {
            return Some((expression, None));
        }
        match self.next()? {
            // What is also the name of a column may mean either later on.
            Token::Word(name)
                if !RESERVED.contains(&name.as_str()) && Shown::by_name(&name).is_none() =>
            {
                Some((expression, Some(name)))
            }
            _ => None,
        }
    }

    /// An expression, the number of one that is selected, or its name.
    fn reference(&mut self, selected: &[(Expression, Option<String>)]) -> Option<Expression> {
        match self.rest.first()? {
            Token::Number(number) => {
                let place = usize::try_from(*number).ok()?.checked_sub(1)?;
                self.next();
                selected.get(place).map(|(expression, _)| expression.clone())
            }
            Token::Word(name) => {
                let named = selected.iter().find(|(_, given)| given.as_ref() == Some(name));
                if let Some((expression, _)) = named {
                    let expression = expression.clone();
                    self.next();
                    return Some(expression);
                }
                self.expression()
            }
            _ => None,
        }
    }

    fn expression(&mut self) -> Option<Expression> {
        let Token::Word(word) = self.next()? else { return None };
        match word.as_str() {
            "count" => {
                Self::must(self.sign('(') && self.sign('*') && self.sign(')'))?;
                Some(Expression::Count)
            }
            "time_bucket" => {
                Self::must(self.sign('('))?;
                let Token::Text(span) = self.next()? else { return None };
                Self::must(self.sign(',') && self.word(Column::Time.name()) && self.sign(')'))?;
                moment::parse_span(&span).ok().map(Expression::Step)
            }
            name => Column::by_name(name)
                .filter(|column| matches!(column.kind(), ColumnKind::Text | ColumnKind::Integer))
                .map(Expression::Column),
        }
    }

    fn condition(&mut self) -> Option<Predicate> {
        let Token::Word(name) = self.next()? else { return None };
        let column = Column::by_name(&name)?;
        if self.word("is") {
            let operator = if self.word("not") { Operator::IsNotNull } else { Operator::IsNull };
            Self::must(self.word("null"))?;
            return predicate(column, operator, Argument::One(Value::Null));
        }
        if self.word("between") {
            let low = self.literal(column)?;
            Self::must(self.word("and") && column.kind() != ColumnKind::Text)?;
            let high = self.literal(column)?;
            let low = predicate(column, Operator::GreaterOrEqual, Argument::One(low))?;
            let high = predicate(column, Operator::LessOrEqual, Argument::One(high))?;
            return Some(low.and(high));
        }
        if self.word("in") {
            Self::must(self.sign('('))?;
            let mut values = vec![self.literal(column)?];
            while self.sign(',') {
                values.push(self.literal(column)?);
            }
            Self::must(self.sign(')'))?;
            return predicate(column, Operator::In, Argument::Set(values));
        }
        let operator = match self.next()? {
            Token::Sign('=') | Token::Double(['=', '=']) => Operator::Equal,
            Token::Double(['<', '>'] | ['!', '=']) => Operator::NotEqual,
            Token::Sign('<') => Operator::Less,
            Token::Sign('>') => Operator::Greater,
            Token::Double(['<', '=']) => Operator::LessOrEqual,
            Token::Double(['>', '=']) => Operator::GreaterOrEqual,
            _ => return None,
        };
        let is_text = column.kind() == ColumnKind::Text;
        if is_text && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return None;
        }
        let value = self.literal(column)?;
        predicate(column, operator, Argument::One(value))
    }

    /// A value of the same type as the column: nothing is converted.
    fn literal(&mut self, column: Column) -> Option<Value> {
        let value = match self.next()? {
            Token::Text(text) => Value::Text(text),
            Token::Number(number) => Value::Integer(number),
            Token::Sign('-') => match self.next()? {
                Token::Number(number) => Value::Integer(-number),
                _ => return None,
            },
            Token::Word(word) if word == "ago" => {
                Self::must(self.sign('('))?;
                let Token::Text(span) = self.next()? else { return None };
                Self::must(self.sign(')'))?;
                let micros = moment::parse_span(&span).ok()?;
                let at = moment::text_of(self.now.plus_micros(-micros));
                return (column.kind() == ColumnKind::Time)
                    .then(|| Value::Text(at.as_str().to_owned()));
            }
            _ => return None,
        };
        let fits = matches!(
            (column.kind(), &value),
            (ColumnKind::Time, _)
                | (ColumnKind::Integer, Value::Integer(_))
                | (ColumnKind::Text, Value::Text(_))
        );
        fits.then_some(value)
    }
}

/// The events that pass, where the scan finds them exactly.
fn predicate(column: Column, operator: Operator, argument: Argument) -> Option<Predicate> {
    match predicate_of(Shown::Stored(column), operator, &argument) {
        Ok(Predicate::True) | Err(_) => None,
        Ok(predicate) => Some(predicate),
    }
}

fn keys(groups: &[Expression]) -> Option<Keys> {
    if groups.is_empty() {
        return Some(Keys::None);
    }
    if let [Expression::Step(micros)] = groups {
        return Some(Keys::Steps(*micros));
    }
    groups
        .iter()
        .map(|group| match group {
            Expression::Column(column) => Some(*column),
            _ => None,
        })
        .collect::<Option<Vec<Column>>>()
        .map(Keys::Columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_in_every_letter_is_taken() {
        for (sql, expected) in [
            ("SELECT count(*) FROM events", true),
            ("select COUNT( * ) from EVENTS where Kind = 'x' ;", true),
            ("SELECT kind, count(*) AS n FROM events GROUP BY kind ORDER BY n DESC LIMIT 5", true),
            ("SELECT kind, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC, 1", true),
            ("SELECT DISTINCT kind FROM events WHERE time > ago('1h')", true),
            (
                "SELECT time_bucket('5m', time) AS t, count(*) FROM events GROUP BY t ORDER BY t",
                true,
            ),
            ("SELECT count(*) FROM events WHERE process_pid IN (1, -2) AND kind <> 'x'", true),
            ("SELECT count(*) FROM events WHERE time BETWEEN '2026-11-01' AND '2026-11-02'", true),
            ("SELECT count(*), count(*) FROM events WHERE process_name IS NOT NULL", true),
            ("SELECT kind FROM events", false),
            ("SELECT kind, count(*) FROM events", false),
            ("SELECT kind AS process_name, count(*) FROM events GROUP BY process_name", false),
            ("SELECT count(*) FROM events e", false),
            ("SELECT count(*) FROM events, hosts", false),
            ("SELECT count(*) FROM events WHERE kind = 'x' OR kind = 'y'", false),
            ("SELECT count(*) FROM events WHERE NOT kind = 'x'", false),
            ("SELECT count(*) FROM events WHERE kind = 5", false),
            ("SELECT count(*) FROM events WHERE process_pid = '5'", false),
            ("SELECT count(*) FROM events WHERE process_pid = 5.0", false),
            ("SELECT count(*) FROM events WHERE kind LIKE '%x%'", false),
            ("SELECT count(*) FROM events WHERE kind > 'x'", false),
            ("SELECT count(*) FROM events WHERE kind = 'x' COLLATE NOCASE", false),
            ("SELECT count(*) FROM events WHERE time > 'yesterday'", false),
            ("SELECT count(*) FROM events WHERE risk_score > 5", false),
            ("SELECT count(*) FROM events -- all", false),
            ("SELECT count(*) FROM \"events\"", false),
            ("SELECT count(*) FROM events LIMIT 5 OFFSET 1", false),
            ("SELECT count(*) FROM events HAVING count(*) > 1", false),
            ("SELECT count(*) FROM events UNION SELECT 1", false),
            ("SELECT time, count(*) FROM events GROUP BY time", false),
            ("SELECT count(kind) FROM events", false),
            ("SELECT DISTINCT count(*) FROM events", false),
            ("", false),
        ] {
            assert_eq!(read(sql, Timestamp::default()).is_some(), expected, "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(sql in ".*", tail in "[ -~]{0,40}") {
            let _ = read(&sql, Timestamp::default());
            let _ = read(&format!("SELECT count(*) FROM events {tail}"), Timestamp::default());
        }
    }
}
