//! What stands directly behind the quote that was open, or behind a number: the rest of the statement is cut off
//! or goes on as the attacker likes.

use super::conditions::Operand;
use super::{Judge, shape};
use crate::payload::sql::tokens::{Kind, Sentence};
use crate::payload::sql::words::is_function;
use crate::payload::text::{is_space, slice, trim};

impl Judge<'_, '_> {
    /// What stands directly behind the quote that was open.
    pub(super) fn break_out(&mut self) {
        let sentence = self.sentence;
        let before = slice(sentence.text, 0, sentence.broken_at.saturating_sub(1));
        let mut index = 0;
        while sentence.is(index, Kind::Close) {
            index += 1;
        }
        if sentence.is(index, Kind::Semicolon) && sentence.is(index + 1, Kind::Comment) {
            index += 1;
        }
        if sentence.is(index, Kind::Comment) && ends_statement(before, sentence, index) {
            self.weigh(sentence.broken_at, self.weight_of_marks(), shape::QUOTE_COMMENT);
        }
        if self.is_clause_until_comment(before, index) {
            let at = sentence.start(index);
            self.weigh(at, self.weight_of_marks(), shape::QUOTE_CLAUSE);
        }
        // `x', role='admin`
        let sets = sentence.is(0, Kind::Comma)
            && sentence.is(1, Kind::Word)
            && sentence.text(2) == b"="
            && sentence.is(3, Kind::Text)
            && sentence.len() == 4;
        if sets && !before.is_empty() && is_one_word(before) {
            self.hit(0, shape::QUOTE_CLAUSE);
        }
        // `admin';`
        let ends = sentence.is(index, Kind::Semicolon) && sentence.len() == index + 1;
        if ends && !before.is_empty() && is_one_word(before) {
            self.weigh(sentence.broken_at, self.weight_of_marks(), shape::QUOTE_END);
        }
        // `'='`, `'-'`: the whole value is an operator between two empty strings.
        let short = sentence.text.len() <= 8 && before.is_empty() && sentence.len() == 2;
        let operator = matches!(sentence.kind(0), Some(Kind::Compare | Kind::Arithmetic))
            || sentence.text(0) == b"||";
        if short && operator && sentence.is(1, Kind::Text) {
            self.weigh(0, 1.0, shape::EMPTY_OPERANDS);
        }
        // `'=''or'`: the whole value is a comparison of empty strings, and an alternative.
        let is_tautology = sentence.text.len() <= 16
            && before.is_empty()
            && sentence.is(0, Kind::Compare)
            && sentence.is(1, Kind::Text)
            && sentence.is(2, Kind::Logic);
        if is_tautology {
            self.weigh(0, 1.0, shape::EMPTY_OPERANDS);
        }
        // `1'='1`, `x' not like 'y`, `x' between 'a' and 'z`, `x'||'y`
        let first = usize::from(sentence.word(0) == b"not");
        let is_joined = matches!(sentence.text(0), b"+" | b"||");
        let is_range = sentence.word(first) == b"between"
            && sentence.is(first + 2, Kind::Logic)
            && sentence.is(first + 3, Kind::Text)
            && sentence.len() == first + 4;
        let compared = (sentence.len() == first + 2 || is_range)
            && (sentence.is(first, Kind::Compare) || is_joined)
            && sentence.is(first + 1, Kind::Text)
            && !before.is_empty()
            && is_one_word(before)
            && !before.contains(&b'=');
        if compared {
            self.weigh(0, 1.0, shape::COMPARED_STRINGS);
        }
        // `'+(select …`, `'||utl_http…`, `'-sleep(5)`
        if matches!(sentence.kind(index), Some(Kind::Arithmetic | Kind::Logic | Kind::Compare)) {
            match self.operand(index + 1) {
                Some((_, Operand::Query)) => self.hit(index, shape::SUBQUERY),
                Some((next, Operand::Call))
                    if is_function(sentence.word(next.saturating_sub(1))) =>
                {
                    self.hit(index, shape::OPERATOR_CALL);
                }
                _ => {}
            }
        }
    }

    /// Passwords have such characters on purpose.
    fn weight_of_marks(&self) -> f32 {
        if self.scan.place.is_named_like(&["pass", "pw", "secret"]) { 0.5 } else { 1.0 }
    }

    /// `' is not null--`, `' collate nocase--`: from an operator or a keyword to a comment at the very end.
    fn is_clause_until_comment(&self, before: &[u8], index: usize) -> bool {
        const TOKENS_MAX: usize = 24;
        let sentence = self.sentence;
        let Some(last) = sentence.len().checked_sub(1) else { return false };
        let begins = match sentence.kind(index) {
            Some(Kind::Compare | Kind::Logic) => true,
            Some(Kind::Arithmetic) => sentence.is(index + 1, Kind::Number),
            // `x',1)--`, `x', role='admin'--`
            Some(Kind::Comma) => {
                sentence.is(last.saturating_sub(1), Kind::Close)
                    || sentence.is(index + 1, Kind::Word) && sentence.text(index + 2) == b"="
            }
            _ => matches!(
                sentence.word(index),
                b"collate"
                    | b"notnull"
                    | b"isnull"
                    | b"not"
                    | b"having"
                    | b"group"
                    | b"order"
                    | b"limit"
                    | b"offset"
                    | b"union"
                    | b"except"
                    | b"intersect"
                    | b"into"
                    | b"as"
                    | b"for"
                    | b"on"
                    | b"where"
                    | b"returning"
            ),
        };
        begins
            && last > index
            && last <= TOKENS_MAX
            && is_one_word(before)
            && sentence.is(last, Kind::Comment)
            && sentence.text(last) != b"/*"
            && trim(sentence.rest(last)).is_empty()
    }

    /// `1^(ascii(mid(…`: a number, an operator, and functions in each other that read what the database holds.
    pub(super) fn number_and_call(&mut self) {
        let sentence = self.sentence;
        if !sentence.is(0, Kind::Number) || !sentence.is(1, Kind::Arithmetic) {
            return;
        }
        let is_read = |index| {
            matches!(
                sentence.word(index),
                b"ascii"
                    | b"ord"
                    | b"mid"
                    | b"substr"
                    | b"substring"
                    | b"length"
                    | b"hex"
                    | b"select"
                    | b"user"
                    | b"database"
                    | b"version"
                    | b"if"
            )
        };
        match self.operand(2) {
            Some((_, Operand::Query)) => self.hit(1, shape::SUBQUERY),
            Some((next, Operand::Call)) => {
                let inside = self.past(next, Kind::Open);
                if is_read(next - 1) && (is_read(inside) || sentence.is(inside, Kind::Variable)) {
                    self.hit(1, shape::OPERATOR_CALL);
                }
            }
            _ => {}
        }
    }

    /// `select 1,2,3`: numbers and nothing else.
    pub(super) fn numbers_selected(&mut self) {
        const TOKENS_MAX: usize = 64;
        let sentence = self.sentence;
        let is_list = sentence.word(0) == b"select"
            && (4..=TOKENS_MAX).contains(&sentence.len())
            && (1..sentence.len()).all(|index| {
                sentence.is(index, if index % 2 == 1 { Kind::Number } else { Kind::Comma })
            });
        if is_list {
            self.hit(0, shape::QUERY);
        }
    }

    /// `1-- -`, `1;--`, `1)#`: a number, then a comment that ends the value.
    pub(super) fn number_and_comment(&mut self) {
        let sentence = self.sentence;
        if !sentence.is(0, Kind::Number) || sentence.len() > 5 {
            return;
        }
        let mut index = 1;
        while matches!(sentence.kind(index), Some(Kind::Close | Kind::Semicolon)) {
            index += 1;
        }
        let rest = trim(sentence.rest(index));
        if !sentence.is(index, Kind::Comment) || !(rest.is_empty() || rest == b"-" || rest == b"+")
        {
            return;
        }
        let marked = index > 1 || !rest.is_empty();
        let weight = if marked { 1.0 } else { 0.5 };
        self.weigh(sentence.start(index), weight, shape::NUMBER_COMMENT);
    }
}

/// Whether what stood before the quote is one word, as a value is, or nothing.
fn is_one_word(before: &[u8]) -> bool {
    const LENGTH_MAX: usize = 64;
    before.len() <= LENGTH_MAX && !before.iter().any(|&byte| is_space(byte))
}

/// Whether the comment at `index` hides the rest of a statement, or is a dash or a number sign of prose.
fn ends_statement(before: &[u8], sentence: &Sentence<'_>, index: usize) -> bool {
    let comment = sentence.text(index);
    let rest = trim(sentence.rest(index));
    let short = rest.len() <= 4 && !rest.contains(&b' ');
    match comment {
        b"#" => rest.is_empty() || (rest.len() <= 2 && !rest.iter().any(u8::is_ascii_alphanumeric)),
        b"/*" => short || !before.contains(&b' '),
        _ => short || !before.contains(&b' ') && !before.is_empty(),
    }
}
