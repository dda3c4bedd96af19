//! Shapes of tokens that only an attack has.

mod break_out;
mod calls;
mod conditions;
mod queries;
mod shape;
mod statements;

use super::tokens::{Context, Kind, Sentence};
use super::words::is_catalog;
use crate::payload::category::Category::SqlInjection;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{is_space, slice};
use conditions::{Condition, Operand};
use shape::Shape;

/// A sign, a parenthesis or a word of negation in front of an operand: more of them nobody needs.
const PREFIXES_MAX: usize = 8;

/// Judges one reading of a value. Each token is looked at with a bounded number of its neighbours.
pub(crate) fn judge(scan: &mut Scan<'_>, view: &View<'_>, sentence: &Sentence<'_>) {
    let breaks_out = sentence.context != Context::Bare;
    let mut judge = Judge { scan, view, sentence, breaks_out };
    if breaks_out {
        judge.break_out();
    } else {
        judge.number_and_comment();
        judge.number_and_call();
        judge.numbers_selected();
    }
    if let Some(at) = sentence.cast_at {
        judge.weigh(at, 1.0, shape::CAST);
    }
    for index in 0..sentence.len() {
        judge.token(index);
    }
}

/// One reading of a value, and where what is seen in it goes.
struct Judge<'j, 's> {
    scan: &'j mut Scan<'s>,
    view: &'j View<'j>,
    sentence: &'j Sentence<'j>,
    /// The value closed a quote that the statement had opened.
    breaks_out: bool,
}

impl Judge<'_, '_> {
    fn token(&mut self, index: usize) {
        let sentence = self.sentence;
        match sentence.kind(index) {
            Some(Kind::Logic) => self.logic(index),
            Some(Kind::Semicolon) => self.stacked(index),
            Some(Kind::Variable)
                if sentence.text(index).starts_with(b"@@")
                    && matches!(
                        slice(sentence.text(index), 2, 64),
                        b"version"
                            | b"datadir"
                            | b"hostname"
                            | b"servername"
                            | b"basedir"
                            | b"global"
                    ) =>
            {
                self.hit(index, shape::SERVER_VARIABLE);
            }
            Some(Kind::Compare)
                if matches!(sentence.word(index), b"rlike" | b"regexp")
                    && matches!(
                        self.operand(index + 1),
                        Some((_, Operand::Call | Operand::Query))
                    )
                    && self.before_is_value(index) =>
            {
                self.hit(index, shape::FUNCTION);
            }
            Some(Kind::Word) => self.word(index),
            _ => {}
        }
    }

    fn word(&mut self, index: usize) {
        let sentence = self.sentence;
        let word = sentence.word(index);
        match word {
            b"union" | b"intersect" | b"except" | b"minus" => self.union(index),
            b"select" => self.select(index),
            b"insert" | b"update" | b"delete" | b"drop" | b"truncate" | b"alter" | b"create"
            | b"grant" | b"revoke" => {
                self.change(index);
            }
            b"order" | b"group" | b"having" | b"limit" | b"procedure" => {
                self.clause(index);
            }
            b"into"
                if matches!(sentence.word(index + 1), b"outfile" | b"dumpfile")
                    && matches!(
                        sentence.kind(index + 2),
                        Some(Kind::Text | Kind::Number | Kind::Open)
                    ) =>
            {
                self.hit(index, shape::FILE);
            }
            b"into"
                if self.before_is_value(index)
                    && index == 1
                    && sentence.is(index + 1, Kind::Variable) =>
            {
                self.hit(index, shape::CLAUSE);
            }
            b"handler"
                if index == 0
                    && sentence.word(index + 2) == b"open"
                    && sentence.is(index + 3, Kind::Semicolon) =>
            {
                self.hit(index, shape::STATEMENT);
            }
            b"where"
                if self.condition(index + 1) == Condition::Tautology
                    && (index + 4..index + 8).any(|next| sentence.is(next, Kind::Comment)) =>
            {
                self.hit(index, shape::CONDITION);
            }
            b"waitfor"
                if matches!(sentence.word(index + 1), b"delay" | b"time")
                    && sentence.is(index + 2, Kind::Text) =>
            {
                self.hit(index, shape::FUNCTION);
            }
            b"exec" | b"execute" => {
                let object = sentence.word(index + 1);
                let is_stored = [&b"xp_"[..], b"sp_", b"master.", b"master..", b"sys.", b"dbo."]
                    .iter()
                    .any(|prefix| object.starts_with(prefix));
                if is_stored || (object == b"immediate" && sentence.is(index + 2, Kind::Text)) {
                    self.hit(index, shape::FUNCTION);
                }
            }
            b"declare" => {
                let is_typed = matches!(
                    sentence.word(index + 2),
                    b"varchar" | b"nvarchar" | b"int" | b"char" | b"cursor" | b"as"
                );
                if sentence.is(index + 1, Kind::Variable) && is_typed {
                    self.hit(index, shape::FUNCTION);
                }
            }
            b"case"
                if sentence.word(index + 1) == b"when"
                    && (index + 3..index + 12).any(|next| sentence.word(next) == b"then")
                    && (self.breaks_out || index <= 4)
                    && (index + 5..index + 24)
                        .any(|next| matches!(sentence.word(next), b"else" | b"end")) =>
            {
                self.hit(index, shape::FUNCTION);
            }
            _ if sentence.is(index + 1, Kind::Open) => self.call(index),
            _ if is_catalog(word)
                && word.contains(&b'.')
                && word.starts_with(b"information_schema.") =>
            {
                self.hit(index, shape::CATALOG);
            }
            _ => {}
        }
    }

    /// Notes a shape that begins with the token at `index`.
    fn hit(&mut self, index: usize, shape: Shape) {
        self.weigh(self.sentence.start(index), 1.0, shape);
    }

    /// The same at an offset of the text, with a weight.
    fn weigh(&mut self, at: usize, weight: f32, shape: Shape) {
        let Shape { name, words } = shape;
        self.scan.hit(self.view, at, (SqlInjection, weight), name, words);
    }

    fn past(&self, index: usize, kind: Kind) -> usize {
        (index..index.saturating_add(PREFIXES_MAX))
            .find(|&index| !self.sentence.is(index, kind))
            .unwrap_or(index)
    }

    /// Whether nothing stands before it but what closes parentheses, and operators with their numbers: `)`, `div 0`.
    fn only_closing_before(&self, index: usize) -> bool {
        let sentence = self.sentence;
        index <= PREFIXES_MAX
            && (0..index).all(|before| match sentence.kind(before) {
                Some(Kind::Close | Kind::Comment | Kind::Arithmetic) => true,
                Some(Kind::Compare) => sentence.is(before + 1, Kind::Number),
                Some(Kind::Number) => {
                    before > 0
                        && matches!(
                            sentence.kind(before - 1),
                            Some(Kind::Arithmetic | Kind::Compare)
                        )
                }
                _ => false,
            })
    }

    /// Whether something stands before it that a statement could have as a value there.
    fn before_is_value(&self, index: usize) -> bool {
        match index.checked_sub(1) {
            None => self.breaks_out,
            Some(before) => {
                let name_alone = before == 0 && self.sentence.is(before, Kind::Word);
                name_alone
                    || matches!(
                        self.sentence.kind(before),
                        Some(Kind::Number | Kind::Text | Kind::Close | Kind::Variable)
                    )
            }
        }
    }

    /// Whether what follows the logic at `index` is all there is, or a comment ends it.
    fn after_is_end_or_comment(&self, index: usize) -> bool {
        let sentence = self.sentence;
        (index + 1..index + 12).any(|next| {
            matches!(sentence.kind(next), Some(Kind::Comment))
                || (sentence.kind(next).is_none() && next <= index + 5)
        })
    }

    /// `1=1`, not `1 = 1`.
    fn written_without_spaces(&self, index: usize) -> bool {
        let sentence = self.sentence;
        let between = slice(sentence.text, sentence.start(index + 1), sentence.start(index + 3));
        !between.is_empty() && !between.iter().any(|&byte| is_space(byte))
    }
}
