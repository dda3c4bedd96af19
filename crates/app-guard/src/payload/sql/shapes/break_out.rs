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
            // Passwords have such characters on purpose.
            let weight =
                if self.scan.place.is_named_like(&["pass", "pwd", "secret"]) { 0.5 } else { 1.0 };
            self.weigh(sentence.broken_at, weight, shape::QUOTE_COMMENT);
        }
        // `'='`, `'-'`: the whole value is an operator between two empty strings.
        let short = sentence.text.len() <= 8 && before.is_empty() && sentence.len() == 2;
        let operator = matches!(sentence.kind(0), Some(Kind::Compare | Kind::Arithmetic));
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
        // `1'='1`
        let compared = sentence.len() == 2
            && sentence.is(0, Kind::Compare)
            && sentence.is(1, Kind::Text)
            && !before.is_empty()
            && before.len() <= 64
            && !before.iter().any(|&byte| is_space(byte) || byte == b'=');
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
