//! Conditions behind `and` and `or`, and the operands that they compare.

use super::{Judge, PREFIXES_MAX, shape};
use crate::payload::sql::tokens::Kind;
use crate::payload::sql::words::{is_attack_function, is_function};
use crate::payload::text::{from, is_space, slice};

/// What stands on one side of a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    Constant,
    Name,
    Call,
    Query,
}

/// What follows `and`, `or` or `having`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// Two constants are compared; they are equal.
    Tautology,
    /// Two constants are compared.
    Constants,
    /// A name is compared with something; `true` where that is a string or a comment ends it.
    Name(bool),
    /// A function of SQL is called; `true` where its result is compared.
    Call(bool),
    /// A function that only attacks call.
    AttackCall,
    /// A query in parentheses.
    Query,
    /// A constant, and then the end or a comment.
    Truth,
}

impl Judge<'_, '_> {
    pub(super) fn logic(&mut self, index: usize) {
        let sentence = self.sentence;
        let directly = self.breaks_out && self.only_closing_before(index);
        let near = index <= 4 && self.before_is_value(index);
        let enough = match self.condition(index + 1) {
            Condition::None => false,
            Condition::Tautology => {
                self.breaks_out
                    || near
                    || sentence.word(index).is_empty()
                    || self.after_is_end_or_comment(index)
                    || self.written_without_spaces(index)
            }
            // `5 < 10 and 10 > 5`: comparisons all the way are mathematics.
            Condition::Constants => {
                directly || near && !(0..index).any(|before| sentence.is(before, Kind::Compare))
            }
            Condition::Name(is_marked) => {
                directly
                    || (is_marked
                        && near
                        && index <= 2
                        && !sentence.is(index.wrapping_sub(1), Kind::Word))
                    || self.is_name_behind_number(index)
            }
            Condition::Call(is_compared) => {
                directly
                    || near && !sentence.is(index.wrapping_sub(1), Kind::Word)
                    || is_compared && index == 0
            }
            Condition::AttackCall | Condition::Query => true,
            Condition::Truth => directly || self.is_truth_behind_number(index),
        };
        if enough {
            self.hit(index, shape::CONDITION);
        }
    }

    /// `1 or id>0`, `1 or id=id`: all there is.
    fn is_name_behind_number(&self, index: usize) -> bool {
        let sentence = self.sentence;
        index == 1
            && sentence.is(0, Kind::Number)
            && sentence.len() == 5
            && (sentence.is(4, Kind::Number) || sentence.text(2) == sentence.text(4))
    }

    /// `1 or 1`, `7 or true`, `1 like 1 or 1`: nobody asks for one number or the same, and that is all there is.
    fn is_truth_behind_number(&self, index: usize) -> bool {
        let sentence = self.sentence;
        let is_compared = index == 3
            && sentence.is(1, Kind::Compare)
            && sentence.text(0) == sentence.text(2)
            && sentence.is(2, Kind::Number);
        let follows = (index + 1..index + 5)
            .find(|&next| !matches!(sentence.word(next), b"not" | b"binary"))
            .unwrap_or(index);
        let is_same = sentence.text(follows) == sentence.text(0);
        let is_constant = matches!(sentence.word(follows), b"true" | b"false" | b"null");
        sentence.is(0, Kind::Number)
            && (index == 1 && (is_same || is_constant) || is_compared)
            && matches!(sentence.kind(follows + 1), None | Some(Kind::Comment))
    }

    /// What follows `and` or `or`.
    pub(super) fn condition(&self, index: usize) -> Condition {
        let sentence = self.sentence;
        let Some((mut next, left)) = self.operand(index) else { return Condition::None };
        match left {
            Operand::Query => return Condition::Query,
            Operand::Call => {
                let name = sentence.word(next.saturating_sub(1));
                if is_attack_function(name) {
                    return Condition::AttackCall;
                }
                return if is_function(name) {
                    Condition::Call(self.is_compared(next))
                } else {
                    Condition::None
                };
            }
            Operand::Constant | Operand::Name => {}
        }
        let left_token = next.saturating_sub(1);
        next = self.past(next, Kind::Close);
        if left == Operand::Constant
            && self.ends_condition(next)
            && (!sentence.is(left_token, Kind::Text) || self.is_closed_by_statement(left_token))
        {
            return Condition::Truth;
        }
        // `1+1=2`
        let mut sums = 0;
        while left == Operand::Constant
            && sentence.is(next, Kind::Arithmetic)
            && sums < PREFIXES_MAX
        {
            let Some((after, Operand::Constant)) = self.operand(next + 1) else { break };
            next = self.past(after, Kind::Close);
            sums += 1;
        }
        // `''-'`: the last string is closed by the statement.
        if sums > 0 && self.breaks_out && sentence.kind(next).is_none() {
            return Condition::Truth;
        }
        if sentence.word(next) == b"not" {
            next += 1;
        }
        if sentence.word(next) == b"sounds" {
            next += 1;
        }
        if !sentence.is(next, Kind::Compare) {
            return Condition::None;
        }
        let operator = sentence.text(next);
        if operator == b"is" {
            let ends = sentence.word(next + 1) == b"null"
                || (sentence.word(next + 1) == b"not" && sentence.word(next + 2) == b"null");
            return if ends { Condition::Name(true) } else { Condition::None };
        }
        let Some((after, right)) = self.operand(next + 1) else {
            // Cut off by the quote that the statement closes: `or 'a'='`
            return Condition::None;
        };
        match (left, right) {
            (_, Operand::Query) => Condition::Query,
            (_, Operand::Call) => {
                let name = sentence.word(after.saturating_sub(1));
                if is_attack_function(name) {
                    Condition::AttackCall
                } else if is_function(name) {
                    Condition::Call(true)
                } else {
                    Condition::None
                }
            }
            (Operand::Constant, Operand::Constant) => {
                let same = unquoted(sentence.text(left_token))
                    == unquoted(sentence.text(after.saturating_sub(1)));
                if same && sums == 0 { Condition::Tautology } else { Condition::Constants }
            }
            _ => {
                let end = self.past(after, Kind::Close);
                let is_text = sentence.is(after.saturating_sub(1), Kind::Text);
                Condition::Name(is_text || sentence.is(end, Kind::Comment))
            }
        }
    }

    /// Whether a condition may end before the token at `index`.
    fn ends_condition(&self, index: usize) -> bool {
        matches!(
            self.sentence.kind(index),
            None | Some(Kind::Comment | Kind::Semicolon | Kind::Logic)
        ) || matches!(
            self.sentence.word(index),
            b"group" | b"order" | b"having" | b"limit" | b"union" | b"into" | b"procedure"
        )
    }

    /// `x' or 'a`: the last string is short and open, and the quote before it was no quotation mark of prose.
    fn is_closed_by_statement(&self, index: usize) -> bool {
        const LENGTH_MAX: usize = 12;
        let sentence = self.sentence;
        let text = sentence.text(index);
        let content = from(text, 1);
        let before = slice(sentence.text, 0, sentence.broken_at.saturating_sub(1));
        self.breaks_out
            && sentence.kind(index + 1).is_none()
            && text.len() <= LENGTH_MAX
            && !content.is_empty()
            && !content.iter().any(|&byte| is_space(byte) || Some(&byte) == text.first())
            && !before.last().is_some_and(|&byte| is_space(byte))
    }

    /// Whether the result of the call whose parenthesis opens at `index` is compared with something.
    fn is_compared(&self, index: usize) -> bool {
        const ARGUMENTS_MAX: usize = 24;
        let mut depth = 0usize;
        for next in index..index.saturating_add(ARGUMENTS_MAX) {
            match self.sentence.kind(next) {
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) if depth <= 1 => {
                    return self.sentence.is(next + 1, Kind::Compare);
                }
                Some(Kind::Close) => depth -= 1,
                None => return false,
                Some(_) => {}
            }
        }
        false
    }

    /// Reads an operand; where it ends (behind the name of a call, before its parenthesis) and what it is.
    pub(super) fn operand(&self, index: usize) -> Option<(usize, Operand)> {
        let sentence = self.sentence;
        let mut index = index;
        for _ in 0..PREFIXES_MAX {
            let is_prefix = match sentence.kind(index) {
                Some(Kind::Open | Kind::Arithmetic) => true,
                Some(Kind::Word) => {
                    matches!(
                        sentence.word(index),
                        b"not"
                            | b"binary"
                            | b"all"
                            | b"distinct"
                            | b"any"
                            | b"some"
                            | b"n"
                            | b"x"
                            | b"_latin1"
                    ) && !matches!(sentence.kind(index + 1), None | Some(Kind::Compare))
                        || sentence.text(index.wrapping_sub(1)) == b"{"
                            && sentence.is(index + 1, Kind::Word)
                }
                _ => false,
            };
            if !is_prefix {
                break;
            }
            index += 1;
        }
        let is_query = match sentence.word(index) {
            // Behind `and`, prose has the bare words.
            b"select" => sentence.is(index.wrapping_sub(1), Kind::Open),
            b"exists" => sentence.is(index + 1, Kind::Open),
            b"case" => (index + 1..index + 8).any(|next| sentence.word(next) == b"when"),
            _ => false,
        };
        let operand = match sentence.kind(index)? {
            Kind::Text if sentence.is(index + 1, Kind::Text) => {
                // `'a' 'b'` is one string.
                index = (index + 1..index + PREFIXES_MAX)
                    .take_while(|&next| sentence.is(next, Kind::Text))
                    .last()
                    .unwrap_or(index);
                Operand::Constant
            }
            Kind::Number | Kind::Text | Kind::Variable => Operand::Constant,
            Kind::Compare
                if sentence.word(index) == b"like" && sentence.is(index + 1, Kind::Open) =>
            {
                Operand::Call
            }
            Kind::Word => match sentence.word(index) {
                _ if is_query => Operand::Query,
                b"null" | b"true" | b"false" => Operand::Constant,
                _ if sentence.is(index + 1, Kind::Open) => Operand::Call,
                _ => Operand::Name,
            },
            _ => return None,
        };
        Some((index + 1, operand))
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"'").or_else(|| text.strip_prefix(b"\"")).unwrap_or(text);
    text.strip_suffix(b"'").or_else(|| text.strip_suffix(b"\"")).unwrap_or(text)
}
