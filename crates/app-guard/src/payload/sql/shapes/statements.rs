//! Statements of their own: behind a semicolon, or as the whole value.

use super::{Judge, shape};
use crate::payload::sql::tokens::{Kind, Sentence};
use crate::payload::sql::words::{
    begins_statement, is_account_table, is_function, is_schema_object,
};

impl Judge<'_, '_> {
    pub(super) fn stacked(&mut self, index: usize) {
        let sentence = self.sentence;
        let verb = sentence.word(index + 1);
        if verb.is_empty() || !begins_statement(verb) {
            return;
        }
        let object = sentence.word(index + 2);
        let second = sentence.kind(index + 2);
        let is_statement = match verb {
            b"select" => {
                let counts =
                    sentence.is(index + 2, Kind::Number) && sentence.is(index + 3, Kind::Word);
                matches!(
                    second,
                    Some(
                        Kind::Number | Kind::Text | Kind::Variable | Kind::Arithmetic | Kind::Open
                    )
                ) && (!counts || matches!(sentence.word(index + 3), b"from" | b"where" | b"into"))
                    || is_function(object) && sentence.is(index + 3, Kind::Open)
                    || self.select_list(index + 2).is_some()
            }
            b"insert" | b"replace" | b"merge" => {
                object == b"into"
                    || (index + 3..index + 24)
                        .any(|next| matches!(sentence.word(next), b"values" | b"select"))
                        && sentence.is(index + 3, Kind::Open)
            }
            b"delete" => object == b"from",
            b"update" => sentence.word(index + 3) == b"set",
            b"drop" | b"create" | b"alter" => is_schema_object(object),
            b"truncate" => object == b"table" || sentence.kind(index + 3).is_none(),
            b"exec" | b"execute" => {
                matches!(second, Some(Kind::Open))
                    || object.starts_with(b"xp_")
                    || object.starts_with(b"sp_")
                    || object.starts_with(b"master")
                    || object == b"immediate"
            }
            b"declare" | b"set" => matches!(second, Some(Kind::Variable)),
            b"waitfor" => matches!(object, b"delay" | b"time"),
            b"shutdown" => {
                matches!(second, None | Some(Kind::Comment | Kind::Semicolon)) || object == b"with"
            }
            b"grant" | b"revoke" => matches!(object, b"all" | b"select" | b"execute" | b"dba"),
            b"copy" => {
                matches!(sentence.word(index + 3), b"from" | b"to")
                    || sentence.is(index + 2, Kind::Open) && sentence.word(index + 3) == b"select"
            }
            b"call" => sentence.is(index + 3, Kind::Open),
            b"handler" => sentence.word(index + 3) == b"open",
            b"load" => object == b"data",
            b"attach" => object == b"database",
            b"pragma" => {
                sentence.is(index + 3, Kind::Compare) || sentence.is(index + 3, Kind::Open)
            }
            b"if" => sentence.is(index + 2, Kind::Open) || matches!(second, Some(Kind::Number)),
            b"begin" | b"commit" | b"rollback" | b"reconfigure" | b"vacuum" => {
                matches!(second, None | Some(Kind::Comment | Kind::Semicolon))
                    && (self.breaks_out || sentence.is(0, Kind::Number))
            }
            b"do" => is_function(object) && sentence.is(index + 3, Kind::Open),
            b"dbcc" | b"prepare" | b"backup" | b"kill" | b"rename" | b"use" | b"with" => {
                matches!(object, b"database" | b"table" | b"master" | b"mysql")
                    || sentence.word(index + 3) == b"from"
            }
            _ => false,
        };
        if is_statement {
            self.hit(index, shape::STACKED);
        }
    }

    pub(super) fn change(&mut self, index: usize) {
        let sentence = self.sentence;
        let (first, second) = (sentence.word(index + 1), sentence.word(index + 2));
        let third = sentence.kind(index + 3);
        let ends = matches!(third, None | Some(Kind::Semicolon | Kind::Comment));
        let begins = index == 0 || !sentence.is(index - 1, Kind::Word);
        let shouted = self
            .view
            .original
            .get(sentence.start(index)..sentence.start(index) + 4)
            .is_some_and(|text| text.iter().all(u8::is_ascii_uppercase));
        if self.is_talked_about(index) {
            return;
        }
        let is_statement = match sentence.word(index) {
            b"insert" => {
                first == b"into"
                    && (index + 3..index + 40)
                        .any(|next| matches!(sentence.word(next), b"values" | b"select" | b"set"))
            }
            b"update" => {
                !first.is_empty()
                    && second == b"set"
                    && matches!(third, Some(Kind::Word))
                    && sentence.is(index + 4, Kind::Compare)
            }
            b"delete" => {
                first == b"from"
                    && !second.is_empty()
                    && begins
                    && ((sentence.word(index + 3) == b"where"
                        && !matches!(sentence.kind(index + 5), Some(Kind::Word) | None))
                        || matches!(third, Some(Kind::Semicolon | Kind::Comment))
                        || (ends && shouted))
            }
            b"drop" | b"truncate" => {
                !is_talk(second)
                    && !is_talk(sentence.word(index + 4))
                    && is_schema_object(first)
                    && (begins || matches!(third, Some(Kind::Comment | Kind::Semicolon)))
                    && (ends
                        && (shouted
                            || self.breaks_out
                            || index > 0
                            || is_account_table(second)
                            || third.is_some())
                        || (second == b"if" && sentence.word(index + 3) == b"exists"))
            }
            b"alter" => {
                matches!(first, b"table" | b"database" | b"user" | b"login")
                    && (index + 3..index + 6).any(|next| {
                        matches!(
                            sentence.word(next),
                            b"add"
                                | b"drop"
                                | b"modify"
                                | b"change"
                                | b"rename"
                                | b"identified"
                                | b"with"
                        )
                    })
            }
            b"grant" | b"revoke" => {
                matches!(
                    first,
                    b"all" | b"select" | b"insert" | b"update" | b"delete" | b"execute" | b"usage"
                ) && (index + 2..index + 6).any(|next| sentence.word(next) == b"on")
                    && (index + 4..index + 14)
                        .any(|next| matches!(sentence.word(next), b"to" | b"from"))
            }
            b"create" => {
                is_schema_object(first)
                    && (sentence.is(index + 3, Kind::Open) && begins
                        || matches!(sentence.word(index + 3), b"identified" | b"as"))
            }
            _ => false,
        };
        if is_statement {
            self.hit(index, shape::STATEMENT);
        }
    }
}

impl Judge<'_, '_> {
    /// Whether a text talks about the statement that begins there: a word of prose stands right before it, where no
    /// statement could have one, or the field is for code.
    pub(super) fn is_talked_about(&self, index: usize) -> bool {
        if self.breaks_out {
            return false;
        }
        let place = self.scan.place;
        // Their whole point is a query, in a language that is like SQL.
        let name = place.name().as_bytes();
        let is_language = name.len() >= 3
            && name.len() <= 5
            && name.to_ascii_lowercase().ends_with(b"ql")
            && !name.to_ascii_lowercase().ends_with(b"sql");
        if is_language && index == 0 {
            return true;
        }
        if !place.is_body() {
            return false;
        }
        // In parentheses a query is part of a statement; where none is written around it, it is to become part of one.
        if place.is_for_code() && !is_inserted(self.sentence, index) {
            return true;
        }
        let Some(before) = index.checked_sub(1) else { return false };
        let word = self.sentence.word(before);
        !word.is_empty()
            && !matches!(
                word,
                b"union"
                    | b"all"
                    | b"distinct"
                    | b"except"
                    | b"intersect"
                    | b"minus"
                    | b"as"
                    | b"exists"
                    | b"any"
                    | b"some"
                    | b"not"
                    | b"begin"
                    | b"then"
                    | b"else"
                    | b"do"
                    | b"explain"
                    | b"analyze"
            )
    }
}

/// Whether a parenthesis opens right before the token, in what does not begin with a statement of its own.
fn is_inserted(sentence: &Sentence<'_>, index: usize) -> bool {
    index.checked_sub(1).is_some_and(|before| sentence.is(before, Kind::Open))
        && !begins_statement(sentence.word(0))
}

/// What people write behind the name of a statement when they write about it.
fn is_talk(word: &[u8]) -> bool {
    matches!(
        word,
        b"explained"
            | b"statement"
            | b"command"
            | b"syntax"
            | b"tutorial"
            | b"example"
            | b"examples"
            | b"explanation"
            | b"query"
            | b"vs"
            | b"meaning"
            | b"permission"
            | b"in"
    )
}
