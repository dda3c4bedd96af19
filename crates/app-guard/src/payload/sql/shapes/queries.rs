//! Queries and their clauses: `union select`, `select … from`, `order by 9`.

use super::conditions::Condition;
use super::{Judge, shape};
use crate::payload::sql::tokens::Kind;
use crate::payload::sql::words::{
    is_account_column, is_account_table, is_attack_function, is_catalog, is_function,
};
use crate::payload::text::slice;

/// How far a list of columns is followed.
const LIST_MAX: usize = 64;

/// A list of columns, and the table behind it.
pub(super) struct List {
    /// The token `from`.
    from: usize,
    /// It has `*`, functions or variables.
    technical: bool,
    /// It has one item.
    single: bool,
    /// It has columns that accounts have.
    accounts: bool,
}

impl Judge<'_, '_> {
    pub(super) fn union(&mut self, index: usize) {
        let sentence = self.sentence;
        let mut next = index + 1;
        while matches!(sentence.word(next), b"all" | b"distinct" | b"distinctrow")
            && next < index + 3
        {
            next += 1;
        }
        next = self.past(next, Kind::Open);
        if !matches!(sentence.word(next), b"select" | b"values" | b"table") {
            return;
        }
        let first = next + 1;
        let begins_list = match sentence.kind(first) {
            Some(Kind::Number | Kind::Text | Kind::Variable | Kind::Arithmetic | Kind::Open) => {
                true
            }
            None => self.breaks_out || index <= 2 && self.before_is_value(index),
            _ => matches!(
                sentence.word(first),
                b"null" | b"all" | b"distinct" | b"char" | b"concat" | b"table_name"
            ),
        };
        let is_list = self.select_list(first).is_some()
            || (first..first + 6)
                .any(|next| matches!(sentence.kind(next), Some(Kind::Comma | Kind::Open)));
        let broke_out = self.breaks_out && index <= 2
            || matches!(
                sentence.kind(index.wrapping_sub(1)),
                Some(Kind::Number | Kind::Close | Kind::Text)
            );
        // The others are words of prose: `except select stores, …`
        let is_joined = if sentence.word(index) == b"union" {
            begins_list || is_list || broke_out
        } else {
            begins_list && self.before_is_value(index) || self.select_list(first).is_some()
        };
        if is_joined {
            self.hit(index, shape::UNION);
        }
    }

    pub(super) fn select(&mut self, index: usize) {
        let sentence = self.sentence;
        if let Some(list) = self.select_list(index + 1) {
            if self.is_talked_about(index) && !is_catalog(sentence.word(list.from + 1)) {
                return;
            }
            let table = sentence.word(list.from + 1);
            let in_parentheses = sentence.is(index.wrapping_sub(1), Kind::Open)
                && matches!(
                    sentence.kind(index.wrapping_sub(2)),
                    None | Some(
                        Kind::Compare | Kind::Logic | Kind::Arithmetic | Kind::Open | Kind::Comma
                    )
                );
            let clause =
                matches!(
                    sentence.word(list.from + 2),
                    b"where" | b"limit" | b"order" | b"group" | b"union" | b"having" | b"into"
                ) || matches!(sentence.kind(list.from + 2), Some(Kind::Comment | Kind::Semicolon));
            let shouted =
                slice(self.view.original, sentence.start(index), sentence.start(index) + 6)
                    == b"SELECT"
                    && slice(
                        self.view.original,
                        sentence.start(list.from),
                        sentence.start(list.from) + 4,
                    ) == b"FROM";
            let ends = sentence.kind(list.from + 2).is_none();
            let accounts = is_account_table(table) && list.accounts;
            if list.technical
                || is_catalog(table)
                || accounts && (ends || clause)
                || in_parentheses
                    && (ends || clause || list.technical || sentence.is(list.from + 2, Kind::Open))
                || clause
                    && list.single
                    && (index == 0 || self.breaks_out)
                    && table.len() > 1
                    && sentence.word(list.from + 2) != b"order"
                || shouted && (ends || clause || index == 0)
                || sentence.is(list.from + 1, Kind::Open)
            {
                self.hit(index, shape::QUERY);
            }
            return;
        }
        // Without a table: `select @@version`, `select user()`, `(select sleep(5))`
        let first = self.past(index + 1, Kind::Open);
        let name = sentence.word(first);
        let calls = sentence.is(first + 1, Kind::Open) && is_function(name);
        if calls && (index <= 6 || is_attack_function(name)) {
            self.hit(index, shape::FUNCTION);
        }
        if sentence.is(index.wrapping_sub(1), Kind::Open)
            && matches!(sentence.kind(index.wrapping_sub(2)), Some(Kind::Compare | Kind::Logic))
            && matches!(sentence.kind(first), Some(Kind::Number | Kind::Text | Kind::Variable))
        {
            self.hit(index, shape::SUBQUERY);
        }
    }

    /// The list of columns from there to `from`, where it is one.
    pub(super) fn select_list(&self, index: usize) -> Option<List> {
        let sentence = self.sentence;
        let mut list = List { from: 0, technical: false, single: true, accounts: false };
        let mut index = index;
        let mut items = 0usize;
        let end = index.saturating_add(LIST_MAX);
        if matches!(sentence.word(index), b"distinct" | b"all" | b"top") {
            index += 1;
            if sentence.is(index, Kind::Number) {
                index += 1;
            }
        }
        let mut wants_item = true;
        let mut depth = 0usize;
        while index < end {
            let word = sentence.word(index);
            match sentence.kind(index)? {
                _ if word == b"from" && depth == 0 => {
                    // `from $50` names no table.
                    let sum = sentence.text(index + 1).strip_prefix(b"$").unwrap_or_default();
                    let is_sum = !sum.is_empty() && sum.iter().all(u8::is_ascii_digit);
                    if wants_item || items == 0 || is_sum {
                        return None;
                    }
                    list.from = index;
                    list.single = items == 1;
                    return Some(list);
                }
                Kind::Open => {
                    depth += 1;
                    list.technical |= is_function(sentence.word(index.wrapping_sub(1)))
                        || depth == 1 && items == 0;
                    if wants_item {
                        items += 1;
                    }
                    wants_item = true;
                }
                Kind::Close => {
                    depth = depth.checked_sub(1)?;
                    wants_item = false;
                }
                Kind::Comma => {
                    if wants_item {
                        return None;
                    }
                    wants_item = true;
                }
                Kind::Arithmetic if sentence.text(index) == b"*" => {
                    list.technical = true;
                    items += 1;
                    wants_item = false;
                }
                Kind::Number | Kind::Text | Kind::Variable => {
                    list.technical |= sentence.is(index, Kind::Variable);
                    items += 1;
                    wants_item = false;
                }
                Kind::Word if word == b"as" && !wants_item => {
                    // `as name`
                    index += 1;
                }
                Kind::Word => {
                    if !wants_item && depth == 0 {
                        return None;
                    }
                    list.accounts |= is_account_column(word);
                    items += 1;
                    wants_item = false;
                }
                Kind::Logic if sentence.text(index) == b"||" => wants_item = true,
                Kind::Arithmetic | Kind::Compare | Kind::Logic if depth > 0 => wants_item = true,
                _ => return None,
            }
            index += 1;
        }
        None
    }

    pub(super) fn clause(&mut self, index: usize) {
        let sentence = self.sentence;
        // Behind a value, as in `1 order by 9`, or directly behind the quote.
        let directly = self.breaks_out && self.only_closing_before(index)
            || index <= 2
                // `top 10 limit 5` is a search.
                && !(index == 2 && sentence.is(0, Kind::Word))
                && matches!(sentence.kind(index.wrapping_sub(1)), Some(Kind::Number | Kind::Close));
        let is_clause = match sentence.word(index) {
            b"order" | b"group" => {
                sentence.word(index + 1) == b"by"
                    && matches!(
                        sentence.kind(index + 2),
                        Some(Kind::Number | Kind::Word | Kind::Open)
                    )
                    && (directly
                        && (sentence.is(index + 2, Kind::Number)
                            || self.after_is_end_or_comment(index))
                        || sentence.is(index + 2, Kind::Number)
                            && sentence.is(index + 3, Kind::Comment))
            }
            b"having" => match self.condition(index + 1) {
                Condition::Constants | Condition::Tautology => true,
                Condition::Call(_) | Condition::AttackCall | Condition::Query => directly,
                _ => false,
            },
            b"limit" => {
                directly
                    && sentence.is(index + 1, Kind::Number)
                    && (self.after_is_end_or_comment(index) || sentence.is(index + 2, Kind::Comma))
            }
            b"procedure" => sentence.word(index + 1) == b"analyse",
            _ => false,
        };
        if is_clause {
            self.hit(index, shape::CLAUSE);
        }
    }
}
